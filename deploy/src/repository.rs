//! A repository and what it says of its generations.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU64},
};

use bytes::Bytes;
use nightshard_format::{
    Error as FormatError,
    manifest::{GenerationId, Manifest, ShardEntry},
    shard::MemoryPolicy,
};
use nightshard_storage::{Config as StorageConfig, ObjectName, Storage};

use crate::{
    BlobRef, Cache, Environment, Error, Mark, Result, SelectionNumber, SystemEnvironment, bounded,
    names,
};

/// No manifest is longer: a million shards take a quarter of it.
const MANIFEST_LEN_MAX: u64 = 1 << 30;

/// Generations, and which of them is current, in object storage.
///
/// Clones are handles on the same repository.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) environment: Arc<dyn Environment>,
    /// The highest selection known, 0 before the first.
    pub(crate) last_seen: Arc<AtomicU64>,
    pub(crate) memory: MemoryPolicy,
    cache: Option<Cache>,
}

/// A generation that a repository has.
#[derive(Debug)]
pub struct Listed {
    /// Its id.
    pub id: GenerationId,
    /// Its manifest, or why it cannot be used.
    pub manifest: Result<Manifest>,
    /// Whether it is the current one.
    pub is_current: bool,
    /// Whether it is what was current before.
    pub is_previous: bool,
    /// The mark that counts, if it has one.
    pub mark: Option<Mark>,
    /// The selections that name it, ascending.
    pub selections: Vec<SelectionNumber>,
}

impl Repository {
    /// Makes a repository of `storage`.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self::with_environment(storage, Arc::new(SystemEnvironment))
    }

    /// Makes a repository of `storage`, with its own idea of time, randomness and itself.
    #[must_use]
    pub fn with_environment(storage: Arc<dyn Storage>, environment: Arc<dyn Environment>) -> Self {
        Self {
            storage,
            environment,
            last_seen: Arc::default(),
            memory: MemoryPolicy::UNADVISED,
            cache: None,
        }
    }

    /// Maps shards for what `memory` wants of them, huge pages above all; once they are open,
    /// [`MemoryPolicy::advise_lookups`] has the rest done.
    #[must_use]
    pub fn with_memory(self, memory: MemoryPolicy) -> Self {
        Self { memory, ..self }
    }

    /// Has blobs that are no local files fetched into `cache` where they are to be mapped.
    #[must_use]
    pub fn with_cache(self, cache: Cache) -> Self {
        Self {
            cache: Some(cache),
            ..self
        }
    }

    /// Opens the repository at `uri`, which must be there.
    ///
    /// # Errors
    /// [`Error::Storage`] if it is not, or if the URI is none.
    pub async fn open(uri: &str, config: &StorageConfig) -> Result<Self> {
        Ok(Self::new(nightshard_storage::open(uri, config).await?))
    }

    /// Opens the repository at `uri`, which publishing makes where it is not yet there.
    ///
    /// # Errors
    /// [`Error::Storage`] if the URI is none.
    pub async fn open_or_create(uri: &str, config: &StorageConfig) -> Result<Self> {
        let storage = nightshard_storage::open_or_create(uri, config).await?;
        Ok(Self::new(storage))
    }

    /// Returns where the repository is, for messages.
    #[must_use]
    pub fn location(&self) -> &str {
        self.storage.location()
    }

    /// Returns the manifest of a generation.
    ///
    /// # Errors
    /// [`Error::UnknownGeneration`] if there is none, [`Error::Unusable`] if it is damaged, of
    /// another generation or of a newer format.
    pub async fn manifest(&self, id: &GenerationId) -> Result<Manifest> {
        let found = self.find_manifest(id).await?;
        found.ok_or_else(|| Error::UnknownGeneration {
            id: id.clone(),
            location: self.location().to_owned(),
        })
    }

    /// Returns whether a generation has a manifest, whatever is in it.
    pub(crate) async fn has_manifest(&self, id: &GenerationId) -> Result<bool> {
        let size = self.storage.size(&names::manifest(id)?).await?;
        Ok(size.is_some())
    }

    /// Like [`Repository::manifest`], but absence is `None`.
    pub(crate) async fn find_manifest(&self, id: &GenerationId) -> Result<Option<Manifest>> {
        if let Some(manifest) = self.cached_manifest(id) {
            return Ok(Some(manifest));
        }
        let name = names::manifest(id)?;
        let Some(bytes) = self.storage.get(&name, MANIFEST_LEN_MAX).await? else {
            return Ok(None);
        };
        match read_manifest(&bytes, id) {
            Ok(manifest) => {
                if let Some(cache) = &self.cache {
                    cache.put_manifest(id, &bytes)?;
                }
                Ok(Some(manifest))
            }
            Err(error) => Err(self.unusable(name, error)),
        }
    }

    /// Returns a manifest that was fetched before: its id says that it is the right one.
    fn cached_manifest(&self, id: &GenerationId) -> Option<Manifest> {
        let bytes = self.cache.as_ref()?.manifest(id)?;
        read_manifest(&bytes.into(), id).ok()
    }

    /// Returns every generation, the unusable ones too, by last business day; those of one day in
    /// the order in which they were first selected, those that never were at the end.
    ///
    /// # Errors
    /// [`Error::Storage`] if storage cannot be read.
    pub async fn generations(&self) -> Result<Vec<Listed>> {
        // A damaged selection is no reason to hide what could be selected instead.
        let selections = self.selections().await?;
        let current = selections.last().and_then(|(_, id)| id.as_ref());
        let mut earlier = selections.iter().rev().filter_map(|(_, id)| id.as_ref());
        let previous = earlier.find(|id| Some(*id) != current);
        let marks = self.marks().await?;
        let listed = self.storage.list(&names::generations()?).await?;
        let ids = listed.iter().map(|object| &object.name);
        let ids = ids.filter_map(names::generation_of_manifest);
        let listed = bounded::run(ids, |id| {
            let repository = self.clone();
            let of_id = selections
                .iter()
                .filter(|(_, named)| *named == Some(id.clone()));
            let selections = of_id.map(|(number, _)| *number).collect();
            let (is_current, is_previous) = (current == Some(&id), previous == Some(&id));
            let mark = marks.get(&id).cloned();
            async move {
                let manifest = repository.manifest(&id).await;
                Ok(Listed {
                    id,
                    manifest,
                    is_current,
                    is_previous,
                    mark,
                    selections,
                })
            }
        });
        let mut listed = listed.await?;
        listed.sort_by(|left, right| {
            let day = left.id.as_of().cmp(right.id.as_of());
            let never = SelectionNumber(u64::MAX);
            let first = |listed: &Listed| listed.selections.first().copied().unwrap_or(never);
            day.then(first(left).cmp(&first(right)))
                .then(left.id.cmp(&right.id))
        });
        Ok(listed)
    }

    /// Returns the highest number of a generation's reports of a kind, or `None` before the first.
    pub(crate) async fn last_report_number(
        &self,
        id: &GenerationId,
        kind: &str,
    ) -> Result<Option<u32>> {
        let listed = self.storage.list(&names::reports(id)?).await?;
        let numbers = listed.iter();
        Ok(numbers
            .filter_map(|it| names::number_of_report(&it.name, kind))
            .max())
    }

    /// Returns the path under which a blob is, or would be once it was fetched.
    pub(crate) fn blob_path(&self, entry: &ShardEntry) -> Result<PathBuf> {
        match self.storage.local_path(&names::blob(&entry.blob)?) {
            Some(path) => Ok(path),
            None => Ok(self.cache()?.blob(&entry.blob)),
        }
    }

    /// Returns whether blobs are local files, which need not be fetched.
    pub(crate) fn is_local(&self) -> Result<bool> {
        Ok(self.storage.local_path(&names::blobs()?).is_some())
    }

    /// Returns where blobs are fetched to, if anywhere.
    #[must_use]
    pub fn find_cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// Returns where blobs are fetched to.
    pub(crate) fn cache(&self) -> Result<&Cache> {
        self.cache.as_ref().ok_or_else(|| Error::NotLocal {
            location: self.location().to_owned(),
        })
    }

    /// Names the blob that cannot be used.
    pub(crate) fn bad_blob(&self, entry: &ShardEntry, source: FormatError) -> Error {
        match source {
            FormatError::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.missing_blob(entry)
            }
            source => Error::BadBlob {
                blob: Box::new(BlobRef(entry.clone())),
                location: self.location().to_owned(),
                source,
            },
        }
    }

    /// Names the record that cannot be used.
    pub(crate) fn unusable(
        &self,
        name: ObjectName,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Unusable {
            name,
            location: self.location().to_owned(),
            source: source.into(),
        }
    }
}

fn read_manifest(bytes: &Bytes, id: &GenerationId) -> Result<Manifest, FormatError> {
    let manifest = Manifest::from_json(bytes)?;
    if manifest.id == *id {
        Ok(manifest)
    } else {
        let problem = format!("it is that of generation {}", manifest.id);
        Err(FormatError::Corrupt {
            structure: "manifest",
            problem,
        })
    }
}
