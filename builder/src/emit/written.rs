//! Shards of this build, read back.

use std::{collections::BTreeMap, str::FromStr};

use nightshard_format::{
    calendar::Month,
    key,
    record::{MonthRecord, Summary},
    shard::{Mapped, Shard, Span, Value},
};

use super::shard_set::Staged;
use crate::{Error, Result};

/// The shards of a dataset, as they were written into the staging folder.
pub struct Written {
    spans: BTreeMap<Span, Vec<Shard<Mapped>>>,
}

impl Written {
    /// Opens the shards of a dataset among those that were written.
    ///
    /// # Errors
    /// [`Error::File`] if one cannot be read.
    pub fn open(staged: &[Staged], dataset: &str) -> Result<Self> {
        let mut spans = BTreeMap::<Span, Vec<Shard<Mapped>>>::new();
        for Staged { entry, path } in staged.iter().filter(|it| it.entry.dataset == dataset) {
            let shard = Mapped::open(path).and_then(Shard::open);
            let shard = shard.map_err(|error| Error::File {
                path: path.clone(),
                problem: error.to_string(),
            })?;
            let span = Span::from_str(&entry.span)?;
            spans.entry(span).or_default().push(shard);
        }
        Ok(Self { spans })
    }

    /// Returns the months that have records.
    pub fn months(&self) -> impl Iterator<Item = Month> {
        self.spans.keys().filter_map(|span| match span {
            Span::Month(month) => Some(*month),
            Span::Current => None,
        })
    }

    /// Returns the shards of a span, in the order of their partitions.
    pub(super) fn shards(&self, span: Span) -> &[Shard<Mapped>] {
        self.spans.get(&span).map_or(&[], Vec::as_slice)
    }

    /// Returns the record of a key in a month, where it has one.
    pub(super) fn month(&self, month: Month, key: &[u8]) -> Result<Option<MonthRecord<'_>>> {
        let value = self.get(Span::Month(month), key)?;
        let record = value.map(|value| MonthRecord::parse(month, value.in_place()?));
        Ok(record.transpose()?)
    }

    /// Returns the summary of a key, where it has one.
    pub(super) fn summary(&self, key: &[u8]) -> Result<Option<Summary>> {
        let value = self.get(Span::Current, key)?;
        let summary = value.map(|value| Summary::parse(value.in_place()?));
        Ok(summary.transpose()?)
    }

    fn get(&self, span: Span, key: &[u8]) -> Result<Option<Value<'_>>> {
        let partition = key::partition_of(key::hash(key));
        let mut shards = self.spans.get(&span).into_iter().flatten();
        let shard = shards.find(|shard| shard.identity().run.contains(partition));
        Ok(shard.map(|shard| shard.get(key)).transpose()?.flatten())
    }
}
