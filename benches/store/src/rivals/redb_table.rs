//! redb: inserted in the order of keys by one transaction, read in one.

use std::path::Path;

use anyhow::Result;
use redb::{
    Database, ReadOnlyDatabase, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition,
};

use super::{Opening, Rival};
use crate::{
    dataset::{self, Dataset, Key},
    files,
};

const TABLE: TableDefinition<&[u8], &[u8]> = TableDefinition::new("bench");
/// Its own cache of pages: all of them, if memory allows.
const CACHE_BYTES_MAX: usize = 8 << 30;

pub(crate) struct Redb {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    _database: ReadOnlyDatabase,
}

impl Rival for Redb {
    fn build(dataset: Dataset, folder: &Path) -> Result<()> {
        let database = Database::create(folder.join("redb"))?;
        let transaction = database.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            let mut value = Vec::new();
            for (_first, number) in dataset.by_key() {
                dataset.put_value(number, &mut value);
                table.insert(&dataset::key(number)[..], &value[..])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn open(opening: Opening, folder: &Path) -> Result<Self> {
        let bytes = opening.dataset.keys as usize * (opening.dataset.value_len + 64) * 2;
        let mut builder = Database::builder();
        builder.set_cache_size(bytes.min(CACHE_BYTES_MAX));
        let database = builder.open_read_only(folder.join("redb"))?;
        let table = database.begin_read()?.open_table(TABLE)?;
        Ok(Self {
            table,
            _database: database,
        })
    }

    fn warm(&self) -> Result<()> {
        for record in self.table.iter()? {
            let (_key, value) = record?;
            files::touch(value.value());
        }
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let found = self.table.get(&key[..]).expect("the file is whole");
        found.map(|value| read(value.value()))
    }
}
