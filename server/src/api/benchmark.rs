//! `GET /v1/stores/{id}/benchmark`: a store beside the others of its region and category, and its share of what its
//! cards spend in all of them.

use nightshard_format::{
    calendar::{Month, Period},
    record::{Standing, benchmark_month},
};

use super::{
    Lookup,
    asked_period::AskedPeriod,
    parameters::Parameters,
    places::write_id,
    protected::{write_covered, write_suppressed},
};
use crate::{
    json::Json,
    problem::{Problem, Result},
    series::{Compared, Series},
    spend_share::Spend,
};

/// The members that are hidden together.
const FIGURES: [&str; 4] = ["others", "net_sales", "sales_count", "ticket"];

/// The member that is hidden by itself.
const SPEND_SHARE: &str = "spend_share";

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
        let period: Option<Period> = parameters.take_days("period", days)?;
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
        let window = &self.asked.window;
        let spend = match compared {
            Compared::Not(_reason) => Spend::Nothing,
            _ => Spend::of(series, window, transactions.privacy, lookup.work)?,
        };
        let profile = &series.summary().profile;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        self.asked.write(json);
        json.key("region")
            .optional_string(profile.region.as_deref());
        json.key("category")
            .optional_string(profile.category.as_deref());
        write_figures(json, compared);
        write_spend(json.key(SPEND_SHARE), spend);
        write_missing(json, compared, spend);
        json.end_object();
        Ok(())
    }
}

fn write_figures(json: &mut Json, compared: Compared) {
    let Compared::Told(benchmark) = compared else {
        return FIGURES.iter().for_each(|name| json.key(name).null());
    };
    json.key("others").integer(benchmark.others);
    for (name, standing) in benchmark.standings() {
        write_standing(json.key(name), standing, benchmark.others);
    }
}

fn write_spend(json: &mut Json, spend: Spend) {
    let Spend::Told { covered, share } = spend else {
        return json.null();
    };
    json.begin_object();
    json.key("share").float(share);
    write_covered(json, Some(covered));
    json.end_object();
}

/// Writes why members are null.
fn write_missing(json: &mut Json, compared: Compared, spend: Spend) {
    if let Compared::Not(reason) = compared {
        return json.key("reason").string(reason);
    }
    let [a, b, c, d] = FIGURES.map(|name| (name, compared == Compared::Hidden));
    write_suppressed(json, &[a, b, c, d, (SPEND_SHARE, spend == Spend::Hidden)]);
}

fn write_standing(json: &mut Json, standing: Standing, others: u64) {
    json.begin_object();
    match standing {
        Standing::Rounded { index, percentile } => {
            json.key("index").optional_integer(index);
            json.key("percentile").integer(percentile);
        }
        Standing::Exact { .. } => {
            json.key("index").float(standing.index());
            json.key("percentile").float(standing.percentile(others));
        }
    }
    json.end_object();
}
