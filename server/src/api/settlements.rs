//! `GET /v1/stores/{id}/settlements`: when rows settle, and what is paid out then.

use nightshard_format::{
    calendar::DayRange,
    record::{Settled, Stated},
};

use super::{
    Lookup, check_length,
    parameters::{Dates, Parameters},
    places::write_id,
};
use crate::{json::Json, problem::Result, series::Series, settlements::Calendar};

/// What a request for settlements asks.
#[derive(Debug)]
pub(super) struct Query {
    dates: Dates,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let data = lookup.served.transactions()?.days;
        let dates = parameters.take_dates(data)?;
        Ok(Self { dates })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let calendar = Calendar::of(series, |known| self.range(known), lookup.work)?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        write_range(json, calendar.range);
        json.members(&transactions.currency);
        write_settled(json, &calendar.total);
        json.key("undated").begin_object();
        json.key("count").integer(calendar.undated.count);
        json.key("sum").integer(calendar.undated.sum);
        json.end_object();
        json.key("rows").begin_array();
        for (day, settled) in &calendar.days {
            check_length(json)?;
            json.begin_object();
            json.key("settles_on").display(day);
            write_settled(json, settled);
            json.end_object();
        }
        json.end_array();
        json.end_object();
        Ok(())
    }

    /// Returns the days asked for, the ends of those `known` standing for what is not given.
    fn range(&self, known: Option<DayRange>) -> Option<DayRange> {
        match known {
            Some(known) => self.dates.range(known).or(Some(known)),
            None => self.dates.both(),
        }
    }
}

fn write_range(json: &mut Json, range: Option<DayRange>) {
    match range {
        Some(DayRange { first, last }) => {
            json.key("min_date").display(first);
            json.key("max_date").display(last);
        }
        None => {
            json.key("min_date").null();
            json.key("max_date").null();
        }
    }
}

/// Writes rows, and what they say of fees and deposits, each null where none says it.
fn write_settled(json: &mut Json, settled: &Settled) {
    json.key("count").integer(settled.rows.count);
    json.key("sum").integer(settled.rows.sum);
    json.key("fee_count").integer(settled.fees.count);
    json.key("fees").optional_integer(sum_of(settled.fees));
    json.key("deposit_count").integer(settled.deposits.count);
    json.key("deposits")
        .optional_integer(sum_of(settled.deposits));
}

fn sum_of(stated: Stated) -> Option<i128> {
    (stated.count > 0).then_some(stated.sum)
}
