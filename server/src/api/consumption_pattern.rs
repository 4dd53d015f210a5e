//! `GET /v1/stores/{id}/consumption_pattern`: rows by weekday and hour.

use nightshard_format::record::HALF_HOURS;

use super::{Lookup, asked_period::AskedPeriod, parameters::Parameters, places::write_id};
use crate::{
    json::Json,
    pattern::{HourOfWeekday, Pattern},
    problem::Result,
    rows::Rows,
    series::Series,
};

/// The time to add up and write a pattern, in nanoseconds.
const ANSWER_NS: u64 = 40_000;

/// What a request for a pattern asks.
#[derive(Debug)]
pub(super) struct Query {
    asked: AskedPeriod,
    fills: bool,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let days = lookup.served.transactions()?.days;
        let asked = AskedPeriod::take(parameters, days)?;
        Ok(Self {
            asked,
            fills: parameters.take_fill()?,
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let pattern = series.pattern(&self.asked.window, lookup.work)?;
        lookup.work.spend(ANSWER_NS)?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        self.asked.write(json);
        json.members(&transactions.currency);
        json.key("count").integer(pattern.all.count);
        json.key("sum").integer(pattern.all.sum);
        json.key("unknown_time").begin_object();
        write_rows(json, pattern.unknown());
        json.end_object();
        let ends = pattern.peak_and_valley();
        for (name, position) in [("peak", 0), ("valley", 1)] {
            json.key(name);
            match ends {
                None => json.null(),
                Some(ends) => write_hour(json, ends[position]),
            }
        }
        self.write_tables(json, &pattern);
        json.end_object();
        Ok(())
    }

    fn write_tables(&self, json: &mut Json, pattern: &Pattern) {
        let is_shown = |rows: Rows| self.fills || rows.count > 0;
        json.key("rows").begin_array();
        let hours = pattern.hours_of_weekdays();
        hours
            .filter(|hour| is_shown(hour.rows))
            .for_each(|hour| write_hour(json, hour));
        json.end_array();
        json.key("half_hours").begin_array();
        for (half_hour, rows) in (0..HALF_HOURS).zip(pattern.half_hours()) {
            if is_shown(rows) {
                json.begin_object();
                let (hour, minute) = (half_hour / 2, half_hour % 2 * 30);
                json.key("from").string(&format!("{hour:02}:{minute:02}"));
                write_rows(json, rows);
                json.end_object();
            }
        }
        json.end_array();
        json.key("weekdays").begin_array();
        for (weekday, rows) in (1_u64..).zip(pattern.weekdays()) {
            if is_shown(rows) {
                json.begin_object();
                json.key("weekday").integer(weekday);
                write_rows(json, rows);
                json.end_object();
            }
        }
        json.end_array();
    }
}

fn write_hour(json: &mut Json, hour: HourOfWeekday) {
    json.begin_object();
    json.key("weekday").integer(hour.weekday as u64);
    json.key("hour").integer(hour.hour as u64);
    write_rows(json, hour.rows);
    json.end_object();
}

fn write_rows(json: &mut Json, rows: Rows) {
    json.key("count").integer(rows.count);
    json.key("sum").integer(rows.sum);
    json.key("mean").float(rows.mean());
}
