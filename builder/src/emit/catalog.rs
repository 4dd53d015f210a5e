//! Lists: stores by size, whole and by region and category, and the regions and categories.

use std::collections::BTreeMap;

use nightshard_format::record::{CATALOG, RANKINGS, RankBy, SERIES, encode_ranking, ranking_key};

use super::shard_set::{CurrentRecord, Staged, Staging};
use crate::{Result, series::KnownSeries};

/// What lists and search need of a store.
#[derive(Debug, Clone)]
pub struct StoreFacts {
    /// The store's id.
    pub id: Vec<u8>,
    /// The name that people know it by.
    pub name: Option<String>,
    /// Where it is.
    pub region: Option<String>,
    /// Its line of business.
    pub category: Option<String>,
    /// Number of rows.
    pub transactions: u64,
    /// Net sum, in minor units.
    pub amount: i128,
}

/// Writes the rankings of stores and the lists of regions and categories, and that of side series where
/// some were loaded.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_catalog(
    staging: &Staging,
    stores: &[StoreFacts],
    series: Option<&[KnownSeries<'_>]>,
) -> Result<Vec<Staged>> {
    let mut rankings = Vec::new();
    for by in RankBy::ALL {
        let mut ranked: Vec<&StoreFacts> = stores.iter().collect();
        ranked.sort_unstable_by(|a, b| {
            let order = match by {
                RankBy::Transactions => b.transactions.cmp(&a.transactions),
                RankBy::Amount => b.amount.cmp(&a.amount),
            };
            order.then_with(|| a.id.cmp(&b.id))
        });
        for (key, ids) in group(by, &ranked) {
            let mut value = Vec::new();
            encode_ranking(ids.into_iter(), &mut value)?;
            rankings.push(CurrentRecord {
                key,
                value,
                terms: Vec::new(),
            });
        }
    }
    let mut staged = staging.write_current(RANKINGS, rankings)?;
    let mut lists = vec![
        (
            "regions",
            count(stores.iter().filter_map(|store| store.region.as_deref())),
        ),
        (
            "categories",
            count(stores.iter().filter_map(|store| store.category.as_deref())),
        ),
    ];
    lists.extend(series.map(|series| (SERIES, names(series))));
    let mut records = Vec::new();
    for (key, ids) in lists {
        let mut value = Vec::new();
        encode_ranking(ids.into_iter().map(str::as_bytes), &mut value)?;
        records.push(CurrentRecord {
            key: key.into(),
            value,
            terms: Vec::new(),
        });
    }
    staged.extend(staging.write_current(CATALOG, records)?);
    Ok(staged)
}

/// Returns the names of the series that have a value.
fn names<'a>(series: &[KnownSeries<'a>]) -> Vec<&'a str> {
    let with_values = series.iter().filter(|series| !series.values.is_empty());
    with_values.map(|series| series.name).collect()
}

/// Lists ranked stores under every filter that selects them.
fn group<'a>(by: RankBy, ranked: &[&'a StoreFacts]) -> BTreeMap<Vec<u8>, Vec<&'a [u8]>> {
    let mut groups = BTreeMap::<Vec<u8>, Vec<&[u8]>>::new();
    for store in ranked {
        let (region, category) = (store.region.as_deref(), store.category.as_deref());
        let mut filters = vec![(None, None)];
        filters.extend(region.map(|_| (region, None)));
        filters.extend(category.map(|_| (None, category)));
        filters.extend(region.and(category).map(|_| (region, category)));
        for (region, category) in filters {
            groups
                .entry(ranking_key(by, region, category))
                .or_default()
                .push(&store.id);
        }
    }
    groups
}

/// Returns the distinct ids, most frequent first, ties alphabetically.
fn count<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts = BTreeMap::<&str, u64>::new();
    ids.for_each(|id| *counts.entry(id).or_default() += 1);
    let mut ids: Vec<(&str, u64)> = counts.into_iter().collect();
    // A stable sort keeps the alphabet among equals.
    ids.sort_by_key(|(_, stores)| std::cmp::Reverse(*stores));
    ids.into_iter().map(|(id, _)| id).collect()
}
