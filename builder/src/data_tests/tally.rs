//! How many rows were tested and failed, and where the first of them stand.

use std::collections::BinaryHeap;

use crate::row_outcome::Location;

/// So many failed rows of a test are named; the rest is counted.
pub const NAMED_MAX: usize = 20;

/// What one worker counted for one test. Tallies add up, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Rows tested.
    pub(super) rows: u64,
    /// Rows of these that failed.
    pub(super) failures: u64,
    first: First,
}

/// The smallest of all locations added, the largest of them on top.
#[derive(Debug, Clone, Default)]
struct First(BinaryHeap<Location>);

impl PartialEq for First {
    fn eq(&self, other: &Self) -> bool {
        self.0.clone().into_sorted_vec() == other.0.clone().into_sorted_vec()
    }
}

impl Eq for First {}

impl First {
    fn add(&mut self, at: Location) {
        if self.0.len() < NAMED_MAX {
            self.0.push(at);
        } else if let Some(mut last) = self.0.peek_mut()
            && at < *last
        {
            *last = at;
        }
    }
}

impl Tally {
    /// Counts a row that was tested.
    pub(super) fn count(&mut self, at: Location, holds: bool) {
        self.rows += 1;
        if !holds {
            self.fail(at);
        }
    }

    /// Counts a failure of a row that was counted before.
    pub(super) fn fail(&mut self, at: Location) {
        self.failures += 1;
        self.first.add(at);
    }

    /// Adds what another worker counted.
    pub(super) fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.failures += other.failures;
        other.first.0.iter().for_each(|at| self.first.add(*at));
    }

    /// Returns where the first failed rows stand, by file and line.
    pub(super) fn first_failures(&self) -> Vec<Location> {
        self.first.0.clone().into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up_however_rows_are_shared_out() {
        let rows: Vec<(Location, bool)> = (0..1_000_u64)
            .map(|row| {
                let file = u32::try_from(row % 7).unwrap();
                let line = row * 37 % 1_009;
                (Location { file, line }, row % 3 == 0)
            })
            .collect();
        let mut whole = Tally::default();
        rows.iter().for_each(|(at, holds)| whole.count(*at, *holds));
        let mut failed: Vec<Location> = rows.iter().filter(|it| !it.1).map(|it| it.0).collect();
        failed.sort_unstable();
        assert_eq!(whole.failures, failed.len() as u64);
        assert_eq!(whole.first_failures(), failed[..NAMED_MAX]);
        for workers in 1..5 {
            let mut parts = vec![Tally::default(); workers];
            for (index, (at, holds)) in rows.iter().rev().enumerate() {
                parts[index * index % workers].count(*at, *holds);
            }
            let mut total = Tally::default();
            parts.iter().for_each(|part| total.merge(part));
            assert_eq!(total, whole);
        }
    }
}
