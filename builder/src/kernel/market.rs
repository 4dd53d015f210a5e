//! The market's days, added up from the stores'.

use nightshard_format::{
    calendar::{Day, DayRange},
    histogram::{Cell, FineHistogram},
    statistics::Statistics,
};

/// Totals and histogram of every day, as one worker gathers them.
///
/// Everything is a sum of integers, so the order in which stores are added does not matter.
///
/// # Shape
/// Each row touches another day and cell, so what is touched has to stay in a core's own cache:
/// counters have 16 bits, and what exceeds them is kept elsewhere.
#[derive(Debug, Default)]
pub struct MarketCounts {
    /// By day since 1970-01-01; days without rows are `None`.
    days: Vec<Option<Box<DayCounts>>>,
}

/// Cells of the grid.
const CELLS: usize = Cell::MAX.index().abs_diff(Cell::MIN.index()) as usize + 1;

#[derive(Debug)]
struct DayCounts {
    totals: Statistics,
    /// The lowest 16 bits of the count of each cell.
    low: [u16; CELLS],
    /// The rest.
    high: FineHistogram,
}

impl Default for DayCounts {
    fn default() -> Self {
        Self {
            totals: Statistics::default(),
            low: [0; CELLS],
            high: FineHistogram::default(),
        }
    }
}

impl DayCounts {
    #[inline]
    fn add(&mut self, cell: Cell, count: u64) {
        let low = &mut self.low[usize::from(cell.index().abs_diff(Cell::MIN.index()))];
        let sum = u64::from(*low) + count;
        let bits = sum & u64::from(u16::MAX);
        *low = u16::try_from(bits).unwrap_or(0);
        if sum != bits {
            self.high.add(cell, sum - bits);
        }
    }

    fn into_bins(self) -> FineHistogram {
        let mut bins = self.high;
        for (index, count) in (Cell::MIN.index()..).zip(self.low) {
            if let Some(cell) = Cell::from_index(index).filter(|_| count > 0) {
                bins.add(cell, count.into());
            }
        }
        bins
    }
}

impl MarketCounts {
    /// Adds a store's day.
    pub fn add(&mut self, day: i32, totals: &Statistics, cells: &[(Cell, u64)]) {
        let day = day.cast_unsigned() as usize;
        if day >= self.days.len() {
            self.days.resize_with(day + 1, || None);
        }
        let counts = self.days[day].get_or_insert_default();
        counts.totals.merge(totals);
        cells
            .iter()
            .for_each(|(cell, count)| counts.add(*cell, *count));
    }
}

/// Totals and histogram of every day.
#[derive(Debug, Default)]
pub struct MarketDays {
    /// By day since 1970-01-01; days without rows are `None`.
    days: Vec<Option<Box<MarketDay>>>,
}

#[derive(Debug, Default)]
struct MarketDay {
    totals: Statistics,
    bins: FineHistogram,
}

impl MarketDays {
    /// Adds what a worker gathered.
    pub fn add(&mut self, counts: MarketCounts) {
        let len = self.days.len().max(counts.days.len());
        self.days.resize_with(len, || None);
        for (into, day) in self.days.iter_mut().zip(counts.days) {
            if let Some(day) = day {
                let into = into.get_or_insert_default();
                into.totals.merge(&day.totals);
                into.bins.merge(&day.into_bins());
            }
        }
    }

    /// Returns the first and the last day that have rows.
    #[must_use]
    pub fn days(&self) -> Option<DayRange> {
        let mut days = self.iter().map(|(day, ..)| Day(day));
        let first = days.next()?;
        let last = days.last().unwrap_or(first);
        Some(DayRange { first, last })
    }

    /// Returns the days that have rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Statistics, &FineHistogram)> {
        (0..).zip(&self.days).filter_map(|(day, entry)| {
            entry
                .as_ref()
                .map(|entry| (day, &entry.totals, &entry.bins))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_are_summed_whoever_gathered_them(
            given in prop::collection::vec(
                (0_usize..3, 0_i32..4, -300_i64..300, prop::sample::select(vec![1, 3, 65_535, 1 << 40])),
                0..60,
            )
        ) {
            let mut workers: [MarketCounts; 3] = Default::default();
            let mut expected = std::collections::BTreeMap::<i32, (Statistics, FineHistogram)>::new();
            for (worker, day, amount, count) in given {
                let (totals, cell) = (Statistics::of(&[amount]), Cell::of(amount));
                workers[worker].add(day, &totals, &[(cell, count)]);
                let day = expected.entry(day).or_default();
                day.0.merge(&totals);
                day.1.add(cell, count);
            }
            let mut market = MarketDays::default();
            workers.into_iter().for_each(|counts| market.add(counts));
            let summed = market.iter().map(|(day, totals, bins)| (day, (*totals, bins.clone())));
            prop_assert_eq!(summed.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
        }
    }
}
