//! The folder that a build writes into before it publishes.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Context;
use nightshard_storage::Location;

const PREFIX: &str = "build-";
const LOCK: &str = "lock";

/// A folder of this build's own, removed at its end.
///
/// It lies on the repository's file system where that is local, so that shards are moved rather
/// than copied. Its lock tells a running build from one that was killed, whose folder the next
/// build removes.
#[derive(Debug)]
pub(crate) struct StagingFolder {
    folder: tempfile::TempDir,
    _lock: File,
}

impl StagingFolder {
    /// Makes a folder for a build into the repository `output`, after removing dead ones.
    pub(crate) fn create(output: &str, scratch: &Path) -> anyhow::Result<Self> {
        let parent = match Location::parse(output)? {
            Location::Local(root) => root.join("tmp"),
            _ => scratch.to_owned(),
        };
        fs::create_dir_all(&parent).with_context(|| parent.display().to_string())?;
        remove_dead(&parent);
        let create = || -> std::io::Result<Self> {
            let folder = tempfile::Builder::new()
                .prefix(PREFIX)
                .tempdir_in(&parent)?;
            let lock = File::create(folder.path().join(LOCK))?;
            lock.lock()?;
            Ok(Self {
                folder,
                _lock: lock,
            })
        };
        create().with_context(|| parent.display().to_string())
    }

    /// Returns the empty folder to write into.
    pub(crate) fn create_inner(&self) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join("shards");
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

/// Removes the folders of builds that no longer run; what cannot be removed is litter, no error.
fn remove_dead(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_staging = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !is_staging {
            continue;
        }
        let is_dead = File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_dead {
            let _litter = fs::remove_dir_all(&path);
        }
    }
}
