//! The scan kernel: parsed transactions to the exchange by store.

use std::collections::{BTreeMap, HashMap};

use hashbrown::HashTable;
use nightshard_format::{
    key,
    record::{ATTRIBUTES, DIMENSIONS},
};
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128_with_seed};

use super::{
    admission::{Admission, Refusal},
    cardholder::{self, CardholderTable},
    customer_row::NameRow,
    customer_scan::CustomerScan,
    known_combinations::KnownCombinations,
    mix::{self, MixTable},
    profile::RowProfile,
    row::{RowParts, StoreRow, UNKNOWN_HALF_HOUR, half_hour_of},
    said::Said,
    sent_rows::{Beside, RowOutbox, Width},
    settlement::Settlement,
};
use crate::{
    Error, Result,
    exchange::{DEFINED_AT_ONCE_MAX, Outbox},
    field_hash::halves,
    pseudonym::{CardKey, IdBlock, Pseudonymiser},
    quality::Quarantine,
    row_outcome::{Field, Flag, Location, Reason, RowSink, Rule},
    short_text,
    transaction::Transaction,
};

/// So many profiles are remembered at once, in half a cache line each; then they are learnt anew.
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
    /// What is odd about rows that were read, whatever became of them.
    pub flagged: BTreeMap<Flag, u64>,
    /// Accepted rows by currency.
    pub currencies: BTreeMap<Vec<u8>, u64>,
}

impl ScanCounts {
    /// Adds what another worker counted.
    pub fn merge(&mut self, other: Self) {
        self.accepted += other.accepted;
        merge_counts(&mut self.rejected, other.rejected);
        merge_counts(&mut self.excluded, other.excluded);
        merge_counts(&mut self.flagged, other.flagged);
        merge_counts(&mut self.currencies, other.currencies);
    }
}

fn merge_counts<K: Ord>(into: &mut BTreeMap<K, u64>, from: BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key).or_default() += count;
    }
}

/// One profile of a store, seen since the profiles were last forgotten.
#[derive(Clone, Copy)]
struct Known {
    store: StoreKey,
    rest: RestKey,
    ordinal: u16,
    partition: u16,
}

/// A store's id of up to 15 bytes, ended by its length, or else 120 bits of the id's keyed hash
/// and a length that no short id has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct StoreKey(u128);

/// A rest by its place in `rests`, and the width of rows: those of each have other ordinals.
#[derive(Clone, Copy, PartialEq, Eq)]
struct RestKey(u32);

impl RestKey {
    #[inline]
    fn new(rest: u32, width: Width) -> Self {
        let width = match width {
            Width::Plain => 0,
            Width::Wide => 1,
            Width::Settled => 2,
        };
        Self(rest << 2 | width)
    }

    fn rest(self) -> usize {
        self.0 as usize >> 2
    }

    fn width(self) -> Width {
        match self.0 & 3 {
            0 => Width::Plain,
            1 => Width::Wide,
            _ => Width::Settled,
        }
    }
}

/// What rows say beside their store: combinations are few, and one is found in a core's own cache.
struct Rest {
    category: Box<[u8]>,
    region: Box<[u8]>,
    currency: Box<[u8]>,
}

/// A rest by its hash.
#[derive(Clone, Copy)]
struct KnownRest {
    hash: u64,
    /// Its place in `rests`.
    ordinal: u32,
    ordinal_of_currency: u32,
}

/// Rows that wait for what is looked up and computed for many together: the first of room for
/// [`WAITING_ROWS`], in which each part of a row is put down where it stays.
#[derive(Default)]
struct Waiting {
    rows: Vec<WaitingRow>,
    rows_len: usize,
    /// Ids of cards, and the row of each.
    ids: Vec<(IdBlock, usize)>,
    ids_len: usize,
    /// Ids of stores that their keys do not tell.
    long_stores: HashMap<usize, Box<[u8]>>,
    /// Of the rows that say something of it, one after the other.
    settlements: Vec<Settlement>,
}

#[derive(Clone)]
struct WaitingRow {
    parts: RowParts,
    store: StoreKey,
    rest: RestKey,
    said: Said,
    known: Option<Known>,
}

impl Waiting {
    fn new() -> Self {
        let row = WaitingRow {
            parts: RowParts {
                card: 0,
                tx: 0,
                content: 0,
                amount: 0,
                day: 0,
                half_hour: UNKNOWN_HALF_HOUR,
            },
            store: StoreKey(0),
            rest: RestKey(0),
            said: Said::NOTHING,
            known: None,
        };
        Self {
            rows: vec![row; WAITING_ROWS],
            ids: vec![(IdBlock::default(), 0); WAITING_ROWS],
            ..Self::default()
        }
    }
}

const _: () = assert!(WAITING_ROWS <= DEFINED_AT_ONCE_MAX as usize);

/// So many rows wait: a few of the widest vectors, and few enough to stay in cache.
const WAITING_ROWS: usize = 64;

/// What one worker has scanned.
pub struct StoreScanned {
    /// The rows.
    pub rows: RowOutbox,
    /// The pseudonyms of their cards, where customers are kept.
    pub names: Option<Outbox<NameRow>>,
    /// What was counted.
    pub counts: ScanCounts,
}

/// Sends the transactions of one worker's splits to the exchange.
pub struct StoreScan<'a> {
    admission: Admission<'a>,
    quarantine: &'a Quarantine,
    pseudonymiser: Pseudonymiser,
    seed: u64,
    /// Places profiles in the table: secret, so that nobody can aim at one place.
    spread: [u64; 2],
    outbox: RowOutbox,
    mixes: KnownCombinations<'a, DIMENSIONS>,
    cardholders: KnownCombinations<'a, ATTRIBUTES>,
    /// None where customers are not kept.
    customers: Option<CustomerScan<'a>>,
    profiles: HashTable<Known>,
    rests_known: HashTable<KnownRest>,
    rests: Vec<Rest>,
    waiting: Waiting,
    currencies: Vec<(Vec<u8>, u64)>,
    counts: ScanCounts,
}

impl<'a> StoreScan<'a> {
    /// Makes a scan of the rows that are admitted.
    #[must_use]
    pub fn new(
        admission: Admission<'a>,
        quarantine: &'a Quarantine,
        card_key: &CardKey,
        (mixes, cardholders): (&'a MixTable, &'a CardholderTable),
        customers: Option<CustomerScan<'a>>,
        outbox: RowOutbox,
    ) -> Self {
        Self {
            admission,
            quarantine,
            pseudonymiser: Pseudonymiser::new(card_key),
            seed: card_key.hash_seed(),
            spread: halves(xxh3_128_with_seed(b"profiles", card_key.hash_seed())),
            outbox,
            mixes: KnownCombinations::new(mixes),
            cardholders: KnownCombinations::new(cardholders),
            customers,
            profiles: HashTable::new(),
            rests_known: HashTable::new(),
            rests: Vec::new(),
            waiting: Waiting::new(),
            currencies: Vec::new(),
            counts: ScanCounts::default(),
        }
    }

    /// Returns what was sent and counted.
    ///
    /// # Errors
    /// [`Error::File`] if the scratch folder takes no more.
    pub fn finish(mut self) -> Result<StoreScanned> {
        self.send_waiting()?;
        self.counts.currencies = self.currencies.into_iter().collect();
        Ok(StoreScanned {
            rows: self.outbox,
            names: self.customers.map(CustomerScan::finish),
            counts: self.counts,
        })
    }

    /// Looks up the profiles and computes the pseudonyms of the rows that wait, and sends them.
    ///
    /// The profiles of all stores do not stay in a core's own cache beside everything else that a
    /// row needs: looked up one after the other, rows wait for memory together.
    fn send_waiting(&mut self) -> Result<()> {
        let mut waiting = std::mem::take(&mut self.waiting);
        let rows = &mut waiting.rows[..waiting.rows_len];
        for row in rows.iter_mut() {
            let is_same = |known: &Known| known.store == row.store && known.rest == row.rest;
            let hash = table_hash(self.spread, row.store, row.rest);
            row.known = self.profiles.find(hash, is_same).copied();
        }
        self.pseudonymiser
            .pseudonyms_of_blocks(&waiting.ids[..waiting.ids_len], |row, card| {
                rows[*row].parts.card = card;
            });
        let mut settlements = waiting.settlements.drain(..);
        for (index, row) in rows.iter().enumerate() {
            let known = match row.known {
                Some(known) => known,
                None => self.learn(row, waiting.long_stores.get(&index).map(AsRef::as_ref)),
            };
            let sent = StoreRow::new(&row.parts, known.ordinal);
            let beside = Beside {
                said: row.said,
                settlement: match row.rest.width() {
                    Width::Settled => settlements.next(),
                    Width::Plain | Width::Wide => None,
                },
            };
            self.outbox.push(known.partition, sent, &beside)?;
        }
        drop(settlements);
        if let Some(customers) = &mut self.customers {
            let mut cards = rows.iter().map(|row| row.parts.card);
            cards.try_for_each(|card| customers.name(card))?;
        }
        (waiting.rows_len, waiting.ids_len) = (0, 0);
        waiting.long_stores.clear();
        self.waiting = waiting;
        self.forget_if_needed()
    }

    /// Defines a profile in the outbox's dictionary, unless an earlier row that waited has.
    #[cold]
    fn learn(&mut self, row: &WaitingRow, long_store: Option<&[u8]>) -> Known {
        let hash = table_hash(self.spread, row.store, row.rest);
        let is_same = |known: &Known| known.store == row.store && known.rest == row.rest;
        if let Some(known) = self.profiles.find(hash, is_same) {
            return *known;
        }
        let short = row.store.0.to_le_bytes();
        let store = long_store.unwrap_or_else(|| row.store.short_id(&short));
        let rest = &self.rests[row.rest.rest()];
        let profile = RowProfile {
            store,
            category: &rest.category,
            region: &rest.region,
            currency: &rest.currency,
        };
        let mut entry = Vec::new();
        profile.append(&mut entry);
        let partition = key::partition_of(key::hash(store));
        let known = Known {
            store: row.store,
            rest: row.rest,
            ordinal: (self.outbox).define(partition, &entry, row.rest.width()),
            partition,
        };
        let spread = self.spread;
        self.profiles.insert_unique(hash, known, |known| {
            table_hash(spread, known.store, known.rest)
        });
        known
    }

    /// Spills if memory is full, and forgets what holds no longer or has become too much.
    fn forget_if_needed(&mut self) -> Result<()> {
        let is_much = self.rests.len().max(self.profiles.len()) >= PROFILES_MAX;
        // A spill ends the dictionaries that the profiles were defined in.
        if self.outbox.spill_if_full()? || is_much {
            self.profiles.clear();
            self.rests_known.clear();
            self.rests.clear();
        }
        self.mixes.forget_if_many(PROFILES_MAX);
        self.cardholders.forget_if_many(PROFILES_MAX);
        Ok(())
    }

    /// Puts down the card of the next row to wait.
    #[inline(always)]
    fn wait_for_card(&mut self, id: &[u8]) {
        let waiting = &mut self.waiting;
        let (block, row) = &mut waiting.ids[waiting.ids_len];
        let card = &mut waiting.rows[waiting.rows_len].parts.card;
        if id.is_empty() {
            *card = 0;
        } else if block.fill(id) {
            *row = waiting.rows_len;
            waiting.ids_len += 1;
        } else {
            *card = self.pseudonymiser.pseudonym(id);
        }
    }

    /// Returns what a row says beside what every row does.
    #[inline]
    fn said(&mut self, row: &Transaction<'_>) -> Said {
        let mixes = &mut self.mixes;
        let mix = mixes.ordinal(row.mix, |dimensions| mix::values_of(row, dimensions));
        let cardholder = self.cardholders.ordinal(row.cardholder, |attributes| {
            cardholder::values_of(row, attributes)
        });
        let cardholder = u16::try_from(cardholder).expect("so many are not told apart");
        let marks = self.customers.as_ref().map(|it| it.marks(row));
        Said::new(mix, cardholder, marks)
    }

    /// Returns what a row says of its settlement, and counts it where that leaves a text.
    fn settlement(&mut self, row: &Transaction<'_>) -> Option<Settlement> {
        let settlement = Settlement::of(row);
        if Settlement::leaves_text(settlement.as_ref(), row) {
            self.flagged(Flag::SettlementNotRead);
        }
        settlement
    }

    /// Returns what is known of what a row says beside its store.
    #[inline]
    fn rest_of(&mut self, row: &Transaction<'_>) -> KnownRest {
        let is_same = |known: &KnownRest| known.hash == row.profile;
        match self.rests_known.find(row.profile, is_same) {
            Some(rest) => *rest,
            None => self.learn_rest(row),
        }
    }

    #[cold]
    fn learn_rest(&mut self, row: &Transaction<'_>) -> KnownRest {
        let mut currencies = self.currencies.iter();
        let known = currencies.position(|(code, _)| code == row.currency);
        let ordinal_of_currency = known.unwrap_or_else(|| {
            self.currencies.push((row.currency.to_vec(), 0));
            self.currencies.len() - 1
        });
        let small = |place: usize| u32::try_from(place).expect("they are forgotten in time");
        let known = KnownRest {
            hash: row.profile,
            ordinal: small(self.rests.len()),
            ordinal_of_currency: small(ordinal_of_currency),
        };
        self.rests.push(Rest {
            category: row.category.into(),
            region: row.region.into(),
            currency: row.currency.into(),
        });
        self.rests_known
            .insert_unique(known.hash, known, |known| known.hash);
        known
    }
}

/// Returns the keyed hash of a tx_id, 0 for none.
#[inline]
pub(super) fn tx_hash(id: &[u8], seed: u64) -> u64 {
    match id {
        [] => 0,
        id => xxh3_64_with_seed(id, seed).max(1),
    }
}

impl StoreKey {
    const LAST: usize = size_of::<u128>() - 1;

    #[inline]
    fn new(id: &[u8], seed: u64) -> Self {
        if let Some(number) = short_text::number_of(id)
            && id.len() <= Self::LAST
        {
            return Self(number | (id.len() as u128) << (8 * Self::LAST));
        }
        let mut bytes = xxh3_128_with_seed(id, seed).to_le_bytes();
        bytes[Self::LAST] = u8::MAX;
        Self(u128::from_le_bytes(bytes))
    }

    fn is_long(self) -> bool {
        self.0 >> (Self::LAST * 8) == u128::from(u8::MAX)
    }

    /// Returns the id in the bytes of a key that is not long.
    fn short_id(self, bytes: &[u8; Self::LAST + 1]) -> &[u8] {
        &bytes[..usize::from(bytes[Self::LAST])]
    }
}

/// Places a profile in the table. Ids are not spread by themselves: the product of two halves is.
#[inline]
fn table_hash(spread: [u64; 2], store: StoreKey, rest: RestKey) -> u64 {
    let [low, high] = halves(store.0);
    let high = high ^ u64::from(rest.0);
    let product = u128::from(low ^ spread[0]) * u128::from(high ^ spread[1]);
    let [low, high] = halves(product);
    low ^ high
}

impl RowSink for StoreScan<'_> {
    type Error = Error;

    fn transaction(&mut self, at: Location, row: &Transaction<'_>) -> Result<()> {
        let moment = match self.admission.business_moment(row) {
            Ok(moment) => moment,
            Err(Refusal::Rejected(field, reason)) => {
                self.rejected(at, field, reason);
                return Ok(());
            }
            Err(Refusal::Excluded(rule)) => {
                self.excluded(at, rule);
                return Ok(());
            }
        };
        let store = StoreKey::new(row.store_id, self.seed);
        let rest = self.rest_of(row);
        let beside = Beside {
            said: self.said(row),
            settlement: match row.says_settlement {
                true => self.settlement(row),
                false => None,
            },
        };
        self.currencies[rest.ordinal_of_currency as usize].1 += 1;
        self.wait_for_card(row.card_id);
        let waiting = &mut self.waiting;
        if store.is_long() {
            let store = row.store_id.into();
            waiting.long_stores.insert(waiting.rows_len, store);
        }
        let waiting_row = &mut waiting.rows[waiting.rows_len];
        waiting_row.parts.tx = tx_hash(row.tx_id, self.seed);
        waiting_row.parts.content = row.content;
        waiting_row.parts.amount = row.amount_minor;
        waiting_row.parts.day = moment.day;
        waiting_row.parts.half_hour = half_hour_of(moment.second);
        waiting_row.store = store;
        waiting_row.rest = RestKey::new(rest.ordinal, beside.width());
        waiting_row.said = beside.said;
        waiting.settlements.extend(beside.settlement);
        waiting.rows_len += 1;
        self.counts.accepted += 1;
        if self.waiting.rows_len < WAITING_ROWS {
            Ok(())
        } else {
            self.send_waiting()
        }
    }

    fn flagged(&mut self, flag: Flag) {
        *self.counts.flagged.entry(flag).or_default() += 1;
    }

    fn rejected(&mut self, at: Location, field: Field, reason: Reason) {
        *self.counts.rejected.entry(reason).or_default() += 1;
        self.quarantine.add(at, field, reason);
    }

    fn excluded(&mut self, _at: Location, rule: Rule) {
        *self.counts.excluded.entry(rule).or_default() += 1;
    }
}
