//! Records to shards: a staging folder fills with files, and the manifest's entries with them.

mod append_file;
mod atoms;
mod benchmarks;
mod catalog;
mod demographics;
mod growth;
mod leaf_atoms;
mod manifest;
mod ordered;
mod place_lists;
mod places;
mod search;
mod shard_set;
mod side_series;
mod size;
mod store_shards;
mod written;

pub use atoms::write_atoms;
pub use benchmarks::{Benchmarked, CellCards, cells, write_benchmarks};
pub use catalog::{StoreFacts, write_catalog};
pub use demographics::{hold_back_demographics, write_market_demographics};
pub use growth::StoreGrowth;
pub use leaf_atoms::{LeafAtoms, LeafStore, leaf_atoms};
pub use manifest::{Facts, manifest};
pub use ordered::OrderedSink;
pub use place_lists::PlaceSizes;
pub use places::{PlaceRecords, PlaceShards, encode as encode_places};
pub use search::write_search;
pub(crate) use shard_set::ShardSet;
pub use shard_set::{Staged, Staging};
pub use side_series::write_side_series;
pub use store_shards::{StoreShards, write_market};
pub use written::Written;
