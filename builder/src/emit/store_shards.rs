//! The shards of the stores and of the market.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{
        DEMOGRAPHICS, DayCards, EncodedMixes, LOYALTY, MARKET_ALL, MARKETS, SETTLEMENTS, STORES,
        StoreProfile,
    },
    tile::Tile,
};

use super::{
    catalog::StoreFacts,
    growth::StoreGrowth,
    run_shards::RunShards,
    shard_set::{ShardSet, Staged, Staging},
};
use crate::{
    Result,
    kernel::{
        card_partition::{DayOrdinals, PairCounts},
        market::MarketDays,
        places::Places,
        store_days::{DayRows, DaysEncoder, EncodedRecords},
        store_partition::{Conflict, PartitionRecords},
    },
    regions::RegionTable,
};

/// Takes the records of the stores' partitions, in order, and counts what became of rows.
pub struct StoreShards<'a> {
    staging: &'a Staging,
    /// The shards of the current run: of stores, of their loyalty, of who pays, and of settlements.
    sets: Option<[ShardSet; 4]>,
    /// Finished shards.
    pub staged: Vec<Staged>,
    /// What lists and search need of each store.
    pub facts: Vec<StoreFacts>,
    /// Rows that figures are computed from.
    pub used: u64,
    /// Rows dropped because an equal one is kept.
    pub duplicates: u64,
    /// Rows in another than the base currency.
    pub other_currency: u64,
    /// Rows rejected because their tx_id stands for different content.
    pub conflicting_rows: u64,
    /// The stores and tx_ids of those rows.
    pub conflicts: Vec<Conflict>,
}

impl<'a> StoreShards<'a> {
    /// Starts writing into `staging`.
    #[must_use]
    pub fn new(staging: &'a Staging) -> Self {
        Self {
            staging,
            sets: None,
            staged: Vec::new(),
            facts: Vec::new(),
            used: 0,
            duplicates: 0,
            other_currency: 0,
            conflicting_rows: 0,
            conflicts: Vec::new(),
        }
    }

    /// Adds the next partition, and returns the memory of its records.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn add(&mut self, partition: u16, records: PartitionRecords) -> Result<EncodedRecords> {
        self.used += records.used;
        self.duplicates += records.duplicates;
        self.other_currency += records.other_currency;
        self.conflicting_rows += records.conflicting_rows;
        self.conflicts.extend(records.conflicts);
        if records.stores.is_empty() {
            return Ok(records.records);
        }
        let run = self.staging.run_of(partition);
        if self.sets.as_ref().is_none_or(|[set, ..]| set.run() != run) {
            self.finish_run()?;
        }
        let new_set = |dataset| ShardSet::new(self.staging, dataset, run);
        let [set, loyalty_set, demographics_set, settlements_set] = self
            .sets
            .get_or_insert_with(|| [STORES, LOYALTY, DEMOGRAPHICS, SETTLEMENTS].map(new_set));
        let PartitionRecords {
            stores,
            records,
            loyalty,
            demographics,
            settlements,
            ..
        } = records;
        let mut rest = Rest::of(&records);
        let mut loyalty_rest = Rest::of(&loyalty);
        let mut demographics_rest = Rest::of(&demographics);
        let mut settlements_rest = Rest::of(&settlements);
        for store in stores {
            rest.append(store.end_records, &store.id, set)?;
            loyalty_rest.append(store.end_loyalty, &store.id, loyalty_set)?;
            demographics_rest.append(store.end_demographics, &store.id, demographics_set)?;
            settlements_rest.append(store.end_settlements, &store.id, settlements_set)?;
            self.facts.push(StoreFacts {
                ordinal: store.ordinal,
                id: store.id,
                name: store.profile.name,
                merchant_id: store.profile.merchant_id,
                region: store.profile.region,
                category: store.profile.category,
                location: store.profile.location,
                transactions: store.totals.count,
                amount: store.totals.sum,
                growth: StoreGrowth::default(),
            });
        }
        Ok(records)
    }

    /// Returns the places of the stores; where a tree is given, since all is told exactly, also those that regions are
    /// parts of, and tiles.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if there are 2^29 of them.
    pub fn places(&self, tree: Option<&RegionTable>) -> Result<Places> {
        let stores = self.facts.iter().map(|store| {
            (
                store.ordinal,
                store.region.as_deref(),
                store.category.as_deref(),
            )
        });
        let mut places = Places::of(stores, tree)?;
        if tree.is_some() {
            let located = self.facts.iter().enumerate();
            let tiles = located.filter_map(|(number, store)| {
                Some((number, store.ordinal, Tile::of(store.location?)))
            });
            places.add_tiles(tiles)?;
        }
        Ok(places)
    }

    /// Returns the merchants of several stores.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if there are 2^28 of them.
    pub fn merchants(&self) -> Result<Places> {
        let stores = self.facts.iter();
        Places::of_merchants(stores.map(|store| (store.ordinal, store.merchant_id.as_deref())))
    }

    /// Ends the shards of the current run.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn finish_run(&mut self) -> Result<()> {
        for set in self.sets.take().into_iter().flatten() {
            self.staged.extend(set.finish()?);
        }
        Ok(())
    }
}

/// Records of a partition that are not written yet.
struct Rest<'a> {
    records: &'a EncodedRecords,
    /// How many are.
    written: usize,
    /// Where their values end.
    start: usize,
}

impl<'a> Rest<'a> {
    fn of(records: &'a EncodedRecords) -> Self {
        Self {
            records,
            written: 0,
            start: 0,
        }
    }

    /// Writes the records of a key, which end before record `end`.
    fn append(&mut self, end: usize, key: &[u8], set: &mut ShardSet) -> Result<()> {
        for (span, end) in &self.records.spans[self.written..end] {
            set.append(*span, key, &self.records.values[self.start..*end])?;
            self.start = *end;
        }
        self.written = end;
        Ok(())
    }
}

/// Writes the shards of the market of all stores, whose months were paid by these `mixes`.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_market(
    staging: &Staging,
    (market, mixes): (&MarketDays, BTreeMap<Month, EncodedMixes>),
    days: &DayOrdinals,
    cards: &PairCounts,
) -> Result<Vec<Staged>> {
    let mut encoder = DaysEncoder::default();
    encoder.mixes(mixes);
    let mut records = EncodedRecords::default();
    for (ordinal, (day, of_day)) in market.iter().enumerate() {
        let (first_ever, returning, buyers) = cards.day(days, ordinal);
        let [second, cohorts] = cards.again(days, ordinal);
        let cards = DayCards {
            first_ever,
            returning: &returning,
            buyers: &buyers,
            second: &second,
            cohorts: &cohorts,
        };
        encoder.day(
            day,
            DayRows::Totals(&of_day.totals, &of_day.bins),
            &of_day.hours().collect::<Vec<_>>(),
            cards,
            None,
            &mut records,
        );
    }
    encoder.finish(&StoreProfile::default(), &mut records)?;
    let mut shards = RunShards::new(staging, MARKETS);
    let mut start = 0;
    for (span, end) in &records.spans {
        shards.append(*span, MARKET_ALL, &records.values[start..*end])?;
        start = *end;
    }
    shards.finish()
}
