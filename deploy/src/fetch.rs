//! Fetching blobs into a cache: each from where it was left off, checked from disk, then named.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::Path,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use nightshard_format::manifest::ShardEntry;

use crate::{Cache, Repository, Result, blob::check_bytes, bounded, names};

/// So much of a blob is asked for at a time.
const PIECE_BYTES: u64 = 8 << 20;
/// So many pieces of a blob are under way at a time.
const PIECES_AHEAD: usize = 4;

/// What was fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Blobs that were not there.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Repository {
    /// Fetches those of some blobs that the cache has not; nothing where blobs are local files.
    ///
    /// One that was broken off goes on where it was. Of each, every byte is compared with its digest
    /// once it is on disk, before it gets its name.
    ///
    /// # Errors
    /// [`crate::Error::NotLocal`] without a cache, [`crate::Error::CacheFull`] before anything is
    /// fetched, [`crate::Error::MissingBlob`] or [`crate::Error::BadBlob`] for what storage has not
    /// or has wrong.
    pub async fn fetch(&self, entries: &[ShardEntry]) -> Result<Fetched> {
        if self.is_local()? {
            return Ok(Fetched::default());
        }
        let cache = self.cache()?;
        let mut missing = BTreeMap::new();
        for entry in entries {
            if len_of(&cache.blob(&entry.blob)) != Some(entry.size_bytes) {
                missing.insert(entry.blob.as_str(), entry);
            }
        }
        let needed = missing.values().map(|entry| {
            let fetched = len_of(&cache.part(&entry.blob)).unwrap_or_default();
            entry.size_bytes.saturating_sub(fetched)
        });
        cache.check_room(needed.sum())?;
        let fetched = Fetched {
            blobs: missing.len() as u64,
            bytes: missing.values().map(|entry| entry.size_bytes).sum(),
        };
        bounded::run(missing.into_values(), |entry| {
            let (repository, cache, entry) = (self.clone(), cache.clone(), entry.clone());
            async move { repository.fetch_blob(&cache, &entry).await }
        })
        .await?;
        Ok(fetched)
    }

    async fn fetch_blob(&self, cache: &Cache, entry: &ShardEntry) -> Result<()> {
        let part = cache.part(&entry.blob);
        let was_begun = len_of(&part).is_some_and(|len| len > 0);
        let mut checked = self.fetch_rest(cache, entry, &part).await?;
        if checked.is_err() && was_begun {
            // What was there may have been torn: once more from the beginning.
            fs::remove_file(&part).map_err(|error| cache.failed(error))?;
            checked = self.fetch_rest(cache, entry, &part).await?;
        }
        if let Err(source) = checked {
            let _litter = fs::remove_file(&part);
            return Err(self.bad_blob(entry, source));
        }
        cache.keep(&part, &entry.blob)
    }

    /// Fetches what is not there yet of a blob, and compares all of it with its digest.
    async fn fetch_rest(
        &self,
        cache: &Cache,
        entry: &ShardEntry,
        part: &Path,
    ) -> Result<nightshard_format::Result<()>> {
        let mut file = open_part(part, entry).map_err(|error| cache.failed(error))?;
        let begun = file.metadata().map_err(|error| cache.failed(error))?.len();
        let offsets = (begun..entry.size_bytes).step_by(usize::try_from(PIECE_BYTES).unwrap_or(1));
        let mut pieces = stream::iter(offsets)
            .map(|offset| self.fetch_piece(cache, entry, offset))
            .buffered(PIECES_AHEAD);
        while let Some(bytes) = pieces.try_next().await? {
            let written = bounded::blocking(move || file.write_all(&bytes).map(|()| file)).await?;
            file = written.map_err(|error| cache.failed(error))?;
        }
        let (part, entry) = (part.to_owned(), entry.clone());
        let checked = bounded::blocking(move || {
            file.sync_all()?;
            // Else memory would be read, not the disk.
            let all = None;
            rustix::fs::fadvise(&file, 0, all, rustix::fs::Advice::DontNeed)?;
            Ok(check_bytes(&part, &entry))
        });
        checked.await?.map_err(|error| cache.failed(error))
    }

    async fn fetch_piece(
        &self,
        cache: &Cache,
        entry: &ShardEntry,
        offset: u64,
    ) -> Result<bytes::Bytes> {
        let end = entry.size_bytes.min(offset + PIECE_BYTES);
        cache.throttle().pass(end - offset).await;
        let place = cache.requests().acquire().await;
        let _place = place.map_err(|_closed| crate::Error::Interrupted)?;
        let name = names::blob(&entry.blob)?;
        let found = self.storage.get_range(&name, offset..end).await?;
        found.ok_or_else(|| self.missing_blob(entry))
    }
}

/// Opens what was fetched of a blob, to be gone on with.
fn open_part(part: &Path, entry: &ShardEntry) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(part)?;
    if file.metadata()?.len() > entry.size_bytes {
        file.set_len(0)?;
    }
    Ok(file)
}

/// Returns how long a file is, or `None` if there is none.
fn len_of(path: &Path) -> Option<u64> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        found => found.ok().map(|metadata| metadata.len()),
    }
}
