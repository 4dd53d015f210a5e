//! The books of merchants of several stores: what these say together, which is told exactly.

use nightshard_format::record::MERCHANT_LOYALTY;

use super::{Engine, told::Stores};
use crate::{
    Result,
    emit::Staged,
    exchange::Exchanged,
    kernel::{
        loyal_places::LoyalPlaces, place_cards::PlaceCards, place_partitions::PlacePartitions,
        sold_to_cards::SentByCard,
    },
};

impl Engine<'_> {
    /// Writes the records of merchants, which are places in the place of regions and categories.
    ///
    /// Cards are passed through once more, where there is such a merchant: a visit says of one leaf alone.
    pub(super) fn write_merchants(
        &self,
        sent: SentByCard<'_>,
        stores: &Stores<'_>,
    ) -> Result<Vec<Staged>> {
        let merchants = stores.places;
        if merchants.list().is_empty() {
            return Ok(Vec::new());
        }
        let partitions = PlacePartitions::new(merchants).len();
        let told = LoyalPlaces::of_merchants(merchants);
        let sinks = self.each_card(sent, merchants, false, || {
            let cards = PlaceCards::new(merchants, self.place_outbox(partitions));
            (cards, self.place_loyalty(merchants, &told))
        })?;
        let (cards, loyalty): (Vec<_>, Vec<_>) = sinks.into_iter().unzip();
        let cards = Exchanged::new(cards.into_iter().map(PlaceCards::finish).collect())?;
        let mut staged = self.write_places(&cards, stores)?;
        staged.extend(self.write_loyalty(loyalty, &told, MERCHANT_LOYALTY, &staged)?);
        Ok(staged)
    }
}
