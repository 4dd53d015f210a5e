//! What cards do elsewhere: all their visits by card, then what comes of them back to the stores.

use std::sync::atomic::{AtomicU16, Ordering};

use bytemuck::Pod;
use nightshard_format::{
    calendar::{Day, Month},
    key::PARTITIONS,
    record::{BEFORE_AFTER, ORIGINS},
};

use super::{Engine, told::merchants};
use crate::{
    Result,
    build::Stage,
    emit::{MonthShards, Staged, StoreFacts},
    exchange::{Exchanged, Outbox},
    kernel::{
        before_after::{BesideRow, CardBeside},
        before_after_cells::{self, BesideRules},
        hiding::Hiding,
        merged_labels::RecordsOfStores,
        origin_cells,
        origins::{CardOrigins, OriginRow},
        places::Places,
        row::{CardRow, CardVisit, StoreOrdinal},
        store_cards::StoreCards,
        store_labels::StoreLabels,
        store_partition::CARD_PARTITIONS,
    },
};

/// Where stores are, and whose.
struct StoresElsewhere<'a> {
    stores: &'a [StoreFacts],
    regions: StoreLabels<'a>,
    categories: StoreLabels<'a>,
    merchants: Vec<u32>,
    /// The last month of which anything is told.
    last: Month,
}

impl StoresElsewhere<'_> {
    fn merchant_of(&self, store: StoreOrdinal) -> u32 {
        let at = self.stores.partition_point(|known| known.ordinal < store);
        self.merchants[at]
    }
}

/// What all cards do, by store.
struct SentElsewhere {
    origins: Exchanged<OriginRow>,
    beside: Exchanged<BesideRow>,
}

impl Engine<'_> {
    /// Writes what the cards of stores do elsewhere in the months of which that may be told; nothing where neither a
    /// region nor a category is known. The cards stay in their exchange.
    pub(super) fn write_elsewhere(
        &self,
        card_days: &Exchanged<CardRow>,
        stores: &[StoreFacts],
        places: &Places,
        as_of: Day,
    ) -> Result<Option<Vec<Staged>>> {
        let hiding = Hiding::of(self.plan.privacy_k);
        let of = StoresElsewhere {
            stores,
            regions: StoreLabels::regions(places),
            categories: StoreLabels::categories(places, &self.plan.sensitive_categories),
            merchants: merchants(stores),
            // What is told of a month must not change while it goes on.
            last: hiding.map_or(as_of.month(), |_| Month::last_ended(as_of)),
        };
        if of.regions.is_empty() && of.categories.is_empty() {
            return Ok(None);
        }
        let steps = u64::from(CARD_PARTITIONS) + 2 * u64::from(PARTITIONS);
        self.progress.begin(Stage::Elsewhere, steps);
        let sent = self.send_elsewhere(card_days, &of)?;
        let (budget, cards_min) = (self.shares.partition, hiding.map_or(0, |hiding| hiding.k));
        let origins = MonthShards::new(&self.staging, ORIGINS, stores);
        let mut staged = self.write_months(origins, |partition| {
            origin_cells::encode(&sent.origins, partition, budget, &of.regions, cards_min)
        })?;
        let rules = BesideRules {
            labels: [&of.regions, &of.categories],
            hiding,
        };
        let beside = MonthShards::new(&self.staging, BEFORE_AFTER, stores);
        staged.extend(self.write_months(beside, |partition| {
            let merchant_of = |store| of.merchant_of(store);
            before_after_cells::encode(&sent.beside, partition, budget, rules, merchant_of)
        })?);
        Ok(Some(staged))
    }

    /// Writes the records of all partitions of stores.
    pub(super) fn write_months(
        &self,
        mut shards: MonthShards<'_>,
        encode: impl Fn(u16) -> Result<RecordsOfStores> + Sync,
    ) -> Result<Vec<Staged>> {
        self.in_order(0..PARTITIONS, encode, |records| {
            self.progress.advance(1);
            shards.add(&records)
        })?;
        shards.finish()
    }

    /// Sends what all cards do elsewhere to their stores.
    fn send_elsewhere(
        &self,
        card_days: &Exchanged<CardRow>,
        of: &StoresElsewhere<'_>,
    ) -> Result<SentElsewhere> {
        let next = AtomicU16::new(0);
        let sent = self.on_all_threads(|| {
            let mut origins = CardOrigins::new(&of.regions, of.last, self.outbox_of_stores());
            let labels = [&of.regions, &of.categories];
            let merchant_of = |store| of.merchant_of(store);
            let outbox = self.outbox_of_stores();
            let mut beside = CardBeside::new(labels, merchant_of, of.last, outbox);
            let mut cards = StoreCards::default();
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= CARD_PARTITIONS {
                    return Ok((origins.finish(), beside.finish()));
                }
                let budget = self.shares.partition;
                let visit = |row| Some(CardVisit::at_store(row));
                cards.each(card_days, partition, budget, visit, |visits| {
                    if !of.regions.is_empty() {
                        origins.card(visits)?;
                    }
                    beside.card(visits)
                })?;
                self.progress.advance(1);
            }
        })?;
        let (origins, beside) = sent.into_iter().unzip();
        Ok(SentElsewhere {
            origins: Exchanged::new(origins)?,
            beside: Exchanged::new(beside)?,
        })
    }

    /// Makes the buffers of an exchange by store, of which there are two at once at most.
    pub(super) fn outbox_of_stores<R: Pod>(&self) -> Outbox<R> {
        Outbox::new(
            PARTITIONS.into(),
            self.shares.place_cards / 2,
            &self.scratch,
        )
    }
}
