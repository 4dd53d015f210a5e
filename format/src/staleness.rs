//! Whether a side series is too old (docs/definitions.md, "Sales by day").

use crate::{Error, Result, calendar::Day, manifest::Manifest};

/// The entry of a manifest's configuration that says after how many days a side series is stale.
pub const STALE_AFTER_DAYS_KEY: &str = "series.stale_after_days";

/// After so many days a side series is stale unless configuration says otherwise.
pub const STALE_AFTER_DAYS_DEFAULT: u32 = 7;

/// By when side series should have a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness {
    as_of: Day,
    after_days: u32,
}

impl Staleness {
    /// Makes a rule: as of a day, what ends so many days before it, or more, is stale; 0: nothing is.
    #[must_use]
    pub fn new(as_of: Day, after_days: u32) -> Self {
        Self { as_of, after_days }
    }

    /// Returns the rule of a generation.
    ///
    /// # Errors
    /// [`Error::Label`] if its last business day is none, [`Error::Corrupt`] if its configuration
    /// says no number of days.
    pub fn of(manifest: &Manifest) -> Result<Self> {
        let wrong = || {
            Error::corrupt(
                "manifest",
                format!("its {STALE_AFTER_DAYS_KEY} is no number"),
            )
        };
        let after_days = match manifest.configuration.get(STALE_AFTER_DAYS_KEY) {
            None => STALE_AFTER_DAYS_DEFAULT,
            Some(days) => {
                let days = days.as_u64().and_then(|days| u32::try_from(days).ok());
                days.ok_or_else(wrong)?
            }
        };
        Ok(Self::new(manifest.as_of.parse()?, after_days))
    }

    /// Returns how many days the last value lies before the last business day; 0 if it does not.
    #[must_use]
    pub fn days_behind(self, last: Day) -> u32 {
        u32::try_from(i64::from(self.as_of.0) - i64::from(last.0)).unwrap_or(0)
    }

    /// Returns whether a series whose last value is of `last` is stale.
    #[must_use]
    pub fn is_stale(self, last: Day) -> bool {
        self.after_days > 0 && self.days_behind(last) >= self.after_days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_stale_from_so_many_days_before_the_last_on() {
        let rule = Staleness::new(Day(100), 7);
        for (last, behind, is_stale) in [
            (100, 0, false),
            (200, 0, false),
            (94, 6, false),
            (93, 7, true),
            (-5, 105, true),
        ] {
            assert_eq!(rule.days_behind(Day(last)), behind);
            assert_eq!(rule.is_stale(Day(last)), is_stale, "{last}");
        }
        assert!(!Staleness::new(Day(100), 0).is_stale(Day(0)));
        assert!(Staleness::new(Day(100), 1).is_stale(Day(99)));
    }
}
