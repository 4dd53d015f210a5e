//! One partition of stores to its records.

use std::collections::{BTreeMap, HashMap};

use nightshard_format::{
    record::{DayCards, StoreProfile},
    statistics::Statistics,
};

use super::{
    card_days::{DayDistance, DistanceCounts, append_distances},
    dedupe::dedupe,
    market::MarketDays,
    profile::RowProfile,
    row::{CardDay, DayAmount, StoreRow},
    store_days::{DayRows, DaysEncoder, EncodedRecords},
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox, Visitor},
    stores::StoreTable,
};

/// Partitions of the exchange by card.
pub const CARD_PARTITIONS: u16 = 1 << CARD_PARTITION_BITS;
const CARD_PARTITION_BITS: u32 = 8;

/// What is the same for all partitions.
#[derive(Debug, Clone, Copy)]
pub struct StoreContext<'a> {
    /// What the dimension file says of stores.
    pub stores: &'a StoreTable,
    /// Rows in other currencies are left out.
    pub base_currency: &'a [u8],
    /// Memory for the rows of one partition.
    pub budget_bytes: usize,
    /// Where rows go that do not fit.
    pub scratch: &'a std::path::Path,
}

/// What one worker needs for one partition after the other.
pub struct StoreWorker {
    /// The exchange by card.
    pub cards: Outbox<CardDay>,
    /// The market's days.
    pub market: MarketDays,
    encoder: DaysEncoder,
    amounts: Vec<i64>,
    distances: Vec<DayDistance>,
    counts: DistanceCounts,
}

impl StoreWorker {
    /// Makes a worker that sends card days to `cards`.
    #[must_use]
    pub fn new(cards: Outbox<CardDay>) -> Self {
        Self {
            cards,
            market: MarketDays::default(),
            encoder: DaysEncoder::default(),
            amounts: Vec::new(),
            distances: Vec::new(),
            counts: DistanceCounts::default(),
        }
    }
}

/// The records of one store.
#[derive(Debug)]
pub struct StoreRecords {
    /// The store's id.
    pub id: Vec<u8>,
    /// Who it is.
    pub profile: StoreProfile,
    /// Totals of everything.
    pub totals: Statistics,
    /// The records.
    pub records: EncodedRecords,
}

/// The records of one partition, and what became of its rows.
#[derive(Debug, Default)]
pub struct PartitionRecords {
    /// The stores, by id.
    pub stores: Vec<StoreRecords>,
    /// Rows that figures are computed from.
    pub used: u64,
    /// Rows dropped because an equal one is kept.
    pub duplicates: u64,
    /// Rows in another than the base currency.
    pub other_currency: u64,
    /// Where rows lie whose tx_id stands for different content.
    pub conflicts: Vec<u64>,
}

/// Reduces one partition.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder fails.
pub fn reduce(
    exchanged: &Exchanged<StoreRow>,
    partition: u16,
    context: &StoreContext<'_>,
    worker: &mut StoreWorker,
) -> Result<PartitionRecords> {
    let rows_max = context.budget_bytes / size_of::<StoreRow>();
    if exchanged.len_rows(partition) > rows_max as u64 {
        return super::sliced::reduce(exchanged, partition, context, worker);
    }
    let mut load = Load::default();
    exchanged.visit(partition, &mut load)?;
    let Load {
        mut profiles,
        mut rows,
        ..
    } = load;
    let profiles = profiles.resolve(context.base_currency);
    let repeats = dedupe(&mut rows, |row| profiles.store_of(row));
    let mut out = PartitionRecords {
        duplicates: repeats.duplicates,
        conflicts: repeats.conflicts,
        ..PartitionRecords::default()
    };
    let mut groups = StoreGroups::new(&profiles, &rows);
    drop(rows);
    out.other_currency = groups.other_currency;
    for store in 0..profiles.stores.len() {
        let (amounts, card_days) = groups.store(store);
        if amounts.is_empty() {
            continue;
        }
        out.used += amounts.len() as u64;
        let records = worker.encode(amounts, card_days)?;
        let profile = profiles.store_profile(store, &groups.profile_rows, context.stores);
        out.stores
            .push(worker.finish(&profiles.stores[store], profile, records)?);
    }
    Ok(out)
}

impl StoreWorker {
    /// Encodes the days of one store, and sends its card days on.
    fn encode(
        &mut self,
        amounts: &mut [DayAmount],
        card_days: &mut Vec<CardDay>,
    ) -> Result<EncodedRecords> {
        amounts.sort_unstable();
        self.distances.clear();
        self.send_cards(card_days)?;
        self.counts.count(&mut self.distances);
        let mut records = EncodedRecords::default();
        let mut days = self.counts.days();
        for of_day in amounts.chunk_by(|a, b| a.day() == b.day()) {
            let day = of_day[0].day();
            self.amounts.clear();
            self.amounts
                .extend(of_day.iter().map(|entry| entry.amount()));
            let (first_ever, returning) = days.take(day);
            let cards = DayCards {
                first_ever,
                returning,
            };
            let rows = DayRows::Amounts(&self.amounts);
            self.encoder
                .day(day, rows, cards, Some(&mut self.market), &mut records);
        }
        Ok(records)
    }

    /// Sorts the card days of one store, sends each on, and appends their distances.
    fn send_cards(&mut self, card_days: &mut Vec<CardDay>) -> Result<()> {
        card_days.sort_unstable();
        card_days.dedup();
        append_distances(card_days, &mut self.distances);
        for card_day in card_days {
            self.cards
                .push(card_day.top_bits(CARD_PARTITION_BITS), *card_day)?;
        }
        self.cards.spill_if_full()
    }

    /// Encodes the days of one store that were counted slice by slice.
    pub(super) fn encode_counted(
        &mut self,
        days: &BTreeMap<i32, super::sliced::CountedDay>,
        distances: &DistanceCounts,
    ) -> EncodedRecords {
        let mut records = EncodedRecords::default();
        let mut cards = distances.days();
        for (day, rows) in days {
            let (first_ever, returning) = cards.take(*day);
            let cards = DayCards {
                first_ever,
                returning,
            };
            self.encoder.day(
                *day,
                rows.as_rows(),
                cards,
                Some(&mut self.market),
                &mut records,
            );
        }
        records
    }

    /// Counts the distances of some of a store's cards, and sends their days on.
    pub(super) fn count_cards(&mut self, card_days: &mut Vec<CardDay>) -> Result<DistanceCounts> {
        self.distances.clear();
        self.send_cards(card_days)?;
        let mut counts = DistanceCounts::default();
        counts.count(&mut self.distances);
        Ok(counts)
    }

    /// Ends a store.
    pub(super) fn finish(
        &mut self,
        id: &[u8],
        profile: StoreProfile,
        mut records: EncodedRecords,
    ) -> Result<StoreRecords> {
        let totals = self.encoder.finish(&profile, &mut records)?;
        Ok(StoreRecords {
            id: id.to_vec(),
            profile,
            totals,
            records,
        })
    }
}

/// Loads the rows of a partition, giving profiles ordinals of the partition's own.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) profiles: ProfileSet,
    pub(super) rows: Vec<StoreRow>,
    ordinals: Vec<u32>,
}

impl Visitor<StoreRow> for Load {
    fn dictionary<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.ordinals.clear();
        self.ordinals
            .extend(entries.map(|entry| self.profiles.ordinal(entry)));
        Ok(())
    }

    fn rows(&mut self, rows: &[StoreRow]) -> Result<()> {
        let ordinals = &self.ordinals;
        self.rows.extend(
            rows.iter()
                .map(|row| row.with_profile(ordinals[row.profile as usize])),
        );
        Ok(())
    }
}

/// The profiles of a partition.
#[derive(Debug, Default)]
pub(super) struct ProfileSet {
    ordinals: HashMap<Box<[u8]>, u32>,
}

impl ProfileSet {
    pub(super) fn ordinal(&mut self, entry: &[u8]) -> u32 {
        if let Some(ordinal) = self.ordinals.get(entry) {
            return *ordinal;
        }
        let ordinal = u32::try_from(self.ordinals.len()).unwrap_or(u32::MAX);
        self.ordinals.insert(entry.into(), ordinal);
        ordinal
    }

    /// Ends the gathering: finds the stores, in the order of their ids.
    pub(super) fn resolve(&mut self, base_currency: &[u8]) -> Profiles {
        let mut entries = vec![Box::default(); self.ordinals.len()];
        for (entry, ordinal) in self.ordinals.drain() {
            entries[ordinal as usize] = entry;
        }
        let mut stores: Vec<Vec<u8>> = entries
            .iter()
            .map(|entry| RowProfile::decode(entry).store.to_vec())
            .collect();
        stores.sort_unstable();
        stores.dedup();
        let by_profile = entries
            .iter()
            .map(|entry| {
                let profile = RowProfile::decode(entry);
                let store = stores.partition_point(|store| store.as_slice() < profile.store);
                let store = u32::try_from(store).unwrap_or(u32::MAX);
                (store, profile.currency == base_currency)
            })
            .collect();
        Profiles {
            stores,
            entries,
            by_profile,
        }
    }
}

/// The stores and profiles of a partition.
#[derive(Debug)]
pub(super) struct Profiles {
    /// Ids, ascending.
    pub(super) stores: Vec<Vec<u8>>,
    entries: Vec<Box<[u8]>>,
    /// By profile: its store, and whether its currency is the base currency.
    by_profile: Vec<(u32, bool)>,
}

impl Profiles {
    pub(super) fn store_of(&self, row: &StoreRow) -> u32 {
        self.by_profile[row.profile as usize].0
    }

    pub(super) fn is_base_currency(&self, row: &StoreRow) -> bool {
        self.by_profile[row.profile as usize].1
    }

    /// Returns how many rows each profile may have been counted for: none yet.
    pub(super) fn no_rows(&self) -> Vec<u64> {
        vec![0; self.entries.len()]
    }

    /// Returns who a store is: the dimension file's word, else what most of its rows say, ties
    /// alphabetically.
    pub(super) fn store_profile(
        &self,
        store: usize,
        profile_rows: &[u64],
        table: &StoreTable,
    ) -> StoreProfile {
        let mut categories = BTreeMap::<&[u8], u64>::new();
        let mut regions = BTreeMap::<&[u8], u64>::new();
        for ((entry, (of, _)), rows) in self.entries.iter().zip(&self.by_profile).zip(profile_rows)
        {
            if *of as usize == store {
                let profile = RowProfile::decode(entry);
                *categories.entry(profile.category).or_default() += rows;
                *regions.entry(profile.region).or_default() += rows;
            }
        }
        let mut profile = table.profile(&self.stores[store]);
        profile.category = profile.category.or_else(|| most_rows(&categories));
        profile.region = profile.region.or_else(|| most_rows(&regions));
        profile
    }
}

fn most_rows(counts: &BTreeMap<&[u8], u64>) -> Option<String> {
    let known = counts
        .iter()
        .filter(|(value, rows)| !value.is_empty() && **rows > 0);
    // `max_by_key` keeps the last of equals: reversed, that is the first of the alphabet.
    let (value, _) = known.rev().max_by_key(|(_, rows)| **rows)?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The rows of a partition, by store, as what is sorted next.
struct StoreGroups {
    amounts: Vec<DayAmount>,
    card_days: Vec<CardDay>,
    amount_ends: Vec<usize>,
    card_ends: Vec<usize>,
    of_store: Vec<CardDay>,
    profile_rows: Vec<u64>,
    other_currency: u64,
}

impl StoreGroups {
    /// Scatters rows by store: one pass to count, one to place.
    fn new(profiles: &Profiles, rows: &[StoreRow]) -> Self {
        let mut profile_rows = profiles.no_rows();
        let mut amount_starts = vec![0_usize; profiles.stores.len() + 1];
        let mut card_starts = amount_starts.clone();
        let mut other_currency = 0;
        for row in rows {
            let store = profiles.store_of(row) as usize;
            if profiles.is_base_currency(row) {
                profile_rows[row.profile as usize] += 1;
                amount_starts[store + 1] += 1;
                card_starts[store + 1] += usize::from(row.card_day().is_some());
            } else {
                other_currency += 1;
            }
        }
        for starts in [&mut amount_starts, &mut card_starts] {
            (1..starts.len()).for_each(|store| starts[store] += starts[store - 1]);
        }
        let last = profiles.stores.len();
        let mut amounts = vec![DayAmount::new(0, 0); amount_starts[last]];
        let mut card_days = vec![CardDay::new(0, 0); card_starts[last]];
        for row in rows.iter().filter(|row| profiles.is_base_currency(row)) {
            let store = profiles.store_of(row) as usize;
            amounts[amount_starts[store]] = row.day_amount();
            amount_starts[store] += 1;
            if let Some(card_day) = row.card_day() {
                card_days[card_starts[store]] = card_day;
                card_starts[store] += 1;
            }
        }
        // Placing has moved each start to its store's end.
        Self {
            amounts,
            card_days,
            amount_ends: amount_starts,
            card_ends: card_starts,
            of_store: Vec::new(),
            profile_rows,
            other_currency,
        }
    }

    fn store(&mut self, store: usize) -> (&mut [DayAmount], &mut Vec<CardDay>) {
        let range = |ends: &[usize]| {
            let start = store.checked_sub(1).map_or(0, |before| ends[before]);
            start..ends[store]
        };
        self.of_store.clear();
        self.of_store
            .extend_from_slice(&self.card_days[range(&self.card_ends)]);
        (
            &mut self.amounts[range(&self.amount_ends)],
            &mut self.of_store,
        )
    }
}
