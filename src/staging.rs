//! The folder that a build writes into before it publishes.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::Context;
use nightshard_deploy::{Environment, SystemEnvironment};
use nightshard_storage::{Location, UNFINISHED_AGE_MAX};

/// A folder of this name has a lock that its build holds; without one, or with one that nobody
/// holds, it is dead.
const PREFIX: &str = "build-";
/// A folder of this name has no lock yet.
const UNLOCKED_PREFIX: &str = "new-";
const LOCK: &str = "lock";

/// A folder of this build's own, removed at its end.
///
/// It lies on the repository's file system where that is local, so that shards are moved rather
/// than copied. Its lock tells a running build from one that was killed, whose folder the next
/// build removes. It is locked before it gets the name by which others look at it, so that a
/// build that has just begun never looks like a dead one.
#[derive(Debug)]
pub(crate) struct StagingFolder {
    path: PathBuf,
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
        remove_dead(&parent, SystemEnvironment.now());
        Self::create_in(&parent).with_context(|| parent.display().to_string())
    }

    fn create_in(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(UNLOCKED_PREFIX)
            .rand_bytes(12)
            .tempdir_in(parent)?;
        let lock = File::create_new(folder.path().join(LOCK))?;
        lock.lock()?;
        let name = folder.path().file_name().unwrap_or_default();
        let name = name.to_string_lossy().replacen(UNLOCKED_PREFIX, PREFIX, 1);
        let path = parent.join(name);
        fs::rename(folder.path(), &path)?;
        // It has its new name and is removed by that.
        let _old_name = folder.keep();
        Ok(Self { path, _lock: lock })
    }

    /// Returns where something of this name is to be put in the folder.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Returns the empty folder to write into.
    pub(crate) fn create_inner(&self) -> anyhow::Result<PathBuf> {
        let path = self.path.join("shards");
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        // What cannot be removed is litter, which the next build removes.
        let _litter = fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders of builds that no longer run; what cannot be removed is litter, no error.
fn remove_dead(parent: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_dead = if name.starts_with(PREFIX) {
            is_unlocked(&path.join(LOCK))
        } else {
            name.starts_with(UNLOCKED_PREFIX) && is_abandoned(&path, now)
        };
        if is_dead {
            let _litter = fs::remove_dir_all(&path);
        }
    }
}

/// Returns whether nobody holds the lock, or there is none.
fn is_unlocked(lock: &Path) -> bool {
    match File::open(lock) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Returns whether a folder is older than a build takes to lock it, by far.
fn is_abandoned(path: &Path, now: SystemTime) -> bool {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    // A folder dated in the future has no age: it is left alone.
    modified.is_ok_and(|modified| {
        let age = now.duration_since(modified);
        age.is_ok_and(|age| age > UNFINISHED_AGE_MAX)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let entries = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap());
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_folders_of_dead_builds_are_removed_and_no_others() {
        let parent = tempfile::tempdir().unwrap();
        let parent = parent.path();
        let alive = StagingFolder::create_in(parent).unwrap();
        alive.create_inner().unwrap();
        // Killed while it built, while it cleared up, and before it had a lock.
        fs::create_dir_all(parent.join("build-killed/shards")).unwrap();
        fs::write(parent.join("build-killed/lock"), "").unwrap();
        fs::create_dir_all(parent.join("build-clearing/shards")).unwrap();
        fs::create_dir(parent.join("new-just-now")).unwrap();
        fs::create_dir(parent.join("foreign")).unwrap();
        let made = fs::metadata(parent.join("new-just-now")).unwrap();
        let made = made.modified().unwrap();

        remove_dead(parent, made + UNFINISHED_AGE_MAX);
        let alive_name = alive.path.file_name().unwrap().to_str().unwrap();
        assert_eq!(names(parent), [alive_name, "foreign", "new-just-now"]);
        remove_dead(parent, made + UNFINISHED_AGE_MAX + Duration::from_secs(1));
        assert_eq!(names(parent), [alive_name, "foreign"]);
        drop(alive);
        assert_eq!(names(parent), ["foreign"]);
    }

    /// A build that looked between another's making its lock and locking it removed that build's
    /// folder.
    #[test]
    fn builds_that_begin_at_once_leave_each_others_folders_alone() {
        let parent = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let staging = StagingFolder::create_in(parent.path()).unwrap();
                        remove_dead(parent.path(), SystemEnvironment.now());
                        assert!(staging.create_inner().unwrap().is_dir());
                    }
                });
            }
        });
        assert_eq!(names(parent.path()), Vec::<String>::new());
    }
}
