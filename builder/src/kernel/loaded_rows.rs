//! Rows of a partition in memory, and what some of them say of their settlement.

use super::{row::PartitionRow, settlement::Settlement};

/// Rows, of which the last have a settlement.
///
/// Few inputs say anything of settlements: what they say lies beside the rows, so that rows of all others are no
/// larger for it.
#[derive(Debug, Default)]
pub(super) struct LoadedRows {
    rows: Vec<PartitionRow>,
    /// Of the last rows.
    settlements: Vec<Settlement>,
}

impl LoadedRows {
    /// Makes room for so many rows.
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            rows: Vec::with_capacity(rows),
            settlements: Vec::new(),
        }
    }

    /// Puts rows and the settlements of the last of them together.
    pub(super) fn new(rows: Vec<PartitionRow>, settlements: Vec<Settlement>) -> Self {
        debug_assert!(settlements.len() <= rows.len());
        Self { rows, settlements }
    }

    /// Forgets the rows, and makes room for so many others.
    pub(super) fn clear_for(&mut self, rows: usize) {
        self.rows.clear();
        self.settlements.clear();
        self.rows.reserve(rows);
    }

    /// Returns the rows.
    pub(super) fn rows(&self) -> &[PartitionRow] {
        &self.rows
    }

    /// Adds rows, whose settlements are all added with them or none is; those with settlements come last.
    pub(super) fn extend(
        &mut self,
        rows: impl Iterator<Item = PartitionRow>,
        settlements: impl Iterator<Item = Settlement>,
    ) {
        self.rows.extend(rows);
        self.settlements.extend(settlements);
    }

    /// Returns the rows that have a settlement, with it.
    pub(super) fn settled(&self) -> impl Iterator<Item = (&PartitionRow, &Settlement)> {
        let first = self.first_settled();
        self.rows[first..].iter().zip(&self.settlements)
    }

    fn first_settled(&self) -> usize {
        self.rows.len() - self.settlements.len()
    }

    /// Drops rows by their places.
    pub(super) fn remove(&mut self, mut places: Vec<u32>) {
        if places.is_empty() {
            return;
        }
        places.sort_unstable();
        let first = self.first_settled();
        remove(&mut self.settlements, &places, first);
        remove(&mut self.rows, &places, 0);
    }
}

/// Drops what has one of these places, which ascend, where the first has place `first`.
fn remove<T>(values: &mut Vec<T>, places: &[u32], first: usize) {
    let start = places.partition_point(|place| (*place as usize) < first);
    let mut places = places[start..].iter().peekable();
    let mut place = first;
    values.retain(|_| {
        let is_dropped = places.next_if(|it| **it as usize == place).is_some();
        place += 1;
        !is_dropped
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{
        row::{RowParts, StoreRow},
        settlement::tests::settlement,
    };

    fn row(amount: i64) -> PartitionRow {
        let parts = RowParts {
            card: 0,
            tx: 0,
            content: 0,
            amount,
            day: 9,
            half_hour: 0,
        };
        PartitionRow::new(&StoreRow::new(&parts, 0), 0)
    }

    proptest! {
        #[test]
        fn rows_lose_their_settlements_with_themselves(
            len in 1_i64..30,
            settled in 0_i64..30,
            places in prop::collection::btree_set(0_u32..30, 0..20),
        ) {
            let settled = settled.min(len);
            let places: Vec<u32> = places.into_iter().filter(|it| i64::from(*it) < len).collect();
            let fee = |amount: i64| settlement(["", &amount.to_string(), "", ""]).unwrap();
            let settlements = (len - settled..len).map(fee).collect();
            let mut rows = LoadedRows::new((0..len).map(row).collect(), settlements);
            rows.remove(places.iter().rev().copied().collect());
            let is_left = |amount: &i64| !places.iter().any(|it| i64::from(*it) == *amount);
            let left = rows.rows().iter().map(|row| row.row.day_amount().amount());
            prop_assert!(left.eq((0..len).filter(is_left)));
            let pairs = rows.settled().map(|(row, settlement)| {
                (row.row.day_amount().amount(), settlement.fee())
            });
            let expected = (len - settled..len).filter(is_left);
            prop_assert!(pairs.eq(expected.map(|amount| (amount, Some(amount)))));
        }
    }
}
