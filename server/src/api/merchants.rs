//! `GET /v1/merchants`: the merchants of several stores in order of size or growth.

use nightshard_format::{
    Error,
    record::{CATALOG, MERCHANTS, Ranking, place_ranking_key},
    shard::Span,
};

use super::{Lookup, order::Order, parameters::Parameters};
use crate::{generation::ServedGeneration, json::Json, problem::Result};

/// The time to compare a merchant's id, in nanoseconds.
const ID_NS: u64 = 20;
/// The time to read and write a merchant of a list, in nanoseconds.
const MERCHANT_NS: u64 = 2_500;

/// Writes the merchants that the caller sees, the largest first.
pub(super) fn write_list(mut parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    let served = lookup.served;
    let transactions = served.transactions()?;
    let order = Order::take(&mut parameters, transactions.last_row)?;
    let scope = [Some(MERCHANTS), Some(order.by.as_str())];
    let page = lookup.page(&mut parameters, &scope)?;
    parameters.finish()?;
    let key = place_ranking_key(order.by, MERCHANTS, None);
    let found = served.generation().get(CATALOG, Span::Current, &key)?;
    let found = found.map(|ids| Ranking::parse(ids.in_place()?));
    // Where no merchant has several stores there is no list.
    let ranking = found.transpose()?;
    let seen = seen(ranking, lookup)?;
    let positions = page.positions(seen.len());
    lookup.work.spend(positions.len() as u64 * MERCHANT_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    order.write(json);
    json.members(&transactions.currency);
    json.key("total").integer(seen.len() as u64);
    json.key("rows").begin_array();
    for (position, id) in positions.filter_map(|at| seen.get(at).copied()) {
        json.begin_object();
        write_merchant(json, served, id)?;
        if let Some(ranking) = &ranking {
            order.write_growth(json, ranking, position)?;
        }
        json.end_object();
    }
    json.end_array();
    if let Some(cursor) = page.next(seen.len()) {
        json.key("next").display(cursor);
    }
    json.end_object();
    Ok(())
}

/// Returns the merchants of a ranking that the caller sees, each with its place there.
fn seen<'g>(
    ranking: Option<Ranking<'g>>,
    lookup: &mut Lookup<'_>,
) -> Result<Vec<(usize, &'g [u8])>> {
    let Some(ranking) = ranking else {
        return Ok(Vec::new());
    };
    lookup.work.spend(ranking.len() as u64 * ID_NS)?;
    let caller = lookup.caller;
    let merchants = (0..ranking.len()).filter_map(|at| Some((at, ranking.get(at)?)));
    Ok(merchants
        .filter(|(_, id)| caller.sees_merchant(id))
        .collect())
}

fn write_merchant(json: &mut Json, served: &ServedGeneration, id: &[u8]) -> Result<()> {
    let summary = served.generation().summary(MERCHANTS, id)?;
    let summary = summary.ok_or_else(|| Error::Corrupt {
        structure: "catalog",
        problem: "it names a merchant that there is not".into(),
    })?;
    let totals = summary.statistics();
    json.key("id").bytes(id);
    json.key("count").integer(totals.count);
    json.key("sum").integer(totals.sum);
    Ok(())
}
