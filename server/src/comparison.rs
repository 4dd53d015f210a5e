//! A period beside an earlier one: how much it grew, and what drove the change (docs/definitions.md,
//! "Comparison").

use nightshard_format::calendar::{Day, DayRange, Month, Period};

use crate::sales::{DaySales, Sales};

const WEEKDAYS: usize = 7;

/// What a period is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// The period of the same kind just before it.
    Previous,
    /// The same period a year before.
    Year,
}

impl Earlier {
    /// Returns the earlier period, or `None` for `all`, and before the first year.
    pub(crate) fn of(self, period: Period) -> Option<Period> {
        let months = |month: Month, before: i32| Some(Month(month.0 - before));
        match (self, period) {
            (_, Period::All) => None,
            (_, Period::Year(year)) => (year > 1).then(|| Period::Year(year - 1)),
            (Self::Previous, Period::Day(day)) => Some(Period::Day(Day(day.0 - 1))),
            (Self::Previous, Period::Week(monday)) => Some(Period::Week(Day(monday.0 - 7))),
            (Self::Previous, Period::Month(month)) => months(month, 1).map(Period::Month),
            (Self::Previous, Period::Quarter(first)) => months(first, 3).map(Period::Quarter),
            (Self::Previous, Period::Range(days)) => {
                let len = days.last.0 - days.first.0 + 1;
                Some(Period::Range(DayRange {
                    first: Day(days.first.0 - len),
                    last: Day(days.last.0 - len),
                }))
            }
            (Self::Year, Period::Day(day)) => Some(Period::Day(year_before(day)?)),
            // So that weekdays are the same; there is not every week of a number in every year.
            (Self::Year, Period::Week(monday)) => Some(Period::Week(Day(monday.0 - 52 * 7))),
            (Self::Year, Period::Month(month)) => months(month, 12).map(Period::Month),
            (Self::Year, Period::Quarter(first)) => months(first, 12).map(Period::Quarter),
            (Self::Year, Period::Range(days)) => Some(Period::Range(DayRange {
                first: year_before(days.first)?,
                last: year_before(days.last)?,
            })),
        }
        .filter(|period| {
            period
                .days()
                .is_some_and(|days| days.first.to_civil().0 >= 1)
        })
    }
}

/// Returns the same date a year before; 28 February for 29 February.
fn year_before(day: Day) -> Option<Day> {
    let (year, month, date) = day.to_civil();
    let same = |date| Day::from_civil(year - 1, month, date);
    same(date).or_else(|| same(date - 1))
}

/// The sales of a period that has data.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Side {
    /// Sales, and distinct buyers.
    pub(crate) sales: Sales,
    /// Buyers of each day, added up.
    pub(crate) visits: u64,
    /// Net sum of all rows, refunds subtracted, of each weekday.
    net: [i128; WEEKDAYS],
    /// How many days of each weekday the data has.
    days: [u32; WEEKDAYS],
}

impl Side {
    /// Adds up the days of a range that the data has; `buyers` are the distinct ones of all.
    pub(crate) fn new(shown: DayRange, days: &[DaySales], buyers: u64) -> Self {
        let mut side = Self::default();
        for day in shown.iter() {
            side.days[weekday_of(day)] += 1;
        }
        for entry in days {
            let of_day = entry.sales();
            side.sales.count = side.sales.count.saturating_add(of_day.count);
            side.sales.sum = side.sales.sum.saturating_add(of_day.sum);
            side.visits = side.visits.saturating_add(of_day.buyers);
            let net = &mut side.net[weekday_of(entry.day)];
            *net = net.saturating_add(entry.net);
        }
        side.sales.buyers = buyers;
        side
    }

    /// Returns the net sum of all rows.
    pub(crate) fn net(&self) -> i128 {
        self.net.iter().sum()
    }
}

fn weekday_of(day: Day) -> usize {
    day.weekday() as usize - 1
}

/// Returns by which share the net sum grew, had both periods as many days of each weekday as `now`
/// has; `None` where they share no weekday, or the earlier sum is not above 0.
#[expect(clippy::cast_precision_loss, reason = "a share is a double")]
pub(crate) fn growth(now: &Side, before: &Side) -> Option<f64> {
    let (mut of_now, mut of_before) = (0.0, 0.0);
    for weekday in 0..WEEKDAYS {
        let (days, days_before) = (now.days[weekday], before.days[weekday]);
        if days > 0 && days_before > 0 {
            of_now += now.net[weekday] as f64;
            of_before += before.net[weekday] as f64 * f64::from(days) / f64::from(days_before);
        }
    }
    (of_before > 0.0).then(|| of_now / of_before - 1.0)
}

/// Returns by which share a sum over some days grew, for each of its days; `None` where the earlier sum
/// is not above 0, or either has no days.
#[expect(clippy::cast_precision_loss, reason = "a share is a double")]
pub(crate) fn growth_by_day(now: (i128, usize), before: (i128, usize)) -> Option<f64> {
    let by_day = |(sum, days): (i128, usize)| (days > 0).then(|| sum as f64 / days as f64);
    let (now, before) = by_day(now).zip(by_day(before))?;
    (before > 0.0).then(|| now / before - 1.0)
}

/// What a change of the sum of sales comes from; the parts add up to the change.
///
/// # Units
/// Minor units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drivers {
    /// More or fewer buyers.
    pub(crate) cards: f64,
    /// More or fewer days with a sale for each.
    pub(crate) visits_per_card: f64,
    /// More or less sold on each such day.
    pub(crate) ticket: f64,
}

/// Divides the change of the sum of sales among buyers x visits of each x sum of each visit.
///
/// # Source
/// The logarithmic mean Divisia index (Ang, "The LMDI approach to decomposition analysis", Energy
/// Policy 2005): nothing is left over, and swapping the periods swaps the signs. `None` where a
/// factor is 0.
#[expect(clippy::cast_precision_loss, reason = "parts are doubles")]
pub(crate) fn drivers(now: &Side, before: &Side) -> Option<Drivers> {
    let of = |side: &Side| {
        [
            side.sales.sum as f64,
            side.sales.buyers as f64,
            side.visits as f64,
        ]
    };
    let ([sum, cards, visits], [sum_before, cards_before, visits_before]) = (of(now), of(before));
    let all = [sum, cards, visits, sum_before, cards_before, visits_before];
    if all.iter().any(|factor| *factor <= 0.0) {
        return None;
    }
    let weight = logarithmic_mean(sum, sum_before);
    let part = |now: f64, before: f64| weight * (now / before).ln();
    Some(Drivers {
        cards: part(cards, cards_before),
        visits_per_card: part(visits / cards, visits_before / cards_before),
        ticket: part(sum / visits, sum_before / visits_before),
    })
}

/// Returns (a - b) / ln(a / b), which is between both, and near equal numbers nearly their mean.
fn logarithmic_mean(a: f64, b: f64) -> f64 {
    let log = (a / b).ln();
    if log.abs() < 1e-8 {
        return f64::midpoint(a, b);
    }
    (a - b) / log
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_periods_are_of_the_same_kind() {
        for (period, previous, year) in [
            ("2018-03-01", "2018-02-28", "2017-03-01"),
            ("2020-02-29", "2020-02-28", "2019-02-28"),
            ("2019-W01", "2018-W52", "2018-W01"),
            ("2021-W01", "2020-W53", "2020-W02"),
            ("2018-01", "2017-12", "2017-01"),
            ("2018-Q1", "2017-Q4", "2017-Q1"),
            ("2018", "2017", "2017"),
        ] {
            let parsed: Period = period.parse().unwrap();
            let label = |earlier: Earlier| earlier.of(parsed).unwrap().to_string();
            assert_eq!(label(Earlier::Previous), previous, "{period}");
            assert_eq!(label(Earlier::Year), year, "{period}");
        }
        let range = |first: &str, last: &str| {
            Period::Range(DayRange {
                first: first.parse().unwrap(),
                last: last.parse().unwrap(),
            })
        };
        let days = range("2020-02-28", "2020-03-01");
        let previous = range("2020-02-25", "2020-02-27");
        assert_eq!(Earlier::Previous.of(days), Some(previous));
        let year = range("2019-02-28", "2019-03-01");
        assert_eq!(Earlier::Year.of(days), Some(year));
        assert_eq!(Earlier::Year.of(Period::All), None);
        assert_eq!(Earlier::Previous.of(Period::Year(1)), None);
    }

    fn side(buyers: u64, visits: u64, sum: u128) -> Side {
        Side {
            sales: Sales {
                count: visits,
                sum,
                buyers,
            },
            visits,
            ..Side::default()
        }
    }

    #[test]
    fn drivers_add_up_to_the_change_and_swap_with_the_periods() {
        let pairs = [
            (side(10, 20, 4_000), side(5, 20, 4_000)),
            (side(7, 9, 123_456), side(8, 30, 99)),
            (side(3, 3, 1_000_000_001), side(3, 3, 1_000_000_000)),
        ];
        for (now, before) in pairs {
            let parts = drivers(&now, &before).unwrap();
            let change = now.sales.sum as f64 - before.sales.sum as f64;
            let sum = parts.cards + parts.visits_per_card + parts.ticket;
            assert!(
                (sum - change).abs() <= 1e-9 * now.sales.sum as f64,
                "{sum} {change}"
            );
            let back = drivers(&before, &now).unwrap();
            assert!((back.cards + parts.cards).abs() <= 1e-9 * now.sales.sum as f64);
        }
        assert_eq!(drivers(&side(0, 0, 5), &side(1, 1, 5)), None);
        // Twice the cards, and each came half as often.
        let parts = drivers(&side(10, 20, 4_000), &side(5, 20, 4_000)).unwrap();
        assert!((parts.cards - 4_000.0 * 2.0_f64.ln()).abs() < 1e-9 && parts.ticket == 0.0);
    }

    #[test]
    fn growth_compares_as_many_days_of_each_weekday() {
        let mut now = Side::default();
        let mut before = Side::default();
        // Two Mondays of 100 each beside one of 80; a Tuesday that the earlier one has not.
        (now.days[0], now.net[0]) = (2, 200);
        (now.days[1], now.net[1]) = (1, 999);
        (before.days[0], before.net[0]) = (1, 80);
        assert_eq!(growth(&now, &before), Some(0.25));
        assert_eq!(growth(&now, &Side::default()), None);
        before.net[0] = -80;
        assert_eq!(growth(&now, &before), None);
    }

    #[test]
    fn growth_by_day_is_that_of_the_mean_day() {
        assert_eq!(growth_by_day((280, 28), (310, 31)), Some(0.0));
        assert_eq!(growth_by_day((-150, 30), (300, 30)), Some(-1.5));
        for (now, before) in [
            ((5, 1), (0, 1)),
            ((5, 1), (-5, 1)),
            ((5, 1), (5, 0)),
            ((0, 0), (5, 1)),
        ] {
            assert_eq!(growth_by_day(now, before), None);
        }
    }
}
