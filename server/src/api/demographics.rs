//! `GET /v1/stores/{id}/demographics` and of places and markets: who pays.

use nightshard_format::record::{Attribute, Label, Labels};

use super::{
    Lookup,
    asked_period::AskedPeriod,
    check_length,
    places::write_id,
    protected::{write_covered, write_suppressed},
};
use crate::{
    demographics::{Cell, Demographics},
    json::Json,
    place_demographics::WhoPays,
    problem::Result,
    series::Series,
    subject::Subject,
};

/// Writes the answer.
pub(super) fn write(
    asked: &AskedPeriod,
    lookup: &mut Lookup<'_>,
    series: &Series<'_>,
) -> Result<()> {
    match series.subject() {
        place if place.is_of_many() => write_of_many(asked, lookup, place),
        _ => write_of_store(asked, lookup, series),
    }
}

/// Writes what is told of a place or market.
pub(super) fn write_of_many(
    asked: &AskedPeriod,
    lookup: &mut Lookup<'_>,
    place: Subject<'_>,
) -> Result<()> {
    let transactions = lookup.served.transactions()?;
    let (generation, window) = (lookup.served.generation(), &asked.window);
    let found = WhoPays::of(generation, transactions, place, window, lookup.work)?;
    let json = &mut *lookup.json;
    json.begin_object();
    write_id(json, place);
    asked.write(json);
    write_covered(json, found.covered);
    json.key("rows").begin_array();
    for told in &found.told {
        check_length(json)?;
        json.begin_object();
        write_labels(json, &told.labels);
        json.key("count").optional_integer(told.count);
        json.key("count_share").float(told.share);
        write_suppressed(json, &[("count", told.count.is_none())]);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    Ok(())
}

fn write_of_store(asked: &AskedPeriod, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
    let transactions = lookup.served.transactions()?;
    let (window, privacy) = (&asked.window, transactions.privacy);
    let found = Demographics::of(series, window, privacy, lookup.work)?;
    let json = &mut *lookup.json;
    json.begin_object();
    write_id(json, series.subject());
    asked.write(json);
    json.members(&transactions.currency);
    write_covered(json, found.covered);
    json.key("count").integer(found.all.count);
    json.key("sum").integer(found.all.sum);
    json.key("rows").begin_array();
    for (labels, cell) in &found.cells {
        check_length(json)?;
        json.begin_object();
        write_labels(json, labels);
        write_cell(json, cell, &found);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    Ok(())
}

/// Writes the attributes of a cell, and which of them are null because it has any value of them.
fn write_labels(json: &mut Json, labels: &Labels<&[u8]>) {
    let mut merged = Vec::new();
    for (attribute, label) in Attribute::ALL.into_iter().zip(labels) {
        let name = attribute.as_str();
        json.key(name);
        match label {
            Label::Text(text) => json.bytes(text),
            Label::Unknown => json.null(),
            Label::Merged => {
                json.null();
                merged.push(name);
            }
        }
    }
    if !merged.is_empty() {
        json.key("merged").begin_array();
        merged.into_iter().for_each(|name| json.string(name));
        json.end_array();
    }
}

fn write_cell(json: &mut Json, cell: &Cell, all: &Demographics<'_>) {
    let [of_count, of_sum] = cell.rows.shares_of(all.all);
    json.key("count").integer(cell.rows.count);
    json.key("sum").integer(cell.rows.sum);
    json.key("mean").float(cell.rows.mean());
    json.key("cards").optional_integer(cell.cards);
    json.key("count_share").float(of_count);
    json.key("sum_share").float(of_sum);
    json.key("market_count_share").float(cell.market_share);
    write_suppressed(
        json,
        &[
            ("cards", cell.cards.is_none()),
            ("market_count_share", cell.market_share.is_none()),
        ],
    );
}
