//! Records to shards: a staging folder fills with files, and the manifest's entries with them.

mod append_file;
mod atoms;
mod catalog;
mod leaf_atoms;
mod manifest;
mod ordered;
mod places;
mod search;
mod shard_set;
mod side_series;
mod store_shards;

pub use atoms::write_atoms;
pub use catalog::{PlaceSize, StoreFacts, place_sizes, write_catalog};
pub use leaf_atoms::{LeafAtoms, LeafStore, leaf_atoms};
pub use manifest::{Facts, manifest};
pub use ordered::OrderedSink;
pub use places::{Months, PlaceRecords, PlaceShards, encode as encode_places};
pub use search::write_search;
pub(crate) use shard_set::ShardSet;
pub use shard_set::{Staged, Staging};
pub use side_series::write_side_series;
pub use store_shards::{StoreShards, write_market};
