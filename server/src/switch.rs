//! Which generations are served: the current one, and those before it that stay mapped.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use nightshard_format::manifest::GenerationId;
use tokio::sync::{Notify, watch};

use crate::generation::{ServedGeneration, Serving};

/// So many ids of generations that are no longer kept are remembered: some ten years of nights.
const RETIRED_MAX: usize = 4_096;

/// What is served at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// What requests are answered from.
    pub(crate) current: Serving,
    /// What was served before, the newest first; may still be asked for by name.
    previous: Vec<Arc<ServedGeneration>>,
    /// What was served once.
    retired: Vec<GenerationId>,
}

/// What is known of a generation asked for by name.
#[derive(Debug)]
pub(crate) enum Pinned<'a> {
    /// It is mapped.
    Kept(&'a Arc<ServedGeneration>),
    /// It was served, but is no longer kept.
    Retired,
    /// It was never served here.
    Unknown,
}

impl Kept {
    /// Finds a generation by its id.
    pub(crate) fn find(&self, id: &str) -> Pinned<'_> {
        match self.generations().find(|served| served.id().as_str() == id) {
            Some(served) => Pinned::Kept(served),
            None if self.retired.iter().any(|retired| retired.as_str() == id) => Pinned::Retired,
            None => Pinned::Unknown,
        }
    }

    /// Returns the generations that are mapped, the current one first.
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Arc<ServedGeneration>> {
        std::iter::once(self.current.generation()).chain(&self.previous)
    }

    /// Returns the generations that were served once and are not mapped any more.
    pub(crate) fn retired(&self) -> impl Iterator<Item = &GenerationId> {
        self.retired.iter()
    }

    /// Returns what is served once `next` is, and what is no longer kept.
    fn followed_by(&self, next: Serving, keep: usize) -> (Self, Vec<Arc<ServedGeneration>>) {
        let id = next.generation().id().clone();
        let mut previous: Vec<_> = self
            .generations()
            .filter(|served| *served.id() != id)
            .cloned()
            .collect();
        let dropped = previous.split_off(previous.len().min(keep.saturating_sub(1)));
        let mut retired = self.retired.clone();
        retired.retain(|known| *known != id);
        retired.extend(dropped.iter().map(|served| served.id().clone()));
        retired.drain(..retired.len().saturating_sub(RETIRED_MAX));
        let kept = Self {
            current: next,
            previous,
            retired,
        };
        (kept, dropped)
    }
}

/// The one place that says what is served.
///
/// Readers take no lock: they load a pointer, and what it points to lives until the last of
/// them lets go.
#[derive(Debug)]
pub struct Switch {
    kept: ArcSwapOption<Kept>,
    keep: usize,
    wake: Notify,
    announcements: watch::Sender<Option<(u64, GenerationId)>>,
}

impl Switch {
    /// Makes a switch that serves nothing yet and keeps up to `keep` generations mapped.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self {
            kept: ArcSwapOption::empty(),
            keep,
            wake: Notify::new(),
            announcements: watch::Sender::new(None),
        }
    }

    /// Returns what is served now.
    pub(crate) fn load(&self) -> Guard<Option<Arc<Kept>>> {
        self.kept.load()
    }

    /// Serves `next` from now on, and returns the generations that are no longer kept.
    ///
    /// # Shape
    /// Called by one task at a time.
    #[must_use = "unmapping takes time: it is for the caller to choose where"]
    pub fn swap(&self, next: Serving) -> Vec<Arc<ServedGeneration>> {
        let announcement = (next.selection(), next.generation().id().clone());
        let (kept, dropped) = match &*self.kept.load() {
            Some(kept) => kept.followed_by(next, self.keep),
            None => {
                let first = Kept {
                    current: next,
                    previous: Vec::new(),
                    retired: Vec::new(),
                };
                (first, Vec::new())
            }
        };
        self.kept.store(Some(Arc::new(kept)));
        self.announcements.send_replace(Some(announcement));
        dropped
    }

    /// Returns the number of the selection that is served, if any is.
    #[must_use]
    pub fn selection(&self) -> Option<u64> {
        let kept = self.kept.load();
        kept.as_ref().map(|kept| kept.current.selection())
    }

    /// Announces the selection and the generation that are served, whenever they change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<(u64, GenerationId)>> {
        self.announcements.subscribe()
    }

    /// Has the repository asked for its selection at once.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody calls [`Switch::wake`].
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}
