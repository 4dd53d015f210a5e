//! Days, months and the named periods, without a clock or a time zone.
//!
//! The calendar is the proleptic Gregorian one; weeks are those of ISO 8601 with their week-year.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use crate::{Error, Result};

/// A business day.
///
/// # Units
/// Days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

/// The years that a date may have: four digits, as every label does.
const YEARS: RangeInclusive<i32> = 1..=9999;
/// The months of those years.
pub(crate) const MONTHS: RangeInclusive<i32> = 12..=119_999;
/// The days of those years.
pub(crate) const DAYS: RangeInclusive<i32> = -719_162..=2_932_896;

impl Day {
    /// Returns the day of a civil date, or `None` if there is no such date.
    ///
    /// # Source
    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
    #[must_use]
    pub fn from_civil(year: i32, month: u32, day: u32) -> Option<Self> {
        let month_of = Month::new(year, month)?;
        if day == 0 || day > month_of.len_days() {
            return None;
        }
        Some(Self(month_of.first_day().0 + i32::try_from(day).ok()? - 1))
    }

    /// Returns (year, month 1..=12, day 1..=31).
    ///
    /// # Source
    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    #[must_use]
    pub fn to_civil(self) -> (i32, u32, u32) {
        let shifted = self.0 + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097).cast_unsigned();
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era.cast_signed() + era * 400 + i32::from(month <= 2);
        (year, month, day)
    }

    /// Returns the month that contains this day.
    #[must_use]
    pub fn month(self) -> Month {
        let (year, month, _) = self.to_civil();
        Month(year * 12 + month.cast_signed() - 1)
    }

    /// Returns the ISO weekday: Monday is 1, Sunday 7.
    #[must_use]
    pub fn weekday(self) -> u32 {
        (self.0 + 3).rem_euclid(7).cast_unsigned() + 1
    }

    /// Returns the ISO week-year and week number of this day.
    ///
    /// # Source
    /// ISO 8601: a week belongs to the year of its Thursday.
    #[must_use]
    pub fn iso_week(self) -> (i32, u32) {
        let thursday = Self(self.0 + 4 - self.weekday().cast_signed());
        let (year, _, _) = thursday.to_civil();
        let first_of_year = Month(year * 12).first_day();
        (year, (thursday.0 - first_of_year.0).cast_unsigned() / 7 + 1)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.to_civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || match text.as_bytes() {
            [_, _, _, _, b'-', _, _, b'-', _, _] => Self::from_civil(
                digits(&text[..4])?.cast_signed(),
                digits(&text[5..7])?,
                digits(&text[8..])?,
            ),
            _ => None,
        };
        parse().ok_or_else(|| label_error(text, "a date (YYYY-MM-DD)"))
    }
}

/// A calendar month.
///
/// # Units
/// Months since January of year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub i32);

impl Month {
    /// Returns the month `month` (1..=12) of `year` (1..=9999), or `None` if there is none.
    #[must_use]
    pub fn new(year: i32, month: u32) -> Option<Self> {
        let valid = (1..=12).contains(&month) && YEARS.contains(&year);
        valid.then(|| Self(year * 12 + month.cast_signed() - 1))
    }

    /// Returns the last month that has ended with a day.
    #[must_use]
    pub fn last_ended(day: Day) -> Self {
        let month = day.month();
        let is_over = month.days().last == day;
        Self(month.0 - i32::from(!is_over))
    }

    /// Returns the calendar year.
    #[must_use]
    pub fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    /// Returns the month's number in its year, 1..=12.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.rem_euclid(12).cast_unsigned() + 1
    }

    /// Returns the first day of the month.
    #[must_use]
    pub fn first_day(self) -> Day {
        let year = if self.number() <= 2 {
            self.year() - 1
        } else {
            self.year()
        };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = (self.number().cast_signed() + 9) % 12;
        let day_of_year = (153 * shifted_month + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Day(era * 146_097 + day_of_era - 719_468)
    }

    /// Returns how many days the month has.
    #[must_use]
    pub fn len_days(self) -> u32 {
        (Self(self.0 + 1).first_day().0 - self.first_day().0).cast_unsigned()
    }

    /// Returns the days of the month.
    #[must_use]
    pub fn days(self) -> DayRange {
        DayRange {
            first: self.first_day(),
            last: Day(Self(self.0 + 1).first_day().0 - 1),
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.number())
    }
}

impl FromStr for Month {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || match text.as_bytes() {
            [_, _, _, _, b'-', _, _] => {
                Self::new(digits(&text[..4])?.cast_signed(), digits(&text[5..])?)
            }
            _ => None,
        };
        parse().ok_or_else(|| label_error(text, "a month (YYYY-MM)"))
    }
}

/// A run of days, both ends included.
///
/// # Shape
/// Empty when `last` lies before `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DayRange {
    /// The first day.
    pub first: Day,
    /// The last day, included.
    pub last: Day,
}

impl DayRange {
    /// Returns whether no day is in the range.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.last < self.first
    }

    /// Returns whether `day` is in the range.
    #[must_use]
    pub fn contains(self, day: Day) -> bool {
        self.first <= day && day <= self.last
    }

    /// Returns whether every day of `other` is in this range.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        other.is_empty() || (self.first <= other.first && other.last <= self.last)
    }

    /// Returns the days that both ranges have.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self {
            first: self.first.max(other.first),
            last: self.last.min(other.last),
        }
    }

    /// Returns the days in order.
    pub fn iter(self) -> impl Iterator<Item = Day> {
        (self.first.0..=self.last.0).map(Day)
    }
}

/// The lengths of named period, as `group_by` spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodKind {
    /// One day.
    Day,
    /// A week of ISO 8601, Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar quarter.
    Quarter,
    /// A calendar year.
    Year,
    /// Everything.
    All,
}

impl FromStr for PeriodKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            "all" => Self::All,
            _ => {
                return Err(label_error(
                    text,
                    "one of day, week, month, quarter, year, all",
                ));
            }
        })
    }
}

/// A named span of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// One day: `2018-03-05`.
    Day(Day),
    /// A week, by its Monday: `2018-W07`.
    Week(Day),
    /// A month: `2018-03`.
    Month(Month),
    /// A quarter, by its first month: `2018-Q1`.
    Quarter(Month),
    /// A calendar year: `2018`.
    Year(i32),
    /// Everything: `all`.
    All,
    /// Any days, labelled as an interval of ISO 8601: `2018-01-05/2018-02-10`.
    Range(DayRange),
}

impl Period {
    /// Returns the period of the given kind that contains `day`.
    #[must_use]
    pub fn containing(day: Day, kind: PeriodKind) -> Self {
        match kind {
            PeriodKind::Day => Self::Day(day),
            PeriodKind::Week => Self::Week(Day(day.0 + 1 - day.weekday().cast_signed())),
            PeriodKind::Month => Self::Month(day.month()),
            PeriodKind::Quarter => Self::Quarter(quarter_of(day.month())),
            PeriodKind::Year => Self::Year(day.month().year()),
            PeriodKind::All => Self::All,
        }
    }

    /// Returns the days of the period, or `None` for `all`, which has no ends of its own.
    #[must_use]
    pub fn days(self) -> Option<DayRange> {
        let months = |first: Month, count: i32| DayRange {
            first: first.first_day(),
            last: Day(Month(first.0 + count).first_day().0 - 1),
        };
        Some(match self {
            Self::Day(day) => DayRange {
                first: day,
                last: day,
            },
            Self::Week(monday) => DayRange {
                first: monday,
                last: Day(monday.0 + 6),
            },
            Self::Month(month) => month.days(),
            Self::Quarter(first) => months(first, 3),
            Self::Year(year) => months(Month(year * 12), 12),
            Self::All => return None,
            Self::Range(range) => range,
        })
    }
}

impl From<Day> for Period {
    fn from(day: Day) -> Self {
        Self::Day(day)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Week(monday) => {
                let (year, week) = monday.iso_week();
                write!(f, "{year:04}-W{week:02}")
            }
            Self::Month(month) => month.fmt(f),
            Self::Quarter(first) => write!(f, "{:04}-Q{}", first.year(), first.number() / 3 + 1),
            Self::Year(year) => write!(f, "{year:04}"),
            Self::All => f.write_str("all"),
            Self::Range(range) => write!(f, "{}/{}", range.first, range.last),
        }
    }
}

impl FromStr for Period {
    type Err = Error;

    /// Parses every label but that of an interval, which requests give as two dates.
    fn from_str(text: &str) -> Result<Self> {
        let parse = || match text.as_bytes() {
            b"all" => Some(Self::All),
            [_, _, _, _] => {
                let year = digits(text)?.cast_signed();
                YEARS.contains(&year).then_some(Self::Year(year))
            }
            [_, _, _, _, b'-', b'Q', quarter @ b'1'..=b'4'] => {
                let first = u32::from(quarter - b'1') * 3 + 1;
                Month::new(digits(&text[..4])?.cast_signed(), first).map(Self::Quarter)
            }
            [_, _, _, _, b'-', b'W', _, _] => {
                iso_week(digits(&text[..4])?.cast_signed(), digits(&text[6..])?).map(Self::Week)
            }
            [_, _, _, _, b'-', _, _] => text.parse().ok().map(Self::Month),
            _ => text.parse().ok().map(Self::Day),
        };
        parse().ok_or_else(|| {
            label_error(
                text,
                "a period (2018, 2018-Q1, 2018-03, 2018-W07, 2018-03-05 or all)",
            )
        })
    }
}

/// Returns the first month of the quarter that contains `month`.
#[must_use]
pub fn quarter_of(month: Month) -> Month {
    Month(month.0 - month.0.rem_euclid(3))
}

/// Returns the Monday of an ISO week, or `None` if the year has no such week.
fn iso_week(year: i32, week: u32) -> Option<Day> {
    let fourth_of_january = Day::from_civil(year, 1, 4)?;
    let first_monday = fourth_of_january.0 + 1 - fourth_of_january.weekday().cast_signed();
    let monday = Day(first_monday + 7 * (week.cast_signed() - 1));
    (monday.iso_week() == (year, week)).then_some(monday)
}

fn digits(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn label_error(value: &str, expected: &'static str) -> Error {
    Error::Label {
        value: value.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_round_trip_over_four_centuries() {
        let first = Day::from_civil(1799, 1, 1).unwrap();
        let last = Day::from_civil(2201, 1, 1).unwrap();
        let mut previous = (1798, 12, 31);
        for day in (DayRange { first, last }).iter() {
            let (year, month, date) = day.to_civil();
            assert_eq!(Day::from_civil(year, month, date), Some(day));
            assert!((year, month, date) > previous);
            assert!(day.month().days().contains(day));
            previous = (year, month, date);
        }
        assert_eq!(Day::from_civil(1970, 1, 1), Some(Day(0)));
        assert_eq!(
            Day::from_civil(2000, 2, 29).unwrap().to_string(),
            "2000-02-29"
        );
    }

    #[test]
    fn bounds_are_those_of_years_with_four_digits() {
        let (first, last) = (Day::from_civil(1, 1, 1), Day::from_civil(9999, 12, 31));
        assert_eq!(
            (first, last),
            (Some(Day(*DAYS.start())), Some(Day(*DAYS.end())))
        );
        assert_eq!(Day(*DAYS.start()).month(), Month(*MONTHS.start()));
        assert_eq!(Day(*DAYS.end()).month(), Month(*MONTHS.end()));
    }

    #[test]
    fn impossible_dates_have_no_day() {
        for text in [
            "2018-02-29",
            "2018-13-01",
            "2018-00-10",
            "2018-01-00",
            "2018-1-01",
            "0000-01-01",
            "2018-01-011",
            "+018-01-01",
            "2018/01/01",
            "é018-01-0",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    #[test]
    fn iso_weeks_of_year_ends_follow_the_standard() {
        // Known cases of ISO 8601: week-years differ from calendar years around January.
        for (date, label) in [
            ("2005-01-01", "2004-W53"),
            ("2005-01-02", "2004-W53"),
            ("2007-12-31", "2008-W01"),
            ("2008-12-29", "2009-W01"),
            ("2010-01-03", "2009-W53"),
            ("2018-12-31", "2019-W01"),
            ("2016-01-01", "2015-W53"),
        ] {
            let week = Period::containing(date.parse().unwrap(), PeriodKind::Week);
            assert_eq!(week.to_string(), label);
            assert_eq!(label.parse::<Period>().unwrap(), week);
        }
        assert!("2018-W53".parse::<Period>().is_err());
        assert!("2018-W00".parse::<Period>().is_err());
    }

    #[test]
    fn labels_of_all_kinds_round_trip() {
        let day: Day = "2018-02-14".parse().unwrap();
        for (kind, label, len) in [
            (PeriodKind::Day, "2018-02-14", 1),
            (PeriodKind::Week, "2018-W07", 7),
            (PeriodKind::Month, "2018-02", 28),
            (PeriodKind::Quarter, "2018-Q1", 90),
            (PeriodKind::Year, "2018", 365),
        ] {
            let period = Period::containing(day, kind);
            assert_eq!(period.to_string(), label);
            assert_eq!(label.parse::<Period>().unwrap(), period);
            let days = period.days().unwrap();
            assert_eq!(days.iter().count(), len);
            assert!(days.contains(day));
        }
        assert_eq!("all".parse::<Period>().unwrap(), Period::All);
    }
}
