//! `GET /v1/customers/{pseudonym}`: what a customer paid in all stores together.

use std::collections::BTreeMap;

use nightshard_format::{
    payer,
    record::{CUSTOMERS, CustomerFigures, CustomerRecord},
    shard::Span,
    statistics::nearest_quotient,
};

use super::{Lookup, parameters::Parameters};
use crate::{
    json::Json,
    problem::{Problem, Result},
};

/// The time to find and write a customer, in nanoseconds.
const CUSTOMER_NS: u64 = 5_000;

/// Writes the customer of a key. One that the caller does not see is not looked for.
pub(super) fn write(key: &[u8], parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    parameters.finish()?;
    if !lookup.has_customers {
        return Err(Problem::not_found("this server does not hold customers").into());
    }
    let transactions = lookup.served.transactions()?;
    let generation = lookup.served.generation();
    let payer = payer::payer(generation.manifest());
    let payer = payer.ok_or_else(|| Problem::not_found("the generation has no customers"))?;
    let missing = || Problem::not_found("there is no such customer");
    if !lookup.caller.sees_customer(key) {
        return Err(missing().into());
    }
    lookup.work.spend(CUSTOMER_NS)?;
    let found = generation.get(CUSTOMERS, Span::Current, key)?;
    let value = found.ok_or_else(missing)?;
    let record = CustomerRecord::parse(value.in_place()?)?;
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("id").string(&String::from_utf8_lossy(key));
    json.key("payer").string(payer);
    json.members(&transactions.currency);
    write_figures(json, &record.figures);
    let attributes: BTreeMap<_, _> = record.attributes.into_iter().collect();
    json.key("attributes").value(&attributes);
    json.end_object();
    Ok(())
}

fn write_figures(json: &mut Json, figures: &CustomerFigures) {
    json.key("count").integer(figures.count);
    json.key("sum").integer(figures.sum);
    json.key("mean").float(figures.mean());
    json.key("min").integer(figures.min);
    json.key("max").integer(figures.max);
    json.key("first_date").display(figures.days.first);
    json.key("last_date").display(figures.days.last);
    json.key("foreign_count").optional_integer(figures.foreign);
    json.key("flagged_count").optional_integer(figures.flagged);
    let share = figures.flagged.map(u128::from);
    let share = share.and_then(|flagged| nearest_quotient(flagged, figures.count));
    json.key("flagged_share").float(share);
}
