//! The shard file: a self-contained, immutable table of byte keys and byte values.
//!
//! docs/format.md specifies every byte. A [`ShardWriter`] streams records in order into any
//! [`std::io::Write`]; a [`Shard`] reads any bytes, a [`Mapped`] file among them.

mod advise;
pub(crate) mod batch;
mod blocks;
mod compress;
mod density;
mod dictionary;
mod expression;
mod fuzzy;
mod index;
mod layout;
mod mapped;
mod memory;
mod prefetch;
mod probe;
mod reader;
mod samples;
mod search;
mod stored;
mod transducer;
mod value;
mod verify;
mod writer;

pub use blocks::BLOCK_LEN;
pub use density::Density;
pub use dictionary::DICTIONARY_LEN_MAX;
pub use layout::{DATASET_LEN_MAX, FORMAT_VERSION, Identity, Span};
pub use mapped::Mapped;
pub use memory::{HugePages, IndexResidence, MemoryPolicy, RecordAccess, Refused};
pub use reader::{Record, Records, Shard};
pub use samples::Samples;
pub use search::{EDITS_MAX, FUZZY_LEN_MAX, Search, Searched};
pub use value::{COMPRESSED_LEN_MAX, Value};
pub use writer::{ShardWriter, Written};
