//! The market's days, added up from the stores'.

use std::collections::BTreeMap;

use nightshard_format::{
    histogram::{Cell, FineHistogram},
    statistics::Statistics,
};

/// Totals and histogram of every day.
///
/// Everything is a sum of integers, so the order in which stores are added does not matter.
#[derive(Debug, Default)]
pub struct MarketDays {
    days: BTreeMap<i32, (Statistics, FineHistogram)>,
}

impl MarketDays {
    /// Adds a store's day.
    pub fn add(&mut self, day: i32, totals: &Statistics, cells: &[(Cell, u64)]) {
        let (statistics, bins) = self.days.entry(day).or_default();
        statistics.merge(totals);
        cells
            .iter()
            .for_each(|(cell, count)| bins.add(*cell, *count));
    }

    /// Adds what another worker gathered.
    pub fn merge(&mut self, other: Self) {
        for (day, (totals, bins)) in other.days {
            let (statistics, into) = self.days.entry(day).or_default();
            statistics.merge(&totals);
            into.merge(&bins);
        }
    }

    /// Returns the days in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (i32, &Statistics, &FineHistogram)> {
        self.days
            .iter()
            .map(|(day, (statistics, bins))| (*day, statistics, bins))
    }
}
