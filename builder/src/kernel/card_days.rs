//! Exact distinct cards for any range of days, without keeping cards.
//!
//! For each day on which a card has a row, keep how long ago the card was there before. A card
//! is in a range exactly once with a previous day before the range's first: counting those days
//! counts distinct cards, and nothing that is kept names or links a card. Distinct buyers are counted
//! likewise by their days with a sale, of which only what differs is kept.

use nightshard_format::record::{Change, DayCards, Run};

use super::{card_memory::Sale, period_cards::PeriodCards};

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

    /// Returns both as one number.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Reads what [`DayDistance::bits`] gave.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
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

/// What is counted by day and distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountKind {
    /// Cards.
    Cards,
    /// By how many buyers differ.
    Buyers,
    /// Second days with a sale.
    Second,
    /// First days with a sale in a month, by months since that of the first sale.
    Cohorts,
}

/// Numbers by day and distance, in order.
type Counts = Vec<(DayDistance, i64)>;

/// The distances of one store or place, counted by day.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DistanceCounts {
    cards: Counts,
    buyers: Counts,
    second: Counts,
    cohorts: Counts,
}

impl DistanceCounts {
    /// Counts a card's day, and how it differs for buyers.
    pub fn add(&mut self, day: i32, distance: u32, changes: impl Iterator<Item = Change>) {
        self.cards.push((DayDistance::new(day, distance), 1));
        let changes = changes.map(|it| (DayDistance::new(day, it.distance), it.cards));
        self.buyers.extend(changes);
    }

    /// Adds what was counted elsewhere.
    pub fn add_count(&mut self, kind: CountKind, at: DayDistance, count: i64) {
        let counts = match kind {
            CountKind::Cards => &mut self.cards,
            CountKind::Buyers => &mut self.buyers,
            CountKind::Second => &mut self.second,
            CountKind::Cohorts => &mut self.cohorts,
        };
        counts.push((at, count));
    }

    /// Counts what is known of a card's sales on a day.
    pub(super) fn add_sale(&mut self, day: i32, sale: Sale) {
        if sale.is_second {
            let distance = sale.before.distance();
            self.second.push((DayDistance::new(day, distance), 1));
        }
        if let Some(months) = sale.cohort {
            self.cohorts.push((DayDistance::new(day, months), 1));
        }
    }

    /// Adds up what was added.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.add_up();
        self
    }

    /// Adds up what was added.
    pub fn add_up(&mut self) {
        self.all_mut().into_iter().for_each(add_up);
    }

    /// Returns the distinct cards of months, quarters and years, after [`DistanceCounts::add_up`].
    #[must_use]
    pub fn period_cards(&self) -> PeriodCards {
        PeriodCards::of(&self.cards)
    }

    /// Adds the counts of other cards.
    pub fn merge(&mut self, other: &Self) {
        let others = [&other.cards, &other.buyers, &other.second, &other.cohorts];
        for (counts, other) in self.all_mut().into_iter().zip(others) {
            counts.extend_from_slice(other);
            add_up(counts);
        }
    }

    fn all_mut(&mut self) -> [&mut Counts; 4] {
        [
            &mut self.cards,
            &mut self.buyers,
            &mut self.second,
            &mut self.cohorts,
        ]
    }

    /// Passes over the days in order: each call of [`Days::take`] must be for a later day.
    #[must_use]
    pub fn days(&self) -> Days<'_> {
        Days {
            cards: &self.cards,
            buyers: &self.buyers,
            second: &self.second,
            cohorts: &self.cohorts,
            runs: Default::default(),
            changes: Vec::new(),
        }
    }
}

fn add_up(counts: &mut Counts) {
    counts.sort_unstable_by_key(|entry| entry.0);
    counts.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    counts.retain(|entry| entry.1 != 0);
}

/// The days of [`DistanceCounts`], in order.
#[derive(Debug)]
pub struct Days<'a> {
    cards: &'a [(DayDistance, i64)],
    buyers: &'a [(DayDistance, i64)],
    second: &'a [(DayDistance, i64)],
    cohorts: &'a [(DayDistance, i64)],
    /// Cards, second days and cohorts of the day that was taken.
    runs: [Vec<Run>; 3],
    changes: Vec<Change>,
}

impl Days<'_> {
    /// Returns the cards of a day.
    pub fn take(&mut self, day: i32) -> DayCards<'_> {
        self.changes.clear();
        let of_cards = take_until(&mut self.cards, day);
        let first = of_cards.iter().find(|(entry, _)| entry.distance() == 0);
        let first_ever = first.map_or(0, |(_, count)| count.cast_unsigned());
        let second = take_until(&mut self.second, day);
        let cohorts = take_until(&mut self.cohorts, day);
        let taken = [of_cards, second, cohorts];
        for (runs, counts) in self.runs.iter_mut().zip(taken) {
            runs.clear();
            let counts = counts.iter().filter(|(entry, _)| entry.distance() > 0);
            runs.extend(counts.map(|(entry, count)| Run {
                distance: entry.distance(),
                count: count.cast_unsigned(),
            }));
        }
        let changes = take_until(&mut self.buyers, day).iter();
        self.changes.extend(changes.map(|(entry, cards)| Change {
            distance: entry.distance(),
            cards: *cards,
        }));
        DayCards {
            first_ever,
            returning: &self.runs[0],
            buyers: &self.changes,
            second: &self.runs[1],
            cohorts: &self.runs[2],
        }
    }
}

/// Takes the entries up to a day.
fn take_until<'a>(rest: &mut &'a [(DayDistance, i64)], day: i32) -> &'a [(DayDistance, i64)] {
    let len = rest.partition_point(|entry| entry.0.day() <= day);
    let (taken, left) = rest.split_at(len);
    *rest = left;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_counted_by_day() {
        let given = [(12, 2), (10, 0), (40, 28), (12, 0), (10, 0), (12, 2)];
        let mut counts = DistanceCounts::default();
        for (day, distance) in given {
            // Who comes for the first time on the twelfth buys nothing.
            let buys = (day, distance) != (12, 0);
            let change = (!buys).then_some(Change {
                distance,
                cards: -1,
            });
            counts.add(day, distance, change.into_iter());
        }
        let counts = counts.sorted();
        let run = |distance, count| Run { distance, count };
        let mut days = counts.days();
        let tenth = days.take(10);
        assert_eq!(
            (tenth.first_ever, tenth.returning, tenth.buyers),
            (2, &[][..], &[][..])
        );
        let twelfth = days.take(12);
        let change = Change {
            distance: 0,
            cards: -1,
        };
        assert_eq!(
            (twelfth.first_ever, twelfth.returning),
            (1, &[run(2, 2)][..])
        );
        assert_eq!(twelfth.buyers, [change]);
        let none = days.take(39);
        assert_eq!(
            (none.first_ever, none.returning.len(), none.buyers.len()),
            (0, 0, 0)
        );
        assert_eq!(days.take(40).returning, [run(28, 1)]);

        let mut twice = counts.clone();
        twice.merge(&counts);
        assert_eq!(twice.days().take(10).first_ever, 4);
    }
}
