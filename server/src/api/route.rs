//! Paths: what each one names.

use std::borrow::Cow;

use nightshard_format::record::{
    CATEGORIES, EntityKind, MARKETS, MERCHANTS, REGION_CATEGORIES, REGIONS, STORES, TILES,
    region_category_key,
};
use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// One store, market, region, category, category of a region, tile, or merchant.
    Series {
        /// The dataset that has it.
        dataset: &'static str,
        /// Its key in there.
        key: Cow<'a, [u8]>,
        /// What of it.
        part: Part,
    },
    /// A value of a packed dataset.
    Packed {
        /// The dataset.
        dataset: Cow<'a, [u8]>,
        /// Its key.
        key: Cow<'a, [u8]>,
    },
    /// The stores in order of size or growth.
    Stores,
    /// The places of a dataset in order of size or growth.
    Places {
        /// The dataset that has them.
        dataset: &'static str,
        /// The region whose categories they are.
        region: Option<Cow<'a, [u8]>>,
    },
    /// The merchants of several stores in order of size or growth.
    Merchants,
    /// A customer, by the key of its record.
    Customer(Cow<'a, [u8]>),
    /// The unit prices of all stores.
    UnitPrices,
    /// The side series.
    SideSeries,
    /// Names and ids by what they begin with.
    Search,
    /// The generation itself.
    Generation,
    /// What was found out about its rows.
    Quality,
    /// All regions or categories.
    Catalog(EntityKind),
    /// Many lookups in one request.
    Batch,
    /// Whether the process lives.
    Health,
    /// Whether a generation is served.
    Ready,
    /// Figures about the server.
    Metrics,
    /// What the interface is, for programs.
    OpenApi,
    /// The same for people.
    Docs,
}

/// What there is under `/v1/info`, by name.
pub(super) static INFO: [(&str, Route<'static>); 4] = [
    ("generation", Route::Generation),
    ("quality", Route::Quality),
    ("regions", Route::Catalog(EntityKind::Region)),
    ("categories", Route::Catalog(EntityKind::Category)),
];

/// What says nothing of a generation, by name.
pub(super) static OF_SERVER: [(&str, Route<'static>); 5] = [
    ("healthz", Route::Health),
    ("readyz", Route::Ready),
    ("metrics", Route::Metrics),
    ("openapi.json", Route::OpenApi),
    ("docs", Route::Docs),
];

/// What of a store, market, place or merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Who it is.
    Profile,
    /// Statistics by period.
    Statistics,
    /// The histogram of amounts.
    Histogram,
    /// Unit prices by day.
    UnitPrice,
    /// A period beside an earlier one.
    Comparison,
    /// Rows by weekday and hour.
    ConsumptionPattern,
    /// The quietest and the cheapest hour and weekday.
    BestTime,
    /// Who comes back.
    Loyalty,
    /// Beside the others of its region and category, of stores.
    Benchmark,
    /// How payments divide, but of tiles.
    PaymentMix,
    /// Who pays, but of tiles and merchants.
    Demographics,
    /// Where cards come from, of stores.
    Origins,
    /// Where cards buy before and after, of stores.
    BeforeAfter,
    /// When rows settle, of stores.
    Settlements,
    /// Sales beside a side series.
    SalesByDay,
}

impl Part {
    /// All parts.
    pub(crate) const ALL: [Self; 15] = [
        Self::Profile,
        Self::Statistics,
        Self::Histogram,
        Self::UnitPrice,
        Self::Comparison,
        Self::ConsumptionPattern,
        Self::BestTime,
        Self::Loyalty,
        Self::Benchmark,
        Self::PaymentMix,
        Self::Demographics,
        Self::Origins,
        Self::BeforeAfter,
        Self::Settlements,
        Self::SalesByDay,
    ];

    /// Returns the last segment of the part's path, if it has one of its own.
    pub(crate) fn segment(self) -> Option<&'static str> {
        match self {
            Self::Profile => None,
            Self::Statistics => Some("statistics"),
            Self::Histogram => Some("histogram"),
            Self::UnitPrice => Some("unit_price"),
            Self::Comparison => Some("comparison"),
            Self::ConsumptionPattern => Some("consumption_pattern"),
            Self::BestTime => Some("best_time"),
            Self::Loyalty => Some("loyalty"),
            Self::Benchmark => Some("benchmark"),
            Self::PaymentMix => Some("payment_mix"),
            Self::Demographics => Some("demographics"),
            Self::Origins => Some("origins"),
            Self::BeforeAfter => Some("before_after"),
            Self::Settlements => Some("settlements"),
            Self::SalesByDay => Some("sales_by_day"),
        }
    }

    /// Returns whether the keys of a dataset have it.
    pub(crate) fn is_of(self, dataset: &str) -> bool {
        match self {
            Self::PaymentMix => dataset != TILES,
            Self::Demographics => !matches!(dataset, TILES | MERCHANTS),
            Self::Benchmark | Self::Origins | Self::BeforeAfter | Self::Settlements => {
                dataset == STORES
            }
            _ => true,
        }
    }
}

impl<'a> Route<'a> {
    /// Returns what a path names, or `None` if it names nothing.
    ///
    /// Segments are told apart before they are decoded, so that an encoded slash is part of an id.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let first = segments.next()?;
        let rest: [Option<&str>; 6] = std::array::from_fn(|_| segments.next());
        match (first, rest) {
            ("v1", [Some("stores"), None, ..]) => Some(Self::Stores),
            ("v1", [Some("stores"), Some(id), part, None, ..]) => Self::series(STORES, id, part),
            ("v1", [Some("markets"), Some(id), part, None, ..]) => Self::series(MARKETS, id, part),
            ("v1", [Some("regions"), rest @ ..]) => Self::region(rest),
            ("v1", [Some("categories"), None, ..]) => Some(Self::places(CATEGORIES, None)),
            ("v1", [Some("categories"), Some(id), part, None, ..]) => {
                Self::series(CATEGORIES, id, part)
            }
            ("v1", [Some("tiles"), None, ..]) => Some(Self::places(TILES, None)),
            ("v1", [Some("tiles"), Some(row), Some(column), part, None, ..]) => {
                let decoded = |part| Cow::<[u8]>::from(percent_decode_str(part));
                let key = [&*decoded(row), b"/", &*decoded(column)].concat();
                Self::series_of(TILES, key.into(), part)
            }
            ("v1", [Some("merchants"), None, ..]) => Some(Self::Merchants),
            ("v1", [Some("merchants"), Some(id), part, None, ..]) => {
                Self::series(MERCHANTS, id, part)
            }
            ("v1", [Some("datasets"), Some(dataset), Some(key), None, ..]) => Some(Self::Packed {
                dataset: percent_decode_str(dataset).into(),
                key: percent_decode_str(key).into(),
            }),
            ("v1", [Some("customers"), Some(key), None, ..]) => {
                Some(Self::Customer(percent_decode_str(key).into()))
            }
            ("v1", [Some("unit_price"), None, ..]) => Some(Self::UnitPrices),
            ("v1", [Some("series"), None, ..]) => Some(Self::SideSeries),
            ("v1", [Some("search"), None, ..]) => Some(Self::Search),
            ("v1", [Some("batch"), None, ..]) => Some(Self::Batch),
            ("v1", [Some("info"), Some(name), None, ..]) => Self::named(name, &INFO),
            (name, [None, ..]) => Self::named(name, &OF_SERVER),
            _ => None,
        }
    }

    fn named(name: &str, table: &[(&str, Route<'static>)]) -> Option<Self> {
        let entry = table.iter().find(|(known, _)| *known == name);
        entry.map(|(_, route)| route.clone())
    }

    /// Returns what the segments after `regions` name.
    fn region(segments: [Option<&'a str>; 5]) -> Option<Self> {
        match segments {
            [None, ..] => Some(Self::places(REGIONS, None)),
            [Some(id), Some("categories"), None, ..] => {
                Some(Self::places(REGION_CATEGORIES, Some(id)))
            }
            [Some(region), Some("categories"), Some(category), part, None] => {
                let [region, category] = [region, category].map(percent_decode_str);
                let key = region_category_key(Cow::from(region), Cow::from(category));
                Self::series_of(REGION_CATEGORIES, key.into(), part)
            }
            [Some(id), part, None, ..] => Self::series(REGIONS, id, part),
            _ => None,
        }
    }

    fn places(dataset: &'static str, region: Option<&'a str>) -> Self {
        Self::Places {
            dataset,
            region: region.map(|id| percent_decode_str(id).into()),
        }
    }

    fn series(dataset: &'static str, id: &'a str, part: Option<&str>) -> Option<Self> {
        Self::series_of(dataset, percent_decode_str(id).into(), part)
    }

    fn series_of(dataset: &'static str, key: Cow<'a, [u8]>, part: Option<&str>) -> Option<Self> {
        let part = Part::ALL
            .into_iter()
            .find(|known| known.segment() == part)?;
        part.is_of(dataset)
            .then_some(Self::Series { dataset, key, part })
    }

    /// Returns the methods of the resource, as the header `Allow` lists them.
    pub(crate) fn methods(&self) -> &'static str {
        match self {
            Self::Batch => "POST",
            _ => "GET, HEAD",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_slashes_and_any_byte_are_part_of_an_id() {
        for (path, expected) in [
            ("/v1/stores/a", &b"a"[..]),
            ("/v1/stores/a%2Fstatistics", b"a/statistics"),
            ("/v1/stores/%2E%2E", b".."),
            ("/v1/stores/a+b%20c", b"a+b c"),
            ("/v1/stores/%ff", b"\xff"),
            ("/v1/stores/", b""),
        ] {
            let Some(Route::Series { key, part, .. }) = Route::parse(path) else {
                panic!("{path}");
            };
            assert_eq!((&*key, part), (expected, Part::Profile), "{path}");
        }
    }

    #[test]
    fn a_key_of_a_packed_dataset_may_be_empty_or_hold_slashes() {
        for (path, expected) in [
            ("/v1/datasets/prices/a%2Fb%00", &b"a/b\0"[..]),
            ("/v1/datasets/prices/", b""),
        ] {
            let Some(Route::Packed { dataset, key }) = Route::parse(path) else {
                panic!("{path}");
            };
            assert_eq!((&*dataset, &*key), (&b"prices"[..], expected), "{path}");
        }
    }

    #[test]
    fn places_and_merchants_are_named_by_ids_and_categories_of_a_region_by_both() {
        let series = |dataset, key: &'static [u8], part| {
            let key = Cow::Borrowed(key);
            Some(Route::Series { dataset, key, part })
        };
        let list = |dataset, region: Option<&'static [u8]>| {
            let region = region.map(Cow::Borrowed);
            Some(Route::Places { dataset, region })
        };
        for (path, expected) in [
            ("/v1/regions", list(REGIONS, None)),
            ("/v1/categories", list(CATEGORIES, None)),
            ("/v1/tiles", list(TILES, None)),
            (
                "/v1/tiles/-8/53978",
                series(TILES, b"-8/53978", Part::Profile),
            ),
            (
                "/v1/tiles/8348/53978/histogram",
                series(TILES, b"8348/53978", Part::Histogram),
            ),
            (
                "/v1/regions/a%2Fb/categories",
                list(REGION_CATEGORIES, Some(b"a/b")),
            ),
            ("/v1/regions/a", series(REGIONS, b"a", Part::Profile)),
            (
                "/v1/markets/all/loyalty",
                series(MARKETS, b"all", Part::Loyalty),
            ),
            (
                "/v1/categories/a/loyalty",
                series(CATEGORIES, b"a", Part::Loyalty),
            ),
            (
                "/v1/regions/a%20b/categories/c%2F",
                series(REGION_CATEGORIES, b"a b\0c/", Part::Profile),
            ),
            (
                "/v1/regions/a/categories/c/histogram",
                series(REGION_CATEGORIES, b"a\0c", Part::Histogram),
            ),
            ("/v1/merchants", Some(Route::Merchants)),
            (
                "/v1/merchants/a%2Fb/loyalty",
                series(MERCHANTS, b"a/b", Part::Loyalty),
            ),
            // A zero byte is part of a region's id here, which none has.
            (
                "/v1/regions/a%00c/histogram",
                series(REGIONS, b"a\0c", Part::Histogram),
            ),
        ] {
            assert_eq!(Route::parse(path), expected, "{path}");
        }
    }

    #[test]
    fn paths_that_name_nothing_have_no_route() {
        for path in [
            "",
            "/",
            "/v1",
            "/v1/",
            "/v2/stores",
            "/v1/stores/a/b",
            "/v1/stores/a/statistics/x",
            "/v1/stores/a/statistics/",
            "/v1/regions/a/categories/b/histogram/c",
            "/v1/regions/a/stores/b",
            "/v1/categories/a/categories",
            "/v1/tiles/1/2/payment_mix",
            "/v1/merchants/a/benchmark",
            "/v1/merchants/a/demographics",
            "/v1/tiles/1/2/demographics",
            "/v1/merchants/a/settlements",
            "/v1/merchants/a/stores/b",
            "/v1/search/x",
            "/v1/series/",
            "/v1/series/kospi",
            "/v1/customers",
            "/v1/customers/a/statistics",
            "/v1/datasets",
            "/v1/datasets/prices",
            "/v1/datasets/prices/a/b",
            "/v1/tiles/1",
            "/v1/tiles/1/2/benchmark",
            "/v1/tiles/1/2/statistics/x",
            "/v1/info",
            "/v1/info/passwords",
            "/healthz/",
            "//healthz",
            "*",
        ] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }
}
