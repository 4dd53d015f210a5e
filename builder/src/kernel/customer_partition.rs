//! One partition of cards to what each of them paid in all stores, by whole pseudonyms.

use std::collections::HashSet;

use nightshard_format::{
    key,
    record::{PSEUDONYM_LEN, customer_key},
};

use super::{
    customer_row::{CustomerRow, NameRow, add_up, card_of},
    row::StoreOrdinal,
};
use crate::{
    Error, Result,
    exchange::{Exchanged, Outbox, Visitor},
};

/// Stores whose rows are no customer's.
pub type SensitiveStores = HashSet<StoreOrdinal>;

/// What scan and stores have sent of customers.
#[derive(Debug)]
pub struct SentCustomers {
    /// Whole pseudonyms, by card.
    pub names: Exchanged<NameRow>,
    /// What each card paid at each store, by card.
    pub rows: Exchanged<CustomerRow>,
}

/// Returns the key of a pseudonym.
#[must_use]
pub fn key_of(pseudonym: u128) -> [u8; 2 * PSEUDONYM_LEN] {
    customer_key(pseudonym.to_le_bytes())
}

/// Takes the customers of one partition to `out`, keeping in memory about `budget_bytes`, or twice what its
/// distinct cards take where that is more.
///
/// # Errors
/// [`Error::File`] if the scratch folder fails, [`Error::Internal`] if a card was never named.
pub fn reduce(
    sent: &SentCustomers,
    partition: u16,
    sensitive: &SensitiveStores,
    budget_bytes: usize,
    out: &mut Outbox<CustomerRow>,
) -> Result<()> {
    let mut cards = Cards {
        rows: Vec::new(),
        added_up: 0,
        limit: budget_bytes / 2 / size_of::<CustomerRow>(),
        sensitive,
    };
    sent.rows.take(partition, &mut cards)?;
    add_up(&mut cards.rows);
    let mut names = Names {
        pseudonyms: Vec::new(),
        sorted: 0,
        limit: budget_bytes / 2 / size_of::<NameRow>(),
    };
    sent.names.take(partition, &mut names)?;
    names.sort();
    let mut named = &names.pseudonyms[..];
    for row in cards.rows {
        let card = row.card();
        named = &named[named.partition_point(|it| card_of(*it) < card)..];
        match named[..named.partition_point(|it| card_of(*it) == card)] {
            [] => return Err(Error::Internal("a card has no pseudonym".into())),
            [id] => {
                let partition = key::partition_of(key::hash(&key_of(id)));
                out.push(partition, CustomerRow { id, ..row })?;
                out.spill_if_full()?;
            }
            // Rows cannot tell these cards apart, which a billion of them have a chance of one in a million
            // for: nobody is to see what somebody else paid.
            _ => {}
        }
    }
    Ok(())
}

/// Gathers what cards paid, adding up whenever many rows have come.
struct Cards<'a> {
    rows: Vec<CustomerRow>,
    added_up: usize,
    limit: usize,
    sensitive: &'a SensitiveStores,
}

impl Visitor<CustomerRow> for Cards<'_> {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[CustomerRow]) -> Result<()> {
        if self.rows.len() >= self.limit.max(self.added_up * 2) {
            add_up(&mut self.rows);
            self.added_up = self.rows.len();
        }
        let told = rows
            .iter()
            .filter(|row| !self.sensitive.contains(&row.store()));
        self.rows.extend(told.map(|row| row.without_store()));
        Ok(())
    }
}

/// Gathers pseudonyms, dropping repeated ones whenever many have come.
struct Names {
    pseudonyms: Vec<u128>,
    sorted: usize,
    limit: usize,
}

impl Names {
    fn sort(&mut self) {
        self.pseudonyms.sort_unstable();
        self.pseudonyms.dedup();
        self.sorted = self.pseudonyms.len();
    }
}

impl Visitor<NameRow> for Names {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[NameRow]) -> Result<()> {
        if self.pseudonyms.len() >= self.limit.max(self.sorted * 2) {
            self.sort();
        }
        self.pseudonyms.extend(rows.iter().map(|row| row.0));
        Ok(())
    }
}

/// Takes the customers of one partition of keys, in the order of a shard's keys, each once.
///
/// # Errors
/// [`Error::File`] if the scratch folder cannot be read.
pub fn take(customers: &Exchanged<CustomerRow>, partition: u16) -> Result<Vec<CustomerRow>> {
    let mut all = customers.take_rows(partition)?;
    all.sort_unstable_by_key(|row| {
        let key = key_of(row.id);
        (key::hash(&key), key)
    });
    Ok(all)
}
