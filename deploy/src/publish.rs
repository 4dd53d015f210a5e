//! Publishing a generation: blobs, then what stands beside the manifest, then the manifest.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use nightshard_format::manifest::{GenerationId, Manifest, ShardEntry};
use nightshard_storage::Error as StorageError;

use crate::{
    Error, Repository, Result,
    blob::{check_bytes, check_len},
    bounded,
    error::one_line,
    names,
    present::{BlobState, Check, Inventory},
};

/// A generation in local files, ready to be published.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The manifest.
    pub manifest: Manifest,
    /// Shards, by path and BLAKE3 digest in hexadecimal. Those that the repository has already
    /// need not be there; the files of others are moved into it where that is possible.
    pub shards: Vec<(PathBuf, String)>,
    /// The bytes of `build.json`.
    pub build_json: Vec<u8>,
    /// Reports, by the name that they get and their present path.
    pub reports: Vec<(String, PathBuf)>,
}

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The generation.
    pub generation: GenerationId,
    /// Whether the manifest was not there before.
    pub is_new: bool,
    /// Blobs that were stored.
    pub blobs_new: u64,
    /// Blobs that were there before, and right as far as they were looked at.
    pub blobs_present: u64,
    /// Bytes of the blobs that were stored.
    pub bytes_new: u64,
    /// Bytes of the blobs that were there before, and right.
    pub bytes_present: u64,
    /// What was wrong with blobs that were there before and are right now, a line for each.
    pub mended: Vec<String>,
}

/// Where a blob comes from that may have to be stored.
#[derive(Debug, Clone)]
pub(crate) enum BlobSource {
    /// A file that is moved where that is possible.
    Staged(PathBuf),
    /// Another repository.
    Repository(Repository),
    /// Nowhere: it is there already, or something is wrong.
    None,
}

/// What became of one blob.
enum Stored {
    New,
    Present,
    Mended { damage: String },
}

impl Repository {
    /// Publishes a generation, without selecting it.
    ///
    /// Nothing that is there already is stored again, so publishing a second time, or after a
    /// publisher died, stores what is missing only. Staged blobs that are there are read, and
    /// damaged ones replaced by the staged bytes: else every later generation would build on the
    /// damage. Of blobs that are taken over from another generation and not staged, only the length
    /// is looked at: nothing here could mend them, and who serves them reads them first.
    /// `build.json` and the reports of whoever came first stay.
    ///
    /// # Errors
    /// [`Error::Staged`] if the parts contradict each other, [`Error::BadBlob`] if a blob is of the
    /// wrong length and not staged, [`Error::MissingBlob`] if one is neither there nor staged,
    /// [`Error::Unusable`] for a damaged manifest in the place of this one, [`Error::Condemned`] if
    /// something of it is being reclaimed, [`Error::Storage`] if storing fails.
    pub async fn publish(&self, staged: &Staged) -> Result<Published> {
        let manifest_json = staged.check()?;
        let intent = self.declare(&staged.manifest).await?;
        let published = self.publish_declared(staged, manifest_json).await;
        self.withdraw(intent).await;
        published
    }

    async fn publish_declared(&self, staged: &Staged, manifest_json: Vec<u8>) -> Result<Published> {
        // Litter that cannot be cleared is no reason not to publish.
        let _litter = self.storage.clear_unfinished(self.environment.now()).await;
        let paths: BTreeMap<&str, &Path> = staged
            .shards
            .iter()
            .map(|(path, digest)| (digest.as_str(), path.as_path()))
            .collect();
        let source_of = |digest: &str| match paths.get(digest) {
            Some(path) => BlobSource::Staged((*path).to_owned()),
            None => BlobSource::None,
        };
        let mut published = self.publish_blobs(&staged.manifest, source_of).await?;
        self.publish_beside(staged).await?;
        published.is_new = self
            .publish_manifest(&staged.manifest.id, manifest_json)
            .await?;
        Ok(published)
    }

    /// Stores the blobs of a generation that are absent or damaged.
    pub(crate) async fn publish_blobs(
        &self,
        manifest: &Manifest,
        source_of: impl Fn(&str) -> BlobSource,
    ) -> Result<Published> {
        let entries = manifest.shards.iter();
        let entries: BTreeMap<&str, &ShardEntry> =
            entries.map(|entry| (entry.blob.as_str(), entry)).collect();
        let inventory = self.inventory(entries.len()).await?;
        let stored = bounded::run(entries.into_values(), |entry| {
            let (repository, entry) = (self.clone(), entry.clone());
            let source = source_of(&entry.blob);
            let (id, inventory) = (manifest.id.clone(), inventory.clone());
            async move {
                let stored = repository.publish_blob(&id, &entry, source, &inventory);
                let stored = stored.await?;
                Ok((stored, entry.size_bytes))
            }
        });
        let mut published = Published {
            generation: manifest.id.clone(),
            is_new: false,
            blobs_new: 0,
            blobs_present: 0,
            bytes_new: 0,
            bytes_present: 0,
            mended: Vec::new(),
        };
        for (stored, size_bytes) in stored.await? {
            match stored {
                Stored::New => {
                    published.blobs_new += 1;
                    published.bytes_new += size_bytes;
                }
                Stored::Present => {
                    published.blobs_present += 1;
                    published.bytes_present += size_bytes;
                }
                Stored::Mended { damage } => published.mended.push(damage),
            }
        }
        Ok(published)
    }

    /// Stores one blob where it is absent or damaged.
    async fn publish_blob(
        &self,
        id: &GenerationId,
        entry: &ShardEntry,
        source: BlobSource,
        inventory: &Inventory,
    ) -> Result<Stored> {
        let check = match source {
            BlobSource::Staged(_) | BlobSource::Repository(_) => Check::Bytes,
            BlobSource::None => Check::Length,
        };
        let damage = match self.blob_state(entry, check, inventory).await? {
            BlobState::Right => return Ok(Stored::Present),
            BlobState::Absent => None,
            BlobState::Damaged(source) => Some(self.bad_blob(entry, source)),
        };
        match source {
            BlobSource::Staged(path) => self.store_blob(id, entry, &path, damage).await,
            BlobSource::Repository(source) => {
                let lent = source.lend(entry, self).await?;
                let stored = self.store_blob(id, entry, &lent.path(), damage).await;
                lent.give_back();
                stored
            }
            BlobSource::None => Err(damage.unwrap_or_else(|| self.missing_blob(entry))),
        }
    }

    /// Stores the file of a blob, in the place of a damaged one where there is one.
    async fn store_blob(
        &self,
        id: &GenerationId,
        entry: &ShardEntry,
        path: &Path,
        damage: Option<Error>,
    ) -> Result<Stored> {
        let problem = |problem: String| Error::Staged {
            id: id.clone(),
            problem,
        };
        let metadata = std::fs::metadata(path);
        let len_bytes = metadata.map_err(|source| StorageError::Source {
            path: path.to_owned(),
            source,
        })?;
        check_len(len_bytes.len(), entry)
            .map_err(|error| problem(format!("{}: {error}", path.display())))?;
        let name = names::blob(&entry.blob)?;
        let Some(damage) = damage else {
            let is_new = is_new(self.storage.create_from_file(&name, path).await)?;
            return Ok(if is_new { Stored::New } else { Stored::Present });
        };
        // Only the right bytes may take a blob's place.
        let (staged, of_entry) = (path.to_owned(), entry.clone());
        bounded::blocking(move || check_bytes(&staged, &of_entry))
            .await?
            .map_err(|error| problem(format!("{}: {error}", path.display())))?;
        self.storage.replace_from_file(&name, path).await?;
        let damage = one_line(&damage);
        Ok(Stored::Mended { damage })
    }

    async fn publish_beside(&self, staged: &Staged) -> Result<()> {
        let id = &staged.manifest.id;
        let build_json = staged.build_json.clone().into();
        is_new(self.storage.create(&names::build(id)?, build_json).await)?;
        for (report, path) in &staged.reports {
            let name = names::report(id, report)?;
            if self.storage.size(&name).await?.is_none() {
                is_new(self.storage.create_from_file(&name, path).await)?;
            }
        }
        Ok(())
    }

    pub(crate) async fn publish_manifest(&self, id: &GenerationId, json: Vec<u8>) -> Result<bool> {
        let created = self
            .storage
            .create(&names::manifest(id)?, json.into())
            .await;
        let created = is_new(created)?;
        if !created {
            // Its id is the digest of its content: if it can be read, it is this one.
            self.manifest(id).await?;
        }
        Ok(created)
    }
}

impl Staged {
    /// Checks that the parts fit together, and returns the bytes of the manifest.
    fn check(&self) -> Result<Vec<u8>> {
        let id = &self.manifest.id;
        let staged_error = |problem: String| Error::Staged {
            id: id.clone(),
            problem,
        };
        let json = self.manifest.to_json();
        let json = json
            .and_then(|json| Manifest::from_json(&json).map(|_whole| json))
            .map_err(|error| staged_error(error.to_string()))?;
        for (report, _) in &self.reports {
            names::report(id, report)?;
        }
        let entries = self.manifest.shards.iter();
        let named: BTreeSet<&str> = entries.map(|entry| entry.blob.as_str()).collect();
        let foreign = |digest: &String| !named.contains(digest.as_str());
        match self.shards.iter().find(|(_, digest)| foreign(digest)) {
            Some((_, digest)) => Err(staged_error(format!(
                "the staged shard {digest} is not in the manifest"
            ))),
            None => Ok(json),
        }
    }
}

/// Turns the error that an object exists into whether it did not.
pub(crate) fn is_new(created: nightshard_storage::Result<()>) -> Result<bool> {
    match created {
        Ok(()) => Ok(true),
        Err(StorageError::Exists { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
