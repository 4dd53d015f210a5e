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
    regions::write_region,
    shape::{Geometry, Shape},
};
use crate::{
    generation::ServedGeneration,
    json::Json,
    problem::{Problem, Result},
    protected::{Part, find_parts},
    subject::Subject,
    work::Work,
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
    let parent = match dataset {
        REGIONS => parameters.take("parent"),
        _ => None,
    };
    let shape = match dataset {
        REGIONS => Shape::take(&mut parameters)?,
        _ => Shape::Rows,
    };
    let of = region.or(parent.as_deref());
    let scope = [
        Some(dataset),
        Some(order.by.as_str()),
        of,
        Some(shape.as_str()),
    ];
    let page = lookup.page(&mut parameters, &scope)?;
    parameters.finish()?;
    if transactions.privacy.is_protecting() && order.is_growth() {
        return Err(not_told(transactions.privacy.k()).into());
    }
    let ranking = match &parent {
        Some(parent) => find_below(served, order.by, parent)?,
        None => Some(find_list(served, order.by, dataset, region)?.ok_or_else(no_region)?),
    };
    let len = ranking.map_or(0, |ranking| ranking.len());
    let positions = page.positions(len);
    lookup.work.spend(positions.len() as u64 * PLACE_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    order.write(json);
    json.members(&transactions.currency);
    json.key("total").integer(len as u64);
    shape.begin_rows(json);
    for (position, ranking) in positions.filter_map(|position| Some((position, ranking?))) {
        let id = ranking.get(position).unwrap_or_default();
        let place = Place {
            dataset,
            region,
            id: String::from_utf8_lossy(id),
        };
        let known = transactions.regions.get(id).filter(|_| dataset == REGIONS);
        let location = known.and_then(|region| region.location);
        shape.begin_row(json, id, Geometry::Point(location));
        place.write(json, served, lookup.work)?;
        order.write_growth(json, &ranking, position)?;
        shape.end_row(json);
    }
    json.end_array();
    if let Some(cursor) = page.next(len) {
        json.key("next").display(cursor);
    }
    json.end_object();
    Ok(())
}

/// Finds a list of places, or `None` if there is none.
pub(super) fn find_list<'g>(
    served: &'g ServedGeneration,
    by: RankBy,
    dataset: &str,
    of: Option<&str>,
) -> Result<Option<Ranking<'g>>> {
    let key = place_ranking_key(by, dataset, of);
    let found = served.generation().get(CATALOG, Span::Current, &key)?;
    let ranking = found.map(|ids| Ranking::parse(ids.in_place()?));
    Ok(ranking.transpose()?)
}

/// Finds the list of the regions that are parts of one, or of none if its id is empty; there is no list if there are
/// none.
///
/// # Errors
/// A problem that names the parameter, if there is no such region.
fn find_below<'g>(
    served: &'g ServedGeneration,
    by: RankBy,
    parent: &str,
) -> Result<Option<Ranking<'g>>> {
    let has_tree = !served.transactions()?.regions.is_empty();
    // Without a tree each region is a root.
    let of = Some(parent).filter(|parent| has_tree || !parent.is_empty());
    let list = find_list(served, by, REGIONS, of)?;
    let is_known = || find(served, RankBy::Transactions, Some(parent), None);
    if list.is_none() && !parent.is_empty() && is_known()?.is_none() {
        let mut problem = Problem::not_found("there is no such region");
        problem.parameter = Some("parent".to_owned());
        return Err(problem.into());
    }
    Ok(list)
}

/// A row of such a list.
struct Place<'a> {
    dataset: &'static str,
    region: Option<&'a str>,
    id: Cow<'a, str>,
}

impl Place<'_> {
    fn write(&self, json: &mut Json, served: &ServedGeneration, work: &mut Work) -> Result<()> {
        let id = &*self.id;
        let totals = self.totals(served, work)?;
        let (region, category) = match self.dataset {
            REGIONS => (Some(id), None),
            REGION_CATEGORIES => (self.region, Some(id)),
            _ => (None, Some(id)),
        };
        let stores = find(served, RankBy::Transactions, region, category)?;
        json.key("id").string(id);
        if self.dataset == REGIONS {
            write_region(json, &served.transactions()?.regions, id.as_bytes());
        }
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
    fn totals(&self, served: &ServedGeneration, work: &mut Work) -> Result<Option<(u64, i128)>> {
        let key = match self.region {
            Some(region) => region_category_key(region, &*self.id),
            None => self.id.as_bytes().to_vec(),
        };
        let subject = Subject {
            dataset: self.dataset,
            key: &key,
        };
        let transactions = served.transactions()?;
        if transactions.privacy.is_protecting() {
            let generation = served.generation();
            let parts = find_parts(generation, &transactions.regions, subject, work)?;
            if parts.is_empty() {
                return Err(missing_place().into());
            }
            return Ok(Part::total(&parts));
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
