//! Typed records above the shard: what the values of each dataset mean.
//!
//! Hot parts are varints read in place; cold parts are bincode, in `cold.rs`. docs/format.md
//! specifies both.

mod buyers;
mod changes;
mod cold;
mod day_lists;
mod hours;
mod loyalty;
mod month;
mod month_builder;
mod month_check;
mod month_roll_up;
mod posting;
mod ranking;
mod runs;
mod side_series;
mod summary;

pub use changes::{Change, net_changes};
pub use hours::{HALF_HOURS, HalfHour};
pub use month::MonthRecord;
pub use month_builder::{DAY_AMOUNTS_MAX, DayCards, MonthBuilder};
pub use posting::{EntityKind, Posting, Postings, encode_postings};
pub use ranking::{RankBy, Ranking, encode_ranking, ranking_key};
pub use runs::Run;
pub use side_series::{SideSeries, encode_side_series};
pub use summary::{MonthTotals, StoreProfile, Summary, SummaryBuilder};

/// Dataset of the stores: a [`Summary`] in `current`, a [`MonthRecord`] in each month.
pub const STORES: &str = "stores";
/// Dataset of the markets, likewise; the key `all` is everything together.
pub const MARKETS: &str = "markets";
/// The key of the market of all stores.
pub const MARKET_ALL: &[u8] = b"all";
/// Dataset of the words of names and of ids: [`Postings`] in `current`.
pub const SEARCH: &str = "search";
/// Dataset of lists: the ids of all `categories` and `regions`, and the names of all [`SERIES`], as a
/// [`Ranking`] in `current`.
pub const CATALOG: &str = "catalog";
/// Dataset of the orders of stores: a [`Ranking`] in `current`.
pub const RANKINGS: &str = "rankings";
/// Dataset of daily numbers beside sales: a [`SideSeries`] in `current`. Also the key of their names in
/// [`CATALOG`].
pub const SERIES: &str = "series";

/// Names that no packed dataset may have: those of transactions, now and as designed.
pub const RESERVED_DATASETS: [&str; 10] = [
    STORES,
    MARKETS,
    SEARCH,
    CATALOG,
    RANKINGS,
    SERIES,
    "regions",
    "categories",
    "tiles",
    "customers",
];
