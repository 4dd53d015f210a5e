//! Following a repository's selection: open, verify and warm aside, then swap.
//!
//! One task decides. It looks at the repository, has generations opened on threads that may block,
//! and swaps; looks go on while something is being opened, so that what is ready is swapped to at
//! once.

use std::{
    future::pending,
    sync::{Arc, mpsc},
    time::Duration,
};

use nightshard_format::{manifest::GenerationId, shard::MemoryPolicy};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{
    error::Error,
    generation::{ServedGeneration, Serving},
    metrics::Metrics,
    opener::{Opened, Opener, Purpose},
    outlook::Outlook,
    pace::Pace,
    source::{Source, SourceError},
    switch::Switch,
};

/// The longest time between two attempts at a candidate that fails.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// A repository that goes on failing is logged so often.
const SAY_AGAIN: Duration = Duration::from_secs(60);

type Selected = Option<(u64, GenerationId)>;

/// Follows the selection of a source.
pub struct Follower {
    source: Arc<dyn Source>,
    switch: Arc<Switch>,
    outlook: Arc<Outlook>,
    metrics: Arc<Metrics>,
    poll: Duration,
    pace: Pace,
    looking: Option<JoinHandle<Look>>,
    opener: Opener,
    /// What the repository selects, as far as it is known.
    selected: Selected,
    /// What an earlier run served, until something is served.
    last_served: Selected,
    has_answered: bool,
    /// By when a server that serves nothing yet does not wait for the repository any more.
    patience_ends: Instant,
    failed: Option<Failed>,
    /// Whether somebody expects something new of the next look.
    is_told: bool,
    /// Generations that only requests hold still: the last holder unmaps them, and should not
    /// be a thread that serves connections.
    retiring: Vec<Arc<ServedGeneration>>,
    /// Whether the source keeps things for generations that are not mapped any more.
    must_retain: bool,
    /// Tells the source what is served.
    notes: Option<mpsc::Sender<(u64, GenerationId)>>,
    said: Said,
}

/// A selection that could not be served.
struct Failed {
    selection: u64,
    retry_at: Instant,
    delay: Duration,
}

/// What one look at the source led to.
struct Look {
    seen: Result<Selected, SourceError>,
    retiring: Vec<Arc<ServedGeneration>>,
}

/// What the log says already.
#[derive(Default)]
struct Said {
    nothing_selected: bool,
    /// When it was said that the repository cannot be asked, unless it can.
    unreachable: Option<Instant>,
}

impl Follower {
    /// Makes a follower that asks `source` every `poll`, and waits for it for `patience` at most
    /// where an earlier run left something to serve.
    pub(crate) fn new(
        source: Arc<dyn Source>,
        switch: Arc<Switch>,
        outlook: Arc<Outlook>,
        metrics: Arc<Metrics>,
        (poll, patience): (Duration, Duration),
        memory: MemoryPolicy,
    ) -> Self {
        let now = Instant::now();
        Self {
            opener: Opener::new(Arc::clone(&source), memory),
            source,
            switch,
            outlook,
            metrics,
            poll,
            pace: Pace::new(poll, now),
            looking: None,
            selected: None,
            last_served: None,
            has_answered: false,
            patience_ends: now + patience,
            failed: None,
            is_told: false,
            retiring: Vec::new(),
            must_retain: false,
            notes: None,
            said: Said::default(),
        }
    }

    /// Follows until dropped.
    pub async fn run(mut self) {
        self.begin().await;
        loop {
            self.go_on();
            let due = self.pace.due(Instant::now());
            tokio::select! {
                looked = ended(&mut self.looking) => self.looked(looked),
                opened = self.opener.ended() => {
                    if let Some(opened) = opened {
                        self.opened(opened);
                    }
                }
                () = self.switch.woken() => {
                    self.is_told = true;
                    self.pace.wake();
                }
                () = self.outlook.asked() => self.pace.ask(),
                () = self.outlook.wanted() => {}
                () = sleep_until(due), if self.looking.is_none() => self.look(),
                () = sleep_until(self.patience_ends), if self.may_lose_patience() => {
                    self.fall_back();
                }
            }
        }
    }

    /// Reads what an earlier run left, and starts the thread that tells the source what is served.
    async fn begin(&mut self) {
        let source = Arc::clone(&self.source);
        let last_served = tokio::task::spawn_blocking(move || source.last_served()).await;
        self.last_served = last_served.ok().flatten();
        let (sender, receiver) = mpsc::channel();
        self.notes = Some(sender);
        let source = Arc::clone(&self.source);
        // Ends with the sender.
        tokio::task::spawn_blocking(move || {
            for (number, id) in receiver {
                source.served(number, &id);
            }
        });
    }

    /// Begins whatever is to be done and can be.
    fn go_on(&mut self) {
        self.follow();
        // Before anything is served, what an earlier run left may still be needed.
        let may_retain = self.opener.is_idle() && self.switch.selection().is_some();
        if may_retain && std::mem::take(&mut self.must_retain) {
            self.opener.retain(self.switch.mapped());
        }
        self.prepare();
    }

    /// Begins a look at the repository, on a thread that may block.
    fn look(&mut self) {
        self.pace.begin(Instant::now());
        self.outlook.look_begins();
        let source = Arc::clone(&self.source);
        let retiring = std::mem::take(&mut self.retiring);
        self.looking = Some(tokio::task::spawn_blocking(move || Look {
            seen: source.current(),
            retiring: still_read(retiring),
        }));
    }

    /// Acts upon what a look saw; nothing of a look that panicked.
    fn looked(&mut self, look: Option<Look>) {
        self.pace.end(Instant::now());
        let seen = match look {
            Some(look) => {
                self.retire(look.retiring);
                look.seen
            }
            None => Err(Box::from(Error::Aborted)),
        };
        match seen {
            Ok(selected) => {
                self.has_answered = true;
                self.outlook
                    .saw(Ok(selected.as_ref().map(|(number, _)| *number)));
                let has_recovered = self.said.reached(selected.is_none());
                if std::mem::take(&mut self.is_told) || has_recovered {
                    self.retry();
                }
                self.selected = selected;
                self.follow();
            }
            Err(source) => {
                let problem = chain(&Error::Selection { source });
                self.said.unreachable(&problem, self.switch.selection());
                self.outlook.saw(Err(problem));
                self.fall_back();
            }
        }
        self.outlook.look_ends();
    }

    /// Serves what is selected, unless it is served already or failed a moment ago.
    fn follow(&mut self) {
        let Some((number, id)) = self.selected.clone() else {
            return;
        };
        let serving = self.switch.selection();
        if serving == Some(number) && !self.is_damaged() {
            self.failed = None;
            self.outlook.set_from_cache(false);
            return;
        }
        if let Some(ready) = self
            .switch
            .find_ready(&id)
            .filter(|_| serving <= Some(number))
        {
            return self.swap(ready, number, false);
        }
        self.failed.take_if(|failed| failed.selection != number);
        let waits = |failed: &Failed| Instant::now() < failed.retry_at;
        if self.failed.as_ref().is_some_and(waits) {
            return;
        }
        if let Some(serving) = serving.filter(|serving| *serving > number) {
            let selected = number;
            let error = Error::Backwards { selected, serving };
            self.refuse(Some(number), &error);
        } else if self.opener.is_idle() {
            self.open(id, Purpose::Serve(number));
        }
    }

    /// Returns whether anything of the current generation was found damaged.
    fn is_damaged(&self) -> bool {
        let kept = self.switch.load();
        let current = kept.as_ref().map(|kept| kept.current.generation());
        current.is_some_and(|served| served.refused().next().is_some())
    }

    /// Has a generation opened, anew where anything of it was found damaged.
    fn open(&mut self, id: GenerationId, purpose: Purpose) {
        self.opener.open(id, purpose, damaged_blobs(&self.switch));
    }

    /// Prepares what is wanted, if it can begin.
    fn prepare(&mut self) {
        let is_idle = self.opener.is_idle();
        let mut ready = None;
        let wanted = self.outlook.take_wanted(|id| {
            ready = self.switch.find_ready(id);
            is_idle || ready.is_some() || self.opener.serves() == Some(id)
        });
        let Some(id) = wanted else { return };
        match ready {
            Some(ready) => self.prepared(ready),
            None if is_idle => self.open(id, Purpose::Prepare),
            // It is being opened to be served.
            None => {}
        }
    }

    /// Keeps a generation ready, unless it is served; tells of it once it is.
    fn prepared(&mut self, served: Arc<ServedGeneration>) {
        let id = served.id().clone();
        let is_current = {
            let kept = self.switch.load();
            kept.as_ref()
                .is_some_and(|kept| *kept.current.generation().id() == id)
        };
        if !is_current {
            let dropped = self.switch.prepare(served);
            self.retire(dropped);
            self.must_retain = true;
        }
        self.outlook.opened(&id, None);
        if !is_current {
            tracing::info!(generation = %id, "prepared");
        }
    }

    /// Goes on once opening a generation has ended.
    fn opened(&mut self, opened: Opened) {
        let Opened {
            id,
            purpose,
            result,
        } = opened;
        // What was mapped and is not served is forgotten, too; what was fetched of one that failed is
        // needed when it is tried again.
        self.must_retain |= result.is_ok();
        match (purpose, result) {
            (Purpose::Prepare, Ok(served)) => {
                self.prepared(served);
            }
            (Purpose::Serve(number) | Purpose::ServeCached(number), Ok(served)) => {
                let is_wanted = self.outlook.opened(&id, None);
                let is_cached = purpose == Purpose::ServeCached(number);
                let serving = self.switch.selection();
                // Meanwhile something that was ready may have been selected after it.
                if serving < Some(number) || serving == Some(number) && self.is_damaged() {
                    self.swap(served, number, is_cached);
                } else if is_wanted {
                    self.prepared(served);
                } else {
                    self.retire(vec![served]);
                }
            }
            (purpose, Err(error)) => {
                self.outlook.opened(&id, Some(chain(&error)));
                let number = match purpose {
                    Purpose::Serve(number) => Some(number),
                    Purpose::Prepare | Purpose::ServeCached(_) => None,
                };
                self.refuse(number, &error);
                self.fall_back();
            }
        }
    }

    /// Returns whether something may be served that the repository does not name.
    fn may_fall_back(&self) -> bool {
        self.last_served.is_some() && self.opener.is_idle() && self.switch.selection().is_none()
    }

    /// Returns whether that may happen before the repository has failed.
    fn may_lose_patience(&self) -> bool {
        self.may_fall_back() && !self.has_answered
    }

    /// Has what an earlier run served opened, where nothing is served and the repository fails.
    fn fall_back(&mut self) {
        if self.may_fall_back()
            && let Some((number, id)) = self.last_served.take()
        {
            self.open(id, Purpose::ServeCached(number));
        }
    }

    fn swap(&mut self, served: Arc<ServedGeneration>, number: u64, is_cached: bool) {
        let generation = served.id().clone();
        self.metrics.swapped();
        self.outlook.set_from_cache(is_cached);
        let dropped = self.switch.swap(Serving::new(served, number));
        self.outlook.swapped();
        self.retire(dropped);
        self.must_retain = true;
        self.last_served = None;
        if is_cached {
            let selection = number;
            tracing::error!(selection, %generation, "the repository fails: serving from the cache");
        } else {
            self.failed = None;
            tracing::info!(selection = number, %generation, "swapped");
        }
        if let Some(notes) = &self.notes {
            // Nobody is left to tell if the source panicked.
            let _gone = notes.send((number, generation));
        }
    }

    /// Says why a generation is not served or prepared, and when a selection is tried again.
    fn refuse(&mut self, selection: Option<u64>, error: &Error) {
        self.metrics.candidate_failed();
        tracing::error!(selection, reason = chain(error), "candidate refused");
        let Some(selection) = selection else { return };
        let delay = match &self.failed {
            Some(failed) => (failed.delay * 2).min(RETRY_MAX),
            None => self.poll,
        };
        self.failed = Some(Failed {
            selection,
            retry_at: Instant::now() + delay,
            delay,
        });
    }

    /// Has what failed tried again at once.
    fn retry(&mut self) {
        if let Some(failed) = &mut self.failed {
            failed.retry_at = Instant::now();
        }
    }

    /// Keeps generations until no request reads them.
    fn retire(&mut self, dropped: Vec<Arc<ServedGeneration>>) {
        for served in dropped {
            // Each is held once, or its holders here would wait for one another.
            if !self
                .retiring
                .iter()
                .any(|known| Arc::ptr_eq(known, &served))
            {
                self.retiring.push(served);
            }
        }
    }
}

impl Said {
    /// Takes note that the repository answered; returns whether it did not before.
    fn reached(&mut self, selects_nothing: bool) -> bool {
        let has_recovered = self.unreachable.take().is_some();
        if has_recovered {
            tracing::info!("the repository answers again");
        }
        if selects_nothing && !std::mem::replace(&mut self.nothing_selected, true) {
            tracing::warn!("the repository has no selection yet: waiting for one");
        }
        has_recovered
    }

    /// Says that the repository did not answer, unless that was said a moment ago.
    fn unreachable(&mut self, reason: &str, serving: Option<u64>) {
        if self
            .unreachable
            .is_none_or(|said| said.elapsed() >= SAY_AGAIN)
        {
            tracing::error!(serving, reason, "the repository cannot be followed");
            self.unreachable = Some(Instant::now());
        }
    }
}

/// Returns the blobs that were found damaged, save those that were mapped anew since.
fn damaged_blobs(switch: &Switch) -> Vec<String> {
    let mapped = switch.mapped();
    let right = |blob: &str| mapped.iter().any(|served| served.has_right(blob));
    let damaged = mapped.iter().flat_map(|served| served.refused());
    let damaged = damaged.filter(|entry| !right(&entry.blob));
    damaged.map(|entry| entry.blob.clone()).collect()
}

/// Waits until a task ends; `None` if it panicked.
async fn ended<T>(task: &mut Option<JoinHandle<T>>) -> Option<T> {
    let Some(running) = task else {
        return pending().await;
    };
    let ended = running.await;
    *task = None;
    ended.ok()
}

/// Returns what is left once generations that no request reads any more are unmapped.
fn still_read(mut retiring: Vec<Arc<ServedGeneration>>) -> Vec<Arc<ServedGeneration>> {
    retiring.retain(|served| Arc::strong_count(served) > 1);
    retiring
}

/// Returns an error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
