//! LMDB, through heed: appended in the order of keys, read in one transaction.

use std::path::Path;

use anyhow::Result;
use heed::{Database, Env, EnvFlags, EnvOpenOptions, PutFlags, RoTxn, WithoutTls, types::Bytes};

use super::{Opening, Rival};
use crate::{
    dataset::{self, Dataset, Key},
    files,
};

/// Records of one transaction: it holds the pages that it writes in memory.
const TRANSACTION: usize = 1_000_000;

pub(crate) struct Lmdb {
    // Before the environment, which it must not outlive.
    transaction: RoTxn<'static, WithoutTls>,
    table: Database<Bytes, Bytes>,
    env: Env<WithoutTls>,
}

/// Room in the address space for a file of the dataset; it is only as long as it has to be.
fn options(dataset: Dataset) -> EnvOpenOptions<WithoutTls> {
    let record = dataset.value_len + 64;
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size((dataset.keys as usize * record * 2).next_multiple_of(1 << 21) + (64 << 20));
    options
}

impl Rival for Lmdb {
    fn build(dataset: Dataset, folder: &Path) -> Result<()> {
        let mut options = options(dataset);
        // SAFETY: nobody else uses the folder, and the file is synchronised at the end.
        let env = unsafe {
            options
                .flags(EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC)
                .open(folder)?
        };
        let mut transaction = env.write_txn()?;
        let table: Database<Bytes, Bytes> = env.create_database(&mut transaction, None)?;
        let mut value = Vec::new();
        for records in dataset.by_key().chunks(TRANSACTION) {
            for (_first, number) in records {
                dataset.put_value(*number, &mut value);
                let key = dataset::key(*number);
                table.put_with_flags(&mut transaction, PutFlags::APPEND, &key, &value)?;
            }
            transaction.commit()?;
            transaction = env.write_txn()?;
        }
        transaction.commit()?;
        env.force_sync()?;
        Ok(())
    }

    fn open(opening: Opening, folder: &Path) -> Result<Self> {
        let mut options = options(opening.dataset);
        let mut flags = EnvFlags::READ_ONLY | EnvFlags::NO_LOCK;
        if opening.cold {
            flags |= EnvFlags::NO_READ_AHEAD;
        }
        // SAFETY: nobody writes the file any more.
        let env = unsafe { options.flags(flags).open(folder)? };
        let transaction = env.clone().static_read_txn()?;
        let table = env
            .open_database(&transaction, None)?
            .expect("it was built");
        Ok(Self {
            transaction,
            table,
            env,
        })
    }

    fn warm(&self) -> Result<()> {
        for record in self.table.iter(&self.transaction)? {
            let (_key, value) = record?;
            files::touch(value);
        }
        Ok(())
    }

    #[inline]
    fn get<T>(&self, key: &Key, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let found = self.table.get(&self.transaction, key);
        found.expect("the file is whole").map(read)
    }

    fn index_bytes(&self) -> Option<u64> {
        let stat = self.table.stat(&self.transaction).ok()?;
        let _ = &self.env;
        Some(stat.branch_pages as u64 * u64::from(stat.page_size))
    }
}
