//! PtrHash: a minimal perfect hash to 16 bits of the key's hash and where the value is.
//!
//! It compares no key: one missing key in 65,536 gets somebody else's value.

use std::path::Path;

use anyhow::Result;
use ptr_hash::{DefaultPtrHash, PtrHashParams, hash::NoHash};
use xxhash_rust::xxh3::xxh3_64;

use super::{Opening, Rival};
use crate::{
    arena::Arena,
    dataset::{self, Dataset, Key},
    files,
};

/// Bits of a slot that tell where the value is; the others are of the hash.
const OFFSET_BITS: u32 = 48;

pub(crate) struct PerfectHash {
    function: DefaultPtrHash<NoHash, u64>,
    slots: Vec<u64>,
    values: Arena<Vec<u8>>,
}

impl Rival for PerfectHash {
    const VERIFIES: bool = false;
    const IN_MEMORY: bool = true;

    fn build(_dataset: Dataset, _folder: &Path) -> Result<()> {
        Ok(())
    }

    fn open(opening: Opening, _folder: &Path) -> Result<Self> {
        let dataset = opening.dataset;
        let hashes: Vec<_> = (0..dataset.keys)
            .map(|number| xxh3_64(&dataset::key(number)))
            .collect();
        let function = DefaultPtrHash::<NoHash, u64>::new(&hashes, PtrHashParams::default());
        let mut slots = vec![0; hashes.len()];
        let mut values = Arena::with_room_for(dataset);
        let mut value = Vec::new();
        for (number, hash) in (0..).zip(&hashes) {
            dataset.put_value(number, &mut value);
            let fingerprint = hash >> OFFSET_BITS << OFFSET_BITS;
            slots[function.index(hash)] = fingerprint | values.push(&value);
        }
        Ok(Self {
            function,
            slots,
            values,
        })
    }

    fn warm(&self) -> Result<()> {
        files::touch_words(&self.slots);
        self.values.touch();
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let hash = xxh3_64(key);
        let slot = self.slots[self.function.index(&hash)];
        if (slot ^ hash) >> OFFSET_BITS != 0 {
            return None;
        }
        Some(read(self.values.get(slot & !(u64::MAX << OFFSET_BITS))))
    }

    fn index_bytes(&self) -> Option<u64> {
        let (pilots, remap) = self.function.bits_per_element();
        let function = (pilots + remap) / 8.0 * self.slots.len() as f64;
        Some(function as u64 + 8 * self.slots.len() as u64)
    }
}
