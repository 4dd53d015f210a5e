//! Rows that are delivered twice.
//!
//! Within a store, rows with one tx_id and equal content count once; rows with one tx_id and
//! different content are all rejected, since nobody can tell which is right.

use super::{loaded_rows::LoadedRows, row::PartitionRow};

/// What was done about repeated tx_ids.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Repeats {
    /// Rows dropped because an equal row is kept.
    pub duplicates: u64,
    /// Rows dropped because their tx_id stands for different content.
    pub conflicting_rows: u64,
    /// Their stores and hashes of tx_ids, each once.
    pub conflicts: Vec<(u32, u64)>,
}

/// Finds repeated rows; its memory serves one partition after the other.
#[derive(Debug, Default)]
pub struct Repetition {
    /// Sixteen bits of the hash of each tx_id seen, in an open-addressing table; 0 is free.
    seen: Vec<u16>,
}

/// Slots of the table for each row, at least.
const SLOTS_PER_ROW: usize = 2;
/// Bits that mark each tx_id suspected of standing in two rows; of the rows of all others, one in
/// so many is suspected for nothing.
const BITS_PER_SUSPECT: usize = 64;

impl Repetition {
    /// Drops repeated rows from `rows`, whose stores `store_of` tells.
    ///
    /// # Complexity
    /// Linear; only rows whose hash agrees with another one's in most bits are sorted.
    pub(super) fn dedupe(
        &mut self,
        rows: &mut LoadedRows,
        store_of: impl Fn(&PartitionRow) -> u32,
    ) -> Repeats {
        let repeated = self.repeated(rows.rows(), &store_of);
        if repeated.is_empty() {
            return Repeats::default();
        }
        let suspects = suspects(rows.rows(), &store_of, &repeated);
        drop_repeats(rows, &store_of, suspects)
    }

    /// Returns hashes, and among them those of all tx_ids that stand in several rows.
    fn repeated(
        &mut self,
        rows: &[PartitionRow],
        store_of: &impl Fn(&PartitionRow) -> u32,
    ) -> Vec<u64> {
        let slots = (rows.len() * SLOTS_PER_ROW).next_power_of_two().max(2);
        self.seen.clear();
        self.seen.resize(slots, 0);
        let mut repeated = Vec::new();
        for hash in rows.iter().filter_map(|row| hash(row, store_of)) {
            let fingerprint = u16::try_from(hash >> 48).unwrap_or(0).max(1);
            let mut slot = slot(hash, slots);
            while self.seen[slot] != 0 && self.seen[slot] != fingerprint {
                slot = (slot + 1) & (slots - 1);
            }
            if self.seen[slot] == fingerprint {
                repeated.push(hash);
            }
            self.seen[slot] = fingerprint;
        }
        repeated
    }
}

/// Returns a hash of the row's store and tx_id, if it has one.
#[inline]
fn hash(row: &PartitionRow, store_of: &impl Fn(&PartitionRow) -> u32) -> Option<u64> {
    Some(row.row.tx()? ^ u64::from(store_of(row)).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Returns the lowest bits of a hash, as an index into a power of two of slots.
#[inline]
fn slot(hash: u64, slots: usize) -> usize {
    usize::try_from(hash & (slots as u64 - 1)).unwrap_or(0)
}

/// Drops what is repeated among the suspected rows.
fn drop_repeats(
    rows: &mut LoadedRows,
    store_of: &impl Fn(&PartitionRow) -> u32,
    mut suspects: Vec<u32>,
) -> Repeats {
    let mut repeats = Repeats::default();
    let key = |index: &u32| {
        let row = &rows.rows()[*index as usize];
        (store_of(row), row.row.tx(), row.row.content())
    };
    suspects.sort_unstable_by_key(key);
    let mut dropped = Vec::new();
    let same_tx = |a: &u32, b: &u32| (key(a).0, key(a).1) == (key(b).0, key(b).1);
    for group in suspects.chunk_by(same_tx).filter(|group| group.len() > 1) {
        let is_equal = group.iter().all(|index| key(index).2 == key(&group[0]).2);
        if is_equal {
            repeats.duplicates += group.len() as u64 - 1;
            dropped.extend_from_slice(&group[1..]);
        } else {
            let (store, tx, _) = key(&group[0]);
            repeats.conflicting_rows += group.len() as u64;
            repeats.conflicts.extend(tx.map(|tx| (store, tx)));
            dropped.extend_from_slice(group);
        }
    }
    rows.remove(dropped);
    repeats
}

/// Returns the rows whose tx_ids have one of the `repeated` hashes, and a few others.
fn suspects(
    rows: &[PartitionRow],
    store_of: &impl Fn(&PartitionRow) -> u32,
    repeated: &[u64],
) -> Vec<u32> {
    let bits = (repeated.len() * BITS_PER_SUSPECT).next_power_of_two();
    let mut marks = vec![0_u64; bits / 64];
    for hash in repeated {
        let bit = slot(*hash, bits);
        marks[bit / 64] |= 1 << (bit % 64);
    }
    let is_suspect = |row: &PartitionRow| {
        hash(row, store_of).is_some_and(|hash| {
            let bit = slot(hash, bits);
            marks[bit / 64] & (1 << (bit % 64)) != 0
        })
    };
    (0_u32..)
        .zip(rows)
        .filter(|(_, row)| is_suspect(row))
        .map(|(index, _)| index)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::kernel::row::{RowParts, StoreRow};

    /// A row whose amount tells it from all others.
    fn row(store: u32, tx: u64, content: u64, amount: i64) -> PartitionRow {
        let parts = RowParts {
            card: 1,
            tx,
            content: content << 40,
            amount,
            half_hour: 0,
            day: 9,
        };
        PartitionRow::new(&StoreRow::new(&parts, 0), store)
    }

    fn amount(row: &PartitionRow) -> i64 {
        row.row.day_amount().amount()
    }

    proptest! {
        #[test]
        fn repeats_are_treated_as_a_map_by_store_and_id_would(
            given in prop::collection::vec((0_u32..3, 0_u64..40, 0_u64..3), 0..200)
        ) {
            let given_rows = (0_i64..)
                .zip(&given)
                .map(|(amount, (store, tx, content))| row(*store, *tx, *content, amount))
                .collect();
            let mut rows = LoadedRows::new(given_rows, Vec::new());
            let mut groups = BTreeMap::<(u32, u64), Vec<(u64, i64)>>::new();
            let (mut kept, mut once) = (Vec::new(), Vec::new());
            for (row, (store, tx, content)) in rows.rows().iter().zip(&given) {
                match tx {
                    0 => kept.push(amount(row)),
                    _ => groups.entry((*store, *tx)).or_default().push((*content, amount(row))),
                }
            }
            let mut expected = Repeats::default();
            for (key, group) in groups {
                if group.iter().all(|row| row.0 == group[0].0) {
                    once.push(group.iter().map(|row| row.1).collect::<Vec<_>>());
                    expected.duplicates += group.len() as u64 - 1;
                } else {
                    expected.conflicting_rows += group.len() as u64;
                    expected.conflicts.push(key);
                }
            }
            let mut repeats = Repetition::default().dedupe(&mut rows, |row| row.profile);
            repeats.conflicts.sort_unstable();
            prop_assert_eq!(repeats, expected);
            // Of equal rows, any one is kept.
            let left: Vec<i64> = rows.rows().iter().map(amount).collect();
            prop_assert_eq!(left.len(), kept.len() + once.len());
            prop_assert!(kept.iter().all(|amount| left.contains(amount)));
            for group in once {
                prop_assert_eq!(group.iter().filter(|amount| left.contains(amount)).count(), 1);
            }
        }
    }
}
