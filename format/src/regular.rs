//! Who is a regular (docs/definitions.md, "Loyalty").

use crate::{Error, Result, calendar::Day, manifest::Manifest, rule::RuleError};

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
    /// [`RuleError`] for numbers out of bounds.
    pub fn new(visits: u32, days: u32) -> Result<Self, RuleError> {
        RuleError::check(REGULAR_DAYS_KEY, days, 1..=DAYS_MAX)?;
        RuleError::check(REGULAR_VISITS_KEY, visits, 1..=days)?;
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
        for (visits, days, problem) in [
            (0, 90, "loyalty.regular_visits: 0 is not from 1 to 90"),
            (91, 90, "loyalty.regular_visits: 91 is not from 1 to 90"),
            (1, 0, "loyalty.regular_days: 0 is not from 1 to 366"),
            (7, 367, "loyalty.regular_days: 367 is not from 1 to 366"),
        ] {
            let error = RegularRule::new(visits, days).unwrap_err();
            assert_eq!(error.to_string(), problem);
        }
        assert!(RegularRule::new(366, 366).is_ok());
    }
}
