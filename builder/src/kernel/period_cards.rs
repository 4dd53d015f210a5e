//! Distinct cards of months, quarters and years.

use std::collections::HashMap;

use nightshard_format::calendar::{Day, Month, Period, PeriodKind};

use super::card_days::DayDistance;

/// How many distinct cards there are in each month, quarter and year.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PeriodCards(HashMap<Period, u64>);

impl PeriodCards {
    /// Counts the cards of days by how long ago they were there before.
    pub(super) fn of(counts: &[(DayDistance, i64)]) -> Self {
        let mut cards = HashMap::new();
        for (at, count) in counts {
            for kind in [PeriodKind::Month, PeriodKind::Quarter, PeriodKind::Year] {
                let period = Period::containing(Day(at.day()), kind);
                let days = period.days().map_or(0, |days| at.day() - days.first.0);
                if at.distance() == 0 || at.distance() > days.unsigned_abs() {
                    *cards.entry(period).or_default() += count.unsigned_abs();
                }
            }
        }
        Self(cards)
    }

    /// Leaves out the cards of all periods that have a month.
    pub fn forget(&mut self, month: Month) {
        let has_month = |period: &Period| {
            let days = period.days();
            days.is_some_and(|days| days.contains(month.first_day()))
        };
        self.0.retain(|period, _| !has_month(period));
    }

    /// Returns the cards of a period.
    #[must_use]
    pub fn get(&self, period: Period) -> u64 {
        self.0.get(&period).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_counts_once_in_each_period() {
        let day = |text: &str| text.parse::<Day>().unwrap().0;
        let days = [
            day("2018-01-30"),
            day("2018-01-31"),
            day("2018-03-01"),
            day("2018-04-01"),
        ];
        let mut counts = vec![(DayDistance::new(days[0], 0), 1)];
        for pair in days.windows(2) {
            counts.push((DayDistance::new(pair[1], pair[1].abs_diff(pair[0])), 1));
        }
        let cards = PeriodCards::of(&counts);
        for (period, expected) in [
            ("2018-01", 1),
            ("2018-02", 0),
            ("2018-03", 1),
            ("2018-Q1", 1),
            ("2018-Q2", 1),
            ("2018", 1),
        ] {
            assert_eq!(cards.get(period.parse().unwrap()), expected, "{period}");
        }
    }
}
