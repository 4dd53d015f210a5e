//! The period that a request is about.

use nightshard_format::calendar::{DayRange, Period};

use super::parameters::Parameters;
use crate::{json::Json, problem::Problem, series::Window};

/// A period and its days in the data.
#[derive(Debug)]
pub(super) struct AskedPeriod {
    pub(super) period: Period,
    pub(super) window: Window,
    /// Whether the first and the last day of a range are those of the request, not of the data.
    given: [bool; 2],
}

impl AskedPeriod {
    /// Makes one of a period, over data that has the days `data`.
    pub(super) fn of(period: Period, data: DayRange) -> Self {
        Self {
            window: Window::new(period.days(), data),
            period,
            given: [true; 2],
        }
    }

    /// Takes `period`, or `min_date` and `max_date` instead; everything if none is given.
    ///
    /// # Errors
    /// A problem that names the parameter at fault.
    pub(super) fn take(parameters: &mut Parameters<'_>, data: DayRange) -> Result<Self, Problem> {
        let given = ["min_date", "max_date"].map(|name| parameters.peek(name).is_some());
        let asked = Self::of(parameters.take_period(data)?, data);
        Ok(Self { given, ..asked })
    }

    /// Takes a period of whole months, as [`AskedPeriod::take`] does.
    ///
    /// # Errors
    /// A problem that names the parameter at fault, and what is of whole months alone.
    pub(super) fn take_months(
        parameters: &mut Parameters<'_>,
        data: DayRange,
        what: &str,
    ) -> Result<Self, Problem> {
        let asked = Self::take(parameters, data)?;
        if !asked.window.cuts_months() {
            return Ok(asked);
        }
        let detail = format!("{what} of whole months: of one, a quarter, a year or all");
        Err(Problem::parameter(asked.parameter(), detail))
    }

    /// Returns the parameter at fault where it is not a period that something is told of.
    pub(super) fn parameter(&self) -> &'static str {
        match (self.period, self.given) {
            (Period::Range(_), [true, has_max]) => {
                match has_max && self.window.cuts_last_month_alone() {
                    true => "max_date",
                    false => "min_date",
                }
            }
            (Period::Range(_), [false, _]) => "max_date",
            _ => "period",
        }
    }

    /// Returns which period it is: of a range beyond the data only the end that was given.
    pub(super) fn label(&self) -> String {
        match (self.period, self.given) {
            (Period::Range(range), [true, false]) if self.window.shown().is_empty() => {
                format!("{}/..", range.first)
            }
            (Period::Range(range), [false, true]) if self.window.shown().is_empty() => {
                format!("../{}", range.last)
            }
            (period, _) => period.to_string(),
        }
    }

    /// Writes which period it is, and whether the data's ends cut it.
    pub(super) fn write(&self, json: &mut Json) {
        json.key("period").string(&self.label());
        if self.window.cuts(self.period) {
            json.key("partial").boolean(true);
        }
    }
}
