//! `GET /v1/stores/{id}/comparison`: a period beside an earlier one.

use super::{Lookup, asked_period::AskedPeriod, parameters::Parameters, places::write_id};
use crate::{
    comparison::{Drivers, Earlier, Side, drivers, growth},
    json::Json,
    problem::{Problem, Result},
    series::Series,
    work::Work,
};

/// The words of `with`.
const EARLIER: [(&str, Earlier); 2] = [("previous", Earlier::Previous), ("year", Earlier::Year)];

/// What a request for a comparison asks.
#[derive(Debug)]
pub(super) struct Query {
    with: Earlier,
    now: AskedPeriod,
    before: AskedPeriod,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let days = lookup.served.transactions()?.days;
        let with = parameters.take_word("with", &EARLIER)?;
        let with = with.unwrap_or(Earlier::Previous);
        let period = parameters.take_period(days)?;
        let earlier = with.of(period).ok_or_else(|| {
            let detail = "give a period, or min_date and max_date, that something came before";
            Problem::parameter("period", detail)
        })?;
        Ok(Self {
            with,
            now: AskedPeriod::of(period, days),
            before: AskedPeriod::of(earlier, days),
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let now = read(&self.now, series, lookup.work)?;
        let before = read(&self.before, series, lookup.work)?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series);
        let name = EARLIER.iter().find(|(_, with)| *with == self.with);
        json.key("with")
            .optional_string(name.map(|(name, _)| *name));
        json.members(&transactions.currency);
        json.key("now");
        write_side(json, &self.now, &now);
        json.key("before");
        write_side(json, &self.before, &before);
        json.key("growth").float(growth(&now, &before));
        json.key("drivers");
        match drivers(&now, &before) {
            None => json.null(),
            Some(parts) => write_drivers(json, parts),
        }
        json.end_object();
        Ok(())
    }
}

/// Reads what one of the two periods has.
fn read(asked: &AskedPeriod, series: &Series<'_>, work: &mut Work) -> Result<Side> {
    let buyers = series.sales(&asked.window, work)?.buyers;
    let days = series.sales_by_day(&asked.window, work)?;
    Ok(Side::new(asked.window.shown(), &days, buyers))
}

fn write_side(json: &mut Json, asked: &AskedPeriod, side: &Side) {
    let sales = &side.sales;
    json.begin_object();
    asked.write(json);
    json.key("sum").integer(side.net());
    json.key("sales_count").integer(sales.count);
    json.key("sales_sum")
        .integer(i128::try_from(sales.sum).unwrap_or(i128::MAX));
    json.key("cards").integer(sales.buyers);
    json.key("visits").integer(side.visits);
    json.end_object();
}

fn write_drivers(json: &mut Json, parts: Drivers) {
    json.begin_object();
    json.key("cards").float(Some(parts.cards));
    json.key("visits_per_card")
        .float(Some(parts.visits_per_card));
    json.key("ticket").float(Some(parts.ticket));
    json.end_object();
}
