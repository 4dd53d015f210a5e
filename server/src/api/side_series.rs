//! `GET /v1/series`: the side series that there are.

use super::{Lookup, parameters::Parameters};
use crate::problem::Result;

/// The time to write a row, in nanoseconds.
const ROW_NS: u64 = 250;

/// Writes how far each side series goes, by name.
pub(super) fn write_list(mut parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    let served = lookup.served;
    let series = &served.transactions()?.series;
    let page = lookup.page(&mut parameters, &[Some("series")])?;
    parameters.finish()?;
    let positions = page.positions(series.len());
    lookup.work.spend(positions.len() as u64 * ROW_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("total").integer(series.len() as u64);
    json.key("rows").begin_array();
    for head in &series[positions] {
        json.begin_object();
        json.key("name").string(&head.name);
        json.key("first_date").display(head.days.first);
        json.key("last_date").display(head.days.last);
        json.key("values").integer(head.values as u64);
        json.key("stale").boolean(head.is_stale);
        json.end_object();
    }
    json.end_array();
    if let Some(cursor) = page.next(series.len()) {
        json.key("next").display(cursor);
    }
    json.end_object();
    Ok(())
}
