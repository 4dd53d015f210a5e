//! `GET /openapi.json`: what the interface is, as an OpenAPI 3.1 document, and `GET /docs`: that as a page.
//!
//! `base.json` is the document but for the resources that answer with the data of a generation. Each of these
//! has a file of its own, which says what it takes and, as [`shape`], what it answers; here they are given
//! their paths, and what all of them have.

mod resource;
mod shape;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use hyper::header::HeaderMap;
use nightshard_format::record::{
    CATEGORIES, MARKETS, MERCHANTS, REGION_CATEGORIES, REGIONS, STORES, TILES,
};
use serde_json::Value;

use self::resource::Resource;
use super::route::Part;
use crate::{fixed::Fixed, respond::Answer};

const BASE: &str = include_str!("base.json");
const PAGE: &str = include_str!("page.html");

const OF_STORES: &str = "Stores";
const OF_PLACES: &str = "Regions and categories";
const OF_TILES: &str = "Tiles";
const OF_MERCHANTS: &str = "Merchants";
const OF_MARKET: &str = "Market";
const OF_CUSTOMERS: &str = "Customers";
const OF_NAMES: &str = "Search and packed datasets";
const OF_GENERATION: &str = "The generation";

/// The paths of what has parts, by dataset, and their tags.
const WITH_PARTS: [(&str, &str, &str); 7] = [
    (STORES, "/v1/stores/{store}", OF_STORES),
    (REGIONS, "/v1/regions/{region}", OF_PLACES),
    (CATEGORIES, "/v1/categories/{category}", OF_PLACES),
    (
        REGION_CATEGORIES,
        "/v1/regions/{region}/categories/{category}",
        OF_PLACES,
    ),
    (TILES, "/v1/tiles/{lat}/{lon}", OF_TILES),
    (MERCHANTS, "/v1/merchants/{merchant}", OF_MERCHANTS),
    (MARKETS, "/v1/markets/{market}", OF_MARKET),
];

/// All other paths that answer with data of a generation, with their tags and files.
const OTHERS: [(&str, &str, &str); 14] = [
    ("/v1/stores", OF_STORES, include_str!("stores.json")),
    (
        "/v1/unit_price",
        OF_STORES,
        include_str!("unit_prices.json"),
    ),
    ("/v1/series", OF_STORES, include_str!("side_series.json")),
    ("/v1/regions", OF_PLACES, include_str!("regions.json")),
    ("/v1/categories", OF_PLACES, include_str!("places.json")),
    (
        "/v1/regions/{region}/categories",
        OF_PLACES,
        include_str!("places.json"),
    ),
    ("/v1/tiles", OF_TILES, include_str!("tiles.json")),
    (
        "/v1/merchants",
        OF_MERCHANTS,
        include_str!("merchants.json"),
    ),
    (
        "/v1/customers/{pseudonym}",
        OF_CUSTOMERS,
        include_str!("customer.json"),
    ),
    ("/v1/search", OF_NAMES, include_str!("search.json")),
    (
        "/v1/info/generation",
        OF_GENERATION,
        include_str!("generation.json"),
    ),
    (
        "/v1/info/quality",
        OF_GENERATION,
        include_str!("quality.json"),
    ),
    (
        "/v1/info/regions",
        OF_GENERATION,
        include_str!("info_regions.json"),
    ),
    (
        "/v1/info/categories",
        OF_GENERATION,
        include_str!("catalog.json"),
    ),
];

/// Returns the file of a part of what a dataset has.
fn file_of(part: Part, dataset: &str) -> &'static str {
    match part {
        Part::Demographics if dataset != STORES => include_str!("place_demographics.json"),
        Part::Profile => include_str!("profile.json"),
        Part::Statistics => include_str!("statistics.json"),
        Part::Histogram => include_str!("histogram.json"),
        Part::UnitPrice => include_str!("unit_price.json"),
        Part::Comparison => include_str!("comparison.json"),
        Part::ConsumptionPattern => include_str!("consumption_pattern.json"),
        Part::BestTime => include_str!("best_time.json"),
        Part::Loyalty => include_str!("loyalty.json"),
        Part::Benchmark => include_str!("benchmark.json"),
        Part::PaymentMix => include_str!("payment_mix.json"),
        Part::Demographics => include_str!("demographics.json"),
        Part::Origins => include_str!("origins.json"),
        Part::BeforeAfter => include_str!("before_after.json"),
        Part::Settlements => include_str!("settlements.json"),
        Part::SalesByDay => include_str!("sales_by_day.json"),
    }
}

/// Puts the document together of its files.
fn compose() -> serde_json::Result<Value> {
    let mut document = serde_json::from_str(BASE)?;
    for (path, tag, file) in OTHERS {
        Resource::parse(file)?.describe(path, tag, &mut document);
    }
    for (dataset, base, tag) in WITH_PARTS {
        for part in Part::ALL.into_iter().filter(|part| part.is_of(dataset)) {
            let segment = part.segment();
            let path = segment.map_or(base.to_owned(), |segment| format!("{base}/{segment}"));
            Resource::parse(file_of(part, dataset))?.describe(&path, tag, &mut document);
        }
    }
    Ok(document)
}

/// The document. It is never empty: a test composes it.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| compose().unwrap_or_default());

/// Returns whether the document has a parameter of queries.
pub(crate) fn describes(parameter: &str) -> bool {
    DOCUMENT["components"]["parameters"][parameter]["in"] == "query"
}

/// Answers with the document.
pub(crate) fn document(headers: &HeaderMap) -> Answer {
    static FIXED: LazyLock<Fixed> = LazyLock::new(|| Fixed::new(DOCUMENT.to_string().into_bytes()));
    FIXED.answer(headers, Answer::document)
}

/// Answers with the page that shows it.
pub(crate) fn page(headers: &HeaderMap) -> Answer {
    static FIXED: LazyLock<Fixed> = LazyLock::new(|| Fixed::new(PAGE.as_bytes().to_vec()));
    FIXED.answer(headers, Answer::page)
}
