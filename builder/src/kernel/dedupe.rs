//! Rows that are delivered twice.
//!
//! Within a store, rows with one tx_id and equal content count once; rows with one tx_id and
//! different content are all rejected, since nobody can tell which is right.

use super::row::PartitionRow;

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

/// Bits of the filter for each row; one row in sixteen is looked at twice for nothing.
const FILTER_BITS_PER_ROW: usize = 16;

/// Drops repeated rows from `rows`, whose stores `store_of` tells.
///
/// # Complexity
/// Linear; only rows that share a bit of a small filter are sorted.
pub fn dedupe(rows: &mut Vec<PartitionRow>, store_of: impl Fn(&PartitionRow) -> u32) -> Repeats {
    let mut repeats = Repeats::default();
    let suspects = suspects(rows, &store_of);
    if suspects.is_empty() {
        return repeats;
    }
    let key = |index: &u32| {
        let row = &rows[*index as usize];
        (store_of(row), row.row.tx(), row.row.content)
    };
    let mut suspects = suspects;
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
    remove(rows, dropped);
    repeats
}

/// Returns the rows whose tx_id may stand in another row too.
fn suspects(rows: &[PartitionRow], store_of: &impl Fn(&PartitionRow) -> u32) -> Vec<u32> {
    let bits = (rows.len() * FILTER_BITS_PER_ROW)
        .next_power_of_two()
        .max(64);
    let bit_of = |row: &PartitionRow| {
        let mixed = row.row.tx()? ^ u64::from(store_of(row)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed).ok().map(|mixed| mixed & (bits - 1))
    };
    let mut seen = vec![0_u64; bits / 64];
    let mut repeated = vec![0_u64; bits / 64];
    let mut any = false;
    for bit in rows.iter().filter_map(bit_of) {
        let mask = 1 << (bit % 64);
        if seen[bit / 64] & mask != 0 {
            repeated[bit / 64] |= mask;
            any = true;
        }
        seen[bit / 64] |= mask;
    }
    if !any {
        return Vec::new();
    }
    let is_suspect = |row: &PartitionRow| {
        bit_of(row).is_some_and(|bit| repeated[bit / 64] & (1 << (bit % 64)) != 0)
    };
    (0_u32..)
        .zip(rows)
        .filter(|(_, row)| is_suspect(row))
        .map(|(index, _)| index)
        .collect()
}

fn remove(rows: &mut Vec<PartitionRow>, mut dropped: Vec<u32>) {
    dropped.sort_unstable();
    let mut dropped = dropped.into_iter().peekable();
    let mut index = 0_u32;
    rows.retain(|_| {
        let keep = dropped.peek() != Some(&index);
        if !keep {
            dropped.next();
        }
        index += 1;
        keep
    });
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
            content: content << 32,
            amount,
            day: 9,
        };
        PartitionRow::new(StoreRow::new(&parts, 0), store)
    }

    fn amount(row: &PartitionRow) -> i64 {
        row.row.day_amount().amount()
    }

    proptest! {
        #[test]
        fn repeats_are_treated_as_a_map_by_store_and_id_would(
            given in prop::collection::vec((0_u32..3, 0_u64..40, 0_u64..3), 0..200)
        ) {
            let mut rows: Vec<PartitionRow> = (0_i64..)
                .zip(&given)
                .map(|(amount, (store, tx, content))| row(*store, *tx, *content, amount))
                .collect();
            let mut groups = BTreeMap::<(u32, u64), Vec<(u64, i64)>>::new();
            let (mut kept, mut once) = (Vec::new(), Vec::new());
            for (row, (store, tx, content)) in rows.iter().zip(&given) {
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
            let mut repeats = dedupe(&mut rows, |row| row.profile);
            repeats.conflicts.sort_unstable();
            prop_assert_eq!(repeats, expected);
            // Of equal rows, any one is kept.
            let left: Vec<i64> = rows.iter().map(amount).collect();
            prop_assert_eq!(left.len(), kept.len() + once.len());
            prop_assert!(kept.iter().all(|amount| left.contains(amount)));
            for group in once {
                prop_assert_eq!(group.iter().filter(|amount| left.contains(amount)).count(), 1);
            }
        }
    }
}
