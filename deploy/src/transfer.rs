//! Publishing a generation of one repository in another.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nightshard_format::manifest::{GenerationId, ShardEntry};
use tempfile::TempPath;

use crate::{
    Cache, Error, Published, Repository, Result,
    blob::check_bytes,
    bounded, names,
    publish::{BlobSource, is_new},
};

/// What stands beside a manifest is no longer.
const BESIDE_LEN_MAX: u64 = 1 << 30;

/// The file of a blob, verified, for another repository to store.
pub(crate) enum Lent {
    /// It stays where it is.
    InPlace(PathBuf),
    /// A copy, which may be moved.
    Copy(TempPath),
    /// It was fetched for this.
    Fetched(Cache, String),
}

impl Lent {
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::InPlace(path) => path.clone(),
            Self::Copy(path) => path.to_path_buf(),
            Self::Fetched(cache, digest) => cache.blob(digest),
        }
    }

    /// Removes what was made for lending, unless it was moved.
    pub(crate) fn give_back(self) {
        if let Self::Fetched(cache, digest) = self {
            let _litter = cache.forget(&digest);
        }
    }
}

impl Repository {
    /// Publishes a generation of `source` here, without selecting it: blobs that are here are not
    /// stored again, and not even read there.
    ///
    /// # Errors
    /// As [`Repository::publish`] and, of the source, [`Repository::manifest`] and
    /// [`Repository::fetch`].
    pub async fn publish_of(&self, source: &Self, id: &GenerationId) -> Result<Published> {
        let manifest = source.manifest(id).await?;
        let json = manifest.to_json().map_err(|error| Error::Staged {
            id: id.clone(),
            problem: error.to_string(),
        })?;
        let intent = self.declare(&manifest).await?;
        let publish = async {
            // Litter that cannot be cleared is no reason not to publish.
            let _litter = self.storage.clear_unfinished(self.environment.now()).await;
            let blobs = |_digest: &str| BlobSource::Repository(source.clone());
            let mut published = self.publish_blobs(&manifest, blobs).await?;
            self.copy_beside(source, id).await?;
            published.is_new = self.publish_manifest(id, json).await?;
            Ok(published)
        };
        let published = publish.await;
        self.withdraw(intent).await;
        published
    }

    /// Copies `build.json` and the reports, where they are not here.
    async fn copy_beside(&self, source: &Self, id: &GenerationId) -> Result<()> {
        let manifest = names::manifest(id)?;
        let listed = source.storage.list(&names::generation(id)?).await?;
        let beside = listed.into_iter().map(|object| object.name);
        for name in beside.filter(|name| *name != manifest) {
            if self.storage.size(&name).await?.is_none()
                && let Some(bytes) = source.storage.get(&name, BESIDE_LEN_MAX).await?
            {
                is_new(self.storage.create(&name, bytes).await)?;
            }
        }
        Ok(())
    }

    /// Returns the verified file of a blob, for `to` to store.
    pub(crate) async fn lend(&self, entry: &ShardEntry, to: &Self) -> Result<Lent> {
        if !self.is_local()? {
            // Its digest is compared when it is fetched.
            self.fetch(std::slice::from_ref(entry)).await?;
            return Ok(Lent::Fetched(self.cache()?.clone(), entry.blob.clone()));
        }
        let path = self.blob_path(entry)?;
        let (own, of_entry) = (path.clone(), entry.clone());
        let checked = bounded::blocking(move || check_bytes(&own, &of_entry)).await?;
        checked.map_err(|source| self.bad_blob(entry, source))?;
        let name = names::blob(&entry.blob)?;
        match to.storage.local_path(&name) {
            // It would be moved, and is not to be lost here.
            Some(target) => copy_beside_of(&path, &target).await,
            None => Ok(Lent::InPlace(path)),
        }
    }
}

/// Copies a file to the file system of `target`, a blob of a local repository.
async fn copy_beside_of(path: &Path, target: &Path) -> Result<Lent> {
    let (from, target) = (path.to_owned(), target.to_owned());
    let copied = bounded::blocking(move || {
        let root = target.parent().and_then(Path::parent);
        let tmp = root.unwrap_or(&target).join("tmp");
        fs::create_dir_all(&tmp)?;
        let copy = tempfile::Builder::new().prefix("copy-").tempfile_in(tmp)?;
        fs::copy(&from, copy.path()).map(|_len| copy.into_temp_path())
    });
    let copied = copied.await?;
    let copied = copied.map_err(|source| nightshard_storage::Error::Source {
        path: path.to_owned(),
        source,
    });
    Ok(Lent::Copy(copied?))
}
