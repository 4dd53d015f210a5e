//! Lists: stores by size, whole and by region and category, and the regions and categories by size.

use std::collections::BTreeMap;

use nightshard_format::record::{
    CATALOG, CATEGORIES, RANKINGS, REGION_CATEGORIES, REGIONS, RankBy, SERIES, encode_ranking,
    place_ranking_key, ranking_key,
};

use super::shard_set::{CurrentRecord, Staged, Staging};
use crate::{Result, kernel::row::StoreOrdinal, series::KnownSeries};

/// What lists, search and places need of a store.
#[derive(Debug, Clone)]
pub struct StoreFacts {
    /// What rows of the exchange by card call it.
    pub ordinal: StoreOrdinal,
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

/// Writes the rankings of stores and of places, the lists of regions and categories, and that of side
/// series where some were loaded.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_catalog(
    staging: &Staging,
    stores: &[StoreFacts],
    series: Option<&[KnownSeries<'_>]>,
) -> Result<Vec<Staged>> {
    let mut rankings = Vec::new();
    let mut lists = Vec::new();
    for by in RankBy::ALL {
        let mut ranked: Vec<&StoreFacts> = stores.iter().collect();
        let size = |store: &StoreFacts| size(by, store);
        ranked.sort_unstable_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.id.cmp(&b.id)));
        for (key, ids) in group(by, &ranked) {
            rankings.push(record(key, ids.into_iter())?);
        }
        for (key, ids) in rank_places(by, stores) {
            lists.push(record(key, ids.into_iter().map(str::as_bytes))?);
        }
    }
    let mut staged = staging.write_current(RANKINGS, rankings)?;
    let regions = count(stores.iter().filter_map(|store| store.region.as_deref()));
    let categories = count(stores.iter().filter_map(|store| store.category.as_deref()));
    let names = series.map(|series| (SERIES, names(series)));
    for (key, ids) in [(REGIONS, regions), (CATEGORIES, categories)]
        .into_iter()
        .chain(names)
    {
        lists.push(record(key.into(), ids.into_iter().map(str::as_bytes))?);
    }
    staged.extend(staging.write_current(CATALOG, lists)?);
    Ok(staged)
}

fn record<'a>(key: Vec<u8>, ids: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<CurrentRecord> {
    let mut value = Vec::new();
    encode_ranking(ids, &mut value)?;
    Ok(CurrentRecord {
        key,
        value,
        terms: Vec::new(),
    })
}

/// Returns what stores are ordered by, and by whose sums places are.
fn size(by: RankBy, store: &StoreFacts) -> i128 {
    match by {
        RankBy::Transactions => store.transactions.into(),
        RankBy::Amount => store.amount,
    }
}

/// Returns the ids of all regions, of all categories and of the categories of each region, the largest
/// first, ties by id.
fn rank_places(by: RankBy, stores: &[StoreFacts]) -> BTreeMap<Vec<u8>, Vec<&str>> {
    let mut sizes = BTreeMap::<Vec<u8>, BTreeMap<&str, i128>>::new();
    // There may be no region or category at all, and no category in a region: lists say so.
    for dataset in [REGIONS, CATEGORIES] {
        sizes
            .entry(place_ranking_key(by, dataset, None))
            .or_default();
    }
    for store in stores {
        let (region, category) = (store.region.as_deref(), store.category.as_deref());
        if let Some(region) = region {
            let key = place_ranking_key(by, REGION_CATEGORIES, Some(region));
            sizes.entry(key).or_default();
        }
        let lists = [
            region.map(|id| (REGIONS, None, id)),
            category.map(|id| (CATEGORIES, None, id)),
            region
                .zip(category)
                .map(|(of, id)| (REGION_CATEGORIES, Some(of), id)),
        ];
        for (dataset, of, id) in lists.into_iter().flatten() {
            let list = sizes.entry(place_ranking_key(by, dataset, of)).or_default();
            *list.entry(id).or_default() += size(by, store);
        }
    }
    let ranked = |(key, sizes): (_, BTreeMap<_, _>)| {
        let mut ids: Vec<(&str, i128)> = sizes.into_iter().collect();
        // A stable sort keeps the order of ids among equals.
        ids.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        (key, ids.into_iter().map(|(id, _)| id).collect())
    };
    sizes.into_iter().map(ranked).collect()
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
