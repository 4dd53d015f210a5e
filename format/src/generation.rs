//! A generation opened for reading: its manifest and its shards.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    calendar::Month,
    key,
    manifest::{Manifest, ShardEntry},
    record::{MonthRecord, Summary},
    shard::{Identity, Record, Search, Searched, Shard, Span, batch},
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

    /// Returns the shards of one dataset and span.
    #[must_use]
    pub fn span(&self, dataset: &str, span: Span) -> &[Shard<B>] {
        let shards = self
            .datasets
            .get(dataset)
            .and_then(|spans| spans.get(&span));
        shards.map_or(&[], Vec::as_slice)
    }

    /// Returns the value of `key` in a dataset and span, or `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the record found is damaged.
    pub fn get(&self, dataset: &str, span: Span, key: &[u8]) -> Result<Option<&[u8]>> {
        let hash = key::hash(key);
        match shard_of(self.span(dataset, span), hash) {
            Some(shard) => shard.get_hashed(hash, key),
            None => Ok(None),
        }
    }

    /// Looks up many keys of a dataset and span, and passes each one's number and value to
    /// `visit`, in their order.
    ///
    /// # Complexity
    /// The cache misses of many lookups are waited for together, whatever shards they fall into.
    pub fn get_many<'a>(
        &'a self,
        dataset: &str,
        span: Span,
        keys: &[&[u8]],
        visit: impl FnMut(usize, Result<Option<&'a [u8]>>),
    ) {
        let shards = self.span(dataset, span);
        batch::get_many(keys, |hash| shard_of(shards, hash), visit);
    }

    /// Returns the summary of a store or market, or `None` if it is not in the generation.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the record found is damaged.
    pub fn summary(&self, dataset: &str, key: &[u8]) -> Result<Option<Summary>> {
        self.get(dataset, Span::Current, key)?
            .map(Summary::parse)
            .transpose()
    }

    /// Returns the month record of a store or market, or `None` for a month without rows.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the record found is damaged.
    pub fn month(
        &self,
        dataset: &str,
        key: &[u8],
        month: Month,
    ) -> Result<Option<MonthRecord<'_>>> {
        let bytes = self.get(dataset, Span::Month(month), key)?;
        bytes
            .map(|bytes| MonthRecord::parse(month, bytes))
            .transpose()
    }

    /// Passes the terms of a dataset's `current` span that are looked for to `visit`, ascending over
    /// all shards, as [`Search::visit`] does.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if an index or a record is damaged.
    pub fn search<'a>(
        &'a self,
        dataset: &str,
        search: &Search,
        work: u64,
        visit: impl FnMut(&[u8], Record<'a>) -> bool,
    ) -> Result<Searched> {
        search.visit(self.span(dataset, Span::Current), work, visit)
    }
}

/// Returns the shard that has the partition of a hash.
fn shard_of<B: AsRef<[u8]>>(shards: &[Shard<B>], hash: u64) -> Option<&Shard<B>> {
    let partition = key::partition_of(hash);
    let after = shards.partition_point(|shard| shard.identity().run.first <= partition);
    let shard = &shards[after.checked_sub(1)?];
    shard.identity().run.contains(partition).then_some(shard)
}

fn check_identity<B: AsRef<[u8]>>(entry: &ShardEntry, shard: &Shard<B>) -> Result<()> {
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
