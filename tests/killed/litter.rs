//! What is left of those who were killed once a week has passed.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use nightshard_deploy::{Reclaim, Repository};
use nightshard_storage::{Listed, ObjectName, Result, Storage};

/// Longer than anything is kept that nobody needs.
const WEEK: Duration = Duration::from_secs(8 * 24 * 60 * 60);

/// Everything that a repository may have.
const FOLDERS: [&str; 8] = [
    "blobs",
    "condemned",
    "generations",
    "intents",
    "leases",
    "marks",
    "runs",
    "selections",
];

/// Reclaims in object storage, a week later.
pub(crate) async fn reclaim_later(storage: Arc<dyn Storage>) {
    let begun = now_of(&*storage).await;
    // What is made from now on is dated later: some servers date to the second.
    while now_of(&*storage).await == begun {}
    let later = Later { begun, storage };
    let repository = Repository::new(Arc::new(later));
    repository.reclaim(&Reclaim::default()).await.unwrap();
}

/// Checks that a repository has what its generations need, and the records that are never deleted.
pub(crate) async fn is_clean(storage: &dyn Storage, repository: &Repository) {
    let mut needed = BTreeSet::new();
    let generations = repository.generations().await.unwrap();
    for generation in &generations {
        let manifest = generation.manifest.as_ref().unwrap();
        needed.extend(manifest.shards.iter().map(|entry| entry.blob.clone()));
    }
    let ids: BTreeSet<&str> = generations.iter().map(|it| it.id.as_str()).collect();
    let mut blobs = BTreeSet::new();
    for folder in FOLDERS {
        for object in storage.list(&folder.parse().unwrap()).await.unwrap() {
            let name = object.name.as_str();
            let is_needed = match folder {
                "blobs" => blobs.insert(object.name.last_part().to_owned()),
                "generations" => ids.contains(name.split('/').nth(1).unwrap()),
                // A few are kept for people to look at.
                "leases" | "marks" | "runs" | "selections" => true,
                _ => false,
            };
            assert!(is_needed, "{name} is litter");
        }
    }
    let more: Vec<_> = blobs.difference(&needed).collect();
    assert!(more.is_empty(), "nobody needs {more:?}");
    let lost: Vec<_> = needed.difference(&blobs).collect();
    assert!(lost.is_empty(), "{lost:?} are needed, and gone");
    let unfinished = storage.clear_unfinished(SystemTime::UNIX_EPOCH + 1_000 * WEEK * 10);
    assert_eq!(unfinished.await.unwrap(), 0, "uploads are left");
}

/// Makes everything in a local folder a week older, folders, too.
pub(crate) fn age(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        }
        let file = File::open(&path).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified - WEEK).unwrap();
    }
}

/// Returns what is left in a folder of which nothing is to be kept.
pub(crate) fn left_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

async fn now_of(storage: &dyn Storage) -> SystemTime {
    let name: ObjectName = "intents/now.json".parse().unwrap();
    storage.create(&name, Bytes::new()).await.unwrap();
    let listed = storage.list(&"intents".parse().unwrap()).await.unwrap();
    let own = listed.into_iter().find(|object| object.name == name);
    storage.delete(&name).await.unwrap();
    own.unwrap().modified
}

/// Storage in which what was there when this began is a week older.
#[derive(Debug)]
struct Later {
    storage: Arc<dyn Storage>,
    begun: SystemTime,
}

#[async_trait]
impl Storage for Later {
    fn location(&self) -> &str {
        self.storage.location()
    }

    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        self.storage.create(name, bytes).await
    }

    async fn create_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.storage.create_from_file(name, file).await
    }

    async fn replace_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.storage.replace_from_file(name, file).await
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Option<Bytes>> {
        self.storage.get(name, limit_bytes).await
    }

    async fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Option<Bytes>> {
        self.storage.get_range(name, range).await
    }

    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>> {
        let mut listed = self.storage.list(folder).await?;
        for object in &mut listed {
            if object.modified <= self.begun {
                object.modified -= WEEK;
            }
        }
        Ok(listed)
    }

    async fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.storage.size(name).await
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool> {
        self.storage.delete(name).await
    }

    async fn clear_unfinished(&self, now: SystemTime) -> Result<u64> {
        self.storage.clear_unfinished(now + WEEK).await
    }

    fn local_path(&self, name: &ObjectName) -> Option<PathBuf> {
        self.storage.local_path(name)
    }
}
