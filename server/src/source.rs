//! Where generations come from.

use std::sync::{Mutex, PoisonError};

use nightshard_deploy::{Repository, VerifiedBlobs};
use nightshard_format::{
    generation::Generation,
    manifest::{GenerationId, Manifest},
    shard::Mapped,
};
use tokio::runtime::Handle;

/// Whatever a source says went wrong.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// A repository as a server sees it.
///
/// Every function may block: they are called on a thread of their own, one at a time.
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

    /// Forgets whatever is kept for generations other than those of `live`.
    fn retain(&self, live: &[&Manifest]) {
        let _nothing_kept = live;
    }
}

/// A [`Repository`] as a source; blobs that generations share are mapped and verified once.
#[derive(Debug)]
pub struct RepositorySource {
    repository: Repository,
    verified: Mutex<VerifiedBlobs>,
    runtime: Handle,
}

impl RepositorySource {
    /// Makes a source that waits for the repository on `runtime`.
    #[must_use]
    pub fn new(repository: Repository, runtime: Handle) -> Self {
        Self {
            repository,
            verified: Mutex::new(VerifiedBlobs::new()),
            runtime,
        }
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
        let current = self.runtime.block_on(self.repository.current())?;
        Ok(current.map(|selection| (selection.number.0, selection.generation)))
    }

    fn open(&self, id: &GenerationId) -> Result<Generation<Mapped>, SourceError> {
        let mut verified = self.take_verified();
        let opening = self.repository.open_generation(id, &mut verified);
        let opened = self.runtime.block_on(opening);
        self.put_verified(verified);
        Ok(opened?)
    }

    fn retain(&self, live: &[&Manifest]) {
        let mut verified = self.take_verified();
        verified.retain(live.iter().copied());
        self.put_verified(verified);
    }
}
