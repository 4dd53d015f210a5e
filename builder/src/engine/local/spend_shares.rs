//! Shares of observed spend: what cards spent by card, then back to the stores.

use std::sync::atomic::{AtomicU16, Ordering};

use nightshard_format::{
    calendar::{Day, Month},
    key::PARTITIONS,
    privacy::OTHER_MERCHANTS_MIN,
    record::SPEND_SHARES,
};

use super::{Engine, told::merchants};
use crate::{
    Result,
    build::Stage,
    emit::{MonthShards, Staged, StoreFacts},
    exchange::Exchanged,
    kernel::{
        card_spending::CardSpending,
        hiding::Hiding,
        spend_row::{ShareRow, SpendRow},
        spend_shares,
        store_cards::StoreCards,
        store_cells::StoreCells,
        store_partition::CARD_PARTITIONS,
    },
};

impl Engine<'_> {
    /// Writes which share stores have of what their cards spend, of the months that have ended and as far as it may be
    /// told; nothing where it may of no region and category.
    pub(super) fn write_spend_shares(
        &self,
        spent: &Exchanged<SpendRow>,
        stores: &[StoreFacts],
        as_of: Day,
    ) -> Result<Option<Vec<Staged>>> {
        let hiding = Hiding::of(self.plan.privacy_k);
        let cells = cells_of(stores, hiding);
        if cells.is_empty() {
            (0..CARD_PARTITIONS).for_each(|partition| spent.give_back(partition));
            return Ok(None);
        }
        let steps = u64::from(CARD_PARTITIONS) + u64::from(PARTITIONS);
        self.progress.begin(Stage::Spend, steps);
        let sent = self.send_spend(spent, &cells, Month::last_ended(as_of))?;
        let budget = self.shares.partition;
        let shards = MonthShards::new(&self.staging, SPEND_SHARES, stores);
        let encode = |partition| spend_shares::encode(&sent, partition, budget, &cells, hiding);
        self.write_months(shards, encode).map(Some)
    }

    /// Sends what cards spent in stores of one kind up to the month `last` to these.
    fn send_spend(
        &self,
        spent: &Exchanged<SpendRow>,
        cells: &StoreCells,
        last: Month,
    ) -> Result<Exchanged<ShareRow>> {
        let next = AtomicU16::new(0);
        let sent = self.on_all_threads(|| {
            let mut spending = CardSpending::new(cells, self.outbox_of_stores());
            let mut cards = StoreCards::default();
            loop {
                let partition = next.fetch_add(1, Ordering::Relaxed);
                if partition >= CARD_PARTITIONS {
                    return Ok(spending.finish());
                }
                let numbered = |row: SpendRow| {
                    let row = Some(row).filter(|row| row.month() <= last);
                    row.and_then(|row| cells.numbered(row))
                };
                let budget = self.shares.partition;
                cards.each(spent, partition, budget, numbered, |of_card| {
                    spending.card(of_card)
                })?;
                spent.give_back(partition);
                self.progress.advance(1);
            }
        })?;
        Exchanged::new(sent)
    }
}

/// Returns the stores that anything may be told of: where cards hide each other, there are enough other merchants.
fn cells_of(stores: &[StoreFacts], hiding: Option<Hiding>) -> StoreCells {
    let placed = stores
        .iter()
        .zip(merchants(stores))
        .map(|(store, merchant)| {
            let place = store.region.as_deref().zip(store.category.as_deref());
            (store.ordinal, merchant, place)
        });
    StoreCells::of(
        placed,
        hiding.map_or(1, |_| 1 + usize::from(OTHER_MERCHANTS_MIN)),
    )
}
