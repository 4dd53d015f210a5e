//! Lists: stores by size and growth, whole and by region and category, and the regions and categories
//! likewise.

use std::collections::BTreeMap;

use nightshard_format::record::{
    CATALOG, CATEGORIES, RANKINGS, REGION_CATEGORIES, REGIONS, RankBy, SERIES,
    encode_growth_ranking, encode_ranking, place_ranking_key, ranking_key,
};

use super::{
    growth::StoreGrowth,
    shard_set::{CurrentRecord, Staged, Staging},
    size::Size,
};
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
    /// How much it grew; nothing until that is read from its months.
    pub growth: StoreGrowth,
}

/// Ids in their order, each with what it is ordered by.
type Sized<'a> = Vec<(&'a [u8], Size)>;

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
        let sized = stores.iter().map(|store| (store, Size::of(by, store)));
        let mut ranked: Vec<(&StoreFacts, Size)> = sized.collect();
        ranked.sort_unstable_by(|(a, size), (b, other)| {
            size.descending(other).then_with(|| a.id.cmp(&b.id))
        });
        for (key, sized) in group(by, &ranked) {
            rankings.push(sized_record(key, &sized)?);
        }
        for (key, sized) in rank_places(by, stores) {
            lists.push(sized_record(key, &sized)?);
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

/// Makes the record of a ranking by size or growth.
fn sized_record(key: Vec<u8>, sized: &Sized<'_>) -> Result<CurrentRecord> {
    let grown = sized.iter().map(|(id, size)| Some((*id, size.growth?)));
    let Some(grown) = grown.collect::<Option<Vec<_>>>() else {
        return record(key, sized.iter().map(|(id, _)| *id));
    };
    let mut value = Vec::new();
    encode_growth_ranking(grown.into_iter(), &mut value)?;
    Ok(CurrentRecord {
        key,
        value,
        terms: Vec::new(),
    })
}

/// Returns all regions, all categories and the categories of each region, the largest first, ties by id.
fn rank_places(by: RankBy, stores: &[StoreFacts]) -> BTreeMap<Vec<u8>, Sized<'_>> {
    let mut sizes = BTreeMap::<Vec<u8>, BTreeMap<&[u8], Size>>::new();
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
            let size = list.entry(id.as_bytes()).or_default();
            size.add(Size::of(by, store));
        }
    }
    let ranked = |(key, sizes): (_, BTreeMap<_, _>)| {
        let mut sized: Sized<'_> = sizes.into_iter().collect();
        // A stable sort keeps the order of ids among equals.
        sized.sort_by(|(_, size), (_, other)| size.descending(other));
        (key, sized)
    };
    sizes.into_iter().map(ranked).collect()
}

/// Returns the names of the series that have a value.
fn names<'a>(series: &[KnownSeries<'a>]) -> Vec<&'a str> {
    let with_values = series.iter().filter(|series| !series.values.is_empty());
    with_values.map(|series| series.name).collect()
}

/// Lists ranked stores under every filter that selects them.
fn group<'a>(by: RankBy, ranked: &[(&'a StoreFacts, Size)]) -> BTreeMap<Vec<u8>, Sized<'a>> {
    let mut groups = BTreeMap::<Vec<u8>, Sized<'_>>::new();
    for (store, size) in ranked {
        let (region, category) = (store.region.as_deref(), store.category.as_deref());
        let mut filters = vec![(None, None)];
        filters.extend(region.map(|_| (region, None)));
        filters.extend(category.map(|_| (None, category)));
        filters.extend(region.and(category).map(|_| (region, category)));
        for (region, category) in filters {
            groups
                .entry(ranking_key(by, region, category))
                .or_default()
                .push((&store.id, *size));
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
