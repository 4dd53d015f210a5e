//! `GET /v1/stores/{id}/origins`: where the cards of a store come from.

use nightshard_format::record::Label;

use super::{
    Lookup,
    asked_period::AskedPeriod,
    check_length,
    places::write_id,
    protected::{write_covered, write_suppressed},
};
use crate::{json::Json, origins::Origins, problem::Result, series::Series};

/// Writes the answer.
pub(super) fn write(
    asked: &AskedPeriod,
    lookup: &mut Lookup<'_>,
    series: &Series<'_>,
) -> Result<()> {
    let found = Origins::of(series, &asked.window, lookup.work)?;
    let json = &mut *lookup.json;
    json.begin_object();
    write_id(json, series.subject());
    asked.write(json);
    write_covered(json, found.covered);
    json.key("card_months").integer(found.card_months);
    json.key("rows").begin_array();
    for (region, cell) in &found.cells {
        check_length(json)?;
        json.begin_object();
        write_label(json, "region", *region);
        json.key("cards").optional_integer(cell.cards);
        json.key("card_months").integer(cell.card_months);
        json.key("share").float(found.share_of(*cell));
        write_suppressed(json, &[("cards", cell.cards.is_none())]);
        json.end_object();
    }
    json.end_array();
    json.end_object();
    Ok(())
}

/// Writes the member `name` of a row, a region or a category, and whether it is null because it may be any.
pub(super) fn write_label(json: &mut Json, name: &str, label: Label<&[u8]>) {
    json.key(name);
    match label {
        Label::Text(id) => json.bytes(id),
        Label::Unknown => json.null(),
        Label::Merged => {
            json.null();
            json.key("merged").begin_array();
            json.string(name);
            json.end_array();
        }
    }
}
