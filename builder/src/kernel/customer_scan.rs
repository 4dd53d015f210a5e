//! What the scan does for customers: rows are marked, and pseudonyms sent whole.

use super::{
    customer_row::NameRow,
    store_partition::{CARD_PARTITION_BITS, CARD_PARTITIONS},
};
use crate::{
    Result,
    customers::{Customers, Marks},
    exchange::{Outbox, Scratch},
    transaction::Transaction,
};

/// Marks the rows of one worker, and sends the pseudonyms of their cards.
pub struct CustomerScan<'a> {
    customers: &'a Customers,
    names: Outbox<NameRow>,
    /// Pseudonyms that were sent, each where its lowest bits say: most cards come again.
    sent: Vec<u128>,
}

/// So many pseudonyms are remembered.
const SENT_LEN: usize = 1 << 14;

impl<'a> CustomerScan<'a> {
    /// Begins to send pseudonyms, which are held in so many bytes, then in the scratch folder.
    #[must_use]
    pub fn new(customers: &'a Customers, budget_bytes: usize, scratch: &Scratch) -> Self {
        Self {
            customers,
            names: Outbox::new(CARD_PARTITIONS.into(), budget_bytes, scratch),
            sent: vec![0; SENT_LEN],
        }
    }

    /// Returns what the customer's figures need of a row.
    pub(super) fn marks(&self, row: &Transaction<'_>) -> Marks {
        self.customers.marks(row)
    }

    /// Sends a pseudonym, 0 for none.
    pub(super) fn name(&mut self, pseudonym: u128) -> Result<()> {
        let place = usize::try_from(pseudonym % SENT_LEN as u128).unwrap_or(0);
        // No card has the pseudonym 0, which is what is remembered at first.
        if std::mem::replace(&mut self.sent[place], pseudonym) == pseudonym {
            return Ok(());
        }
        if pseudonym != 0 {
            let partition = pseudonym >> (u128::BITS - CARD_PARTITION_BITS);
            let partition = u16::try_from(partition).unwrap_or(u16::MAX);
            self.names.push(partition, NameRow(pseudonym))?;
            self.names.spill_if_full()?;
        }
        Ok(())
    }

    /// Ends the scan.
    pub(super) fn finish(self) -> Outbox<NameRow> {
        self.names
    }
}
