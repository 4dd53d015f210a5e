//! The shards of one dataset, one run of partitions after the other.

use nightshard_format::{
    key::{hash, partition_of},
    shard::Span,
};

use super::shard_set::{ShardSet, Staged, Staging};
use crate::Result;

/// Takes records to the shards of the runs that their keys are in.
pub(super) struct RunShards<'a> {
    pub(super) staging: &'a Staging,
    pub(super) dataset: &'a str,
    /// Those of the run that is being written.
    set: Option<ShardSet>,
    staged: Vec<Staged>,
}

impl<'a> RunShards<'a> {
    /// Starts writing a dataset into `staging`.
    pub(super) fn new(staging: &'a Staging, dataset: &'a str) -> Self {
        Self {
            staging,
            dataset,
            set: None,
            staged: Vec::new(),
        }
    }

    /// Adds a record, which comes after those before in the order of its shard's keys. Of two runs all records of one
    /// come first, unless they are of different spans.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub(super) fn append(&mut self, span: Span, key: &[u8], value: &[u8]) -> Result<()> {
        let run = self.staging.run_of(partition_of(hash(key)));
        if let Some(whole) = self.set.take_if(|set| set.run() != run) {
            self.staged.extend(whole.finish()?);
        }
        let new = || ShardSet::new(self.staging, self.dataset, run);
        self.set.get_or_insert_with(new).append(span, key, value)
    }

    /// Ends all shards.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub(super) fn finish(mut self) -> Result<Vec<Staged>> {
        if let Some(last) = self.set.take() {
            self.staged.extend(last.finish()?);
        }
        Ok(self.staged)
    }
}
