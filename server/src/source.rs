//! Where generations come from.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nightshard_deploy::{Repository, SelectionNumber, Served, VerifiedBlobs};
use nightshard_format::{
    generation::Generation,
    manifest::{GenerationId, Manifest},
    quality::QualityReport,
    record::CUSTOMERS,
    shard::Mapped,
};
use tokio::{runtime::Handle, sync::Semaphore};

/// How long a look at a repository's selection may take.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// How long a report may keep a generation from being served.
const REPORT_WAIT_MAX: Duration = Duration::from_secs(5);
/// So many looks may hang at a time, each of which takes a thread.
const LOOKS_MAX: usize = 4;

/// Whatever a source says went wrong.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A repository as a server sees it.
///
/// Every function may block: they are called on threads of their own. [`Source::open`],
/// [`Source::forget`] and [`Source::retain`] are called one at a time, and so are looks by
/// [`Source::current`] and notes by [`Source::served`]; but a look or a note may come while a
/// generation is being opened.
pub trait Source: Send + Sync + 'static {
    /// Returns the highest selection: its number and the generation it names; `None` before the
    /// first one.
    ///
    /// # Errors
    /// If the repository cannot be read.
    fn current(&self) -> Result<Option<(u64, GenerationId)>, SourceError>;

    /// Opens a generation whose shards are all at hand, mapped, and verified byte by byte.
    ///
    /// # Errors
    /// If it cannot be read, or is not what it says it is.
    fn open(&self, id: &GenerationId) -> Result<Generation<Mapped>, SourceError>;

    /// Returns the quality report of a generation that was opened, if it has one.
    ///
    /// # Errors
    /// If it cannot be read; the generation is served without it.
    fn quality(&self, manifest: &Manifest) -> Result<Option<QualityReport>, SourceError> {
        let _none_kept = manifest;
        Ok(None)
    }

    /// Forgets a blob that was found damaged while it was in use, so that it is opened and verified
    /// anew.
    fn forget(&self, blob: &str) {
        let _nothing_kept = blob;
    }

    /// Forgets whatever is kept for generations other than those of `live`: what is served, kept
    /// mapped or prepared.
    fn retain(&self, live: &[&Manifest]) {
        let _nothing_kept = live;
    }

    /// Returns the selection that an earlier run of this server served, and its generation, if it
    /// can be opened without the repository.
    fn last_served(&self) -> Option<(u64, GenerationId)> {
        None
    }

    /// Takes note of a selection that is served from now on, for the next run.
    fn served(&self, number: u64, id: &GenerationId) {
        let _not_kept = (number, id);
    }
}

/// A [`Repository`] as a source; blobs that generations share are mapped and verified once.
#[derive(Debug)]
pub struct RepositorySource {
    repository: Repository,
    verified: Mutex<VerifiedBlobs>,
    runtime: Handle,
    looks: Looks,
    /// Datasets that are not even fetched.
    without: &'static [&'static str],
}

/// Bounds how long and how often a repository is looked at.
#[derive(Debug)]
struct Looks {
    patience: Duration,
    /// Looks under way: one that hangs in the file system cannot be called off.
    places: Arc<Semaphore>,
}

impl Looks {
    /// Looks at something, for as long as there is patience.
    fn look<T, E>(
        &self,
        runtime: &Handle,
        look: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, SourceError>
    where
        T: Send + 'static,
        E: Into<SourceError> + Send + 'static,
    {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_none| "earlier looks at the repository still hang")?;
        let looking = runtime.spawn(async move {
            let seen = look.await;
            drop(place);
            seen
        });
        let patience = self.patience;
        let seen = runtime.block_on(async move { tokio::time::timeout(patience, looking).await });
        let late = |_late| format!("no answer within {} s", patience.as_secs());
        seen.map_err(late)??.map_err(Into::into)
    }
}

impl RepositorySource {
    /// Makes a source that waits for the repository on `runtime`, and leaves its customers there.
    #[must_use]
    pub fn new(repository: Repository, runtime: Handle) -> Self {
        Self {
            repository,
            verified: Mutex::new(VerifiedBlobs::new()),
            runtime,
            looks: Looks {
                patience: LOOK_MAX,
                places: Arc::new(Semaphore::new(LOOKS_MAX)),
            },
            without: &[CUSTOMERS],
        }
    }

    /// Opens customers, too, if `has_customers`.
    #[must_use]
    pub fn with_customers(self, has_customers: bool) -> Self {
        let without: &[&str] = match has_customers {
            true => &[],
            false => &[CUSTOMERS],
        };
        Self { without, ..self }
    }

    /// Takes the blobs out, so that no lock is held while they are waited for.
    fn take_verified(&self) -> VerifiedBlobs {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut verified)
    }

    fn put_verified(&self, blobs: VerifiedBlobs) {
        *self.verified.lock().unwrap_or_else(PoisonError::into_inner) = blobs;
    }
}

impl Source for RepositorySource {
    fn current(&self) -> Result<Option<(u64, GenerationId)>, SourceError> {
        let repository = self.repository.clone();
        let look = async move { repository.current().await };
        let current = self.looks.look(&self.runtime, look)?;
        Ok(current.map(|selection| (selection.number.0, selection.generation)))
    }

    fn open(&self, id: &GenerationId) -> Result<Generation<Mapped>, SourceError> {
        let mut verified = self.take_verified();
        let opening = (self.repository).open_generation_without(id, self.without, &mut verified);
        let opened = self.runtime.block_on(opening);
        self.put_verified(verified);
        Ok(opened?)
    }

    fn quality(&self, manifest: &Manifest) -> Result<Option<QualityReport>, SourceError> {
        if manifest.transactions.is_none() {
            return Ok(None);
        }
        let look = async {
            let report = self.repository.quality(manifest);
            tokio::time::timeout(REPORT_WAIT_MAX, report).await
        };
        let looked = self.runtime.block_on(look);
        let found = looked.map_err(SourceError::from);
        let found = found.and_then(|found| found.map_err(SourceError::from));
        found.or_else(|error| match self.repository.kept_quality(manifest) {
            Some(kept) => Ok(Some(kept)),
            None => Err(error),
        })
    }

    fn forget(&self, blob: &str) {
        let mut verified = self.take_verified();
        verified.forget(blob);
        self.put_verified(verified);
        if let Some(Err(error)) = self.repository.find_cache().map(|cache| cache.forget(blob)) {
            tracing::warn!(%error, "a damaged file cannot be cleared");
        }
    }

    fn last_served(&self) -> Option<(u64, GenerationId)> {
        let served = self.repository.find_cache()?.served()?;
        Some((served.selection.0, served.generation))
    }

    fn served(&self, number: u64, id: &GenerationId) {
        let served = Served {
            selection: SelectionNumber(number),
            generation: id.clone(),
        };
        let cache = self.repository.find_cache();
        if let Some(Err(error)) = cache.map(|cache| cache.put_served(&served)) {
            tracing::warn!(%error, "what is served cannot be remembered");
        }
    }

    fn retain(&self, live: &[&Manifest]) {
        let mut verified = self.take_verified();
        verified.retain(live.iter().copied());
        self.put_verified(verified);
        if let Some(Err(error)) = self.repository.find_cache().map(|cache| cache.retain(live)) {
            // It is tried again after the next swap.
            tracing::warn!(%error, "what is no longer needed cannot be cleared");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_hangs_ends_and_so_do_those_after_it() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let looks = Looks {
            patience: Duration::from_millis(1),
            places: Arc::new(Semaphore::new(2)),
        };
        for expected in ["no answer", "no answer", "still hang", "still hang"] {
            let hung = std::future::pending::<Result<(), String>>();
            let error = looks.look(runtime.handle(), hung).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
