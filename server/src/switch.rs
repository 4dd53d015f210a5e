//! Which generations are served: the current one, and those before it that stay mapped.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use nightshard_format::manifest::GenerationId;
use tokio::sync::{Notify, watch};

use crate::generation::{ServedGeneration, Serving};

/// So many ids of generations that are no longer kept are remembered: some ten years of nights.
const RETIRED_MAX: usize = 4_096;
/// So many generations are kept ready to be selected: tonight's, and one that replaces it.
const PREPARED_MAX: usize = 2;

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
    /// What is ready to be selected, the newest last.
    prepared: ArcSwap<Vec<Arc<ServedGeneration>>>,
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
            prepared: ArcSwap::default(),
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
        let id = announcement.1.clone();
        let (kept, mut dropped) = match &*self.kept.load() {
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
        // What is served now needs no other place.
        let (served, prepared) = self.split_prepared(&id);
        self.prepared.store(Arc::new(prepared));
        dropped.extend(served);
        self.announcements.send_replace(Some(announcement));
        dropped
    }

    /// Keeps a generation ready for its selection, in the place of the oldest if there are too
    /// many; returns what is not kept ready any more.
    ///
    /// # Shape
    /// Called by one task at a time.
    #[must_use = "unmapping takes time: it is for the caller to choose where"]
    pub(crate) fn prepare(&self, served: Arc<ServedGeneration>) -> Vec<Arc<ServedGeneration>> {
        let (mut dropped, mut prepared) = self.split_prepared(served.id());
        prepared.push(served);
        let excess = prepared.len().saturating_sub(PREPARED_MAX);
        dropped.extend(prepared.drain(..excess));
        self.prepared.store(Arc::new(prepared));
        dropped
    }

    /// Tells what is prepared of a generation and of others apart.
    fn split_prepared(
        &self,
        id: &GenerationId,
    ) -> (Vec<Arc<ServedGeneration>>, Vec<Arc<ServedGeneration>>) {
        let prepared = self.prepared.load();
        prepared
            .iter()
            .cloned()
            .partition(|served| served.id() == id)
    }

    /// Returns the generations that are ready to be selected, the newest last.
    pub(crate) fn prepared(&self) -> Guard<Arc<Vec<Arc<ServedGeneration>>>> {
        self.prepared.load()
    }

    /// Returns a generation that can be served without reading it again: prepared or still mapped,
    /// and not found damaged since.
    pub(crate) fn find_ready(&self, id: &GenerationId) -> Option<Arc<ServedGeneration>> {
        let mut mapped = self.mapped().into_iter();
        mapped.find(|served| served.id() == id && served.refused().next().is_none())
    }

    /// Returns every generation that is mapped, the current one first, prepared ones last.
    pub(crate) fn mapped(&self) -> Vec<Arc<ServedGeneration>> {
        let kept = self.kept.load();
        let kept = kept.iter().flat_map(|kept| kept.generations());
        kept.chain(&**self.prepared.load()).cloned().collect()
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
