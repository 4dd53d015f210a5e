//! One shard at a time, wherever its blob is.

use bytes::Bytes;
use nightshard_format::{
    Error as FormatError,
    generation::check_identity,
    manifest::ShardEntry,
    shard::{Mapped, Shard},
};

use crate::{
    Repository, Result,
    blob::{check_digest, check_len},
    bounded, names,
};

/// The bytes of a shard: a local file in place, or what was fetched.
#[derive(Debug)]
pub(crate) enum ShardBytes {
    Mapped(Mapped),
    Fetched(Bytes),
}

impl AsRef<[u8]> for ShardBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => mapped.as_ref(),
            Self::Fetched(bytes) => bytes,
        }
    }
}

impl Repository {
    /// Opens a shard of a generation and verifies every byte.
    ///
    /// # Errors
    /// [`crate::Error::MissingBlob`], [`crate::Error::BadBlob`] or [`crate::Error::Storage`].
    pub(crate) async fn read_shard(&self, entry: &ShardEntry) -> Result<Shard<ShardBytes>> {
        let name = names::blob(&entry.blob)?;
        if self.storage.local_path(&name).is_some() {
            let (repository, entry) = (self.clone(), entry.clone());
            return bounded::blocking(move || {
                let shard = repository.map_entry(&entry)?;
                Shard::open(ShardBytes::Mapped(shard.bytes().clone()))
                    .map_err(|source| repository.bad_blob(&entry, source))
            })
            .await?;
        }
        // One byte more than it should have, so that a longer one is seen to be longer.
        let fetched = self
            .storage
            .get_range(&name, 0..entry.size_bytes + 1)
            .await?;
        let fetched = fetched.ok_or_else(|| self.missing_blob(entry))?;
        let (repository, entry) = (self.clone(), entry.clone());
        bounded::blocking(move || {
            open_fetched(fetched, &entry).map_err(|source| repository.bad_blob(&entry, source))
        })
        .await?
    }
}

fn open_fetched(bytes: Bytes, entry: &ShardEntry) -> Result<Shard<ShardBytes>, FormatError> {
    check_len(bytes.len() as u64, entry)?;
    check_digest(blake3::hash(&bytes), entry)?;
    let shard = Shard::open(ShardBytes::Fetched(bytes))?;
    shard.verify()?;
    check_identity(entry, &shard)?;
    Ok(shard)
}
