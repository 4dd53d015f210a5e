//! When it is quiet and when it is cheap (docs/definitions.md, "Best time").

use std::cmp::Ordering;

use nightshard_format::calendar::DayRange;

use crate::rows::Rows;

/// A mean of fewer rows is no advice.
const MEAN_ROWS_MIN: u64 = 10;
/// At work is who has one row in so many.
const ROWS_FOR_ONE: u64 = 100;

/// An hour or a weekday of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The hour of the clock from 0, or the ISO weekday from 1.
    pub(crate) number: u64,
    /// How many such hours or weekdays the period has.
    pub(crate) days: u64,
    /// Its rows.
    pub(crate) rows: Rows,
}

impl Slot {
    /// Makes one of an item of [`hours`] or [`weekdays`].
    pub(crate) fn of((number, days, rows): (u64, u64, Rows)) -> Self {
        Self { number, days, rows }
    }

    /// Compares rows for each day.
    fn compare_rows(&self, other: &Self) -> Ordering {
        let product = |a: &Self, b: &Self| u128::from(a.rows.count) * u128::from(b.days);
        product(self, other).cmp(&product(other, self))
    }
}

/// The slots in which a place is at work.
#[derive(Debug)]
pub(crate) struct BestTime(Vec<Slot>);

impl BestTime {
    /// Chooses among slots, which ascend, those that have 1 % of all their rows.
    pub(crate) fn of(slots: impl Iterator<Item = Slot>) -> Self {
        let mut slots: Vec<Slot> = slots.filter(|slot| slot.rows.count > 0).collect();
        let counts = slots.iter().map(|slot| slot.rows.count);
        let all = counts.fold(0, u64::saturating_add);
        slots.retain(|slot| slot.rows.count.saturating_mul(ROWS_FOR_ONE) >= all);
        Self(slots)
    }

    /// Returns the slot of fewest rows for each of its days; of equals the earlier one.
    pub(crate) fn quietest(&self) -> Option<Slot> {
        self.0.iter().copied().min_by(Slot::compare_rows)
    }

    /// Returns the slot of the lowest mean amount, of those that have enough rows; of equals the earlier one.
    pub(crate) fn cheapest(&self) -> Option<Slot> {
        let slots = self.0.iter().copied();
        slots
            .filter(|slot| slot.rows.count >= MEAN_ROWS_MIN)
            .min_by(|a, b| a.rows.compare_means(b.rows))
    }
}

/// An hour or a weekday of which a rounded share alone is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    /// As of a [`Slot`].
    pub(crate) number: u64,
    /// As of a [`Slot`].
    pub(crate) days: u64,
    /// The share, 0 where none is told.
    pub(crate) percents: u64,
}

impl Share {
    /// Makes one of an item of [`hours`] or [`weekdays`].
    pub(crate) fn of((number, days, percents): (u64, u64, Option<u64>)) -> Self {
        Self {
            number,
            days,
            percents: percents.unwrap_or(0),
        }
    }
}

/// Returns the smallest share for each day of those of 1 % and more; of equals the earlier one.
pub(crate) fn quietest_share(shares: impl Iterator<Item = Share>) -> Option<Share> {
    let product = |a: &Share, b: &Share| u128::from(a.percents) * u128::from(b.days);
    shares
        .filter(|share| share.percents > 0)
        .min_by(|a, b| product(a, b).cmp(&product(b, a)))
}

/// Returns the hours of the clock over some days.
pub(crate) fn hours<T>(
    days: DayRange,
    hours: impl Iterator<Item = T>,
) -> impl Iterator<Item = (u64, u64, T)> {
    let len = days.iter().count() as u64;
    (0..).zip(hours).map(move |(hour, of)| (hour, len, of))
}

/// Returns the weekdays of some days.
pub(crate) fn weekdays<T>(
    days: DayRange,
    weekdays: impl Iterator<Item = T>,
) -> impl Iterator<Item = (u64, u64, T)> {
    let numbered = (1_u32..).zip(weekdays);
    numbered.map(move |(weekday, of)| {
        let such = days.iter().filter(|day| day.weekday() == weekday);
        (weekday.into(), such.count() as u64, of)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u64, days: u64, count: u64, sum: i128) -> Slot {
        let rows = Rows { count, sum };
        Slot { number, days, rows }
    }

    fn found(slots: &[Slot]) -> [Option<u64>; 2] {
        let best = BestTime::of(slots.iter().copied());
        [best.quietest(), best.cheapest()].map(|slot| slot.map(|it| it.number))
    }

    #[test]
    fn an_hour_with_hardly_a_row_is_no_advice() {
        // 9 of 1,000 are less than 1 %; 10 of 1,001 are, too, and 11 of 1,002 are not.
        let hours = |few| {
            [
                slot(4, 31, few, 9),
                slot(9, 31, 400, 400_000),
                slot(15, 31, 591, 500_000),
            ]
        };
        assert_eq!(found(&hours(9)), [Some(9), Some(15)]);
        assert_eq!(found(&hours(10)), [Some(9), Some(15)]);
        assert_eq!(found(&hours(11)), [Some(4), Some(4)]);
        assert_eq!(found(&[]), [None, None]);
    }

    #[test]
    fn of_equals_the_earlier_is_best_and_means_need_rows() {
        let slots = [
            slot(8, 1, 30, 60),
            slot(9, 1, 20, 20),
            slot(10, 1, 20, 20),
            slot(11, 1, 9, 1),
        ];
        assert_eq!(found(&slots[..3]), [Some(9), Some(9)]);
        assert_eq!(found(&slots), [Some(11), Some(9)]);
    }

    #[test]
    fn of_shares_those_that_round_to_nothing_are_no_advice() {
        let share = |(number, percents)| Share::of((number, 31, percents));
        let hours = [
            (3, Some(0)),
            (4, None),
            (9, Some(7)),
            (15, Some(2)),
            (16, Some(2)),
        ];
        assert_eq!(
            quietest_share(hours.into_iter().map(share)).unwrap().number,
            15
        );
        let days = [(1, 5, Some(20)), (2, 4, Some(18))];
        assert_eq!(
            quietest_share(days.into_iter().map(Share::of))
                .unwrap()
                .number,
            1
        );
        assert_eq!(quietest_share(hours[..2].iter().copied().map(share)), None);
    }

    #[test]
    fn weekdays_are_compared_by_the_rows_of_one_of_them() {
        // 50 on five Mondays are fewer a day than 44 on four Tuesdays.
        let days = [slot(1, 5, 50, 500), slot(2, 4, 44, 440)];
        assert_eq!(found(&days), [Some(1), Some(1)]);
        let [first, last] = ["2018-03-01", "2018-03-31"].map(|day| day.parse().unwrap());
        let march = DayRange { first, last };
        let such: Vec<_> = weekdays(march, 0..7)
            .map(|(weekday, days, _)| (weekday, days))
            .collect();
        assert_eq!(
            such,
            [(1, 4), (2, 4), (3, 4), (4, 5), (5, 5), (6, 5), (7, 4)]
        );
        assert_eq!(
            hours(march, [7].into_iter()).collect::<Vec<_>>(),
            [(0, 31, 7)]
        );
    }
}
