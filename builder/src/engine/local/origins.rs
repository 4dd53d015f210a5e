//! Where cards come from: their visits elsewhere by card, then back to the stores.

use std::sync::atomic::{AtomicU16, Ordering};

use nightshard_format::{
    calendar::{Day, Month},
    key::PARTITIONS,
};

use super::Engine;
use crate::{
    Result,
    build::Stage,
    emit::{OriginShards, Staged, StoreFacts},
    exchange::{Exchanged, Outbox},
    kernel::{
        hiding::Hiding,
        origin_cells,
        origins::{CardOrigins, OriginRow, StoreRegions},
        places::Places,
        row::CardRow,
        store_cards::StoreCards,
        store_partition::CARD_PARTITIONS,
    },
};

impl Engine<'_> {
    /// Writes where the cards of stores come from in the months of which that may be told; nothing where no region is
    /// known. The cards stay in their exchange.
    pub(super) fn write_origins(
        &self,
        card_days: &Exchanged<CardRow>,
        stores: &[StoreFacts],
        places: &Places,
        as_of: Day,
    ) -> Result<Option<Vec<Staged>>> {
        let regions = StoreRegions::of(places);
        if regions.is_empty() {
            return Ok(None);
        }
        let hiding = Hiding::of(self.plan.privacy_k);
        // What is told of a month must not change while it goes on.
        let last = hiding.map_or(as_of.month(), |_| Month::last_ended(as_of));
        let cards_min = hiding.map_or(0, |hiding| hiding.k);
        let steps = u64::from(CARD_PARTITIONS) + u64::from(PARTITIONS);
        self.progress.begin(Stage::Elsewhere, steps);
        let sent = self.send_origins(card_days, &regions, last)?;
        let mut shards = OriginShards::new(&self.staging, stores);
        let encode = |partition: u16| {
            let budget = self.shares.partition;
            let origins = origin_cells::encode(&sent, partition, budget, &regions, cards_min)?;
            Ok((partition, origins))
        };
        self.in_order(0..PARTITIONS, encode, |(partition, origins)| {
            self.progress.advance(1);
            shards.add(partition, &origins)
        })?;
        Ok(Some(shards.finish()?))
    }

    /// Sends the origins of all cards to their stores.
    fn send_origins(
        &self,
        card_days: &Exchanged<CardRow>,
        regions: &StoreRegions<'_>,
        last: Month,
    ) -> Result<Exchanged<OriginRow>> {
        let next = AtomicU16::new(0);
        let outboxes = self.on_all_threads(|| {
            let outbox = Outbox::new(PARTITIONS.into(), self.shares.place_cards, &self.scratch);
            let mut origins = CardOrigins::new(regions, last, outbox);
            let mut cards = StoreCards::default();
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= CARD_PARTITIONS {
                    return Ok(origins.finish());
                }
                let budget = self.shares.partition;
                cards.each(card_days, partition, budget, |visits| origins.card(visits))?;
                self.progress.advance(1);
            }
        })?;
        Exchanged::new(outboxes)
    }
}
