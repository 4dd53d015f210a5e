//! After how many days cards are absent, back again or new (docs/definitions.md, "Loyalty").

use serde_json::Value;

use crate::{Error, Result, manifest::Manifest, rule::RuleError};

/// The entry of a manifest's configuration that says after how many days a card is absent.
pub const ABSENCE_DAYS_KEY: &str = "loyalty.absence_days";
/// The entry of a manifest's configuration that says within how many days cards come again.
pub const REPEAT_DAYS_KEY: &str = "loyalty.repeat_days";
/// The entry of a manifest's configuration that says in how many first days nobody is known to be new.
pub const FIRST_DAYS_KEY: &str = "loyalty.first_days";

/// The most days that any of the rules takes: ten years.
pub const DAYS_MAX: u32 = 3_650;

/// The most numbers of days within which cards come again.
pub const REPEATS_MAX: usize = 8;

/// After how many days a card is absent, within how many it comes again, and in how many first days of the data it is
/// not known whether it was there before.
///
/// # Shape
/// 1 to [`DAYS_MAX`] days each, at most [`REPEATS_MAX`] of the second, ascending; of the first days there may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnRule {
    absence_days: u32,
    repeat_days: Vec<u32>,
    first_days: u32,
}

impl Default for ReturnRule {
    fn default() -> Self {
        Self {
            absence_days: 45,
            repeat_days: vec![30, 90, 365],
            first_days: 90,
        }
    }
}

impl ReturnRule {
    /// Makes a rule.
    ///
    /// # Errors
    /// [`RuleError`] for numbers out of bounds, and for numbers of days that do not ascend.
    pub fn new(
        absence_days: u32,
        repeat_days: Vec<u32>,
        first_days: u32,
    ) -> Result<Self, RuleError> {
        RuleError::check(ABSENCE_DAYS_KEY, absence_days, 1..=DAYS_MAX)?;
        RuleError::check(FIRST_DAYS_KEY, first_days, 0..=DAYS_MAX)?;
        for days in &repeat_days {
            RuleError::check(REPEAT_DAYS_KEY, *days, 1..=DAYS_MAX)?;
        }
        if repeat_days.len() > REPEATS_MAX {
            let problem = format!("{} numbers are more than {REPEATS_MAX}", repeat_days.len());
            return Err(RuleError::new(REPEAT_DAYS_KEY, problem));
        }
        if let Some([days, next]) = repeat_days.array_windows().find(|[a, b]| a >= b) {
            let problem = format!("{next} stands behind {days}: the numbers ascend");
            return Err(RuleError::new(REPEAT_DAYS_KEY, problem));
        }
        Ok(Self {
            absence_days,
            repeat_days,
            first_days,
        })
    }

    /// Returns the rule of a generation; one that was built before there were others has the default.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if its configuration has no such rule.
    pub fn of(manifest: &Manifest) -> Result<Self> {
        let default = Self::default();
        let days = |value: &Value| value.as_u64().and_then(|it| u32::try_from(it).ok());
        let number = |key, default| match manifest.configuration.get(key) {
            None => Some(default),
            Some(value) => days(value),
        };
        let numbers = |key, default| match manifest.configuration.get(key) {
            None => Some(default),
            Some(value) => value.as_array()?.iter().map(days).collect(),
        };
        let rule = || {
            let absence_days = number(ABSENCE_DAYS_KEY, default.absence_days)?;
            let repeat_days = numbers(REPEAT_DAYS_KEY, default.repeat_days)?;
            let first_days = number(FIRST_DAYS_KEY, default.first_days)?;
            Self::new(absence_days, repeat_days, first_days).ok()
        };
        rule().ok_or_else(|| Error::corrupt("manifest", "its rule of who comes back is none"))
    }

    /// Returns the entries of a manifest's configuration that say it.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, Value); 3] {
        [
            (ABSENCE_DAYS_KEY, self.absence_days.into()),
            (REPEAT_DAYS_KEY, self.repeat_days.as_slice().into()),
            (FIRST_DAYS_KEY, self.first_days.into()),
        ]
    }

    /// Returns after how many days without a visit a card is absent.
    #[must_use]
    pub fn absence_days(&self) -> u32 {
        self.absence_days
    }

    /// Returns within how many days of their first visit cards come again, or not.
    #[must_use]
    pub fn repeat_days(&self) -> &[u32] {
        &self.repeat_days
    }

    /// Returns in how many days from the first of the data on a first visit need not be the first one ever.
    #[must_use]
    pub fn first_days(&self) -> u32 {
        self.first_days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_days_ascend_within_bounds() {
        for (absence, repeat, first, problem) in [
            (
                0,
                vec![],
                0,
                "loyalty.absence_days: 0 is not from 1 to 3650",
            ),
            (
                3_651,
                vec![],
                0,
                "loyalty.absence_days: 3651 is not from 1 to 3650",
            ),
            (
                1,
                vec![],
                3_651,
                "loyalty.first_days: 3651 is not from 0 to 3650",
            ),
            (
                1,
                vec![0],
                0,
                "loyalty.repeat_days: 0 is not from 1 to 3650",
            ),
            (
                1,
                vec![30, 30],
                0,
                "loyalty.repeat_days: 30 stands behind 30: the numbers ascend",
            ),
            (
                1,
                vec![30, 90, 7],
                0,
                "loyalty.repeat_days: 7 stands behind 90: the numbers ascend",
            ),
            (
                1,
                (1..=9).collect(),
                0,
                "loyalty.repeat_days: 9 numbers are more than 8",
            ),
        ] {
            let error = ReturnRule::new(absence, repeat, first).unwrap_err();
            assert_eq!(error.to_string(), problem);
        }
        let rule = ReturnRule::new(3_650, (1..=8).collect(), 3_650).unwrap();
        assert_eq!(rule.absence_days(), 3_650);
        assert_eq!(rule.repeat_days(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(rule.first_days(), 3_650);
        let none = ReturnRule::new(1, vec![], 0).unwrap();
        assert!(none.repeat_days().is_empty());
        let default = ReturnRule::new(45, vec![30, 90, 365], 90).unwrap();
        assert_eq!(default, ReturnRule::default());
    }
}
