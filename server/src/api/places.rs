//! `GET /v1/regions`, `/v1/categories` and `/v1/regions/{id}/categories`: places in order of size
//! or growth.

use std::borrow::Cow;

use nightshard_format::{
    Error,
    record::{
        CATALOG, REGION_CATEGORIES, REGIONS, RankBy, Ranking, place_ranking_key,
        region_category_key,
    },
    shard::Span,
};

use super::{
    Lookup,
    filter::find,
    order::Order,
    parameters::Parameters,
    protected::{not_told, write_suppressed},
};
use crate::{
    generation::ServedGeneration,
    json::Json,
    problem::{Problem, Result},
    protected::find_atoms,
    subject::Subject,
};

/// Writes the members that say of whom an answer is.
pub(super) fn write_id(json: &mut Json, subject: Subject<'_>) {
    json.key("id").bytes(subject.id());
    if let Some(region) = subject.region() {
        json.key("region").bytes(region);
    }
}

/// The time to read and write a place of a list, in nanoseconds.
const PLACE_NS: u64 = 2_500;

/// Writes the places of a dataset, or the categories of a region, the largest first.
pub(super) fn write_list(
    dataset: &'static str,
    region: Option<&[u8]>,
    mut parameters: Parameters<'_>,
    lookup: &mut Lookup<'_>,
) -> Result<()> {
    let served = lookup.served;
    let transactions = served.transactions()?;
    lookup.caller.check_places(transactions.privacy)?;
    let order = Order::take(&mut parameters, transactions.last_row)?;
    let no_region = || Problem::not_found("there is no such region");
    let region = region.map(std::str::from_utf8).transpose();
    let region = region.map_err(|_bad| no_region())?;
    let scope = [Some(dataset), Some(order.by.as_str()), region];
    let page = lookup.page(&mut parameters, &scope)?;
    parameters.finish()?;
    if transactions.privacy.is_protecting() && order.is_growth() {
        return Err(not_told(transactions.privacy.k()).into());
    }
    let key = place_ranking_key(order.by, dataset, region);
    let found = served.generation().get(CATALOG, Span::Current, &key)?;
    let found = found.map(|ids| Ranking::parse(ids.in_place()?));
    let ranking = found.transpose()?;
    let ranking = ranking.ok_or_else(no_region)?;
    let positions = page.positions(ranking.len());
    lookup.work.spend(positions.len() as u64 * PLACE_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    order.write(json);
    json.members(&transactions.currency);
    json.key("total").integer(ranking.len() as u64);
    json.key("rows").begin_array();
    for position in positions {
        let id = ranking.get(position).unwrap_or_default();
        let place = Place {
            dataset,
            region,
            id: String::from_utf8_lossy(id),
        };
        json.begin_object();
        place.write(json, served)?;
        order.write_growth(json, &ranking, position)?;
        json.end_object();
    }
    json.end_array();
    if let Some(cursor) = page.next(ranking.len()) {
        json.key("next").display(cursor);
    }
    json.end_object();
    Ok(())
}

/// A row of such a list.
struct Place<'a> {
    dataset: &'static str,
    region: Option<&'a str>,
    id: Cow<'a, str>,
}

impl Place<'_> {
    fn write(&self, json: &mut Json, served: &ServedGeneration) -> Result<()> {
        let id = &*self.id;
        let totals = self.totals(served)?;
        let (region, category) = match self.dataset {
            REGIONS => (Some(id), None),
            REGION_CATEGORIES => (self.region, Some(id)),
            _ => (None, Some(id)),
        };
        let stores = find(served, RankBy::Transactions, region, category)?;
        json.key("id").string(id);
        json.key("stores")
            .integer(stores.map_or(0, |stores| stores.len()) as u64);
        json.key("count")
            .optional_integer(totals.map(|(count, _)| count));
        json.key("sum").optional_integer(totals.map(|(_, sum)| sum));
        let is_untold = totals.is_none();
        write_suppressed(json, &[("count", is_untold), ("sum", is_untold)]);
        Ok(())
    }

    /// Returns the place's rows and their net sum, or `None` if they are not told.
    fn totals(&self, served: &ServedGeneration) -> Result<Option<(u64, i128)>> {
        let key = match self.region {
            Some(region) => region_category_key(region, &*self.id),
            None => self.id.as_bytes().to_vec(),
        };
        let subject = Subject {
            dataset: self.dataset,
            key: &key,
        };
        if served.transactions()?.privacy.is_protecting() {
            let summary = find_atoms(served.generation(), subject)?;
            return Ok(summary.ok_or_else(missing_place)?.total());
        }
        let summary = served.generation().summary(self.dataset, &key)?;
        let totals = summary.ok_or_else(missing_place)?.statistics();
        Ok(Some((totals.count, totals.sum)))
    }
}

fn missing_place() -> Error {
    Error::Corrupt {
        structure: "catalog",
        problem: "it names a place that there is not".into(),
    }
}
