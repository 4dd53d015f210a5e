//! Months that were told before, in the place of what rows say of them now (docs/privacy.md, "Freezing").

use std::{collections::BTreeSet, fs, ops::Range};

use nightshard_format::{
    calendar::Month,
    generation::Generation,
    manifest::ShardEntry,
    shard::{Mapped, Shard, Span},
};

use super::{
    run_shards::RunShards,
    shard_set::{CurrentRecord, Staged, Staging},
    written::Written,
};
use crate::{Error, Result};

/// What an earlier generation told of months, and of which of them it stays.
#[derive(Debug)]
pub struct ToldMonths<'a> {
    /// The generation.
    pub told: &'a Generation<Mapped>,
    /// The months that had ended.
    pub ended: Range<Month>,
}

impl ToldMonths<'_> {
    /// Puts what was told of a dataset's months in the place of what was made of them now; returns whether that is
    /// something else. A generation that told nothing in a dataset has nothing in it that stays.
    ///
    /// # Errors
    /// [`Error::File`] if the staging folder takes no more, [`Error::Format`] if a record that was told is damaged.
    pub fn keep(&self, staging: &Staging, dataset: &str, made: &mut Vec<Staged>) -> Result<bool> {
        if self.shards(dataset).next().is_none() {
            return Ok(false);
        }
        let current = self.current(dataset, made)?;
        let replaced = self.take(dataset, made)?;
        let mut kept = self.write_months(staging, dataset)?;
        kept.extend(staging.write_current(dataset, current)?);
        let entries: BTreeSet<&ShardEntry> = kept.iter().map(|it| &it.entry).collect();
        let differs = entries != replaced.iter().collect();
        made.append(&mut kept);
        Ok(differs)
    }

    /// Removes what was made of months that stay, and of `current`; returns what that was.
    fn take(&self, dataset: &str, made: &mut Vec<Staged>) -> Result<Vec<ShardEntry>> {
        let mut replaced = Vec::new();
        for staged in std::mem::take(made) {
            let is_replaced = staged.entry.dataset == dataset
                && match staged.entry.span.parse()? {
                    Span::Month(month) => self.ended.contains(&month),
                    Span::Current => true,
                };
            if is_replaced {
                fs::remove_file(&staged.path).map_err(Error::at(&staged.path))?;
                replaced.push(staged.entry);
            } else {
                made.push(staged);
            }
        }
        Ok(replaced)
    }

    /// Writes the records of the months that stay, in this build's runs of partitions.
    fn write_months(&self, staging: &Staging, dataset: &str) -> Result<Vec<Staged>> {
        // Earlier runs of another number of partitions may begin or end within one of these.
        let mut shards = RunShards::new(staging, dataset);
        for shard in self.shards(dataset) {
            let span = shard.identity().span;
            if !matches!(span, Span::Month(month) if self.ended.contains(&month)) {
                continue;
            }
            for record in shard.iter() {
                let record = record?;
                shards.append(span, record.key, &record.value.read()?)?;
            }
        }
        shards.finish()
    }

    /// Returns what `current` is to say of each month: what was told of those that stay, and what was made of others.
    fn current(&self, dataset: &str, made: &[Staged]) -> Result<Vec<CurrentRecord>> {
        let written = Written::open(made, dataset)?;
        let told = self.told.table(dataset, Span::Current);
        let mut current = Vec::new();
        let both = [
            (told.shards(), true),
            (written.shards(Span::Current), false),
        ];
        for (shards, is_told) in both {
            for record in shards.iter().flat_map(Shard::iter) {
                let record = record?;
                let month: Month = String::from_utf8_lossy(record.key).parse()?;
                if self.ended.contains(&month) == is_told {
                    current.push(CurrentRecord {
                        key: record.key.to_vec(),
                        value: record.value.read()?.into_owned(),
                        terms: Vec::new(),
                    });
                }
            }
        }
        Ok(current)
    }

    fn shards(&self, dataset: &str) -> impl Iterator<Item = &Shard<Mapped>> {
        let shards = self.told.shards();
        shards.filter(move |shard| shard.identity().dataset == dataset)
    }
}
