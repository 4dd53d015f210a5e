//! The shards of datasets that have months alone, and in `current` how many stores have a record in each.

use std::collections::BTreeMap;

use nightshard_format::{calendar::Month, record::encode_month_stores, shard::Span};

use super::{
    catalog::StoreFacts,
    shard_set::{CurrentRecord, ShardSet, Staged, Staging},
};
use crate::{Result, kernel::merged_labels::RecordsOfStores};

/// Takes the records of stores' months, partition after partition, to shards.
pub struct MonthShards<'a> {
    staging: &'a Staging,
    dataset: &'static str,
    stores: &'a [StoreFacts],
    set: Option<ShardSet>,
    staged: Vec<Staged>,
    /// How many stores have a record.
    months: BTreeMap<Month, u64>,
}

impl<'a> MonthShards<'a> {
    /// Starts writing into `staging`; `stores` are all, in their order.
    #[must_use]
    pub fn new(staging: &'a Staging, dataset: &'static str, stores: &'a [StoreFacts]) -> Self {
        Self {
            staging,
            dataset,
            stores,
            set: None,
            staged: Vec::new(),
            months: BTreeMap::new(),
        }
    }

    /// Adds the next partition.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn add(&mut self, partition: u16, partition_records: &RecordsOfStores) -> Result<()> {
        let RecordsOfStores { records, stores } = partition_records;
        if records.spans.is_empty() {
            return Ok(());
        }
        let run = self.staging.run_of(partition);
        if self.set.as_ref().is_some_and(|set| set.run() != run) {
            self.finish_run()?;
        }
        let new = || ShardSet::new(self.staging, self.dataset, run);
        let set = self.set.get_or_insert_with(new);
        let (mut written, mut start) = (0, 0);
        for (store, end_records) in stores {
            let at = self.stores.partition_point(|it| it.ordinal < *store);
            let key = &self.stores[at].id;
            for (span, end) in &records.spans[written..*end_records] {
                set.append(*span, key, &records.values[start..*end])?;
                start = *end;
                if let Span::Month(month) = span {
                    *self.months.entry(*month).or_default() += 1;
                }
            }
            written = *end_records;
        }
        Ok(())
    }

    fn finish_run(&mut self) -> Result<()> {
        if let Some(set) = self.set.take() {
            self.staged.extend(set.finish()?);
        }
        Ok(())
    }

    /// Ends all shards, and writes how many stores have a record by month.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn finish(mut self) -> Result<Vec<Staged>> {
        self.finish_run()?;
        let known = write_month_counts(self.staging, self.dataset, self.months)?;
        self.staged.extend(known);
        Ok(self.staged)
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
