//! A source that fails or hangs when a test says so, and remembers what it was asked.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use nightshard_format::{
    generation::Generation,
    manifest::{GenerationId, Manifest},
    shard::Mapped,
};
use nightshard_server::{Source, SourceError};

use crate::fixture::Fixture;

/// Nothing in a test takes so long: better to fail than to hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lets calls through, or holds them.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    is_closed: bool,
    waiting: usize,
}

impl Gate {
    pub(crate) fn close(&self) {
        self.state.lock().unwrap().is_closed = true;
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().is_closed = false;
        self.changed.notify_all();
    }

    /// Waits until a call is held.
    pub(crate) fn wait_for_call(&self) {
        let state = self.state.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.waiting == 0);
        assert!(!waited.unwrap().1.timed_out(), "nobody calls");
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.is_closed);
        waited.unwrap().0.waiting -= 1;
    }
}

/// A fixture that does what a test says.
pub(crate) struct Scripted {
    pub(crate) fixture: Fixture,
    /// Holds looks, after they have read the selection.
    pub(crate) looks: Gate,
    /// Holds the opening of generations.
    pub(crate) opens: Gate,
    is_broken: AtomicBool,
    looks_begun: AtomicU64,
    opened: Mutex<Vec<GenerationId>>,
    retained: Mutex<BTreeSet<String>>,
    served: Mutex<Vec<(u64, GenerationId)>>,
    last_served: Mutex<Option<(u64, GenerationId)>>,
}

impl Scripted {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            fixture: Fixture::new(),
            looks: Gate::default(),
            opens: Gate::default(),
            is_broken: AtomicBool::new(false),
            looks_begun: AtomicU64::new(0),
            opened: Mutex::default(),
            retained: Mutex::default(),
            served: Mutex::default(),
            last_served: Mutex::default(),
        })
    }

    /// Says whether looks at the selection fail.
    pub(crate) fn set_broken(&self, is_broken: bool) {
        self.is_broken.store(is_broken, SeqCst);
    }

    /// Says what an earlier run served.
    pub(crate) fn set_last_served(&self, number: u64, id: &GenerationId) {
        *self.last_served.lock().unwrap() = Some((number, id.clone()));
    }

    /// Returns how many looks were begun.
    pub(crate) fn looks_begun(&self) -> u64 {
        self.looks_begun.load(SeqCst)
    }

    /// Returns how often a generation was opened.
    pub(crate) fn times_opened(&self, id: &GenerationId) -> usize {
        let opened = self.opened.lock().unwrap();
        opened.iter().filter(|opened| *opened == id).count()
    }

    /// Returns whether the source was last told to keep what it has of a generation.
    pub(crate) fn retains(&self, id: &GenerationId) -> bool {
        self.retained.lock().unwrap().contains(id.as_str())
    }

    /// Returns what the source was told is served.
    pub(crate) fn served(&self) -> Vec<(u64, GenerationId)> {
        self.served.lock().unwrap().clone()
    }
}

impl Source for Scripted {
    fn current(&self) -> Result<Option<(u64, GenerationId)>, SourceError> {
        self.looks_begun.fetch_add(1, SeqCst);
        let seen = self.fixture.current();
        self.looks.pass();
        if self.is_broken.load(SeqCst) {
            return Err("the bucket is on fire".into());
        }
        seen
    }

    fn open(&self, id: &GenerationId) -> Result<Generation<Mapped>, SourceError> {
        self.opens.pass();
        self.opened.lock().unwrap().push(id.clone());
        self.fixture.open(id)
    }

    fn retain(&self, live: &[&Manifest]) {
        let ids = live.iter().map(|manifest| manifest.id.to_string());
        *self.retained.lock().unwrap() = ids.collect();
    }

    fn last_served(&self) -> Option<(u64, GenerationId)> {
        self.last_served.lock().unwrap().clone()
    }

    fn served(&self, number: u64, id: &GenerationId) {
        self.served.lock().unwrap().push((number, id.clone()));
    }
}
