//! Sales and their buyers, over a range, by day, and over the seven days before each day: what unit
//! prices are made of (docs/definitions.md, "Unit price").

use nightshard_format::{
    calendar::{Day, DayRange},
    record::Change,
    statistics::{Statistics, nearest_quotient},
};

/// Days of a trailing window.
pub(crate) const TRAILING_DAYS: i32 = 7;
const TRAILING_LEN: usize = TRAILING_DAYS as usize;

/// The sales of some days.
///
/// # Units
/// `sum` in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sales {
    /// Rows with a positive amount.
    pub(crate) count: u64,
    /// Their sum.
    pub(crate) sum: u128,
    /// Distinct cards among them.
    pub(crate) buyers: u64,
}

impl Sales {
    /// Adds the rows that `totals` totals, but not their buyers.
    pub(crate) fn add(&mut self, totals: &Statistics) {
        self.count = self.count.saturating_add(totals.sale_count());
        self.sum = self.sum.saturating_add(totals.sale_sum());
    }

    /// Returns the sum for each sale, or `None` without sales.
    pub(crate) fn per_payment(&self) -> Option<f64> {
        nearest_quotient(self.sum, self.count)
    }

    /// Returns the sum for each buyer, or `None` without known cards.
    pub(crate) fn per_card(&self) -> Option<f64> {
        nearest_quotient(self.sum, self.buyers)
    }
}

/// The sales of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DaySales {
    /// Which day.
    pub(crate) day: Day,
    /// Net sum of all rows, refunds subtracted.
    pub(crate) net: i128,
    count: u64,
    sum: u128,
    /// Buyers who had no sale in the `n` days before, by `n`: so the first is all of them.
    absent: [i64; TRAILING_LEN],
}

impl DaySales {
    /// Takes the totals of a day; buyers are to be added.
    pub(crate) fn new(day: Day, totals: &Statistics) -> Self {
        Self {
            day,
            net: totals.sum,
            count: totals.sale_count(),
            sum: totals.sale_sum(),
            absent: [0; TRAILING_LEN],
        }
    }

    /// Adds buyers by the distance to their previous day with a sale.
    pub(crate) fn add_buyers(&mut self, buyers: Change) {
        let absent = match usize::try_from(buyers.distance).unwrap_or(TRAILING_LEN) {
            0 => TRAILING_LEN,
            distance => distance.min(TRAILING_LEN),
        };
        for cards in &mut self.absent[..absent] {
            *cards = cards.saturating_add(buyers.cards);
        }
    }

    /// Returns the sales of the day by itself.
    pub(crate) fn sales(&self) -> Sales {
        Sales {
            count: self.count,
            sum: self.sum,
            buyers: self.absent_for(0),
        }
    }

    /// Returns the buyers of the day who had no sale in the `days` days before.
    fn absent_for(&self, days: usize) -> u64 {
        u64::try_from(self.absent[days]).unwrap_or(0)
    }
}

/// The sales of the seven days before a day, that day not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailing {
    /// The day after the window.
    pub(crate) day: Day,
    /// The sales of the window.
    pub(crate) sales: Sales,
    /// The buyers of each of its days, added up.
    pub(crate) card_days: u64,
}

impl Trailing {
    /// Returns the days before `day`.
    pub(crate) fn window(day: Day) -> DayRange {
        DayRange {
            first: Day(day.0 - TRAILING_DAYS),
            last: Day(day.0 - 1),
        }
    }

    /// Adds up the window before `day`.
    ///
    /// # Shape
    /// `days` ascend; those outside the window are passed over.
    pub(crate) fn before(day: Day, days: &[DaySales]) -> Self {
        let window = Self::window(day);
        let start = days.partition_point(|entry| entry.day < window.first);
        let mut trailing = Self {
            day,
            sales: Sales::default(),
            card_days: 0,
        };
        let within = days[start..].iter();
        for entry in within.take_while(|entry| entry.day <= window.last) {
            // A buyer counts on the first of its days in the window.
            let days_before = (entry.day.0 - window.first.0).cast_unsigned() as usize;
            trailing.add(entry, days_before);
        }
        trailing
    }

    fn add(&mut self, day: &DaySales, days_before: usize) {
        let Sales { count, sum, buyers } = &mut self.sales;
        *count = count.saturating_add(day.count);
        *sum = sum.saturating_add(day.sum);
        *buyers = buyers.saturating_add(day.absent_for(days_before));
        self.card_days = self.card_days.saturating_add(day.absent_for(0));
    }

    /// Returns the sum for each buyer and day, or `None` without known cards.
    pub(crate) fn per_card_day(&self) -> Option<f64> {
        nearest_quotient(self.sales.sum, self.card_days)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Rows of day, amount and card, by day: a linear congruential generator picks them.
    #[expect(clippy::cast_possible_truncation, reason = "all are small")]
    fn rows(seed: u64) -> Vec<(i32, i64, u64)> {
        let mut state = seed;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let mut rows: Vec<_> = (0..below(80))
            .map(|_| (below(40) as i32, below(8) as i64 + 1, below(6)))
            .collect();
        rows.sort_unstable();
        rows
    }

    /// The sales of each day, with the distance to each card's day before found in a map.
    fn days_of(rows: &[(i32, i64, u64)]) -> Vec<DaySales> {
        let mut days: Vec<DaySales> = Vec::new();
        let mut last: BTreeMap<u64, i32> = BTreeMap::new();
        for of_day in rows.chunk_by(|a, b| a.0 == b.0) {
            let day = of_day[0].0;
            let amounts: Vec<i64> = of_day.iter().map(|row| row.1).collect();
            let mut entry = DaySales::new(Day(day), &Statistics::of(&amounts));
            for card in of_day.iter().map(|row| row.2).collect::<BTreeSet<_>>() {
                let before = last.insert(card, day);
                let distance = before.map_or(0, |before| (day - before).cast_unsigned());
                entry.add_buyers(Change { distance, cards: 1 });
            }
            days.push(entry);
        }
        days
    }

    #[test]
    fn trailing_windows_are_those_of_the_rows_in_them() {
        for seed in 0..200 {
            let rows = rows(seed);
            let days = days_of(&rows);
            for day in -2..50 {
                let found = Trailing::before(Day(day), &days);
                let within = || rows.iter().filter(|row| (day - 7..day).contains(&row.0));
                let cards: BTreeSet<u64> = within().map(|row| row.2).collect();
                let card_days: BTreeSet<(i32, u64)> = within().map(|row| (row.0, row.2)).collect();
                let expected = Trailing {
                    day: Day(day),
                    sales: Sales {
                        count: within().count() as u64,
                        sum: within().map(|row| u128::from(row.1.unsigned_abs())).sum(),
                        buyers: cards.len() as u64,
                    },
                    card_days: card_days.len() as u64,
                };
                assert_eq!(found, expected, "seed {seed}, day {day}");
            }
        }
    }
}
