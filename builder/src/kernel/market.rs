//! The market's days, added up from the stores'.

use nightshard_format::{
    calendar::{Day, DayRange},
    histogram::{Cell, FineHistogram},
    statistics::Statistics,
};

/// Totals and histogram of every day.
///
/// Everything is a sum of integers, so the order in which stores are added does not matter.
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
    /// Adds a store's day.
    pub fn add(&mut self, day: i32, totals: &Statistics, cells: &[(Cell, u64)]) {
        let entry = self.entry(day.cast_unsigned() as usize);
        entry.totals.merge(totals);
        cells
            .iter()
            .for_each(|(cell, count)| entry.bins.add(*cell, *count));
    }

    /// Adds what another worker gathered.
    pub fn merge(&mut self, other: Self) {
        for (day, of_other) in other.days.into_iter().enumerate() {
            if let Some(of_other) = of_other {
                let entry = self.entry(day);
                entry.totals.merge(&of_other.totals);
                entry.bins.merge(&of_other.bins);
            }
        }
    }

    fn entry(&mut self, day: usize) -> &mut MarketDay {
        if day >= self.days.len() {
            self.days.resize_with(day + 1, || None);
        }
        self.days[day].get_or_insert_default()
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
