//! The calendar of a store's settlements, and what its months say of points, fees and deposits
//! (docs/definitions.md, "Settlements").

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, DayRange},
    record::{Settled, SettlementSummary, SettlementTotals, Stated},
};

use crate::{
    problem::Result,
    series::{Series, Window},
    work::Work,
};

/// The time to read a month, in nanoseconds.
const MONTH_NS: u64 = 1_500;

/// The time to read, add up and write a day of a month, in nanoseconds.
const DAY_NS: u64 = 400;

/// What rows of some months say beside their amounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SaidBeside {
    /// Points that were used.
    pub(crate) points: Stated,
    /// What was kept.
    pub(crate) fees: Stated,
    /// What is paid out.
    pub(crate) deposits: Stated,
}

impl SaidBeside {
    /// Adds up the months of a window that cuts none.
    pub(crate) fn of(series: &Series<'_>, window: &Window, work: &mut Work) -> Result<Self> {
        let mut said = Self::default();
        let Some(summary) = series.settlement_summary()? else {
            return Ok(said);
        };
        for totals in window.touched_of(&summary.months, |it| it.month) {
            let month = series.settlements(totals.month)?;
            work.spend(MONTH_NS + month.days.len() as u64 * DAY_NS)?;
            let all = month.total();
            said.points.add(month.points);
            said.fees.add(all.fees);
            said.deposits.add(all.deposits);
        }
        Ok(said)
    }
}

/// The rows of a store by the day on which they settle.
#[derive(Debug, Default)]
pub(crate) struct Calendar {
    /// The days of the answer; none if the store has no day of settlement, and not both ends were asked for.
    pub(crate) range: Option<DayRange>,
    /// Those of them on which some rows settle, ascending.
    pub(crate) days: BTreeMap<Day, Settled>,
    /// All rows that settle on one of them.
    pub(crate) total: Settled,
    /// The rows of the store that do not say when they settle.
    pub(crate) undated: Stated,
}

impl Calendar {
    /// Reads the months of which rows settle in the range that `range_in` returns, given the first and the last day of
    /// settlement that the store has.
    pub(crate) fn of(
        series: &Series<'_>,
        range_in: impl FnOnce(Option<DayRange>) -> Option<DayRange>,
        work: &mut Work,
    ) -> Result<Self> {
        let summary = series.settlement_summary()?.unwrap_or_default();
        let mut calendar = Self {
            range: range_in(summary.days()),
            undated: undated(series, &summary),
            ..Self::default()
        };
        let Some(range) = calendar.range else {
            return Ok(calendar);
        };
        for totals in summary.months.iter().filter(|it| touches(it, range)) {
            let month = series.settlements(totals.month)?;
            work.spend(MONTH_NS + month.days.len() as u64 * DAY_NS)?;
            for (day, settled) in month.days {
                if range.contains(day) {
                    calendar.days.entry(day).or_default().add(settled);
                    calendar.total.add(settled);
                }
            }
        }
        Ok(calendar)
    }
}

/// Returns whether rows of a month may settle in a range.
fn touches(totals: &SettlementTotals, range: DayRange) -> bool {
    let days = totals.dated.map(|dated| dated.days);
    days.is_some_and(|days| !days.intersection(range).is_empty())
}

/// Returns the rows of the store that do not say when they settle, of months in which none does, too.
fn undated(series: &Series<'_>, summary: &SettlementSummary) -> Stated {
    let all = series.summary().statistics();
    let dated = summary.dated();
    Stated {
        count: all.count.saturating_sub(dated.count),
        sum: all.sum.saturating_sub(dated.sum),
    }
}
