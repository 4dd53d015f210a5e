//! Which of a generation's blobs are there.

use std::{collections::BTreeMap, sync::Arc};

use nightshard_format::{
    Error as FormatError,
    manifest::{Manifest, ShardEntry},
};

use crate::{
    BlobRef, Error, Repository, Result,
    blob::{check_bytes, check_len},
    bounded, names,
};

/// From so many blobs on one listing is less work than a question about each.
const LISTED_MIN: usize = 16;

/// How much of a blob is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// How long it is.
    Length,
    /// Every byte.
    Bytes,
}

/// What stands in a blob's place.
#[derive(Debug)]
pub(crate) enum BlobState {
    /// Nothing.
    Absent,
    /// The blob, as far as it was looked at.
    Right,
    /// Other bytes, or what cannot be read.
    Damaged(FormatError),
}

/// The lengths of all blobs by digest, where they were listed. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Inventory(Option<Arc<BTreeMap<String, u64>>>);

impl Repository {
    /// Lists the blobs, if that is less work than asking for so many one by one.
    pub(crate) async fn inventory(&self, blobs: usize) -> Result<Inventory> {
        // Asking a local file system is next to nothing.
        if self.is_local()? || blobs < LISTED_MIN {
            return Ok(Inventory(None));
        }
        let listed = self.storage.list(&names::blobs()?).await?;
        let lengths = listed
            .into_iter()
            .map(|object| (object.name.last_part().to_owned(), object.len_bytes));
        Ok(Inventory(Some(Arc::new(lengths.collect()))))
    }

    /// Returns what stands in a blob's place, by its length alone or by all its bytes.
    ///
    /// Where blobs are no local files the length must do: whoever fetches one compares its digest.
    pub(crate) async fn blob_state(
        &self,
        entry: &ShardEntry,
        check: Check,
        inventory: &Inventory,
    ) -> Result<BlobState> {
        let name = names::blob(&entry.blob)?;
        let len_bytes = match &inventory.0 {
            Some(lengths) => lengths.get(&entry.blob).copied(),
            None => self.storage.size(&name).await?,
        };
        let Some(len_bytes) = len_bytes else {
            return Ok(BlobState::Absent);
        };
        let checked = match (check, self.storage.local_path(&name)) {
            (Check::Bytes, Some(path)) => {
                let entry = entry.clone();
                bounded::blocking(move || check_bytes(&path, &entry)).await?
            }
            _ => check_len(len_bytes, entry),
        };
        Ok(match checked {
            Ok(()) => BlobState::Right,
            Err(damage) => BlobState::Damaged(damage),
        })
    }

    /// Checks that all blobs of a generation are there, and right as far as they are looked at.
    pub(crate) async fn check_blobs(&self, manifest: &Manifest, check: Check) -> Result<()> {
        let inventory = self.inventory(manifest.shards.len()).await?;
        bounded::run(&manifest.shards, |entry| {
            let (repository, entry) = (self.clone(), entry.clone());
            let inventory = inventory.clone();
            async move {
                match repository.blob_state(&entry, check, &inventory).await? {
                    BlobState::Right => Ok(()),
                    BlobState::Damaged(source) => Err(repository.bad_blob(&entry, source)),
                    BlobState::Absent => Err(repository.missing_blob(&entry)),
                }
            }
        })
        .await
        .map(drop)
    }

    /// Names the blob that is not there.
    pub(crate) fn missing_blob(&self, entry: &ShardEntry) -> Error {
        Error::MissingBlob {
            blob: Box::new(BlobRef(entry.clone())),
            location: self.location().to_owned(),
        }
    }
}
