//! `GET /v1/stores/{id}/sales_by_day`: sales beside a side series.

use super::{Lookup, check_length, parameters::Parameters, places::write_id};
use crate::{
    joined::{Correlation, JoinedDay, join},
    json::Json,
    problem::{Problem, Result},
    series::{Series, Window},
    side_series::{SeriesHead, values_in},
};

/// The time to read a value, and to write a row, in nanoseconds.
const VALUE_NS: u64 = 10;
const ROW_NS: u64 = 300;

/// What a request for sales beside a series asks.
#[derive(Debug)]
pub(super) struct Query<'g> {
    beside: &'g SeriesHead,
    window: Window,
}

impl<'g> Query<'g> {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'g>) -> Result<Self> {
        let transactions = lookup.served.transactions()?;
        let name = parameters.take("series").ok_or_else(|| {
            let detail = "name a side series, one of those that /v1/series lists";
            Problem::parameter("series", detail)
        })?;
        let days = transactions.days;
        let asked = parameters.take_dates(days)?.range(days);
        let position = transactions
            .series
            .binary_search_by(|head| (*head.name).cmp(&*name));
        let position = position.map_err(|_absent| {
            let mut problem = Problem::not_found("there is no such side series");
            problem.parameter = Some("series".to_owned());
            problem
        })?;
        Ok(Self {
            beside: &transactions.series[position],
            window: Window::new(asked, days),
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let SeriesHead { name, values, .. } = self.beside;
        let totals = series.totals_by_day(&self.window, lookup.work)?;
        lookup.work.spend(*values as u64 * VALUE_NS)?;
        let values = values_in(lookup.served.generation(), name, self.window.shown())?;
        let joined = join(&totals, &values);
        lookup.work.spend(joined.len() as u64 * ROW_NS)?;
        let correlation = Correlation::of(&joined);
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        json.key("series").string(name);
        json.key("stale").boolean(self.beside.is_stale);
        json.members(&transactions.currency);
        json.key("days").integer(correlation.days as u64);
        json.key("correlation").float(correlation.coefficient);
        json.key("rows").begin_array();
        for day in &joined {
            write_day(json, day);
            check_length(json)?;
        }
        json.end_array();
        json.end_object();
        Ok(())
    }
}

fn write_day(json: &mut Json, day: &JoinedDay) {
    json.begin_object();
    json.before(b"\"date\":").display(day.day);
    match &day.totals {
        Some(totals) => {
            json.before(b",\"sum\":").integer(totals.sum);
            json.before(b",\"count\":").integer(totals.count);
        }
        None => json.before(b",\"sum\":null,\"count\":").null(),
    }
    json.before(b",\"value\":").float(day.value);
    json.end_object();
}
