//! Who is a regular (docs/definitions.md, "Loyalty").

use crate::{Error, Result, calendar::Day, manifest::Manifest};

/// The entry of a manifest's configuration that says how many visits make a regular.
pub const REGULAR_VISITS_KEY: &str = "loyalty.regular_visits";
/// The entry of a manifest's configuration that says within how many days.
pub const REGULAR_DAYS_KEY: &str = "loyalty.regular_days";

/// A year: what is longer ago makes nobody a regular.
const DAYS_MAX: u32 = 366;

/// How many visits within how many days make a regular.
///
/// # Shape
/// At least 1 visit, and no more than the days, of which there are at most 366.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegularRule {
    visits: u32,
    days: u32,
}

impl Default for RegularRule {
    fn default() -> Self {
        Self {
            visits: 7,
            days: 90,
        }
    }
}

impl RegularRule {
    /// Makes a rule.
    ///
    /// # Errors
    /// [`Error::Invalid`] for numbers out of bounds.
    pub fn new(visits: u32, days: u32) -> Result<Self> {
        if !(1..=DAYS_MAX).contains(&days) {
            let problem = format!("{days} days are not 1 to {DAYS_MAX}");
            return Err(Error::invalid("rule of regulars", problem));
        }
        if !(1..=days).contains(&visits) {
            let problem = format!("{visits} visits are not 1 to the {days} days");
            return Err(Error::invalid("rule of regulars", problem));
        }
        Ok(Self { visits, days })
    }

    /// Returns the rule of a generation.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if its configuration has no such rule.
    pub fn of(manifest: &Manifest) -> Result<Self> {
        let default = Self::default();
        let number = |key, default| match manifest.configuration.get(key) {
            None => Some(default),
            Some(number) => number.as_u64().and_then(|it| u32::try_from(it).ok()),
        };
        let numbers =
            number(REGULAR_VISITS_KEY, default.visits).zip(number(REGULAR_DAYS_KEY, default.days));
        let rule = numbers.and_then(|(visits, days)| Self::new(visits, days).ok());
        rule.ok_or_else(|| Error::corrupt("manifest", "its rule of regulars is none"))
    }

    /// Returns how many visits make a regular.
    #[must_use]
    pub fn visits(self) -> u32 {
        self.visits
    }

    /// Returns within how many days.
    #[must_use]
    pub fn days(self) -> u32 {
        self.days
    }

    /// Returns until which day a card stays regular that had so many visits, the first of them on a day,
    /// if it does not come again.
    #[must_use]
    pub fn until(self, first_visit: Day) -> Day {
        Day(first_visit.0.saturating_add_unsigned(self.days - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_stays_one_until_its_first_visit_is_too_long_ago() {
        let rule = RegularRule::default();
        assert_eq!((rule.visits(), rule.days()), (7, 90));
        // Day 100 is the last of the 90 days that begin with day 11.
        assert_eq!(rule.until(Day(11)), Day(100));
        let one_day = RegularRule::new(1, 1).unwrap();
        assert_eq!(one_day.until(Day(11)), Day(11));
    }

    #[test]
    fn rules_that_nobody_can_meet_are_refused() {
        for (visits, days) in [(0, 90), (91, 90), (1, 0), (7, 367)] {
            assert!(RegularRule::new(visits, days).is_err(), "{visits} {days}");
        }
        assert!(RegularRule::new(366, 366).is_ok());
    }
}
