//! The period that a request is about.

use nightshard_format::calendar::{DayRange, Period};

use super::parameters::Parameters;
use crate::{json::Json, problem::Problem, series::Window};

/// A period and its days in the data.
#[derive(Debug)]
pub(super) struct AskedPeriod {
    pub(super) period: Period,
    pub(super) window: Window,
}

impl AskedPeriod {
    /// Makes one of a period, over data that has the days `data`.
    pub(super) fn of(period: Period, data: DayRange) -> Self {
        Self {
            window: Window::new(period.days(), data),
            period,
        }
    }

    /// Takes `period`, or `min_date` and `max_date` instead; everything if none is given.
    ///
    /// # Errors
    /// A problem that names the parameter at fault.
    pub(super) fn take(parameters: &mut Parameters<'_>, data: DayRange) -> Result<Self, Problem> {
        Ok(Self::of(parameters.take_period(data)?, data))
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
        let name = match asked.period {
            Period::Range(_) => "min_date",
            _ => "period",
        };
        let detail = format!("{what} of whole months: of one, a quarter, a year or all");
        Err(Problem::parameter(name, detail))
    }

    /// Writes which period it is, and whether the data's ends cut it.
    pub(super) fn write(&self, json: &mut Json) {
        json.key("period").display(self.period);
        if self.window.cuts(self.period) {
            json.key("partial").boolean(true);
        }
    }
}
