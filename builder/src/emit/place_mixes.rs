//! The shards of how payments divide in protected places, and in `current` of how many of them that is told by month.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    key::{hash, partition_of},
    record::PLACE_MIXES,
    shard::Span,
};

use super::{
    month_shards::write_month_counts,
    shard_set::{ShardSet, Staged, Staging},
};
use crate::Result;

/// Takes the records of places to shards, in runs of partitions as those of months that stay.
pub(super) struct PlaceMixShards<'a> {
    staging: &'a Staging,
    set: Option<ShardSet>,
    staged: Vec<Staged>,
    /// How many places have a record.
    months: BTreeMap<Month, u64>,
}

impl<'a> PlaceMixShards<'a> {
    /// Starts writing into `staging`.
    pub(super) fn new(staging: &'a Staging) -> Self {
        Self {
            staging,
            set: None,
            staged: Vec::new(),
            months: BTreeMap::new(),
        }
    }

    /// Adds a record of a key, which comes after those before in the order of a shard's.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub(super) fn add(&mut self, month: Month, key: &[u8], record: &[u8]) -> Result<()> {
        let run = self.staging.run_of(partition_of(hash(key)));
        if let Some(whole) = self.set.take_if(|set| set.run() != run) {
            self.staged.extend(whole.finish()?);
        }
        let new = || ShardSet::new(self.staging, PLACE_MIXES, run);
        *self.months.entry(month).or_default() += 1;
        let set = self.set.get_or_insert_with(new);
        set.append(Span::Month(month), key, record)
    }

    /// Ends all shards, and writes how many places have a record by month.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub(super) fn finish(mut self) -> Result<Vec<Staged>> {
        if let Some(last) = self.set.take() {
            self.staged.extend(last.finish()?);
        }
        let counts = write_month_counts(self.staging, PLACE_MIXES, self.months)?;
        self.staged.extend(counts);
        Ok(self.staged)
    }
}
