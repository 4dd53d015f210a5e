//! What the follower knows of the repository and is doing, for requests, metrics and operators.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use nightshard_format::manifest::GenerationId;
use tokio::sync::{Notify, watch};

use crate::switch::Switch;

/// What one task, the follower, says and is asked for.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// The repository's highest selection when it was last seen, 0 before the first.
    known: AtomicU64,
    /// Whether what is served was not named by the repository, but by an earlier run.
    is_from_cache: AtomicBool,
    details: Mutex<Details>,
    looks: watch::Sender<Looks>,
    /// Somebody has seen a later selection elsewhere.
    asked: Notify,
    /// There is a generation to be prepared.
    wanted: Notify,
}

/// What only operators ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Details {
    /// Whether the last look at the repository had an answer.
    pub(crate) is_reachable: bool,
    /// Why the repository did not say what it selects.
    pub(crate) problem: Option<String>,
    /// What is to be prepared next.
    wanted: Option<GenerationId>,
    /// What is being prepared.
    preparing: Option<GenerationId>,
    /// What could not be opened last, and why.
    pub(crate) failed: Option<(GenerationId, String)>,
}

impl Details {
    /// Returns what was last asked for, unless it is ready or has failed.
    pub(crate) fn preparing(&self) -> Option<&GenerationId> {
        self.wanted.as_ref().or(self.preparing.as_ref())
    }
}

/// How many looks at the repository there were.
#[derive(Debug, Clone, Copy, Default)]
struct Looks {
    begun: u64,
    ended: u64,
}

impl Outlook {
    /// Returns the repository's highest selection, as far as it is known.
    pub(crate) fn known(&self) -> Option<u64> {
        Some(self.known.load(Relaxed)).filter(|known| *known > 0)
    }

    /// Returns how many selections there are after one, as far as it is known.
    pub(crate) fn behind(&self, selection: u64) -> u64 {
        self.known.load(Relaxed).saturating_sub(selection)
    }

    /// Returns whether the last look at the repository had an answer.
    pub(crate) fn is_reachable(&self) -> bool {
        self.lock().is_reachable
    }

    /// Returns whether what is served was named by an earlier run.
    pub(crate) fn is_from_cache(&self) -> bool {
        self.is_from_cache.load(Relaxed)
    }

    /// Says whether what is served was named by an earlier run.
    pub(crate) fn set_from_cache(&self, is_from_cache: bool) {
        self.is_from_cache.store(is_from_cache, Relaxed);
    }

    /// Returns what only operators ask for.
    pub(crate) fn details(&self) -> Details {
        self.lock().clone()
    }

    /// Has the repository looked at soon, for a client that has seen a later selection.
    pub(crate) fn ask(&self) {
        self.asked.notify_one();
    }

    /// Waits until somebody asks.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Has a generation prepared, in the place of one that waits to be.
    pub(crate) fn want(&self, id: GenerationId) {
        let mut details = self.lock();
        details.failed = None;
        details.wanted = Some(id);
        self.wanted.notify_one();
    }

    /// Waits until there is something to be prepared.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Takes what is to be prepared, if `can_begin` agrees.
    pub(crate) fn take_wanted(
        &self,
        can_begin: impl FnOnce(&GenerationId) -> bool,
    ) -> Option<GenerationId> {
        let mut details = self.lock();
        let id = details.wanted.take_if(|id| can_begin(id))?;
        details.preparing = Some(id.clone());
        Some(id)
    }

    /// Says how opening a generation ended; returns whether it was to be prepared.
    pub(crate) fn opened(&self, id: &GenerationId, problem: Option<String>) -> bool {
        let mut details = self.lock();
        let preparing = details.preparing.take_if(|preparing| preparing == id);
        match problem {
            Some(problem) => details.failed = Some((id.clone(), problem)),
            None => {
                details.failed.take_if(|(failed, _)| failed == id);
            }
        }
        preparing.is_some()
    }

    /// Says that a look at the repository begins.
    pub(crate) fn look_begins(&self) {
        self.looks.send_modify(|looks| looks.begun += 1);
    }

    /// Says what a look saw: the highest selection if there is any, or why there was no answer.
    pub(crate) fn saw(&self, seen: Result<Option<u64>, String>) {
        // Whoever sees one of these sees all.
        let mut details = self.lock();
        details.is_reachable = seen.is_ok();
        details.problem = match seen {
            Ok(number) => {
                self.known.store(number.unwrap_or(0), Relaxed);
                None
            }
            Err(problem) => Some(problem),
        };
    }

    /// Says that what followed from a look at once is done.
    pub(crate) fn look_ends(&self) {
        self.looks.send_modify(|looks| looks.ended = looks.begun);
    }

    /// Waits until a selection is served, or a look that begins after this call led to no swap to
    /// it, or patience ends.
    pub(crate) async fn wait_for(&self, number: u64, switch: &Switch, patience: Duration) {
        let mut looks = self.looks.subscribe();
        // One that is under way may have read before the client's selection was written.
        let enough = looks.borrow_and_update().begun + 1;
        self.ask();
        let reached = looks.wait_for(|looks| {
            looks.ended >= enough || switch.selection().is_some_and(|served| served >= number)
        });
        // Whatever came of it, the caller looks at what is served then.
        let _late = tokio::time::timeout(patience, reached).await;
    }

    /// Lets those who wait see that something was swapped to between two looks.
    pub(crate) fn swapped(&self) {
        self.looks.send_modify(|_same| {});
    }

    fn lock(&self) -> MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
