//! `GET /v1/stores/{id}/before_after`: where the cards of a store buy before and after.

use nightshard_format::record::{BESIDE_LISTS, Label};

use super::{
    Lookup, asked_period::AskedPeriod, check_length, origins::write_label, places::write_id,
    protected::write_covered,
};
use crate::{before_after::BeforeAfter, json::Json, problem::Result, series::Series};

/// The members that lists are in, in the order of a record: of the answer, of that, and of a row.
const MEMBERS: [[&str; 3]; BESIDE_LISTS] = [
    ["before", "regions", "region"],
    ["before", "categories", "category"],
    ["after", "regions", "region"],
    ["after", "categories", "category"],
];

/// Writes the answer.
pub(super) fn write(
    asked: &AskedPeriod,
    lookup: &mut Lookup<'_>,
    series: &Series<'_>,
) -> Result<()> {
    let privacy = lookup.served.transactions()?.privacy;
    let found = BeforeAfter::of(series, &asked.window, privacy, lookup.work)?;
    let json = &mut *lookup.json;
    json.begin_object();
    write_id(json, series.subject());
    asked.write(json);
    write_covered(json, found.covered);
    let lists: Vec<_> = MEMBERS.iter().zip(&found.lists).collect();
    for direction in lists.chunk_by(|([a, ..], _), ([b, ..], _)| a == b) {
        let ([name, ..], _) = direction[0];
        json.key(name).begin_object();
        for ([_, name, of_row], list) in direction {
            json.key(name);
            write_list(json, of_row, list)?;
        }
        json.end_object();
    }
    json.end_object();
    Ok(())
}

/// Writes the labels of a list, which rows call `name`, and their shares.
fn write_list(json: &mut Json, name: &str, list: &[(Label<&[u8]>, Option<f64>)]) -> Result<()> {
    json.begin_array();
    for (label, share) in list {
        check_length(json)?;
        json.begin_object();
        write_label(json, name, *label);
        json.key("share").float(*share);
        json.end_object();
    }
    json.end_array();
    Ok(())
}
