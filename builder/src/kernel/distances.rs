//! Distances of one day to runs: its memory serves one day after the other.

use nightshard_format::record::Run;

/// Distances, and how many there are of each.
#[derive(Debug, Default)]
pub(super) struct Distances {
    given: Vec<u32>,
    runs: Vec<Run>,
}

impl Distances {
    /// Forgets what was given.
    pub(super) fn clear(&mut self) {
        self.given.clear();
    }

    /// Adds one.
    pub(super) fn push(&mut self, distance: u32) {
        self.given.push(distance);
    }

    /// Counts what was given.
    pub(super) fn count(&mut self) {
        self.runs.clear();
        if self.given.is_empty() {
            return;
        }
        self.given.sort_unstable();
        let runs = self.given.chunk_by(PartialEq::eq).map(|run| Run {
            distance: run[0],
            count: run.len() as u64,
        });
        self.runs.extend(runs);
    }

    /// Returns what was counted, ascending.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_distances_are_one_run() {
        let mut distances = Distances::default();
        for given in [&[7, 1, 7, 300, 7][..], &[], &[2]] {
            distances.clear();
            given.iter().for_each(|it| distances.push(*it));
            distances.count();
            let mut expected: Vec<u32> = given.to_vec();
            expected.sort_unstable();
            let found = distances.runs().iter();
            let found: Vec<u32> = found
                .flat_map(|run| (0..run.count).map(|_| run.distance))
                .collect();
            assert_eq!(found, expected);
            assert!(
                distances
                    .runs()
                    .is_sorted_by(|a, b| a.distance < b.distance)
            );
        }
    }
}
