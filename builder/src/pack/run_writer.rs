//! The rows of one run, in order, to its shard.

use nightshard_format::{
    key::PartitionRun,
    shard::{Samples, Span},
};

use super::{Compression, PackPlan};
use crate::{
    Result,
    emit::{ShardSet, Staged, Staging},
};

/// Rows wait for a dictionary until there are enough samples, or they take so many bytes.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// What a row that waits takes beside its bytes: on every machine as many, as it decides which
/// samples a dictionary is made of.
const WAITING_ROW_LEN: usize = 48;

/// Writes the shard of one run. Where values are to be compressed, the first of them wait until a
/// dictionary is made of them.
pub(super) struct RunWriter<'p> {
    plan: &'p PackPlan,
    set: ShardSet,
    /// None once it is known how values are stored.
    waiting: Option<Waiting>,
}

#[derive(Default)]
struct Waiting {
    samples: Samples,
    /// Keys and values.
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    len_bytes: usize,
}

impl<'p> RunWriter<'p> {
    pub(super) fn new(plan: &'p PackPlan, staging: &Staging, run: PartitionRun) -> Self {
        Self {
            plan,
            set: ShardSet::new(staging, &plan.dataset, run),
            waiting: (plan.compression == Compression::Zstd).then(Waiting::default),
        }
    }

    /// Writes the next row, in the order of (hash, key).
    pub(super) fn append(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let Some(waiting) = &mut self.waiting else {
            return self.write(key, value);
        };
        waiting.samples.add(value);
        waiting.rows.push((key.to_vec(), value.to_vec()));
        waiting.len_bytes += key.len() + value.len() + WAITING_ROW_LEN;
        if waiting.samples.is_full() || waiting.len_bytes >= WAITING_BYTES_MAX {
            self.write_waiting()?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<Staged>> {
        self.write_waiting()?;
        self.set.finish()
    }

    fn write_waiting(&mut self) -> Result<()> {
        let Some(waiting) = self.waiting.take() else {
            return Ok(());
        };
        self.set.compress(waiting.samples.dictionary()?);
        let mut rows = waiting.rows.iter();
        rows.try_for_each(|(key, value)| self.write(key, value))
    }

    fn write(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.set.append(Span::Current, key, value)?;
        if self.plan.is_ordered {
            self.set.add_term(Span::Current, key)?;
        }
        Ok(())
    }
}
