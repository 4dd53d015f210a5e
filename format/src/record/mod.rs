//! Typed records above the shard: what the values of each dataset mean.
//!
//! Hot parts are varints read in place; cold parts are bincode, in `cold.rs`. docs/format.md
//! specifies both.

mod atoms;
mod before_after;
mod benchmark;
mod buyers;
mod changes;
mod cold;
mod customer;
mod day_lists;
mod demographics;
mod growth;
mod hours;
mod labelled_cards;
mod leaves;
mod loyalty;
mod loyalty_record;
mod mixes;
mod month;
mod month_builder;
mod month_check;
mod month_roll_up;
mod month_stores;
mod origins;
mod patterns;
mod place_mixes;
mod posting;
mod quintiles;
mod ranking;
mod region;
mod runs;
mod settlements;
mod side_series;
mod spend_share;
mod summary;
mod visits;

pub use atoms::{AtomCards, AtomGroup, AtomMonth, AtomSummary, AtomTotals};
pub use before_after::{BESIDE_LISTS, BesideRecord};
pub use benchmark::{
    Benchmark, BenchmarkRecord, Standing, benchmark_month, benchmark_months, benchmark_periods,
    encode_benchmarks,
};
pub use changes::{Change, net_changes};
pub use customer::{
    CustomerFigures, CustomerRecord, PSEUDONYM_LEN, customer_key, encode_customer, is_customer_key,
};
pub use demographics::{
    ATTRIBUTES, Attribute, DemographicCell, DemographicsRecord, Label, Labels, PlaceCell,
    PlaceDemographics, encode_demographics,
};
pub use growth::{GROWTH_PARTS, Growth, WeekdaySums};
pub use hours::{HALF_HOURS, HalfHour};
pub use labelled_cards::LabelledCards;
pub use leaves::{LeafAtom, LeafRecord, leaf_key, split_leaf_key};
pub use loyalty_record::{
    LoyaltyRecord, VisitsOf, encode_loyalty, loyalty_dataset, loyalty_key, loyalty_periods,
    loyalty_span, loyalty_spans,
};
pub use mixes::{DIMENSIONS, Dimension, EncodedMixes, MixRow, MixValue};
pub use month::{DayPart, MonthRecord};
pub use month_builder::{DAY_AMOUNTS_MAX, DayCards, MonthBuilder};
pub use month_stores::{encode_month_stores, parse_month_stores};
pub use origins::{OriginsRecord, encode_origins};
pub use patterns::{HOURS, PatternCell, PlacePattern, WEEKDAYS};
pub use place_mixes::{MIX_VALUES_MAX, PlaceMix, PlaceMixes};
pub use posting::{EntityKind, Posting, Postings, encode_postings};
pub use quintiles::{Quintiles, RecencyFrequency, SCORES, Score};
pub use ranking::{
    RankBy, Ranking, encode_growth_ranking, encode_ranking, place_ranking_key, ranking_key,
    tile_ranking_key,
};
pub use region::{REGION_LEVELS_MAX, RegionRecord};
pub use runs::Run;
pub use settlements::{
    DatedTotals, Settled, SettlementMonth, SettlementSummary, SettlementTotals, Stated,
};
pub use side_series::{SideSeries, encode_side_series};
pub use spend_share::SpendShare;
pub use summary::{MonthTotals, StoreProfile, Summary, SummaryBuilder};
pub use visits::{CardSales, PeriodVisits, Regulars, VISIT_NUMBERS, has_quintiles, visit_class};

/// Dataset of the stores: a [`Summary`] in `current`, a [`MonthRecord`] in each month.
pub const STORES: &str = "stores";
/// Dataset of the markets, likewise; the key `all` is everything together.
pub const MARKETS: &str = "markets";
/// The key of the market of all stores.
pub const MARKET_ALL: &[u8] = b"all";
/// Dataset of the regions, likewise, by id.
pub const REGIONS: &str = "regions";
/// Dataset of the categories, likewise, by id.
pub const CATEGORIES: &str = "categories";
/// Dataset of the categories of each region, likewise, by [`region_category_key`].
pub const REGION_CATEGORIES: &str = "region_categories";
/// Dataset of the tiles of the map, likewise, by [`crate::tile::Tile`] as it is written; where answers are protected
/// nothing is told of them.
pub const TILES: &str = "tiles";
/// Dataset of the merchants of several stores, likewise, by id: their stores together.
pub const MERCHANTS: &str = "merchants";
/// Dataset of the words of names and of ids: [`Postings`] in `current`.
pub const SEARCH: &str = "search";
/// Dataset of lists, each a [`Ranking`] in `current`: the ids of all `categories` and `regions`; under
/// [`place_ranking_key`] these, the categories of each region, the tiles and the merchants by size and growth, and
/// likewise the parts of each region of a tree; and the names of all [`SERIES`].
pub const CATALOG: &str = "catalog";
/// Dataset of the orders of stores, by [`ranking_key`] and [`tile_ranking_key`]: a [`Ranking`] in `current`.
pub const RANKINGS: &str = "rankings";
/// Dataset of daily numbers beside sales: a [`SideSeries`] in `current`. Also the key of their names in
/// [`CATALOG`].
pub const SERIES: &str = "series";
/// Dataset of what takes each card of a store as a whole: a [`LoyaltyRecord`] in `current`, in the last month
/// of each quarter in which the store has rows, and in December of each such year.
pub const LOYALTY: &str = "loyalty";

/// Dataset of what may be told of many stores together: an [`AtomSummary`] in `current`, an [`AtomMonth`] in each
/// month, by [`atoms_key`].
pub const ATOMS: &str = "atoms";
/// Dataset of what the next generation keeps of the month that has not ended: a [`LeafRecord`] in that month, by
/// [`leaf_key`]. Nothing is answered from it.
pub const LEAVES: &str = "leaves";
/// Dataset of when places are visited, where answers are protected: a [`PlacePattern`] in each month that has ended
/// and is told of, by [`atoms_key`].
pub const PATTERNS: &str = "patterns";
/// Dataset of how payments divide in places, where answers are protected: a [`PlaceMixes`] in each month that has ended
/// and is told of, by [`atoms_key`], and how many places have one in `current` by month.
pub const PLACE_MIXES: &str = "place_mixes";
/// Dataset of stores beside the others of their region and category: a [`BenchmarkRecord`] in each month with
/// which a period ends that the store has a sale in.
pub const BENCHMARKS: &str = "benchmarks";
/// Dataset of what each customer paid, where a build is asked for it: a [`CustomerRecord`] in `current`, by
/// [`customer_key`].
pub const CUSTOMERS: &str = "customers";
/// Dataset of who pays: a [`DemographicsRecord`] of a store in each month of which it may be told, and how many stores
/// have one in `current` by month.
pub const DEMOGRAPHICS: &str = "demographics";
/// Dataset of who pays at many stores together: a [`PlaceDemographics`] of a place or the market, by [`atoms_key`], in
/// each month in which one of its rows says it, and how many have one in `current` by month.
pub const PLACE_DEMOGRAPHICS: &str = "place_demographics";
/// Dataset of loyalty of many stores together: a [`LoyaltyRecord`] of a place or the market, by [`atoms_key`], as
/// stores have them. There is none where answers are protected.
pub const PLACE_LOYALTY: &str = "place_loyalty";
/// Dataset of loyalty of merchants: a [`LoyaltyRecord`] of each, by its id, as stores have them.
pub const MERCHANT_LOYALTY: &str = "merchant_loyalty";
/// Dataset of where cards come from: an [`OriginsRecord`] of a store in each month of which it may be told, and how
/// many stores have one in `current` by month.
pub const ORIGINS: &str = "origins";
/// Dataset of where cards buy before and after: a [`BesideRecord`] of a store in each month of which it may be told,
/// and how many stores have one in `current` by month.
pub const BEFORE_AFTER: &str = "before_after";
/// Dataset of the share that a store has of what its cards spend: a [`SpendShare`] of a store in each month of which it
/// may be told, and how many stores have one in `current` by month.
pub const SPEND_SHARES: &str = "spend_shares";
/// Dataset of when rows settle, and what was kept and paid out for them: a [`SettlementMonth`] of a store in each month
/// in which a row says something of it, a [`SettlementSummary`] in `current` where there is one.
pub const SETTLEMENTS: &str = "settlements";

/// Dataset of the tree of regions, where a file of regions was read: a [`RegionRecord`] in `current`, by id.
pub const REGION_TREE: &str = "region_tree";

/// Names that no packed dataset may have: those of transactions, now and as designed.
pub const RESERVED_DATASETS: [&str; 27] = [
    STORES,
    MARKETS,
    SEARCH,
    CATALOG,
    RANKINGS,
    SERIES,
    LOYALTY,
    PLACE_LOYALTY,
    MERCHANT_LOYALTY,
    ATOMS,
    LEAVES,
    PATTERNS,
    PLACE_MIXES,
    BENCHMARKS,
    DEMOGRAPHICS,
    PLACE_DEMOGRAPHICS,
    ORIGINS,
    BEFORE_AFTER,
    SPEND_SHARES,
    SETTLEMENTS,
    REGIONS,
    CATEGORIES,
    REGION_CATEGORIES,
    REGION_TREE,
    MERCHANTS,
    CUSTOMERS,
    TILES,
];

/// The datasets whose keys have days: a [`Summary`] in `current`, a [`MonthRecord`] in each month.
pub const SERIES_OF_DAYS: [&str; 7] = [
    STORES,
    MARKETS,
    REGIONS,
    CATEGORIES,
    REGION_CATEGORIES,
    TILES,
    MERCHANTS,
];

/// Those of them that are of the stores of many merchants together, but for [`TILES`]: where answers are protected,
/// [`ATOMS`] is in their place.
pub const PROTECTED_DATASETS: [&str; 4] = [MARKETS, REGIONS, CATEGORIES, REGION_CATEGORIES];

/// Returns the key of a category in a region: both ids with a zero byte between, which no id has.
#[must_use]
pub fn region_category_key(region: impl AsRef<[u8]>, category: impl AsRef<[u8]>) -> Vec<u8> {
    [region.as_ref(), &[0], category.as_ref()].concat()
}

/// Returns the key in [`ATOMS`] of a key of one of the [`PROTECTED_DATASETS`].
#[must_use]
pub fn atoms_key(dataset: &str, key: impl AsRef<[u8]>) -> Vec<u8> {
    [dataset.as_bytes(), &[0], key.as_ref()].concat()
}

/// Returns the dataset and the key in there that a key of [`ATOMS`] is of, or `None` if it is of none.
#[must_use]
pub fn split_atoms_key(key: &[u8]) -> Option<(&'static str, &[u8])> {
    let end = key.iter().position(|byte| *byte == 0)?;
    let known = PROTECTED_DATASETS
        .into_iter()
        .find(|dataset| dataset.as_bytes() == &key[..end]);
    known.map(|dataset| (dataset, &key[end + 1..]))
}
