//! Who stores the dataset, each in the way that suits it best.

mod fst_map;
mod hash_table;
mod lmdb;
mod nightshard;
mod perfect_hash;
mod redb_table;
#[cfg(feature = "rocksdb")]
mod rocks;
#[cfg(feature = "sparkey")]
mod sparkey;

use std::path::Path;

use anyhow::Result;
use nightshard_format::shard::{HugePages, MemoryPolicy};

#[cfg(feature = "rocksdb")]
pub(crate) use self::rocks::{Plain, Rocks};
#[cfg(feature = "sparkey")]
pub(crate) use self::sparkey::Sparkey;
pub(crate) use self::{
    fst_map::Fst, hash_table::HashTable, lmdb::Lmdb, nightshard::Nightshard,
    perfect_hash::PerfectHash, redb_table::Redb,
};
use crate::dataset::{Dataset, Key};

/// How a rival is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) dataset: Dataset,
    /// The data exceed memory by far.
    pub(crate) cold: bool,
    /// How maps are kept in memory; what is no shard is advised of huge pages alone.
    pub(crate) memory: MemoryPolicy,
}

impl Opening {
    /// Whether maps are advised to be in huge pages.
    pub(crate) fn huge(&self) -> bool {
        self.memory.huge_pages == HugePages::All
    }
}

/// A read-only table.
pub(crate) trait Rival: Sized {
    /// It looks many keys up at once.
    const BATCH: bool = false;
    /// It compares the whole key.
    const VERIFIES: bool = true;
    /// It is in memory alone: building is opening.
    const IN_MEMORY: bool = false;

    /// Writes the dataset to a folder, durably.
    fn build(dataset: Dataset, folder: &Path) -> Result<()>;

    fn open(opening: Opening, folder: &Path) -> Result<Self>;

    /// Reads everything once, as the lookups will.
    fn warm(&self) -> Result<()>;

    /// Passes the value of `key` to `read`.
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T>;

    /// Passes the values of `keys` to `visit`, in their order: one by one, unless there is better.
    fn get_many(&self, keys: &[&[u8]], mut visit: impl FnMut(Option<&[u8]>)) {
        for key in keys {
            let key = (*key).try_into().expect("keys have one length");
            if self.get(key, |value| visit(Some(value))).is_none() {
                visit(None);
            }
        }
    }

    /// Bytes of what leads to the records, if that is known.
    fn index_bytes(&self) -> Option<u64> {
        None
    }
}
