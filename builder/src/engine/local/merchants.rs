//! The books of merchants of several stores: what these say together, which is told exactly.

use super::{Engine, told::Stores};
use crate::{
    Result,
    emit::Staged,
    exchange::Exchanged,
    kernel::{place_cards::PlaceCards, place_partitions::PlacePartitions, row::CardRow},
};

impl Engine<'_> {
    /// Writes the records of merchants, which are places in the place of regions and categories.
    ///
    /// Cards are passed through once more, where there is such a merchant: a visit says of one leaf alone.
    pub(super) fn write_merchants(
        &self,
        card_days: &Exchanged<CardRow>,
        stores: &Stores<'_>,
    ) -> Result<Vec<Staged>> {
        let merchants = stores.places;
        if merchants.list().is_empty() {
            return Ok(Vec::new());
        }
        let partitions = PlacePartitions::new(merchants).len();
        let sinks = self.each_card(card_days, merchants, false, || {
            PlaceCards::new(merchants, self.place_outbox(partitions))
        })?;
        let cards = Exchanged::new(sinks.into_iter().map(PlaceCards::finish).collect())?;
        self.write_places(&cards, stores)
    }
}
