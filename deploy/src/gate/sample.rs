//! Known keys, read back: what the last good generation has, the candidate must have, too.

use std::collections::BTreeMap;

use nightshard_format::{
    key,
    manifest::{Manifest, ShardEntry},
    record::{STORES, Summary},
    shard::{Shard, Span},
};
use serde::{Deserialize, Serialize};

use super::{Check, damage, shards::ShardBytes};
use crate::{Repository, Result};

/// So many shards of a dataset are read for a sample: those of object storage are fetched whole.
const SHARDS_MAX: usize = 16;

/// What became of known keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySample {
    /// The dataset.
    pub dataset: String,
    /// Keys of the last good generation that were looked up.
    pub sampled: u64,
    /// Those that the candidate does not have.
    pub missing: u64,
}

/// Returns the datasets whose keys callers know, where both have them and they are not the same
/// blobs.
pub(super) fn datasets(candidate: &Manifest, good: &Manifest) -> Vec<String> {
    let both = good.packed.keys().map(String::as_str);
    let both = both.filter(|dataset| candidate.packed.contains_key(*dataset));
    let has_stores = candidate.transactions.is_some() && good.transactions.is_some();
    let stores = has_stores.then_some(STORES);
    stores
        .into_iter()
        .chain(both)
        .filter(|dataset| current_of(candidate, dataset) != current_of(good, dataset))
        .map(str::to_owned)
        .collect()
}

/// Returns the shards of a dataset that span everything, by partition.
fn current_of<'a>(manifest: &'a Manifest, dataset: &'a str) -> Vec<&'a ShardEntry> {
    let current = Span::Current.to_string();
    let entries = manifest.shards_of(dataset);
    let mut entries: Vec<_> = entries.filter(|entry| entry.span == current).collect();
    entries.sort_by_key(|entry| entry.first_partition);
    entries
}

/// Returns `len` positions, or as many as there are, at equal distances from 0 to `end`.
fn spread(end: u64, len: u64) -> impl Iterator<Item = u64> {
    let len = len.min(end);
    let position = move |at: u64| (u128::from(2 * at + 1) * u128::from(end)) / u128::from(2 * len);
    (0..len).map(move |at| u64::try_from(position(at)).unwrap_or(u64::MAX))
}

/// Returns the shards to sample and how many keys of each.
fn plan<'a>(entries: &[&'a ShardEntry], keys_max: u32) -> Vec<(&'a ShardEntry, u64)> {
    let entries = entries.iter().filter(|entry| entry.records > 0);
    let entries: Vec<&ShardEntry> = entries.copied().collect();
    let chosen = spread(entries.len() as u64, SHARDS_MAX as u64);
    let chosen: Vec<&ShardEntry> = chosen
        .filter_map(|at| entries.get(usize::try_from(at).ok()?).copied())
        .collect();
    let keys_each = u64::from(keys_max).div_ceil(chosen.len().max(1) as u64);
    chosen.into_iter().map(|entry| (entry, keys_each)).collect()
}

impl Repository {
    /// Looks up keys of the good generation, at equal distances in the order of their hashes, in
    /// the candidate; or says which of the two cannot be read.
    ///
    /// # Errors
    /// [`crate::Error::Storage`] if storage does not answer.
    pub(super) async fn sample(
        &self,
        candidate: &Manifest,
        (its, good): (&Self, &Manifest),
        dataset: &str,
        keys_max: u32,
    ) -> Result<Result<KeySample, Check>> {
        let known = match its.known_keys(&current_of(good, dataset), keys_max).await {
            Ok(known) => known,
            Err(error) => return Ok(Err(Check::not_compared(&damage(error)?))),
        };
        let entries = current_of(candidate, dataset);
        Ok(match self.look_up(dataset, &entries, known).await {
            Ok(sample) => Ok(sample),
            Err(error) => Err(Check::unreadable(&damage(error)?)),
        })
    }

    async fn known_keys(&self, entries: &[&ShardEntry], keys_max: u32) -> Result<Vec<Vec<u8>>> {
        let mut known = Vec::new();
        for (entry, keys_each) in plan(entries, keys_max) {
            let shard = self.read_shard(entry).await?;
            let mut wanted = spread(shard.len(), keys_each).peekable();
            for (position, record) in (0..).zip(shard.iter()) {
                let record = record.map_err(|source| self.bad_blob(entry, source))?;
                if wanted.next_if_eq(&position).is_some() {
                    known.push(record.key.to_vec());
                }
            }
        }
        Ok(known)
    }

    async fn look_up(
        &self,
        dataset: &str,
        entries: &[&ShardEntry],
        known: Vec<Vec<u8>>,
    ) -> Result<KeySample> {
        let mut sample = KeySample {
            dataset: dataset.to_owned(),
            sampled: known.len() as u64,
            missing: 0,
        };
        let mut keys_by_shard: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for key in known {
            let partition = key::partition_of(key::hash(&key));
            let has_it = |entry: &&ShardEntry| {
                (entry.first_partition..entry.end_partition).contains(&partition)
            };
            match entries.iter().position(has_it) {
                Some(at) => keys_by_shard.entry(at).or_default().push(key),
                None => sample.missing += 1,
            }
        }
        for (at, keys) in keys_by_shard {
            let entry = entries[at];
            let shard = self.read_shard(entry).await?;
            for key in keys {
                let is_there = read_back(&shard, dataset, &key);
                let is_there = is_there.map_err(|source| self.bad_blob(entry, source))?;
                sample.missing += u64::from(!is_there);
            }
        }
        Ok(sample)
    }
}

/// Reads the value of a key, if there is one, and its parts if they are known.
fn read_back(
    shard: &Shard<ShardBytes>,
    dataset: &str,
    key: &[u8],
) -> nightshard_format::Result<bool> {
    let Some(value) = shard.get(key)? else {
        return Ok(false);
    };
    let value = value.read()?;
    if dataset == STORES {
        Summary::parse(&value)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_spread_evenly_and_never_repeat() {
        let spread = |end, len| spread(end, len).collect::<Vec<_>>();
        assert!(spread(0, 4).is_empty());
        assert_eq!(spread(3, 8), [0, 1, 2]);
        assert_eq!(spread(100, 4), [12, 37, 62, 87]);
        assert_eq!(spread(u64::MAX, 1), [u64::MAX / 2]);
        for (end, len) in [(7, 5), (1_000, 256), (257, 256)] {
            let positions = spread(end, len);
            assert_eq!(positions.len() as u64, len);
            assert!(positions.is_sorted_by(|left, right| left < right));
            assert!(positions.iter().all(|position| *position < end));
        }
    }
}
