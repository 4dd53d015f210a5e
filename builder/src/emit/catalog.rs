//! Lists: stores by size, whole and by region and category, and the regions and categories by size.

use std::collections::BTreeMap;

use nightshard_format::record::{
    CATALOG, CATEGORIES, RANKINGS, REGION_CATEGORIES, REGIONS, RankBy, SERIES, StoreProfile,
    encode_ranking, place_ranking_key, ranking_key,
};

use super::shard_set::{CurrentRecord, Staged, Staging};
use crate::{
    Result,
    kernel::{
        places::{Place, PlaceKind, Places},
        row::StoreOrdinal,
    },
    series::KnownSeries,
};

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
    /// The chain or owner.
    pub merchant_id: Option<String>,
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
    (places, sizes): (&Places, &[Option<PlaceSize>]),
    series: Option<&[KnownSeries<'_>]>,
) -> Result<Vec<Staged>> {
    let mut rankings = Vec::new();
    let mut lists = Vec::new();
    for by in RankBy::ALL {
        let mut ranked: Vec<&StoreFacts> = stores.iter().collect();
        let size = |store: &StoreFacts| store.size().by(by);
        ranked.sort_unstable_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.id.cmp(&b.id)));
        for (key, ids) in group(by, &ranked) {
            rankings.push(record(key, ids.into_iter())?);
        }
        for (key, ids) in rank_places(by, places.list(), sizes) {
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

/// What stores and places are ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaceSize {
    /// Number of rows.
    pub transactions: u64,
    /// Net sum, in minor units.
    pub amount: i128,
}

impl PlaceSize {
    fn by(self, by: RankBy) -> i128 {
        match by {
            RankBy::Transactions => self.transactions.into(),
            RankBy::Amount => self.amount,
        }
    }
}

impl StoreFacts {
    fn size(&self) -> PlaceSize {
        PlaceSize {
            transactions: self.transactions,
            amount: self.amount,
        }
    }
}

/// Returns the sizes of places, by the sums of their stores.
#[must_use]
pub fn place_sizes(places: &Places, stores: &[StoreFacts]) -> Vec<Option<PlaceSize>> {
    let mut sizes = vec![PlaceSize::default(); places.list().len()];
    for store in stores {
        for place in places.of_leaf(places.leaf_of(store.ordinal)) {
            let size = &mut sizes[*place as usize];
            size.transactions += store.transactions;
            size.amount += store.amount;
        }
    }
    sizes.into_iter().map(Some).collect()
}

/// Returns the ids of all regions, of all categories and of the categories of each region, the largest
/// first, ties by id.
fn rank_places<'a>(
    by: RankBy,
    places: &'a [Place],
    sizes: &[Option<PlaceSize>],
) -> BTreeMap<Vec<u8>, Vec<&'a str>> {
    let mut lists = BTreeMap::<Vec<u8>, BTreeMap<&str, i128>>::new();
    // There may be no region or category at all, and no category in a region: lists say so.
    for dataset in [REGIONS, CATEGORIES] {
        lists
            .entry(place_ranking_key(by, dataset, None))
            .or_default();
    }
    for (place, size) in places.iter().zip(sizes) {
        let StoreProfile {
            region, category, ..
        } = &place.profile;
        let (of, id) = match place.kind {
            PlaceKind::RegionCategory => (region.as_deref(), category),
            PlaceKind::Category => (None, category),
            PlaceKind::Region => (None, region),
        };
        if let (PlaceKind::Region, Some(region)) = (place.kind, region) {
            let key = place_ranking_key(by, REGION_CATEGORIES, Some(region));
            lists.entry(key).or_default();
        }
        let key = place_ranking_key(by, place.kind.dataset(), of);
        let list = lists.entry(key).or_default();
        // What nothing is told of comes last.
        let size = size.map_or(i128::MIN, |size| size.by(by));
        list.extend(id.as_deref().map(|id| (id, size)));
    }
    let ranked = |(key, sizes): (_, BTreeMap<_, _>)| {
        let mut ids: Vec<(&str, i128)> = sizes.into_iter().collect();
        // A stable sort keeps the order of ids among equals.
        ids.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        (key, ids.into_iter().map(|(id, _)| id).collect())
    };
    lists.into_iter().map(ranked).collect()
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
