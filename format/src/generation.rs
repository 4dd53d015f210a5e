//! A generation opened for reading: its manifest and its shards.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    calendar::Month,
    manifest::{Manifest, ShardEntry},
    record::{MonthRecord, Summary, parse_month_stores},
    shard::{Identity, Shard, Span, Value},
    table::Table,
};

/// The shards of one span, by first partition.
type SpanShards<B> = Vec<Shard<B>>;

/// A manifest and all its shards, over any bytes.
#[derive(Debug)]
pub struct Generation<B> {
    manifest: Manifest,
    datasets: BTreeMap<String, BTreeMap<Span, SpanShards<B>>>,
}

impl<B: AsRef<[u8]>> Generation<B> {
    /// Opens every shard of `manifest` from the bytes that `open` finds for it.
    ///
    /// Shards are checked to be what the manifest says they are, in structure; reading every
    /// byte is [`Shard::verify`]'s job.
    ///
    /// # Errors
    /// Whatever `open` returns; [`Error::Corrupt`] for a shard that is not the one named.
    pub fn open<E: From<Error>>(
        manifest: Manifest,
        mut open: impl FnMut(&ShardEntry) -> std::result::Result<B, E>,
    ) -> std::result::Result<Self, E> {
        let mut datasets: BTreeMap<String, BTreeMap<Span, SpanShards<B>>> = BTreeMap::new();
        for entry in &manifest.shards {
            let shard = Shard::open(open(entry)?)?;
            check_identity(entry, &shard)?;
            let Identity { dataset, span, .. } = shard.identity().clone();
            datasets
                .entry(dataset)
                .or_default()
                .entry(span)
                .or_default()
                .push(shard);
        }
        for shards in datasets.values_mut().flat_map(BTreeMap::values_mut) {
            shards.sort_by_key(|shard| shard.identity().run);
            let overlap =
                |pair: &[Shard<B>]| pair[1].identity().run.first < pair[0].identity().run.end;
            if shards.windows(2).any(overlap) {
                return Err(
                    Error::corrupt("manifest", "two shards have the same partition").into(),
                );
            }
        }
        Ok(Self { manifest, datasets })
    }

    /// Returns the manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns every shard, by dataset, span and partition.
    pub fn shards(&self) -> impl Iterator<Item = &Shard<B>> {
        self.datasets.values().flat_map(BTreeMap::values).flatten()
    }

    /// Returns the shard of an entry of the manifest, or `None` if it is not one of those.
    #[must_use]
    pub fn shard(&self, entry: &ShardEntry) -> Option<&Shard<B>> {
        let spans = self.datasets.get(&entry.dataset)?;
        let shards = spans.get(&entry.span.parse().ok()?)?;
        let is_it = |shard: &&Shard<B>| shard.identity().run.first == entry.first_partition;
        shards.iter().find(is_it)
    }

    /// Returns one dataset and span as a table; without any shard if there is no such.
    #[must_use]
    pub fn table(&self, dataset: &str, span: Span) -> Table<'_, B> {
        let spans = self.datasets.get(dataset);
        let shards = spans.and_then(|spans| spans.get(&span));
        Table::new(shards.map_or(&[], Vec::as_slice))
    }

    /// Returns the value of `key` in a dataset and span, or `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the record found is damaged.
    pub fn get(&self, dataset: &str, span: Span, key: &[u8]) -> Result<Option<Value<'_>>> {
        self.table(dataset, span).get(key)
    }

    /// Returns the summary of a store or market, or `None` if it is not in the generation.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the record found is damaged, [`Error::Compressed`] if it is compressed.
    pub fn summary(&self, dataset: &str, key: &[u8]) -> Result<Option<Summary>> {
        let found = self.get(dataset, Span::Current, key)?;
        found
            .map(|value| Summary::parse(value.in_place()?))
            .transpose()
    }

    /// Returns how many records each month of a dataset has, as `current` says of those whose months have no summaries.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Label`] if a record of `current` is damaged or of no month, [`Error::Compressed`]
    /// if one is compressed.
    pub fn records_by_month(&self, dataset: &str) -> Result<BTreeMap<Month, u64>> {
        let mut said = BTreeMap::new();
        for shard in self.table(dataset, Span::Current).shards() {
            for record in shard.iter() {
                let record = record?;
                let month = String::from_utf8_lossy(record.key).parse()?;
                said.insert(month, parse_month_stores(record.value.in_place()?)?);
            }
        }
        Ok(said)
    }

    /// Returns the month record of a store or market, or `None` for a month without rows.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the record found is damaged, [`Error::Compressed`] if it is compressed.
    pub fn month(
        &self,
        dataset: &str,
        key: &[u8],
        month: Month,
    ) -> Result<Option<MonthRecord<'_>>> {
        let found = self.get(dataset, Span::Month(month), key)?;
        found
            .map(|value| MonthRecord::parse(month, value.in_place()?))
            .transpose()
    }
}

/// Checks that a shard is what an entry of a manifest says it is.
///
/// # Errors
/// [`Error::Corrupt`] if it is another one.
pub fn check_identity<B: AsRef<[u8]>>(entry: &ShardEntry, shard: &Shard<B>) -> Result<()> {
    let identity = shard.identity();
    let same = identity.dataset == entry.dataset
        && identity.span == entry.span.parse()?
        && (identity.run.first, identity.run.end) == (entry.first_partition, entry.end_partition)
        && shard.len() == entry.records
        && shard.bytes().as_ref().len() as u64 == entry.size_bytes;
    if same {
        Ok(())
    } else {
        let problem = format!(
            "blob {} is {identity}, not what the manifest says",
            entry.blob
        );
        Err(Error::corrupt("shard", problem))
    }
}
