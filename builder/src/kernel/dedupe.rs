//! Rows that are delivered twice.
//!
//! Within a store, rows with one tx_id and equal content count once; rows with one tx_id and
//! different content are all rejected, since nobody can tell which is right.

use super::row::StoreRow;

/// What was done about repeated tx_ids.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Repeats {
    /// Rows dropped because an equal row is kept.
    pub duplicates: u64,
    /// Locations of rows whose tx_id stands for different content, in no order.
    pub conflicts: Vec<u64>,
}

/// Bits of the filter for each row; one row in sixteen is looked at twice for nothing.
const FILTER_BITS_PER_ROW: usize = 16;

/// Drops repeated rows from `rows`, whose stores `store_of` tells.
///
/// # Complexity
/// Linear; only rows that share a bit of a small filter are sorted.
pub fn dedupe(rows: &mut Vec<StoreRow>, store_of: impl Fn(&StoreRow) -> u32) -> Repeats {
    let mut repeats = Repeats::default();
    let suspects = suspects(rows, &store_of);
    if suspects.is_empty() {
        return repeats;
    }
    let key = |index: &u32| {
        let row = &rows[*index as usize];
        (store_of(row), row.tx(), row.content, row.location)
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
            repeats
                .conflicts
                .extend(group.iter().map(|index| key(index).3));
            dropped.extend_from_slice(group);
        }
    }
    remove(rows, dropped);
    repeats
}

/// Returns the rows whose tx_id may stand in another row too.
fn suspects(rows: &[StoreRow], store_of: &impl Fn(&StoreRow) -> u32) -> Vec<u32> {
    let bits = (rows.len() * FILTER_BITS_PER_ROW)
        .next_power_of_two()
        .max(64);
    let bit_of = |row: &StoreRow| {
        let low = u64::try_from(row.tx()? & u128::from(u64::MAX)).unwrap_or(0);
        let mixed = low ^ u64::from(store_of(row)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
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
    let is_suspect =
        |row: &StoreRow| bit_of(row).is_some_and(|bit| repeated[bit / 64] & (1 << (bit % 64)) != 0);
    (0_u32..)
        .zip(rows)
        .filter(|(_, row)| is_suspect(row))
        .map(|(index, _)| index)
        .collect()
}

fn remove(rows: &mut Vec<StoreRow>, mut dropped: Vec<u32>) {
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
    use crate::kernel::row::RowParts;

    fn row(profile: u32, tx: u128, content: u64, location: u64) -> StoreRow {
        let content = content << 32;
        StoreRow::new(
            &RowParts {
                card: 1,
                tx,
                content,
                location,
                amount: 5,
                day: 9,
            },
            profile,
        )
    }

    proptest! {
        #[test]
        fn repeats_are_treated_as_a_map_by_store_and_id_would(
            given in prop::collection::vec((0_u32..3, 0_u128..40, 0_u64..3), 0..200)
        ) {
            let mut rows: Vec<StoreRow> = (0_u64..)
                .zip(&given)
                .map(|(location, (store, tx, content))| row(*store, *tx, *content, location))
                .collect();
            let mut groups = BTreeMap::<(u32, u128), Vec<(u64, StoreRow)>>::new();
            let mut kept = Vec::new();
            for (row, (store, tx, content)) in rows.iter().zip(&given) {
                match tx {
                    0 => kept.push(*row),
                    _ => groups.entry((*store, *tx)).or_default().push((*content, *row)),
                }
            }
            let (mut duplicates, mut conflicts) = (0, Vec::new());
            for group in groups.values() {
                if group.iter().all(|row| row.0 == group[0].0) {
                    kept.push(group[0].1);
                    duplicates += group.len() as u64 - 1;
                } else {
                    conflicts.extend(group.iter().map(|row| row.1.location));
                }
            }
            let mut repeats = dedupe(&mut rows, |row| row.profile);
            repeats.conflicts.sort_unstable();
            conflicts.sort_unstable();
            prop_assert_eq!(repeats, Repeats { duplicates, conflicts });
            rows.sort_by_key(|row| row.location);
            kept.sort_by_key(|row| row.location);
            prop_assert_eq!(rows, kept);
        }
    }
}
