//! What each card paid at each store of a partition, sent on by card.

use super::{
    customer_row::{CustomerRow, CustomerSums},
    profiles::Profiles,
    row::{PartitionRow, StoreOrdinal},
    store_partition::CARD_PARTITION_BITS,
};
use crate::{Result, exchange::Outbox};

/// Adds up the rows of each card at each store; its memory serves one partition after the other.
pub(super) struct CustomerSender {
    /// The exchange by card.
    pub(super) outbox: Outbox<CustomerRow>,
    /// Which rows have a card, by card and then store.
    order: Vec<u32>,
}

impl CustomerSender {
    /// Makes one that sends to `outbox`.
    pub(super) fn new(outbox: Outbox<CustomerRow>) -> Self {
        Self {
            outbox,
            order: Vec::new(),
        }
    }

    /// Sends what the rows of a partition add up to, of which those without a card and in other currencies
    /// are left out.
    pub(super) fn send(
        &mut self,
        partition: u16,
        profiles: &Profiles,
        rows: &[PartitionRow],
    ) -> Result<()> {
        let counts = |row: &PartitionRow| {
            row.row.card_day().has_card() && profiles.base_store_of(row).is_some()
        };
        let counted = (0..).zip(rows).filter(|(_, row)| counts(row));
        self.order.clear();
        self.order.extend(counted.map(|(index, _): (u32, _)| index));
        let key = |index: &u32| {
            let row = &rows[*index as usize];
            (row.row.card_day().card(), profiles.store_of(row))
        };
        self.order.sort_unstable_by_key(key);
        for of_key in self.order.chunk_by(|a, b| key(a) == key(b)) {
            let first = &rows[of_key[0] as usize];
            let mut sums = CustomerSums::of(first);
            for index in &of_key[1..] {
                sums.add(&CustomerSums::of(&rows[*index as usize]));
            }
            let card = first.row.card_day();
            let store = StoreOrdinal::new(partition, profiles.store_of(first) as usize)?;
            let row = CustomerRow::at_store(card, store, sums);
            self.outbox.push(card.top_bits(CARD_PARTITION_BITS), row)?;
            self.outbox.spill_if_full()?;
        }
        Ok(())
    }
}
