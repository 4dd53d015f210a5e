//! A folder of what was fetched from a repository elsewhere, to be mapped.
//!
//! ```text
//! blobs/<blake3>                     whole, and right when it was fetched
//! generations/<id>/manifest.json
//! generations/<id>/quality.json      the quality report that was found last
//! served.json                        what was served last from here
//! tmp/                               what is half fetched
//! lock                               held by the one process that uses the folder
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use nightshard_format::manifest::{GenerationId, Manifest};
use nightshard_storage::UNFINISHED_AGE_MAX;
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempDir};
use tokio::sync::Semaphore;

use crate::{Environment, Error, Result, SelectionNumber, SystemEnvironment, throttle::Throttle};

/// How the folders of caches begin that go away with their processes.
const TEMPORARY: &str = "nightshard-cache-";

/// The name of a generation's quality report.
const QUALITY: &str = "quality.json";

/// How generations are fetched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FetchConfig {
    /// How much is fetched in a second, by all requests together; 0: without a limit.
    pub bytes_per_second: u64,
    /// Requests to storage at a time.
    pub requests: NonZeroUsize,
    /// How much of the disk stays free.
    pub reserve_bytes: u64,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            bytes_per_second: 0,
            requests: const { NonZeroUsize::new(8).unwrap() },
            reserve_bytes: 256 << 20,
        }
    }
}

/// A folder of what was fetched. Clones are handles on the same folder.
#[derive(Debug, Clone)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    config: FetchConfig,
    throttle: Throttle,
    requests: Semaphore,
    _lock: File,
    /// Removes the folder with the last handle, where nobody is to keep it.
    _temporary: Option<TempDir>,
}

/// What was served last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The number of the selection.
    pub selection: SelectionNumber,
    /// The generation.
    pub generation: GenerationId,
}

impl Cache {
    /// Opens the cache in `folder`, which is made where it is not yet there, and clears what an
    /// earlier process left half done.
    ///
    /// # Errors
    /// [`Error::Cache`] if the folder cannot be used, or another process uses it.
    pub fn open(folder: &Path, config: FetchConfig) -> Result<Self> {
        let failed = |source| Error::Cache {
            folder: folder.to_owned(),
            source,
        };
        let lock = prepare(folder).map_err(failed)?;
        Ok(Self::new(folder.to_owned(), config, lock, None))
    }

    /// Makes a cache that goes away with its last handle; those of processes that were killed long ago
    /// are cleared.
    ///
    /// # Errors
    /// [`Error::Cache`] if the system's temporary folder cannot be used.
    pub fn temporary(config: FetchConfig) -> Result<Self> {
        let failed = |source| Error::Cache {
            folder: std::env::temp_dir(),
            source,
        };
        clear_dead(&std::env::temp_dir(), SystemEnvironment.now());
        let mut builder = tempfile::Builder::new();
        let temporary = builder.prefix(TEMPORARY).tempdir().map_err(failed)?;
        let folder = temporary.path().to_owned();
        let lock = prepare(&folder).map_err(failed)?;
        Ok(Self::new(folder, config, lock, Some(temporary)))
    }

    fn new(folder: PathBuf, config: FetchConfig, lock: File, temporary: Option<TempDir>) -> Self {
        Self(Arc::new(Inner {
            folder,
            throttle: Throttle::new(config.bytes_per_second),
            requests: Semaphore::new(config.requests.get()),
            config,
            _lock: lock,
            _temporary: temporary,
        }))
    }

    /// Returns where the cache is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Returns where a blob is, or would be.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        self.0.folder.join("blobs").join(digest)
    }

    /// Returns where a blob is while it is fetched.
    pub(crate) fn part(&self, digest: &str) -> PathBuf {
        self.0.folder.join("tmp").join(format!("{digest}.part"))
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn requests(&self) -> &Semaphore {
        &self.0.requests
    }

    /// Gives a blob that was fetched whole its name, for good.
    pub(crate) fn keep(&self, part: &Path, digest: &str) -> Result<()> {
        let keep = || {
            make_read_only(part)?;
            fs::rename(part, self.blob(digest))?;
            sync_folder(&self.0.folder.join("blobs"))
        };
        keep().map_err(|source| self.failed(source))
    }

    /// Checks that so many bytes more fit on the disk.
    ///
    /// # Errors
    /// [`Error::CacheFull`] if they do not.
    pub(crate) fn check_room(&self, needed_bytes: u64) -> Result<()> {
        let disk = rustix::fs::statvfs(&self.0.folder);
        let disk = disk.map_err(|error| self.failed(error.into()))?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        let free_bytes = free_bytes.saturating_sub(self.0.config.reserve_bytes);
        if needed_bytes <= free_bytes {
            return Ok(());
        }
        Err(Error::CacheFull {
            folder: self.0.folder.clone(),
            needed_bytes,
            free_bytes,
        })
    }

    /// Returns the bytes of a manifest that was fetched.
    pub(crate) fn manifest(&self, id: &GenerationId) -> Option<Vec<u8>> {
        fs::read(self.manifest_path(id)).ok()
    }

    /// Keeps the bytes of a manifest.
    pub(crate) fn put_manifest(&self, id: &GenerationId, bytes: &[u8]) -> Result<()> {
        self.put_of_generation(&self.manifest_path(id), bytes)
    }

    /// Returns the bytes of a quality report that was fetched.
    pub(crate) fn quality(&self, id: &GenerationId) -> Option<Vec<u8>> {
        fs::read(self.manifest_path(id).with_file_name(QUALITY)).ok()
    }

    /// Keeps the bytes of a quality report.
    pub(crate) fn put_quality(&self, id: &GenerationId, bytes: &[u8]) -> Result<()> {
        let path = self.manifest_path(id).with_file_name(QUALITY);
        self.put_of_generation(&path, bytes)
    }

    fn put_of_generation(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let put = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.0.folder))?;
            self.put(path, bytes)
        };
        put().map_err(|source| self.failed(source))
    }

    /// Returns what was served last from here, if that is known.
    #[must_use]
    pub fn served(&self) -> Option<Served> {
        let bytes = fs::read(self.0.folder.join("served.json")).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Remembers what is served from here.
    ///
    /// # Errors
    /// [`Error::Cache`] if it cannot be written.
    pub fn put_served(&self, served: &Served) -> Result<()> {
        let path = self.0.folder.join("served.json");
        let put = || self.put(&path, &serde_json::to_vec(served)?);
        put().map_err(|source| self.failed(source))
    }

    /// Forgets a blob that is damaged, so that it is fetched again.
    ///
    /// # Errors
    /// [`Error::Cache`] if it cannot be deleted.
    pub fn forget(&self, digest: &str) -> Result<()> {
        match fs::remove_file(self.blob(digest)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    /// Deletes what none of the generations in `live` needs.
    ///
    /// # Errors
    /// [`Error::Cache`] if something cannot be deleted.
    pub fn retain(&self, live: &[&Manifest]) -> Result<()> {
        let shards = live.iter().flat_map(|manifest| &manifest.shards);
        let blobs: BTreeSet<&str> = shards.map(|entry| entry.blob.as_str()).collect();
        let ids: BTreeSet<&str> = live.iter().map(|manifest| manifest.id.as_str()).collect();
        let retain = || {
            retain_in(&self.0.folder.join("blobs"), &blobs)?;
            retain_in(&self.0.folder.join("generations"), &ids)
        };
        retain().map_err(|source| self.failed(source))
    }

    fn manifest_path(&self, id: &GenerationId) -> PathBuf {
        let folder = self.0.folder.join("generations").join(id.as_str());
        folder.join("manifest.json")
    }

    /// Writes a file whole, in the place of an earlier one.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut aside = NamedTempFile::new_in(self.0.folder.join("tmp"))?;
        aside.write_all(bytes)?;
        aside.as_file().sync_all()?;
        aside.persist(path)?;
        sync_folder(path.parent().unwrap_or(&self.0.folder))
    }

    pub(crate) fn failed(&self, source: io::Error) -> Error {
        Error::Cache {
            folder: self.0.folder.clone(),
            source,
        }
    }
}

/// Makes the folders of a cache, takes its lock, and clears what is half done.
fn prepare(folder: &Path) -> io::Result<File> {
    for inner in ["blobs", "generations"] {
        fs::create_dir_all(folder.join(inner))?;
    }
    let lock = File::options()
        .create(true)
        .append(true)
        .open(folder.join("lock"))?;
    lock.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => io::Error::other("another process uses it"),
        fs::TryLockError::Error(error) => error,
    })?;
    let tmp = folder.join("tmp");
    match fs::remove_dir_all(&tmp) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _cleared => fs::create_dir(tmp)?,
    }
    Ok(lock)
}

/// Removes the temporary caches of processes that died: nobody else knows them.
fn clear_dead(parent: &Path, now: SystemTime) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_one = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        if is_one && is_dead(&entry.path(), now) {
            // What cannot be removed is litter, no error.
            let _litter = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns whether a cache is older than a process takes to lock it, by far, and nobody holds its
/// lock.
fn is_dead(folder: &Path, now: SystemTime) -> bool {
    let modified = fs::metadata(folder).and_then(|metadata| metadata.modified());
    let age = modified
        .ok()
        .and_then(|modified| now.duration_since(modified).ok());
    // One dated in the future has no age: it is left alone.
    let is_old = age.is_some_and(|age| age > UNFINISHED_AGE_MAX);
    let lock = folder.join("lock");
    // Others may put anything into a folder for temporary files: what is no file is not opened.
    is_old
        && match fs::symlink_metadata(&lock) {
            Ok(metadata) if !metadata.is_file() => false,
            Ok(_) => File::open(&lock).is_ok_and(|lock| lock.try_lock().is_ok()),
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
}

/// Deletes what is in a folder under other names than those of `kept`.
fn retain_in(folder: &Path, kept: &BTreeSet<&str>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| kept.contains(name)) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}

/// Nobody writes a blob once it has its name: it is mapped.
fn make_read_only(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(path, permissions)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn temporary_caches_of_the_dead_are_cleared_after_a_day_and_no_others() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        let dead = ["nightshard-cache-dead", "nightshard-cache-unlocked"];
        for name in [
            "nightshard-cache-alive",
            dead[0],
            dead[1],
            "nightshard-else",
        ] {
            fs::create_dir(path(name)).unwrap();
        }
        let alive = prepare(&path("nightshard-cache-alive")).unwrap();
        // A process that another test has begun may have it open for a moment: it is the lock that
        // ends here.
        prepare(&path(dead[0])).unwrap().unlock().unwrap();
        let made = |name: &str| fs::metadata(path(name)).unwrap().modified().unwrap();
        let last = dead.map(made).into_iter().max().unwrap();
        let is_there = |name: &&str| path(name).is_dir();
        clear_dead(
            parent.path(),
            last + UNFINISHED_AGE_MAX - Duration::from_secs(60),
        );
        assert!(dead.iter().all(is_there));
        clear_dead(
            parent.path(),
            last + UNFINISHED_AGE_MAX + Duration::from_secs(60),
        );
        assert!(!dead.iter().any(&is_there));
        assert!(
            ["nightshard-cache-alive", "nightshard-else"]
                .iter()
                .all(is_there)
        );
        drop(alive);
    }
}
