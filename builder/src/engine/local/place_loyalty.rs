//! What takes each card of a place, of the market or of a merchant as a whole.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    Result,
    build::Stage,
    emit::{self, LoyaltyShards, Staged, Written},
    exchange::{Exchanged, Outbox},
    kernel::{
        loyal_places::LoyalPlaces,
        loyalty_row::LoyaltyRow,
        place_loyalty::{self, PlaceLoyalty},
        places::Places,
    },
};

impl Engine<'_> {
    /// Returns what counts cards as a whole in places, and sends them on.
    pub(super) fn place_loyalty<'a>(
        &self,
        places: &'a Places,
        told: &'a LoyalPlaces,
    ) -> PlaceLoyalty<'a> {
        let budget = self.shares.place_loyalty;
        let outbox = Outbox::new(told.partitions().into(), budget, &self.scratch);
        PlaceLoyalty::new((places, told), self.plan.regular, outbox, budget)
    }

    /// Writes what was counted of places into a dataset; their months are in `staged`.
    pub(super) fn write_loyalty(
        &self,
        sent: Vec<PlaceLoyalty<'_>>,
        told: &LoyalPlaces,
        dataset: &'static str,
        staged: &[Staged],
    ) -> Result<Vec<Staged>> {
        let outboxes: Result<Vec<Outbox<LoyaltyRow>>> =
            sent.into_iter().map(PlaceLoyalty::finish).collect();
        let sent = Exchanged::new(outboxes?)?;
        let mut months = BTreeMap::new();
        for place in told.list() {
            if !months.contains_key(place.dataset) {
                months.insert(place.dataset, Written::open(staged, place.dataset)?);
            }
        }
        self.progress.begin(Stage::Places, told.partitions().into());
        let mut shards = LoyaltyShards::new(&self.staging, dataset, told);
        let encode = |partition: u16| {
            let loyalty = place_loyalty::take(&sent, partition, told, self.plan.regular)?;
            emit::encode_loyalty_of_places(loyalty, told, &months)
        };
        self.in_order(0..told.partitions(), encode, |records| {
            self.progress.advance(1);
            shards.add(&records)
        })?;
        shards.finish()
    }
}
