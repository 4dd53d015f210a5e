//! What differs between two sets of records, read side by side in their common order.

use std::{cmp::Ordering, ops::Range};

use crate::{Result, key, key::PartitionRun, shard::Record};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is there now and was not before.
    Added,
    /// It was there and is not any more.
    Removed,
    /// It has another value.
    Changed,
}

/// A record that is not the same in both: at least one side has it.
#[derive(Debug)]
pub struct Difference<'r, 'a> {
    /// What became of it.
    pub change: Change,
    /// What it was.
    pub old: Option<&'r Record<'a>>,
    /// What it is.
    pub new: Option<&'r Record<'a>>,
}

impl<'a> Difference<'_, 'a> {
    /// Returns its key.
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        self.new.or(self.old).map_or(&[], |record| record.key)
    }
}

/// How many records became what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Records that were not there before.
    pub added: u64,
    /// Records that are not there any more.
    pub removed: u64,
    /// Records that have another value.
    pub changed: u64,
    /// Records that have the same value.
    pub unchanged: u64,
}

impl Changes {
    /// Adds those of other records.
    pub fn add(&mut self, other: Self) {
        self.added += other.added;
        self.removed += other.removed;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
    }

    /// Counts a record by what became of it.
    fn count(&mut self, change: Option<Change>) {
        *match change {
            Some(Change::Added) => &mut self.added,
            Some(Change::Removed) => &mut self.removed,
            Some(Change::Changed) => &mut self.changed,
            None => &mut self.unchanged,
        } += 1;
    }

    /// Returns whether all records are the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added + self.removed + self.changed == 0
    }
}

/// Compares records, both in the order of [`key::order`], and passes each one that is not the same to
/// `visit`, in that order.
///
/// # Errors
/// That of the first record that cannot be read, or that `visit` returns.
///
/// # Complexity
/// Each record is read once; nothing is kept.
pub fn compare<'a>(
    from: impl Iterator<Item = Result<Record<'a>>>,
    to: impl Iterator<Item = Result<Record<'a>>>,
    mut visit: impl FnMut(Difference<'_, 'a>) -> Result<()>,
) -> Result<Changes> {
    let mut changes = Changes::default();
    let (mut from, mut to) = (from, to);
    let (mut old, mut new) = (from.next().transpose()?, to.next().transpose()?);
    loop {
        let order = match (&old, &new) {
            (None, None) => return Ok(changes),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => key::order(old.key).cmp(&key::order(new.key)),
        };
        let change = match (order, &old, &new) {
            (Ordering::Less, ..) => Some(Change::Removed),
            (Ordering::Greater, ..) => Some(Change::Added),
            (Ordering::Equal, Some(old), Some(new)) if old.value.read()? != new.value.read()? => {
                Some(Change::Changed)
            }
            (Ordering::Equal, ..) => None,
        };
        changes.count(change);
        if let Some(change) = change {
            visit(Difference {
                change,
                old: old.as_ref().filter(|_| order.is_le()),
                new: new.as_ref().filter(|_| order.is_ge()),
            })?;
        }
        if order.is_le() {
            old = from.next().transpose()?;
        }
        if order.is_ge() {
            new = to.next().transpose()?;
        }
    }
}

/// Cuts two lists of shards, by the partitions that each has, ascending, into the smallest pieces
/// that have the same partitions: each can be compared by itself.
///
/// # Shape
/// For each piece, in the order of partitions, which shards of each list are in it. Every shard is in one
/// piece; one of the two may be empty.
#[must_use]
pub fn pieces(from: &[PartitionRun], to: &[PartitionRun]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut pieces = Vec::new();
    let (mut old, mut new) = (0, 0);
    while old < from.len() || new < to.len() {
        let (old_first, new_first) = (old, new);
        let first = |runs: &[PartitionRun], at: usize| runs.get(at).map(|run| run.first);
        // Where the piece ends, which each shard that begins before moves on.
        let begins = [first(from, old), first(to, new)];
        let mut end = begins.into_iter().flatten().min().unwrap_or_default() + 1;
        loop {
            if let Some(run) = from.get(old).filter(|run| run.first < end) {
                end = end.max(run.end);
                old += 1;
            } else if let Some(run) = to.get(new).filter(|run| run.first < end) {
                end = end.max(run.end);
                new += 1;
            } else {
                break;
            }
        }
        pieces.push((old_first..old, new_first..new));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Few keys and values, so that many are equal.
    fn records() -> impl Strategy<Value = BTreeMap<u8, u8>> {
        proptest::collection::btree_map(0_u8..40, 0_u8..3, 0..40)
    }

    fn in_order(records: &BTreeMap<u8, u8>) -> Vec<([u8; 1], [u8; 1])> {
        let mut ordered: Vec<_> = records
            .iter()
            .map(|(key, value)| ([*key], [*value]))
            .collect();
        ordered.sort_by_key(|(key, _)| (key::hash(key), *key));
        ordered
    }

    fn read(ordered: &[([u8; 1], [u8; 1])]) -> impl Iterator<Item = Result<Record<'_>>> {
        ordered.iter().map(|(key, value)| {
            Ok(Record {
                key,
                value: value.as_slice().into(),
            })
        })
    }

    /// Runs of partitions without overlap, with gaps here and there.
    fn runs() -> impl Strategy<Value = Vec<PartitionRun>> {
        proptest::collection::btree_set(0_u16..12, 0..10).prop_map(|cuts| {
            let cuts: Vec<u16> = cuts.into_iter().collect();
            let run = |pair: &[u16]| PartitionRun {
                first: pair[0],
                end: pair[1],
            };
            let runs = cuts.windows(2).map(run);
            runs.filter(|run| (run.first + run.end) % 5 > 0).collect()
        })
    }

    proptest! {
        #[test]
        fn every_key_is_what_two_maps_say(from in records(), to in records()) {
            let (old, new) = (in_order(&from), in_order(&to));
            let mut found = BTreeMap::new();
            let changes = compare(read(&old), read(&new), |difference| {
                let (key, change) = (difference.key()[0], difference.change);
                let values = [difference.old, difference.new];
                let values = values.map(|record| record.map(|record| record.value.read().unwrap()[0]));
                assert_eq!(values, [from.get(&key).copied(), to.get(&key).copied()]);
                assert!(found.insert(key, change).is_none());
                Ok(())
            });
            let changes = changes.unwrap();
            let mut expected = BTreeMap::new();
            let mut unchanged = 0;
            for key in 0..40 {
                let change = match (from.get(&key), to.get(&key)) {
                    (None, Some(_)) => Change::Added,
                    (Some(_), None) => Change::Removed,
                    (Some(a), Some(b)) if a != b => Change::Changed,
                    (Some(_), Some(_)) => {
                        unchanged += 1;
                        continue;
                    }
                    (None, None) => continue,
                };
                expected.insert(key, change);
            }
            let count = |of| expected.values().filter(|change| **change == of).count() as u64;
            prop_assert_eq!(changes, Changes {
                added: count(Change::Added),
                removed: count(Change::Removed),
                changed: count(Change::Changed),
                unchanged,
            });
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn pieces_have_every_shard_once_and_share_no_partition(from in runs(), to in runs()) {
            let pieces = pieces(&from, &to);
            let old: Vec<usize> = pieces.iter().flat_map(|(old, _)| old.clone()).collect();
            let new: Vec<usize> = pieces.iter().flat_map(|(_, new)| new.clone()).collect();
            prop_assert!(old.into_iter().eq(0..from.len()));
            prop_assert!(new.into_iter().eq(0..to.len()));
            let spans: Vec<(u16, u16)> = pieces.iter().map(|(old, new)| {
                let runs = from[old.clone()].iter().chain(&to[new.clone()]);
                let firsts = runs.clone().map(|run| run.first);
                (firsts.min().unwrap(), runs.map(|run| run.end).max().unwrap())
            }).collect();
            prop_assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
        }
    }

    #[test]
    fn pieces_of_equal_runs_are_one_shard_each() {
        let runs = PartitionRun::split(16).unwrap();
        let pieces = pieces(&runs, &runs);
        assert!(
            pieces
                .into_iter()
                .eq((0..16).map(|at| (at..at + 1, at..at + 1)))
        );
    }
}
