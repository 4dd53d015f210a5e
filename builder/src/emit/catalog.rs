//! Lists: stores by size and growth, whole and by region and category, and the regions, categories and
//! merchants likewise.

use std::collections::BTreeMap;

use nightshard_format::{
    record::{
        CATALOG, CATEGORIES, RANKINGS, REGIONS, RankBy, SERIES, encode_growth_ranking,
        encode_ranking, ranking_key, tile_ranking_key,
    },
    tile::Tile,
};

use super::{
    growth::StoreGrowth,
    place_lists::PlaceLists,
    shard_set::{CurrentRecord, Staged, Staging},
    size::Size,
};
use crate::{Result, kernel::row::StoreOrdinal, regions::RegionTable, series::KnownSeries};

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
    /// Where it stands on the map, in 10^-7 degrees of latitude and longitude.
    pub location: Option<(i32, i32)>,
    /// The chain or owner.
    pub merchant_id: Option<String>,
    /// Number of rows.
    pub transactions: u64,
    /// Net sum, in minor units.
    pub amount: i128,
    /// How much it grew; nothing until that is read from its months.
    pub growth: StoreGrowth,
}

/// Ids in their order, each with what it is ordered by.
pub(super) type Sized<'a> = Vec<(&'a [u8], Size)>;

/// Writes the rankings of stores, of places and of merchants, the lists of regions and categories, and that of side
/// series where some were loaded.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_catalog(
    staging: &Staging,
    stores: &[StoreFacts],
    places: [PlaceLists<'_>; 2],
    (tree, series): (&RegionTable, Option<&[KnownSeries<'_>]>),
) -> Result<Vec<Staged>> {
    let mut rankings = Vec::new();
    let mut lists = Vec::new();
    for by in RankBy::ALL {
        let sized = stores.iter().map(|store| (store, Size::of(by, store)));
        let mut ranked: Vec<(&StoreFacts, Size)> = sized.collect();
        ranked.sort_unstable_by(|(a, size), (b, other)| {
            size.descending(other).then_with(|| a.id.cmp(&b.id))
        });
        let of_tiles = (by == RankBy::Transactions && places.iter().any(PlaceLists::has_tiles))
            .then(|| by_tile(&ranked));
        let groups = group(by, &ranked, tree).into_iter();
        for (key, sized) in groups.chain(of_tiles.into_iter().flatten()) {
            rankings.push(sized_record(key, &sized)?);
        }
        for (key, sized) in places.iter().flat_map(|places| places.rank(by)) {
            lists.push(sized_record(key, &sized)?);
        }
    }
    let mut staged = staging.write_current(RANKINGS, rankings)?;
    let of_store = |store| regions_of(store, tree);
    let regions = count(stores.iter().flat_map(of_store));
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

/// Returns the names of the series that have a value.
fn names<'a>(series: &[KnownSeries<'a>]) -> Vec<&'a str> {
    let with_values = series.iter().filter(|series| !series.values.is_empty());
    with_values.map(|series| series.name).collect()
}

/// Lists ranked stores under every filter that selects them.
fn group<'a>(
    by: RankBy,
    ranked: &[(&'a StoreFacts, Size)],
    tree: &RegionTable,
) -> BTreeMap<Vec<u8>, Sized<'a>> {
    let mut groups = BTreeMap::<Vec<u8>, Sized<'_>>::new();
    for (store, size) in ranked {
        let category = store.category.as_deref();
        let mut filters = vec![(None, None)];
        filters.extend(category.map(|_| (None, category)));
        for region in regions_of(store, tree) {
            filters.push((Some(region), None));
            filters.extend(category.map(|_| (Some(region), category)));
        }
        for (region, category) in filters {
            groups
                .entry(ranking_key(by, region, category))
                .or_default()
                .push((&store.id, *size));
        }
    }
    groups
}

/// Lists ranked stores by the tile that they are in, so that it is known how many there are.
fn by_tile<'a>(ranked: &[(&'a StoreFacts, Size)]) -> BTreeMap<Vec<u8>, Sized<'a>> {
    let mut groups = BTreeMap::<Vec<u8>, Sized<'_>>::new();
    for (store, size) in ranked {
        if let Some(location) = store.location {
            let tile = Tile::of(location).to_string();
            let key = tile_ranking_key(RankBy::Transactions, &tile);
            groups.entry(key).or_default().push((&store.id, *size));
        }
    }
    groups
}

/// Returns the regions that a store is in: its own, if that is known, and those above it.
pub(super) fn regions_of<'a>(
    store: &'a StoreFacts,
    tree: &'a RegionTable,
) -> impl Iterator<Item = &'a str> {
    let own = store.region.as_deref();
    let above = own.into_iter().flat_map(move |region| tree.above(region));
    own.into_iter().chain(above)
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
