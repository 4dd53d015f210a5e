//! The shards of datasets that have months alone, and in `current` how many stores or places have a record in each.

use std::collections::BTreeMap;

use nightshard_format::{calendar::Month, record::encode_month_stores, shard::Span};

use super::{
    catalog::StoreFacts,
    run_shards::RunShards,
    shard_set::{CurrentRecord, Staged, Staging},
};
use crate::{Result, kernel::merged_labels::RecordsOfStores};

/// Takes the records of stores' months, partition after partition, to shards.
pub struct MonthShards<'a> {
    stores: &'a [StoreFacts],
    counted: CountedMonths<'a>,
}

impl<'a> MonthShards<'a> {
    /// Starts writing into `staging`; `stores` are all, in their order.
    #[must_use]
    pub fn new(staging: &'a Staging, dataset: &'a str, stores: &'a [StoreFacts]) -> Self {
        Self {
            stores,
            counted: CountedMonths::new(staging, dataset),
        }
    }

    /// Adds the next partition.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn add(&mut self, partition_records: &RecordsOfStores) -> Result<()> {
        let RecordsOfStores { records, stores } = partition_records;
        let (mut written, mut start) = (0, 0);
        for (store, end_records) in stores {
            let at = self.stores.partition_point(|it| it.ordinal < *store);
            let key = &self.stores[at].id;
            for (span, end) in &records.spans[written..*end_records] {
                self.counted
                    .append(*span, key, &records.values[start..*end])?;
                start = *end;
            }
            written = *end_records;
        }
        Ok(())
    }

    /// Ends all shards, and writes how many stores have a record by month.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn finish(self) -> Result<Vec<Staged>> {
        self.counted.finish()
    }
}

/// Takes records of months to shards, and counts them.
pub(super) struct CountedMonths<'a> {
    shards: RunShards<'a>,
    counts: BTreeMap<Month, u64>,
}

impl<'a> CountedMonths<'a> {
    /// Starts writing a dataset into `staging`.
    pub(super) fn new(staging: &'a Staging, dataset: &'a str) -> Self {
        Self {
            shards: RunShards::new(staging, dataset),
            counts: BTreeMap::new(),
        }
    }

    /// Adds a record as [`RunShards::append`] does.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub(super) fn append(&mut self, span: Span, key: &[u8], value: &[u8]) -> Result<()> {
        if let Span::Month(month) = span {
            *self.counts.entry(month).or_default() += 1;
        }
        self.shards.append(span, key, value)
    }

    /// Ends all shards, and writes how many records there are by month.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub(super) fn finish(self) -> Result<Vec<Staged>> {
        let (staging, dataset) = (self.shards.staging, self.shards.dataset);
        let mut staged = self.shards.finish()?;
        staged.extend(write_month_counts(staging, dataset, self.counts)?);
        Ok(staged)
    }
}

/// Writes in `current` how many stores or places have a record in each month.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub(super) fn write_month_counts(
    staging: &Staging,
    dataset: &str,
    months: BTreeMap<Month, u64>,
) -> Result<Vec<Staged>> {
    let records = months.into_iter().map(|(month, stores)| {
        let mut value = Vec::new();
        encode_month_stores(stores, &mut value);
        CurrentRecord {
            key: month.to_string().into_bytes(),
            value,
            terms: Vec::new(),
        }
    });
    staging.write_current(dataset, records)
}
