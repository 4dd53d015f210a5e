//! `GET /v1/stores/{id}`: who a store is, and `GET /v1/stores`: the stores in order of size or growth.

use nightshard_format::record::{REGIONS, STORES, Summary, TILES};

use super::{
    Lookup,
    filter::{Filter, missing_store},
    listed::Listed,
    order::Order,
    parameters::Parameters,
    regions::write_parent,
    route::Part,
    shape::{Geometry, Shape},
    tiles::write_bounds,
};
use crate::{json::Json, problem::Result, series::Series};

/// The time to read and write a store of a list, in nanoseconds.
const STORE_NS: u64 = 2_500;

/// Tenths of millionths of a degree in a degree.
const LOCATION_UNITS: f64 = 1e7;

/// Writes who a store, market or place is.
pub(super) fn write_profile(lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
    let transactions = lookup.served.transactions()?;
    let summary = series.summary();
    let profile = &summary.profile;
    let totals = summary.statistics();
    let id = series.subject().id();
    let is_region = series.subject().dataset == REGIONS;
    let tree = Some(&transactions.regions).filter(|tree| is_region && !tree.is_empty());
    let (name, location) = match tree.and_then(|tree| tree.get(id)) {
        Some(region) => (region.name.as_deref(), region.location),
        None => (profile.name.as_deref(), profile.location),
    };
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("id").bytes(id);
    json.key("name").optional_string(name);
    json.key("merchant_id")
        .optional_string(profile.merchant_id.as_deref());
    json.key("category")
        .optional_string(profile.category.as_deref());
    json.key("region")
        .optional_string(profile.region.as_deref());
    write_location(json, location);
    if let Some(tree) = tree {
        write_parent(json, tree.get(id));
    }
    if series.subject().dataset == TILES {
        write_bounds(json, &String::from_utf8_lossy(id));
    }
    if lookup.caller.sees_names_only() {
        json.members(&transactions.currency);
        write_hidden(json, &["first_date", "last_date", "count", "sum", "cards"]);
        json.key("available").begin_array();
    } else {
        json.key("first_date").display(summary.days.first);
        json.key("last_date").display(summary.days.last);
        json.members(&transactions.currency);
        json.key("count").integer(totals.count);
        json.key("sum").integer(totals.sum);
        json.key("cards").integer(summary.cards);
        json.key("available").begin_array();
        let has_series = !transactions.series.is_empty();
        let dataset = series.subject().dataset;
        let is_available =
            |part: &Part| part.is_of(dataset) && (has_series || *part != Part::SalesByDay);
        let available = Part::ALL.into_iter().filter(is_available);
        available
            .filter_map(Part::segment)
            .for_each(|name| json.string(name));
    }
    json.end_array();
    json.end_object();
    Ok(())
}

/// Returns degrees of 10^-7 degrees.
pub(super) fn degrees(units: i32) -> f64 {
    f64::from(units) / LOCATION_UNITS
}

/// Writes where something is, which may not be known.
pub(super) fn write_location(json: &mut Json, location: Option<(i32, i32)>) {
    json.key("lat").float(location.map(|(lat, _)| degrees(lat)));
    json.key("lon").float(location.map(|(_, lon)| degrees(lon)));
}

/// Writes null for figures that the caller may not see, and names them.
pub(super) fn write_hidden(json: &mut Json, names: &[&str]) {
    names.iter().for_each(|name| json.key(name).null());
    json.key("suppressed").begin_array();
    names.iter().for_each(|name| json.string(name));
    json.end_array();
}

/// Writes the stores of a region and a category, where given, the largest first.
pub(super) fn write_list(mut parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    let names_only = lookup.caller.sees_names_only();
    if names_only && parameters.peek("rank_by").is_some() {
        return Err(lookup.caller.hidden().into());
    }
    let served = lookup.served;
    let transactions = served.transactions()?;
    let order = Order::take(&mut parameters, transactions.last_row)?;
    let filter = Filter::take(&mut parameters);
    let shape = Shape::take(&mut parameters)?;
    let scope = [
        Some("stores"),
        Some(order.by.as_str()),
        filter.region(),
        filter.category(),
        Some(shape.as_str()),
    ];
    let page = lookup.page(&mut parameters, &scope)?;
    parameters.finish()?;
    let ranking = filter.ranking(served, order.by)?;
    let listed = Listed::of(ranking, lookup)?;
    let len = listed.len();
    let positions = page.positions(len);
    lookup.work.spend(positions.len() as u64 * STORE_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    if names_only {
        json.key("rank_by").null();
    } else {
        order.write(json);
    }
    json.members(&transactions.currency);
    json.key("total").integer(len as u64);
    shape.begin_rows(json);
    for (position, id) in positions.filter_map(|position| listed.get(position)) {
        let summary = served.generation().summary(STORES, id)?;
        let summary = summary.ok_or_else(missing_store)?;
        shape.begin_row(json, id, Geometry::Point(summary.profile.location));
        write_store(json, id, &summary, names_only);
        if let Some(ranking) = &ranking {
            order.write_growth(json, ranking, position)?;
        }
        shape.end_row(json);
    }
    json.end_array();
    if let Some(cursor) = page.next(len) {
        json.key("next").display(cursor);
    }
    json.end_object();
    Ok(())
}

/// Writes the members that say who a store of a list is.
fn write_store(json: &mut Json, id: &[u8], summary: &Summary, names_only: bool) {
    let totals = summary.statistics();
    json.key("id").bytes(id);
    json.key("name")
        .optional_string(summary.profile.name.as_deref());
    json.key("region")
        .optional_string(summary.profile.region.as_deref());
    json.key("category")
        .optional_string(summary.profile.category.as_deref());
    if names_only {
        write_hidden(json, &["count", "sum"]);
    } else {
        json.key("count").integer(totals.count);
        json.key("sum").integer(totals.sum);
    }
}
