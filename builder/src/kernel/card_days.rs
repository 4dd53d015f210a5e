//! Exact distinct cards for any range of days, without keeping cards.
//!
//! For each day on which a card has a row, keep how long ago the card was there before. A card
//! is in a range exactly once with a previous day before the range's first: counting those days
//! counts distinct cards, and nothing that is kept names or links a card.

use nightshard_format::record::Run;

/// A day and the distance to the same card's previous day, 0 for the card's first; ordered by
/// day, then distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayDistance(u32);

impl DayDistance {
    /// Packs a day and a distance, which are shorter than 2^16.
    #[must_use]
    pub fn new(day: i32, distance: u32) -> Self {
        Self((day.cast_unsigned() << 16) | (distance & 0xffff))
    }

    /// Returns the day.
    #[must_use]
    pub fn day(self) -> i32 {
        (self.0 >> 16).cast_signed()
    }

    /// Returns the distance.
    #[must_use]
    pub fn distance(self) -> u32 {
        self.0 & 0xffff
    }
}

/// The distances of one store, counted: runs by day.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DistanceCounts {
    counts: Vec<(DayDistance, u64)>,
}

impl DistanceCounts {
    /// Counts distances, which are sorted in place.
    #[must_use]
    pub fn of(distances: &mut [DayDistance]) -> Self {
        distances.sort_unstable();
        let groups = distances.chunk_by(PartialEq::eq);
        Self {
            counts: groups.map(|group| (group[0], group.len() as u64)).collect(),
        }
    }

    /// Adds the counts of other cards.
    pub fn merge(&mut self, other: &Self) {
        self.counts.extend_from_slice(&other.counts);
        self.counts.sort_unstable_by_key(|entry| entry.0);
        self.counts.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
    }

    /// Passes over the days in order: each call of [`Days::take`] must be for a later day.
    #[must_use]
    pub fn days(&self) -> Days<'_> {
        Days {
            rest: &self.counts,
            runs: Vec::new(),
        }
    }
}

/// The days of [`DistanceCounts`], in order.
#[derive(Debug)]
pub struct Days<'a> {
    rest: &'a [(DayDistance, u64)],
    runs: Vec<Run>,
}

impl Days<'_> {
    /// Returns how many cards have their first day on `day`, and the others by distance.
    pub fn take(&mut self, day: i32) -> (u64, &[Run]) {
        let len = self.rest.partition_point(|entry| entry.0.day() <= day);
        let (of_day, rest) = self.rest.split_at(len);
        self.rest = rest;
        self.runs.clear();
        let mut first_ever = 0;
        for (entry, count) in of_day {
            match entry.distance() {
                0 => first_ever = *count,
                distance => self.runs.push(Run {
                    distance,
                    count: *count,
                }),
            }
        }
        (first_ever, &self.runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_by_day() {
        let mut distances = [(12, 2), (10, 0), (40, 28), (12, 0), (10, 0), (12, 2)]
            .map(|(day, distance)| DayDistance::new(day, distance));
        let counts = DistanceCounts::of(&mut distances);
        let mut days = counts.days();
        assert_eq!(days.take(10), (2, &[][..]));
        assert_eq!(
            days.take(12),
            (
                1,
                &[Run {
                    distance: 2,
                    count: 2
                }][..]
            )
        );
        assert_eq!(days.take(39), (0, &[][..]));
        assert_eq!(
            days.take(40),
            (
                0,
                &[Run {
                    distance: 28,
                    count: 1
                }][..]
            )
        );

        let mut twice = counts.clone();
        twice.merge(&counts);
        assert_eq!(twice.days().take(10), (4, &[][..]));
    }
}
