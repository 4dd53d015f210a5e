//! The partitions of the exchange by place.

use std::ops::Range;

use super::places::{PlaceKind, Places};

/// Most partitions of each of the two rounds.
const ROUND_PARTITIONS_MAX: usize = 128;

/// Which places are in which partition: so many of one round each, one after the other.
///
/// # Shape
/// The second round is of places that are sums of those of the first.
#[derive(Debug, Clone, Copy)]
pub struct PlacePartitions {
    each: usize,
    /// Places of the first round, and of both.
    ends: [usize; 2],
}

impl PlacePartitions {
    /// Shares out all places.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        let list = places.list();
        let first = list.partition_point(|place| place.kind == PlaceKind::RegionCategory);
        let longest = first.max(list.len() - first);
        Self {
            each: longest.div_ceil(ROUND_PARTITIONS_MAX).max(1),
            ends: [first, list.len()],
        }
    }

    /// Returns the partitions of both rounds.
    #[must_use]
    pub fn rounds(self) -> [Range<u16>; 2] {
        let [first, all] = self.ends;
        let partitions =
            |places: usize| u16::try_from(places.div_ceil(self.each)).unwrap_or(u16::MAX);
        let between = partitions(first);
        [0..between, between..between + partitions(all - first)]
    }

    /// Returns the number of partitions.
    #[must_use]
    pub fn len(self) -> u16 {
        self.rounds()[1].end
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns the partition of a place.
    #[inline]
    pub(super) fn of(self, place: usize) -> u16 {
        let [first, _] = self.ends;
        let partition = match place.checked_sub(first) {
            None => place / self.each,
            Some(place) => first.div_ceil(self.each) + place / self.each,
        };
        u16::try_from(partition).unwrap_or(u16::MAX)
    }

    /// Returns the ordinals of a partition's places.
    #[must_use]
    pub fn places(self, partition: u16) -> Range<usize> {
        let [first, all] = self.ends;
        let before = first.div_ceil(self.each);
        let (start, end) = match usize::from(partition).checked_sub(before) {
            None => (usize::from(partition) * self.each, first),
            Some(partition) => (first + partition * self.each, all),
        };
        start..(start + self.each).min(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_have_every_place_once_and_no_partition_is_of_both_rounds() {
        for (first, second) in [(0, 0), (0, 3), (1, 2), (127, 300), (1_067, 87), (5_000, 1)] {
            let longest: usize = std::cmp::max(first, second);
            let partitions = PlacePartitions {
                each: longest.div_ceil(ROUND_PARTITIONS_MAX).max(1),
                ends: [first, first + second],
            };
            let mut next = 0;
            for partition in 0..partitions.len() {
                let places = partitions.places(partition);
                assert_eq!(places.start, next);
                assert!(!places.is_empty());
                let [round, _] = partitions.rounds();
                for place in places.clone() {
                    assert_eq!(partitions.of(place), partition);
                    assert_eq!(round.contains(&partition), place < first);
                }
                next = places.end;
            }
            assert_eq!(next, first + second);
        }
    }
}
