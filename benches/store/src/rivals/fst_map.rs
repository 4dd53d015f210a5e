//! fst: a transducer from key to where the value is in another file.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use anyhow::Result;
use memmap2::Mmap;

use super::{Opening, Rival};
use crate::{
    arena::{self, Arena},
    dataset::{self, Dataset, Key},
    files,
};

pub(crate) struct Fst {
    offsets: fst::Map<Mmap>,
    values: Arena<Mmap>,
}

impl Rival for Fst {
    fn build(dataset: Dataset, folder: &Path) -> Result<()> {
        let create = |name| File::create(folder.join(name)).map(BufWriter::new);
        let mut offsets = fst::MapBuilder::new(create("fst")?)?;
        let mut values = create("values")?;
        let (mut offset, mut value) = (0, Vec::new());
        for (_first, number) in dataset.by_key() {
            dataset.put_value(number, &mut value);
            offsets.insert(dataset::key(number), offset)?;
            offset += arena::put(&mut values, &value)?;
        }
        let mut offsets = offsets.into_inner()?;
        for output in [&mut offsets, &mut values] {
            output.flush()?;
            output.get_ref().sync_all()?;
        }
        Ok(())
    }

    fn open(opening: Opening, folder: &Path) -> Result<Self> {
        let map = |name| files::map(&folder.join(name), opening.huge());
        Ok(Self {
            offsets: fst::Map::new(map("fst")?)?,
            values: Arena(map("values")?),
        })
    }

    fn warm(&self) -> Result<()> {
        files::touch(self.offsets.as_fst().as_bytes());
        self.values.touch();
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.offsets
            .get(key)
            .map(|offset| read(self.values.get(offset)))
    }

    fn index_bytes(&self) -> Option<u64> {
        Some(self.offsets.as_fst().as_bytes().len() as u64)
    }
}
