//! What requests are counted by.

use nightshard_format::record::{
    CATEGORIES, MARKETS, MERCHANTS, REGION_CATEGORIES, REGIONS, STORES, TILES,
};

use crate::api::route::{Part, Route};

/// What requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    /// A part of what a dataset of stores, markets, places or merchants has.
    Series(&'static str, Part),
    /// The list of the places or merchants of a dataset.
    Places(&'static str),
    Stores,
    UnitPrices,
    Customers,
    SideSeries,
    Packed,
    Search,
    Info,
    Batch,
    Operations,
    Admin,
    Unknown,
}

/// The paths of what has days, by dataset.
const SERIES: [(&str, &str); 7] = [
    (STORES, "/v1/stores/{id}"),
    (MARKETS, "/v1/markets/{id}"),
    (REGIONS, "/v1/regions/{id}"),
    (CATEGORIES, "/v1/categories/{id}"),
    (REGION_CATEGORIES, "/v1/regions/{id}/categories/{id}"),
    (TILES, "/v1/tiles/{lat}/{lon}"),
    (MERCHANTS, "/v1/merchants/{id}"),
];

/// The paths of lists of places and merchants, by dataset.
const LISTS: [(&str, &str); 5] = [
    (REGIONS, "/v1/regions"),
    (CATEGORIES, "/v1/categories"),
    (REGION_CATEGORIES, "/v1/regions/{id}/categories"),
    (TILES, "/v1/tiles"),
    (MERCHANTS, "/v1/merchants"),
];

/// The names of the others, in the order of [`Resource`].
const OTHERS: [&str; 11] = [
    "/v1/stores",
    "/v1/unit_price",
    "/v1/customers/{id}",
    "/v1/series",
    "/v1/datasets/{dataset}/{key}",
    "/v1/search",
    "/v1/info",
    "/v1/batch",
    "operations",
    "admin",
    "unknown",
];

const FIRST_LIST: usize = SERIES.len() * Part::ALL.len();
const FIRST_OTHER: usize = FIRST_LIST + LISTS.len();

/// Returns where a dataset stands in a table.
fn place_of(dataset: &str, table: &[(&str, &str)]) -> usize {
    table
        .iter()
        .take_while(|(known, _)| *known != dataset)
        .count()
}

impl Resource {
    /// How many resources there are.
    pub(crate) const COUNT: usize = FIRST_OTHER + OTHERS.len();

    /// Returns what a request is counted under.
    pub(crate) fn of(route: &Route<'_>) -> Self {
        match route {
            Route::Series { dataset, part, .. } => Self::Series(dataset, *part),
            Route::Places { dataset, .. } => Self::Places(dataset),
            Route::Merchants => Self::Places(MERCHANTS),
            Route::Stores => Self::Stores,
            Route::UnitPrices => Self::UnitPrices,
            Route::Customer(_) => Self::Customers,
            Route::Packed { .. } => Self::Packed,
            Route::SideSeries => Self::SideSeries,
            Route::Search => Self::Search,
            Route::Generation | Route::Quality | Route::Catalog(_) => Self::Info,
            Route::Batch => Self::Batch,
            Route::Health | Route::Ready | Route::Metrics | Route::OpenApi | Route::Docs => {
                Self::Operations
            }
        }
    }

    /// Returns the resource's place among [`Resource::names`].
    pub(crate) fn index(self) -> usize {
        let other = match self {
            Self::Series(dataset, part) => {
                let parts = Part::ALL.iter().take_while(|known| **known != part);
                return place_of(dataset, &SERIES) * Part::ALL.len() + parts.count();
            }
            Self::Places(dataset) => return FIRST_LIST + place_of(dataset, &LISTS),
            Self::Stores => 0,
            Self::UnitPrices => 1,
            Self::Customers => 2,
            Self::SideSeries => 3,
            Self::Packed => 4,
            Self::Search => 5,
            Self::Info => 6,
            Self::Batch => 7,
            Self::Operations => 8,
            Self::Admin => 9,
            Self::Unknown => 10,
        };
        FIRST_OTHER + other
    }

    /// Returns the names of all resources.
    pub(crate) fn names() -> impl Iterator<Item = String> {
        let parts = |(_, path): (&str, &'static str)| {
            Part::ALL.into_iter().map(move |part| match part.segment() {
                None => path.to_owned(),
                Some(segment) => format!("{path}/{segment}"),
            })
        };
        let series = SERIES.into_iter().flat_map(parts);
        let lists = LISTS.into_iter().map(|(_, path)| path);
        series.chain(lists.chain(OTHERS).map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_is_counted_under_its_name() {
        let names: Vec<String> = Resource::names().collect();
        assert_eq!(names.len(), Resource::COUNT);
        let name = |resource: Resource| names[resource.index()].as_str();
        for (path, expected) in [
            ("/v1/stores/a", "/v1/stores/{id}"),
            ("/v1/stores/a/sales_by_day", "/v1/stores/{id}/sales_by_day"),
            ("/v1/markets/all", "/v1/markets/{id}"),
            (
                "/v1/regions/a/categories/b/loyalty",
                "/v1/regions/{id}/categories/{id}/loyalty",
            ),
            ("/v1/categories", "/v1/categories"),
            ("/v1/tiles", "/v1/tiles"),
            ("/v1/tiles/1/2/loyalty", "/v1/tiles/{lat}/{lon}/loyalty"),
            ("/v1/merchants", "/v1/merchants"),
            ("/v1/merchants/a/loyalty", "/v1/merchants/{id}/loyalty"),
            ("/v1/regions/a/categories", "/v1/regions/{id}/categories"),
            ("/v1/stores", "/v1/stores"),
            ("/v1/customers/a", "/v1/customers/{id}"),
            ("/v1/datasets/a/b", "/v1/datasets/{dataset}/{key}"),
            ("/v1/info/quality", "/v1/info"),
            ("/metrics", "operations"),
        ] {
            assert_eq!(name(Resource::of(&Route::parse(path).unwrap())), expected);
        }
        assert_eq!(
            [Resource::Admin, Resource::Unknown].map(name),
            ["admin", "unknown"]
        );
    }
}
