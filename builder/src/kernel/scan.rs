//! The scan kernel: parsed transactions to the exchange by store.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use nightshard_format::key;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::{
    profile::RowProfile,
    row::{DAYS, StoreRow, pack_location},
};
use crate::{
    Error, Result,
    exchange::Outbox,
    pseudonym::{CardKey, Pseudonymiser},
    quality::Quarantine,
    row_outcome::{Field, Location, Reason, RowSink, Rule},
    stores::StoreTable,
    transaction::Transaction,
};

/// Profiles are forgotten at a spill once they take more than this.
const PROFILES_LEN_MAX: usize = 8 << 20;

/// What a scan counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ScanCounts {
    /// Rows sent to the exchange.
    pub accepted: u64,
    /// Rows rejected, by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// Rows excluded, by rule.
    pub excluded: BTreeMap<Rule, u64>,
    /// Accepted rows by currency.
    pub currencies: BTreeMap<Vec<u8>, u64>,
}

impl ScanCounts {
    /// Adds what another worker counted.
    pub fn merge(&mut self, other: Self) {
        self.accepted += other.accepted;
        merge_counts(&mut self.rejected, other.rejected);
        merge_counts(&mut self.excluded, other.excluded);
        merge_counts(&mut self.currencies, other.currencies);
    }
}

fn merge_counts<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

/// One profile seen since the profiles were last forgotten.
struct Known {
    hash: u64,
    start: usize,
    end: usize,
    partition: u16,
    currency: usize,
    epoch: u32,
    ordinal: u32,
}

/// Sends the transactions of one worker's splits to the exchange.
pub struct StoreScan<'a> {
    stores: &'a StoreTable,
    quarantine: &'a Quarantine,
    as_of: Option<i32>,
    pseudonymiser: Pseudonymiser,
    seed: u64,
    outbox: Outbox<StoreRow>,
    profiles: HashTable<usize>,
    known: Vec<Known>,
    text: Vec<u8>,
    entry: Vec<u8>,
    currencies: Vec<(Vec<u8>, u64)>,
    counts: ScanCounts,
}

impl<'a> StoreScan<'a> {
    /// Makes a scan that excludes rows after `as_of`.
    #[must_use]
    pub fn new(
        stores: &'a StoreTable,
        quarantine: &'a Quarantine,
        card_key: &CardKey,
        as_of: Option<i32>,
        outbox: Outbox<StoreRow>,
    ) -> Self {
        Self {
            stores,
            quarantine,
            as_of,
            pseudonymiser: Pseudonymiser::new(card_key),
            seed: card_key.hash_seed(),
            outbox,
            profiles: HashTable::new(),
            known: Vec::new(),
            text: Vec::new(),
            entry: Vec::new(),
            currencies: Vec::new(),
            counts: ScanCounts::default(),
        }
    }

    /// Returns what was sent and counted.
    #[must_use]
    pub fn finish(mut self) -> (Outbox<StoreRow>, ScanCounts) {
        self.counts.currencies = self.currencies.into_iter().collect();
        (self.outbox, self.counts)
    }

    /// Returns the index in `known` of the row's profile, defined in the outbox's dictionary.
    fn profile(&mut self, row: &Transaction<'_>) -> Result<usize> {
        self.forget_if_many()?;
        let profile = RowProfile {
            store: row.store_id,
            category: row.category,
            region: row.region,
            currency: row.currency,
        };
        profile.encode(&mut self.entry);
        let hash = xxh3_64(&self.entry);
        let (known, text) = (&self.known, &self.text);
        let same = |index: &usize| {
            let known = &known[*index];
            known.hash == hash && text[known.start..known.end] == *self.entry
        };
        let index = match self.profiles.find(hash, same) {
            Some(index) => *index,
            None => self.learn(hash, row),
        };
        let known = &mut self.known[index];
        if known.epoch != self.outbox.epoch() {
            known.epoch = self.outbox.epoch();
            known.ordinal = self.outbox.define(known.partition, &self.entry);
        }
        Ok(index)
    }

    fn learn(&mut self, hash: u64, row: &Transaction<'_>) -> usize {
        let index = self.known.len();
        let start = self.text.len();
        self.text.extend_from_slice(&self.entry);
        let currency = self
            .currencies
            .iter()
            .position(|(code, _)| code == row.currency)
            .unwrap_or_else(|| {
                self.currencies.push((row.currency.to_vec(), 0));
                self.currencies.len() - 1
            });
        self.known.push(Known {
            hash,
            start,
            end: self.text.len(),
            partition: key::partition_of(key::hash(row.store_id)),
            currency,
            epoch: u32::MAX,
            ordinal: 0,
        });
        let known = &self.known;
        self.profiles
            .insert_unique(hash, index, |index| known[*index].hash);
        index
    }

    fn forget_if_many(&mut self) -> Result<()> {
        let epoch = self.outbox.epoch();
        self.outbox.spill_if_full()?;
        if epoch != self.outbox.epoch() && self.text.len() > PROFILES_LEN_MAX {
            self.profiles.clear();
            self.known.clear();
            self.text.clear();
        }
        Ok(())
    }
}

impl RowSink for StoreScan<'_> {
    type Error = Error;

    fn transaction(&mut self, at: Location, row: &Transaction<'_>) -> Result<()> {
        let day = self.stores.business_day(row);
        if !DAYS.contains(&day) {
            self.rejected(at, Field::Ts, Reason::DateOutOfRange);
            return Ok(());
        }
        if self.as_of.is_some_and(|as_of| day > as_of) {
            self.excluded(at, Rule::AfterAsOf);
            return Ok(());
        }
        let index = self.profile(row)?;
        let card = self.pseudonymiser.pseudonym(row.card_id);
        let tx = match row.tx_id {
            [] => 0,
            id => xxh3_128_with_seed(id, self.seed).max(1),
        };
        let Known {
            partition,
            currency,
            ordinal,
            ..
        } = self.known[index];
        self.currencies[currency].1 += 1;
        self.counts.accepted += 1;
        let row = StoreRow {
            card,
            tx,
            content: row.content,
            location: pack_location(at.file, at.line),
            amount: row.amount_minor,
            day,
            profile: ordinal,
        };
        self.outbox.push(partition, row)
    }

    fn rejected(&mut self, at: Location, field: Field, reason: Reason) {
        *self.counts.rejected.entry(reason).or_default() += 1;
        self.quarantine.add(at, field, reason);
    }

    fn excluded(&mut self, _at: Location, rule: Rule) {
        *self.counts.excluded.entry(rule).or_default() += 1;
    }
}
