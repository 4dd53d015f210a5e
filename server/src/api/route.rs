//! Paths: what each one names.

use std::borrow::Cow;

use nightshard_format::record::{EntityKind, MARKETS, STORES};
use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// One store or market.
    Series {
        /// The dataset that has it.
        dataset: &'static str,
        /// Its id.
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
    /// The stores in order of size.
    Stores,
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
}

/// What of a store or market.
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
    /// Who comes back, of stores.
    Loyalty,
    /// Sales beside a side series.
    SalesByDay,
}

impl<'a> Route<'a> {
    /// Returns what a path names, or `None` if it names nothing.
    ///
    /// Segments are told apart before they are decoded, so that an encoded slash is part of an id.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let first = segments.next()?;
        let rest: [Option<&str>; 4] = std::array::from_fn(|_| segments.next());
        match (first, rest) {
            ("v1", [Some("stores"), None, ..]) => Some(Self::Stores),
            ("v1", [Some("stores"), Some(id), part, None]) => Self::series(STORES, id, part),
            ("v1", [Some("markets"), Some(id), part, None]) => Self::series(MARKETS, id, part),
            ("v1", [Some("datasets"), Some(dataset), Some(key), None]) => Some(Self::Packed {
                dataset: percent_decode_str(dataset).into(),
                key: percent_decode_str(key).into(),
            }),
            ("v1", [Some("unit_price"), None, ..]) => Some(Self::UnitPrices),
            ("v1", [Some("series"), None, ..]) => Some(Self::SideSeries),
            ("v1", [Some("search"), None, ..]) => Some(Self::Search),
            ("v1", [Some("batch"), None, ..]) => Some(Self::Batch),
            ("v1", [Some("info"), Some(name), None, _]) => match name {
                "generation" => Some(Self::Generation),
                "quality" => Some(Self::Quality),
                "regions" => Some(Self::Catalog(EntityKind::Region)),
                "categories" => Some(Self::Catalog(EntityKind::Category)),
                _ => None,
            },
            ("healthz", [None, ..]) => Some(Self::Health),
            ("readyz", [None, ..]) => Some(Self::Ready),
            ("metrics", [None, ..]) => Some(Self::Metrics),
            _ => None,
        }
    }

    fn series(dataset: &'static str, id: &'a str, part: Option<&str>) -> Option<Self> {
        let part = match part {
            None => Part::Profile,
            Some("statistics") => Part::Statistics,
            Some("histogram") => Part::Histogram,
            Some("unit_price") => Part::UnitPrice,
            Some("comparison") => Part::Comparison,
            Some("loyalty") if dataset == STORES => Part::Loyalty,
            Some("consumption_pattern") => Part::ConsumptionPattern,
            Some("sales_by_day") => Part::SalesByDay,
            Some(_) => return None,
        };
        Some(Self::Series {
            dataset,
            key: percent_decode_str(id).into(),
            part,
        })
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
            "/v1/markets/all/loyalty",
            "/v1/search/x",
            "/v1/series/",
            "/v1/series/kospi",
            "/v1/datasets",
            "/v1/datasets/prices",
            "/v1/datasets/prices/a/b",
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
