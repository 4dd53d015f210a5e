//! When a run is due: a cron expression in a time zone.

use std::str::FromStr;

use croner::Cron;
use jiff::{SignedDuration, Timestamp, ToSpan, tz::TimeZone};
use nightshard_format::calendar::Day;

/// A schedule that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The expression is none.
    #[error("schedule {expression:?} is no cron expression: {problem}")]
    Expression {
        /// What was given.
        expression: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The zone is unknown.
    #[error("zone {zone:?} is unknown: give a name such as Europe/Berlin, or UTC")]
    Zone {
        /// What was given.
        zone: String,
        /// What is wrong with it.
        source: jiff::Error,
    },
}

/// A cron expression of five fields (six with seconds first) in a time zone.
///
/// Where clocks go forward over a fixed time, it is due at the first moment after the gap; where
/// they go back over it, the first time only.
///
/// # Examples
/// ```
/// use nightshard_deploy::controller::Schedule;
///
/// let schedule = Schedule::parse("30 4 * * *", "Europe/Berlin")?;
/// let evening = "2026-07-01T18:00:00Z".parse()?;
/// let next = schedule.next_after(evening).unwrap();
/// assert_eq!(next.to_string(), "2026-07-02T02:30:00Z");
/// assert_eq!(schedule.business_day(next).to_string(), "2026-07-01");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Reads an expression and the name of a zone.
    ///
    /// # Errors
    /// [`ScheduleError::Expression`] if it is none, or one that never comes;
    /// [`ScheduleError::Zone`] for an unknown zone.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let problem = |problem: String| ScheduleError::Expression {
            expression: expression.to_owned(),
            problem,
        };
        let cron = Cron::from_str(expression).map_err(|error| problem(error.to_string()))?;
        let zone = TimeZone::get(zone).map_err(|source| ScheduleError::Zone {
            zone: zone.to_owned(),
            source,
        })?;
        let schedule = Self { cron, zone };
        match schedule.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(problem("it never comes".into())),
        }
    }

    /// Returns the next moment after `after`, or `None` if there is none.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = after.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&after, false);
        next.ok().map(|next| next.timestamp())
    }

    /// Returns the newest moment after `since` and not after `now`: what to catch up with, however
    /// many were missed. `None` if nothing is due.
    #[must_use]
    pub fn due(&self, since: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let now = now.to_zoned(self.zone.clone());
        let last = self.cron.find_previous_occurrence(&now, true).ok()?;
        Some(last.timestamp()).filter(|last| *last > since)
    }

    /// Returns how long ago a business day was over, in the schedule's zone.
    #[must_use]
    pub fn age(&self, day: Day, now: Timestamp) -> SignedDuration {
        let (year, month, number) = Day(day.0.saturating_add(1)).to_civil();
        let date = || {
            let (month, number) = (i8::try_from(month).ok()?, i8::try_from(number).ok()?);
            jiff::civil::Date::new(i16::try_from(year).ok()?, month, number).ok()
        };
        let end = date().and_then(|date| date.to_zoned(self.zone.clone()).ok());
        end.map_or(SignedDuration::ZERO, |end| {
            now.duration_since(end.timestamp())
        })
    }

    /// Returns the business day that a run at `moment` is of: the last one that is closed, which
    /// is the day before, in the schedule's zone.
    #[must_use]
    pub fn business_day(&self, moment: Timestamp) -> Day {
        let date = moment.to_zoned(self.zone.clone()).date();
        let before = date.saturating_sub(1.day());
        let (month, day) = (before.month().unsigned_abs(), before.day().unsigned_abs());
        Day::from_civil(before.year().into(), month.into(), day.into()).unwrap_or(Day(0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn next(expression: &str, zone: &str, after: &str) -> String {
        let schedule = Schedule::parse(expression, zone).unwrap();
        schedule.next_after(moment(after)).unwrap().to_string()
    }

    #[test]
    fn what_is_no_schedule_is_named() {
        for (expression, zone, problem) in [
            ("4:30", "UTC", "\"4:30\" is no cron expression"),
            ("61 4 * * *", "UTC", "\"61 4 * * *\" is no cron expression"),
            ("", "UTC", "is no cron expression"),
            ("0 0 31 2 *", "UTC", "it never comes"),
            (
                "30 4 * * *",
                "Europe/Atlantis",
                "zone \"Europe/Atlantis\" is unknown",
            ),
        ] {
            let error = Schedule::parse(expression, zone).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_time_that_clocks_skip_comes_right_after_and_once() {
        // On 2026-03-29 Berlin has no 02:30.
        let night = ["30 2 * * *", "Europe/Berlin"];
        let first = next(night[0], night[1], "2026-03-28T12:00:00Z");
        assert_eq!(first, "2026-03-29T01:00:00Z");
        assert_eq!(next(night[0], night[1], &first), "2026-03-30T00:30:00Z");
    }

    #[test]
    fn a_time_that_clocks_repeat_comes_the_first_time_only() {
        // On 2026-10-25 Berlin has 02:30 twice.
        let night = ["30 2 * * *", "Europe/Berlin"];
        let first = next(night[0], night[1], "2026-10-24T12:00:00Z");
        assert_eq!(first, "2026-10-25T00:30:00Z");
        assert_eq!(next(night[0], night[1], &first), "2026-10-26T01:30:00Z");
        let schedule = Schedule::parse(night[0], night[1]).unwrap();
        let again = moment("2026-10-25T01:30:00Z");
        assert_eq!(schedule.due(moment(&first), again), None);
    }

    #[test]
    fn every_day_of_a_year_has_one_run_whatever_clocks_do() {
        for (zone, minute) in [
            ("Europe/Berlin", 30),
            ("America/Sao_Paulo", 0),
            ("Asia/Seoul", 59),
        ] {
            for hour in 0..4 {
                let schedule = Schedule::parse(&format!("{minute} {hour} * * *"), zone).unwrap();
                let mut at = moment("2026-01-01T12:00:00Z");
                let mut day = schedule.business_day(schedule.next_after(at).unwrap());
                for _run in 0..730 {
                    let next = schedule.next_after(at).unwrap();
                    assert_eq!(schedule.business_day(next), day, "{zone} {hour} {next}");
                    assert_eq!(schedule.due(at, next), Some(next), "{zone} {hour}");
                    let before = next - SignedDuration::from_secs(1);
                    assert_eq!(schedule.due(at, before), None, "{zone} {hour} {next}");
                    (at, day) = (next, Day(day.0 + 1));
                }
            }
        }
    }

    #[test]
    fn a_day_is_as_old_as_its_midnight_in_the_zone() {
        let schedule = Schedule::parse("30 4 * * *", "Asia/Seoul").unwrap();
        let day = "2026-03-05".parse().unwrap();
        // Midnight in Seoul.
        let end = moment("2026-03-05T15:00:00Z");
        for seconds in [-1, 0, 36 * 3_600] {
            let age = SignedDuration::from_secs(seconds);
            assert_eq!(schedule.age(day, end + age), age);
        }
    }

    proptest! {
        /// However many runs were missed, the newest alone is caught up with.
        #[test]
        fn what_is_due_is_the_newest_moment_before_now(
            hour in 0..24_u32, zone in prop_oneof![Just("UTC"), Just("Europe/London"), Just("Asia/Tokyo")],
            since in 1_700_000_000..1_800_000_000_i64, missed in 0..2_000_000_i64,
        ) {
            let schedule = Schedule::parse(&format!("15 {hour} * * *"), zone).unwrap();
            let since = Timestamp::from_second(since).unwrap();
            let now = since + SignedDuration::from_secs(missed);
            match schedule.due(since, now) {
                Some(due) => {
                    prop_assert!(since < due && due <= now);
                    prop_assert!(schedule.next_after(due).unwrap() > now);
                    // Caught up with, it is due no more.
                    prop_assert_eq!(schedule.due(due, now), None);
                }
                None => prop_assert!(schedule.next_after(since).unwrap() > now),
            }
        }
    }
}
