//! How much net sales grew, compared over as many days of each weekday (docs/format.md, "Ranking";
//! docs/definitions.md, "Ranking").

use std::cmp::Ordering;

use crate::{
    Result,
    bytes::{Bytes, put_signed_i128},
    calendar::{Day, DayRange},
};

const WEEKDAYS: usize = 7;

/// The least common multiple of 1 to 5: a month has at most 5 days of a weekday, so that many parts of a
/// minor unit are always whole.
pub const GROWTH_PARTS: i128 = 60;

/// The net sums of some days of a month, by weekday.
///
/// # Units
/// Minor units.
/// # Shape
/// No weekday has more than 5 days.
#[derive(Debug, Clone, Copy, Default)]
pub struct WeekdaySums {
    days: [i128; WEEKDAYS],
    net: [i128; WEEKDAYS],
}

impl WeekdaySums {
    /// Counts days that have no rows yet; those of a month at most.
    #[must_use]
    pub fn over(days: DayRange) -> Self {
        let mut sums = Self::default();
        for day in days.iter() {
            sums.days[weekday_of(day)] += 1;
        }
        sums
    }

    /// Adds the net sum of one of the days.
    pub fn add(&mut self, day: Day, net: i128) {
        let of_weekday = &mut self.net[weekday_of(day)];
        *of_weekday = of_weekday.saturating_add(net);
    }
}

fn weekday_of(day: Day) -> usize {
    day.weekday() as usize - 1
}

/// Two net sums compared, over the weekdays that both have days of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Growth {
    /// That of the later days, in minor units.
    pub now: i128,
    /// That of the earlier days, had they as many of each weekday, in parts of a minor unit: so many as
    /// [`GROWTH_PARTS`].
    pub before: i128,
}

impl Growth {
    /// Compares two months.
    #[must_use]
    pub fn of(now: &WeekdaySums, before: &WeekdaySums) -> Self {
        let mut growth = Self::default();
        for weekday in 0..WEEKDAYS {
            let (days, days_before) = (now.days[weekday], before.days[weekday]);
            if days > 0 && days_before > 0 {
                let parts = days * (GROWTH_PARTS / days_before);
                growth.add(Self {
                    now: now.net[weekday],
                    before: before.net[weekday].saturating_mul(parts),
                });
            }
        }
        growth
    }

    /// Adds what another store sold in the same two months.
    pub fn add(&mut self, other: Self) {
        self.now = self.now.saturating_add(other.now);
        self.before = self.before.saturating_add(other.before);
    }

    /// Returns by which share the sum grew, or `None` where the earlier one is not above 0.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share is a double")]
    pub fn share(self) -> Option<f64> {
        let now = self.now as f64 * GROWTH_PARTS as f64;
        (self.before > 0).then(|| now / self.before as f64 - 1.0)
    }

    /// Returns the earlier sum.
    ///
    /// # Units
    /// Minor units.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "it has parts of a minor unit")]
    pub fn before_minor(self) -> f64 {
        self.before as f64 / GROWTH_PARTS as f64
    }

    /// Compares shares exactly; what has none is less than all that have one.
    #[must_use]
    pub fn compare(self, other: Self) -> Ordering {
        match (self.before > 0, other.before > 0) {
            (true, true) => compare_quotients((self.now, self.before), (other.now, other.before)),
            (has, other_has) => has.cmp(&other_has),
        }
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        put_signed_i128(out, self.now);
        put_signed_i128(out, self.before);
    }

    pub(super) fn decode(bytes: &mut Bytes<'_>) -> Result<Self> {
        Ok(Self {
            now: bytes.signed_i128()?,
            before: bytes.signed_i128()?,
        })
    }
}

/// Compares two quotients of divisors above 0 by their continued fractions: products could overflow.
fn compare_quotients((a, b): (i128, i128), (c, d): (i128, i128)) -> Ordering {
    let whole = a.div_euclid(b).cmp(&c.div_euclid(d));
    whole.then_with(|| match (a.rem_euclid(b), c.rem_euclid(d)) {
        (0, 0) => Ordering::Equal,
        (0, _) => Ordering::Less,
        (_, 0) => Ordering::Greater,
        // The smaller remainder is the one whose reciprocal is larger.
        (rest, other_rest) => compare_quotients((d, other_rest), (b, rest)),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::Month;

    #[test]
    fn the_earlier_month_is_given_as_many_days_of_each_weekday() {
        // June 2018 has five Fridays and Saturdays, May five Tuesdays to Thursdays.
        let [june, may] = [6, 5].map(|month| Month::new(2018, month).unwrap().days());
        let (mut now, mut before) = (WeekdaySums::over(june), WeekdaySums::over(may));
        let day = |month, day| Day::from_civil(2018, month, day).unwrap();
        now.add(day(6, 1), 500);
        now.add(day(6, 5), 80);
        before.add(day(5, 4), 400);
        before.add(day(5, 1), 100);
        let growth = Growth::of(&now, &before);
        // 400 x 5 Fridays / 4, and 100 x 4 Tuesdays / 5.
        assert_eq!((growth.now, growth.before), (580, 60 * (500 + 80)));
        assert_eq!((growth.share(), growth.before_minor()), (Some(0.0), 580.0));
    }

    #[test]
    fn weekdays_that_one_month_lacks_are_in_neither_sum() {
        let monday = Day::from_civil(2018, 4, 2).unwrap();
        let days = |first: i32, last: i32| DayRange {
            first: Day(monday.0 + first),
            last: Day(monday.0 + last),
        };
        let (mut now, mut before) = (WeekdaySums::over(days(7, 8)), WeekdaySums::over(days(0, 0)));
        now.add(Day(monday.0 + 7), 30);
        now.add(Day(monday.0 + 8), 999);
        before.add(monday, 20);
        assert_eq!(Growth::of(&now, &before).share(), Some(0.5));
        let nothing = WeekdaySums::over(days(1, 0));
        assert_eq!(Growth::of(&now, &nothing), Growth::default());
        assert_eq!(Growth::default().share(), None);
    }

    #[test]
    fn sums_too_large_to_be_multiplied_are_compared() {
        let of = |now, before| Growth { now, before };
        let large = i128::MAX;
        for (less, more) in [
            (of(large - 1, large), of(1, 1)),
            (of(-large, 1), of(-large, 2)),
            (of(large, 0), of(-large, 1)),
            (of(large - 2, large - 1), of(large - 1, large)),
        ] {
            assert_eq!(less.compare(more), Ordering::Less, "{less:?} {more:?}");
            assert_eq!(more.compare(less), Ordering::Greater, "{less:?} {more:?}");
        }
    }

    proptest! {
        #[test]
        fn shares_are_compared_as_their_cross_products(
            now in -50_i128..50, before in -3_i128..20, other in -50_i128..50, other_before in -3_i128..20,
        ) {
            let (one, two) = (Growth { now, before }, Growth { now: other, before: other_before });
            let expected = match (before > 0, other_before > 0) {
                (true, true) => (now * other_before).cmp(&(other * before)),
                (has, other_has) => has.cmp(&other_has),
            };
            prop_assert_eq!(one.compare(two), expected);
        }
    }
}
