//! The market's days, added up from the stores'.

use nightshard_format::{
    calendar::{Day, DayRange},
    histogram::{Cell, FineHistogram},
    record::{HALF_HOURS, HalfHour},
    statistics::Statistics,
};

/// Totals, histogram and half hours of every day, as one worker gathers them.
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
    hours: Hours,
}

/// Rows and their net sum by half hour of the clock.
#[derive(Debug)]
pub(super) struct Hours([(u64, i128); HALF_HOURS as usize]);

impl Default for Hours {
    fn default() -> Self {
        Self([(0, 0); HALF_HOURS as usize])
    }
}

impl Hours {
    pub(super) fn add(&mut self, hour: &HalfHour) {
        let (count, sum) = &mut self.0[usize::from(hour.half_hour)];
        *count += hour.count;
        *sum += hour.sum;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = HalfHour> {
        let hours = (0..HALF_HOURS).zip(&self.0);
        hours.filter_map(|(half_hour, &(count, sum))| {
            (count > 0).then_some(HalfHour {
                half_hour,
                count,
                sum,
            })
        })
    }
}

impl Default for DayCounts {
    fn default() -> Self {
        Self {
            totals: Statistics::default(),
            low: [0; CELLS],
            high: FineHistogram::default(),
            hours: Hours::default(),
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

    /// Adds everything to the market's day.
    fn add_to(&self, day: &mut MarketDay) {
        day.totals.merge(&self.totals);
        day.bins.merge(&self.high);
        for (index, count) in (Cell::MIN.index()..).zip(self.low) {
            if let Some(cell) = Cell::from_index(index).filter(|_| count > 0) {
                day.bins.add(cell, count.into());
            }
        }
        self.hours.iter().for_each(|hour| day.hours.add(&hour));
    }
}

impl MarketCounts {
    /// Adds a store's day.
    pub fn add(
        &mut self,
        day: i32,
        totals: &Statistics,
        cells: &[(Cell, u64)],
        hours: &[HalfHour],
    ) {
        let day = day.cast_unsigned() as usize;
        if day >= self.days.len() {
            self.days.resize_with(day + 1, || None);
        }
        let counts = self.days[day].get_or_insert_default();
        counts.totals.merge(totals);
        cells
            .iter()
            .for_each(|(cell, count)| counts.add(*cell, *count));
        hours.iter().for_each(|hour| counts.hours.add(hour));
    }
}

/// Totals, histogram and half hours of every day.
#[derive(Debug, Default)]
pub struct MarketDays {
    /// By day since 1970-01-01; days without rows are `None`.
    days: Vec<Option<Box<MarketDay>>>,
}

/// A day of all stores together.
#[derive(Debug, Default)]
pub struct MarketDay {
    /// Totals of its rows.
    pub totals: Statistics,
    /// Their histogram.
    pub bins: FineHistogram,
    hours: Hours,
}

impl MarketDay {
    /// Returns the half hours that have rows, in order.
    pub fn hours(&self) -> impl Iterator<Item = HalfHour> {
        self.hours.iter()
    }
}

impl MarketDays {
    /// Adds what a worker gathered.
    pub fn add(&mut self, counts: MarketCounts) {
        let len = self.days.len().max(counts.days.len());
        self.days.resize_with(len, || None);
        for (into, day) in self.days.iter_mut().zip(counts.days) {
            if let Some(day) = day {
                day.add_to(into.get_or_insert_default());
            }
        }
    }

    /// Returns the first and the last day that have rows.
    #[must_use]
    pub fn days(&self) -> Option<DayRange> {
        let mut days = self.iter().map(|(day, _)| Day(day));
        let first = days.next()?;
        let last = days.last().unwrap_or(first);
        Some(DayRange { first, last })
    }

    /// Returns the days that have rows, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &MarketDay)> {
        let days = (0..).zip(&self.days);
        days.filter_map(|(day, entry)| entry.as_deref().map(|entry| (day, entry)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_are_summed_whoever_gathered_them(
            given in prop::collection::vec(
                (
                    0_usize..3,
                    0_i32..4,
                    -300_i64..300,
                    prop::sample::select(vec![1, 3, 65_535, 1 << 40]),
                    prop::option::of(0..HALF_HOURS),
                ),
                0..60,
            )
        ) {
            let mut workers: [MarketCounts; 3] = Default::default();
            type Hours = BTreeMap<u8, (u64, i128)>;
            let mut expected = BTreeMap::<i32, (Statistics, FineHistogram, Hours)>::new();
            for (worker, day, amount, count, half_hour) in given {
                let (totals, cell) = (Statistics::of(&[amount]), Cell::of(amount));
                let sum = i128::from(amount);
                let hours = half_hour.map(|half_hour| HalfHour { half_hour, count, sum });
                workers[worker].add(day, &totals, &[(cell, count)], hours.as_slice());
                let day = expected.entry(day).or_default();
                day.0.merge(&totals);
                day.1.add(cell, count);
                if let Some(hour) = hours {
                    let of_hour = day.2.entry(hour.half_hour).or_default();
                    *of_hour = (of_hour.0 + count, of_hour.1 + sum);
                }
            }
            let mut market = MarketDays::default();
            workers.into_iter().for_each(|counts| market.add(counts));
            let summed = market.iter().map(|(day, entry)| {
                let hours = entry.hours().map(|hour| (hour.half_hour, (hour.count, hour.sum)));
                (day, (entry.totals, entry.bins.clone(), hours.collect::<Hours>()))
            });
            prop_assert_eq!(summed.collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
        }
    }
}
