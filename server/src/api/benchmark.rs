//! `GET /v1/stores/{id}/benchmark`: a store beside the others of its region and category.

use nightshard_format::{
    calendar::{Month, Period},
    record::{Standing, benchmark_month},
};

use super::{Lookup, asked_period::AskedPeriod, parameters::Parameters, places::write_id};
use crate::{
    json::Json,
    problem::{Problem, Result},
    series::{Compared, Series},
};

/// The members that are hidden together.
const FIGURES: [&str; 4] = ["others", "net_sales", "sales_count", "ticket"];

/// The time to read a record, in nanoseconds.
const RECORD_NS: u64 = 2_500;

/// What a request for a benchmark asks.
#[derive(Debug)]
pub(super) struct Query {
    asked: AskedPeriod,
}

impl Query {
    /// Takes the parameter.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let days = lookup.served.transactions()?.days;
        let period: Option<Period> = parameters.take_parsed("period")?;
        let period = period.filter(|period| benchmark_month(*period).is_some());
        let period = period.ok_or_else(|| {
            let detail = "a benchmark is of a month, a quarter or a year: give one";
            Problem::parameter("period", detail)
        })?;
        Ok(Self {
            asked: AskedPeriod::of(period, days),
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        lookup.work.spend(RECORD_NS)?;
        let ended = Month::last_ended(transactions.last_row);
        let compared = series.benchmark(self.asked.period, ended)?;
        let profile = &series.summary().profile;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        self.asked.write(json);
        json.key("region")
            .optional_string(profile.region.as_deref());
        json.key("category")
            .optional_string(profile.category.as_deref());
        write_compared(json, compared);
        json.end_object();
        Ok(())
    }
}

fn write_compared(json: &mut Json, compared: Compared) {
    if let Compared::Told(benchmark) = compared {
        json.key("others").integer(benchmark.others);
        for (name, standing) in benchmark.standings() {
            write_standing(json.key(name), standing);
        }
        return;
    }
    FIGURES.iter().for_each(|name| json.key(name).null());
    match compared {
        Compared::Not(reason) => json.key("reason").string(reason),
        _ => {
            json.key("suppressed").begin_array();
            FIGURES.iter().for_each(|name| json.string(name));
            json.end_array();
        }
    }
}

fn write_standing(json: &mut Json, standing: Standing) {
    json.begin_object();
    json.key("index");
    match standing.index {
        None => json.null(),
        Some(index) => json.integer(index),
    }
    json.key("percentile").integer(standing.percentile);
    json.end_object();
}
