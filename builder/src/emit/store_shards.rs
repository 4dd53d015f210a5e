//! The shards of the stores and of the market.

use nightshard_format::{
    key::{hash, partition_of},
    record::{MARKET_ALL, MARKETS, STORES, StoreProfile},
};

use super::{
    catalog::StoreFacts,
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
};
use nightshard_format::record::DayCards;

/// Takes the records of the stores' partitions, in order, and counts what became of rows.
pub struct StoreShards<'a> {
    staging: &'a Staging,
    set: Option<ShardSet>,
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
            set: None,
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
        if self.set.as_ref().is_none_or(|set| set.run() != run) {
            self.finish_run()?;
        }
        let set = self
            .set
            .get_or_insert_with(|| ShardSet::new(self.staging, STORES, run));
        let PartitionRecords {
            stores, records, ..
        } = records;
        let EncodedRecords { values, spans } = &records;
        let (mut first, mut start) = (0, 0);
        for store in stores {
            for (span, end) in &spans[first..store.end_records] {
                set.append(*span, &store.id, &values[start..*end])?;
                start = *end;
            }
            first = store.end_records;
            self.facts.push(StoreFacts {
                ordinal: store.ordinal,
                id: store.id,
                name: store.profile.name,
                region: store.profile.region,
                category: store.profile.category,
                transactions: store.totals.count,
                amount: store.totals.sum,
            });
        }
        Ok(records)
    }

    /// Returns the places of the stores.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if there are 2^29 of them.
    pub fn places(&self) -> Result<Places> {
        Places::of(self.facts.iter().map(|store| {
            (
                store.ordinal,
                store.region.as_deref(),
                store.category.as_deref(),
            )
        }))
    }

    /// Ends the shards of the current run.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn finish_run(&mut self) -> Result<()> {
        if let Some(set) = self.set.take() {
            self.staged.extend(set.finish()?);
        }
        Ok(())
    }
}

/// Writes the shards of the market of all stores.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_market(
    staging: &Staging,
    market: &MarketDays,
    days: &DayOrdinals,
    cards: &PairCounts,
) -> Result<Vec<Staged>> {
    let mut encoder = DaysEncoder::default();
    let mut records = EncodedRecords::default();
    for (ordinal, (day, of_day)) in market.iter().enumerate() {
        let (first_ever, returning, buyers) = cards.day(days, ordinal);
        let cards = DayCards {
            first_ever,
            returning: &returning,
            buyers: &buyers,
            ..DayCards::default()
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
    let run = staging.run_of(partition_of(hash(MARKET_ALL)));
    let mut set = ShardSet::new(staging, MARKETS, run);
    let mut start = 0;
    for (span, end) in &records.spans {
        set.append(*span, MARKET_ALL, &records.values[start..*end])?;
        start = *end;
    }
    set.finish()
}
