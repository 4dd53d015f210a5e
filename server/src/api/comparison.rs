//! `GET /v1/stores/{id}/comparison`: a period beside an earlier one.

use super::{
    Lookup,
    asked_period::AskedPeriod,
    parameters::Parameters,
    places::write_id,
    protected::{write_covered, write_suppressed, write_totals},
};
use crate::{
    comparison::{Drivers, Earlier, Side, drivers, growth, growth_by_day},
    json::Json,
    problem::{Problem, Result},
    protected::{Protected, Told},
    series::Series,
    subject::Subject,
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
        let now = read(&self.now, series, lookup.work)?;
        let before = read(&self.before, series, lookup.work)?;
        self.begin(lookup, series.subject())?;
        let json = &mut *lookup.json;
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

    /// Writes the answer of what is protected.
    pub(super) fn write_protected(
        &self,
        lookup: &mut Lookup<'_>,
        protected: &Protected<'_>,
    ) -> Result<()> {
        let now = protected.total(&self.now.window, lookup.work)?;
        let before = protected.total(&self.before.window, lookup.work)?;
        let growth = self.growth_of_whole(&now, &before);
        self.begin(lookup, protected.subject())?;
        let json = &mut *lookup.json;
        json.key("now");
        write_told(json, &self.now, &now);
        json.key("before");
        write_told(json, &self.before, &before);
        json.key("growth").float(growth);
        json.key("drivers").null();
        write_suppressed(json, &[("growth", growth.is_none()), ("drivers", true)]);
        json.end_object();
        Ok(())
    }

    /// Returns the growth of what is told, of whole months: of other days, an atom that has more days
    /// would be missed in one period and not in the other.
    fn growth_of_whole(&self, now: &Told, before: &Told) -> Option<f64> {
        let is_whole =
            |asked: &AskedPeriod| !asked.window.cuts(asked.period) && !asked.window.cuts_months();
        let are_told = now.covered.is_some() && before.covered.is_some();
        if !are_told || !is_whole(&self.now) || !is_whole(&self.before) {
            return None;
        }
        let days = |asked: &AskedPeriod| asked.window.shown().iter().count();
        growth_by_day((now.sum, days(&self.now)), (before.sum, days(&self.before)))
    }

    fn begin(&self, lookup: &mut Lookup<'_>, subject: Subject<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, subject);
        let name = EARLIER.iter().find(|(_, with)| *with == self.with);
        json.key("with")
            .optional_string(name.map(|(name, _)| *name));
        json.members(&transactions.currency);
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

/// Writes a side of what is protected; its cards are those of statistics.
fn write_told(json: &mut Json, asked: &AskedPeriod, told: &Told) {
    let is_untold = told.covered.is_none();
    json.begin_object();
    asked.write(json);
    write_covered(json, told.covered);
    write_totals(json, told);
    json.key("mean").float(told.mean());
    json.key("sales_count").null();
    json.key("sales_sum").null();
    json.key("cards").optional_integer(told.cards);
    json.key("visits").null();
    write_suppressed(
        json,
        &[
            ("count", is_untold),
            ("sum", is_untold),
            ("mean", is_untold),
            ("sales_count", true),
            ("sales_sum", true),
            ("cards", told.cards.is_none()),
            ("visits", true),
        ],
    );
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
