//! hashbrown: keys in the table, each with where its value is in one long allocation.

use std::path::Path;

use anyhow::Result;
use hashbrown::HashMap;

use super::{Opening, Rival};
use crate::{
    arena::Arena,
    dataset::{self, Dataset, Key},
};

pub(crate) struct HashTable {
    offsets: HashMap<Key, u64>,
    values: Arena<Vec<u8>>,
}

impl Rival for HashTable {
    const IN_MEMORY: bool = true;

    fn build(_dataset: Dataset, _folder: &Path) -> Result<()> {
        Ok(())
    }

    fn open(opening: Opening, _folder: &Path) -> Result<Self> {
        let dataset = opening.dataset;
        let mut offsets = HashMap::with_capacity(usize::try_from(dataset.keys)?);
        let mut values = Arena::with_room_for(dataset);
        let mut value = Vec::new();
        for number in 0..dataset.keys {
            dataset.put_value(number, &mut value);
            offsets.insert(dataset::key(number), values.push(&value));
        }
        Ok(Self { offsets, values })
    }

    fn warm(&self) -> Result<()> {
        self.values.touch();
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.offsets
            .get(key)
            .map(|offset| read(self.values.get(*offset)))
    }

    fn index_bytes(&self) -> Option<u64> {
        Some(self.offsets.allocation_size() as u64)
    }
}
