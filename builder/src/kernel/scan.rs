//! The scan kernel: parsed transactions to the exchange by store.

use std::{collections::BTreeMap, ops::Range};

use hashbrown::HashTable;
use nightshard_format::key;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::{
    profile::RowProfile,
    row::{DAYS, RowParts, StoreRow, pack_location},
};
use crate::{
    Error, Result,
    exchange::Outbox,
    pseudonym::{CardKey, PlacedId, Pseudonymiser},
    quality::Quarantine,
    row_outcome::{Field, Location, Reason, RowSink, Rule},
    stores::StoreTable,
    transaction::Transaction,
};

/// So many profiles are remembered at once, in 32 bytes each; then they are learnt anew.
const PROFILES_MAX: usize = 1 << 18;

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
///
/// Profiles are told apart by 128 bits of a hash that nobody without the card key can aim at, so
/// that looking one up touches one cache line.
#[derive(Clone, Copy)]
struct Known {
    hash: u128,
    epoch: u32,
    ordinal: u32,
    partition: u16,
    currency: u16,
}

/// Rows that wait for their profiles to be looked up.
#[derive(Default)]
struct Waiting {
    rows: Vec<WaitingRow>,
    /// The entries of the rows' profiles and the cards' ids, one after the other.
    texts: Vec<u8>,
}

struct WaitingRow {
    parts: RowParts,
    profile_hash: u128,
    entry: Range<usize>,
    card: Range<usize>,
    card_id: Option<PlacedId>,
    known: Option<Known>,
}

/// So many rows wait: enough to hide the time of memory, few enough to stay in cache.
const WAITING_ROWS: usize = 64;

/// Sends the transactions of one worker's splits to the exchange.
pub struct StoreScan<'a> {
    stores: &'a StoreTable,
    quarantine: &'a Quarantine,
    as_of: Option<i32>,
    pseudonymiser: Pseudonymiser,
    seed: u64,
    outbox: Outbox<StoreRow>,
    profiles: HashTable<Known>,
    waiting: Waiting,
    currencies: Vec<(Vec<u8>, u64)>,
    counts: ScanCounts,
}

impl<'a> StoreScan<'a> {
    /// Makes a scan that excludes rows after `as_of`, and remembers pseudonyms within so much
    /// memory.
    #[must_use]
    pub fn new(
        stores: &'a StoreTable,
        quarantine: &'a Quarantine,
        card_key: &CardKey,
        as_of: Option<i32>,
        pseudonyms_bytes: usize,
        outbox: Outbox<StoreRow>,
    ) -> Self {
        Self {
            stores,
            quarantine,
            as_of,
            pseudonymiser: Pseudonymiser::new(card_key, pseudonyms_bytes),
            seed: card_key.hash_seed(),
            outbox,
            profiles: HashTable::new(),
            waiting: Waiting::default(),
            currencies: Vec::new(),
            counts: ScanCounts::default(),
        }
    }

    /// Returns what was sent and counted.
    ///
    /// # Errors
    /// [`Error::File`] if the scratch folder takes no more.
    pub fn finish(mut self) -> Result<(Outbox<StoreRow>, ScanCounts)> {
        self.send_waiting()?;
        self.counts.currencies = self.currencies.into_iter().collect();
        Ok((self.outbox, self.counts))
    }

    /// Looks up the profiles and pseudonyms of the rows that wait, and sends the rows.
    ///
    /// The tables of both do not stay in a core's own cache beside everything else that a row
    /// needs: looked up one after the other, rows wait for memory together.
    fn send_waiting(&mut self) -> Result<()> {
        self.outbox.spill_if_full()?;
        let mut waiting = std::mem::take(&mut self.waiting);
        for row in &mut waiting.rows {
            let find = |known: &Known| known.hash == row.profile_hash;
            row.known = self
                .profiles
                .find(low_half(row.profile_hash), find)
                .copied();
        }
        for row in &mut waiting.rows {
            row.parts.card = row
                .card_id
                .and_then(|id| self.pseudonymiser.remembered(id))
                .unwrap_or(0);
        }
        for row in waiting.rows.iter_mut().filter(|row| row.parts.card == 0) {
            if let Some(id) = row.card_id {
                let text = &waiting.texts[row.card.clone()];
                row.parts.card = self.pseudonymiser.pseudonym(text, id);
            }
        }
        for row in &waiting.rows {
            let known = match row.known {
                Some(known) if known.epoch == self.outbox.epoch() => known,
                _ => self.define(row.profile_hash, &waiting.texts[row.entry.clone()])?,
            };
            self.currencies[usize::from(known.currency)].1 += 1;
            self.outbox
                .push(known.partition, StoreRow::new(&row.parts, known.ordinal))?;
        }
        waiting.rows.clear();
        waiting.texts.clear();
        self.waiting = waiting;
        Ok(())
    }

    /// Defines a profile in the outbox's dictionary.
    #[cold]
    fn define(&mut self, hash: u128, entry: &[u8]) -> Result<Known> {
        let epoch = self.outbox.epoch();
        match self
            .profiles
            .find_mut(low_half(hash), |known| known.hash == hash)
        {
            // An earlier row that waited may have defined it.
            Some(known) if known.epoch == epoch => Ok(*known),
            Some(known) => {
                known.epoch = epoch;
                known.ordinal = self.outbox.define(known.partition, entry);
                Ok(*known)
            }
            None => self.learn(hash, entry),
        }
    }

    fn learn(&mut self, hash: u128, entry: &[u8]) -> Result<Known> {
        if self.profiles.len() >= PROFILES_MAX {
            self.profiles.clear();
        }
        let profile = RowProfile::decode(entry);
        let known = self
            .currencies
            .iter()
            .position(|(code, _)| code == profile.currency);
        let currency = known.unwrap_or_else(|| {
            self.currencies.push((profile.currency.to_vec(), 0));
            self.currencies.len() - 1
        });
        let partition = key::partition_of(key::hash(profile.store));
        let known = Known {
            hash,
            epoch: self.outbox.epoch(),
            ordinal: self.outbox.define(partition, entry),
            partition,
            currency: u16::try_from(currency).map_err(|_many| {
                Error::option(
                    "--layout",
                    "more than 65,536 currencies: is the column the right one?",
                )
            })?,
        };
        self.profiles
            .insert_unique(low_half(hash), known, |known| low_half(known.hash));
        Ok(known)
    }
}

/// Returns the half of a hash that places it in a table.
fn low_half(hash: u128) -> u64 {
    u64::try_from(hash & u128::from(u64::MAX)).unwrap_or(0)
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
        let tx = match row.tx_id {
            [] => 0,
            id => xxh3_128_with_seed(id, self.seed).max(1),
        };
        let parts = RowParts {
            card: 0,
            tx,
            content: row.content,
            location: pack_location(at.file, at.line),
            amount: row.amount_minor,
            day,
        };
        let profile = RowProfile {
            store: row.store_id,
            category: row.category,
            region: row.region,
            currency: row.currency,
        };
        let texts = &mut self.waiting.texts;
        let start = texts.len();
        profile.append(texts);
        let entry = start..texts.len();
        let profile_hash = xxh3_128_with_seed(&texts[entry.clone()], self.seed);
        texts.extend_from_slice(row.card_id);
        let card = entry.end..texts.len();
        let is_known = !row.card_id.is_empty();
        let card_id = is_known.then(|| self.pseudonymiser.place(row.card_id));
        let row = WaitingRow {
            parts,
            profile_hash,
            entry,
            card,
            card_id,
            known: None,
        };
        self.waiting.rows.push(row);
        self.counts.accepted += 1;
        if self.waiting.rows.len() < WAITING_ROWS {
            Ok(())
        } else {
            self.send_waiting()
        }
    }

    fn rejected(&mut self, at: Location, field: Field, reason: Reason) {
        *self.counts.rejected.entry(reason).or_default() += 1;
        self.quarantine.add(at, field, reason);
    }

    fn excluded(&mut self, _at: Location, rule: Rule) {
        *self.counts.excluded.entry(rule).or_default() += 1;
    }
}
