//! What a schedule happens in: storage that fails, and generations that may be published.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use nightshard_deploy::{Environment, Repository, Staged};
use nightshard_format::manifest::GenerationId;
use nightshard_storage::{Faults, Faulty};

use crate::{blobs::blobs_of, support::Bench};

/// Generations that may be published, made once for all schedules.
#[derive(Debug)]
pub(crate) struct Pool {
    _bench: Bench,
    pub(crate) staged: Vec<Staged>,
    /// The right bytes of every blob.
    pub(crate) blobs: BTreeMap<String, Bytes>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        let bench = Bench::new();
        let staged: Vec<Staged> = (0..6)
            .map(|seed| bench.stage(2, 1 + (seed % 2) as u32, seed / 2))
            .collect();
        Self {
            _bench: bench,
            blobs: blobs_of(&staged),
            staged,
        }
    }

    pub(crate) fn blobs_of(&self, id: &GenerationId) -> BTreeSet<&str> {
        let staged = self.staged.iter().find(|it| it.manifest.id == *id);
        let shards = staged.unwrap().manifest.shards.iter();
        shards.map(|entry| entry.blob.as_str()).collect()
    }
}

/// The generator of Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) Rc<Cell<u64>>);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Rc::new(Cell::new(seed)))
    }

    pub(crate) fn below(&self, end: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// An actor's clock, which jumps, and its nonces.
#[derive(Debug)]
pub(crate) struct ActorEnvironment {
    name: String,
    nonces: AtomicU64,
    /// How far the clock is off, in seconds.
    pub(crate) off: AtomicI64,
    storage: Arc<Faulty>,
}

impl Environment for ActorEnvironment {
    fn now(&self) -> SystemTime {
        let off = self.off.load(Ordering::Relaxed);
        let by = Duration::from_secs(off.unsigned_abs());
        let now = self.storage.now();
        if off < 0 { now - by } else { now + by }
    }

    fn nonce(&self) -> String {
        let number = self.nonces.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number}", self.name)
    }

    fn writer(&self) -> String {
        self.name.clone()
    }
}

/// What a model of a server serves.
#[derive(Debug, Default)]
pub(crate) struct Served {
    pub(crate) current: Option<(u64, GenerationId)>,
}

#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) storage: Arc<Faulty>,
    pub(crate) random: Random,
    pub(crate) servers: RefCell<[Served; 2]>,
    /// Whether clocks of controllers are off by more than their lease allows for.
    pub(crate) has_wild_clocks: bool,
    /// How nights ended, and that some were gone on with: what schedules are about.
    pub(crate) nights: RefCell<BTreeSet<&'static str>>,
    /// Generations of which a controller has read every byte.
    pub(crate) verified: RefCell<BTreeSet<GenerationId>>,
    pub(crate) begun: tokio::time::Instant,
    actors: Cell<u64>,
}

impl<'a> World<'a> {
    pub(crate) fn new(pool: &'a Pool, seed: u64) -> Self {
        let random = Random::new(seed);
        let permille = |end| u32::try_from(random.below(end)).unwrap();
        let faults = Faults {
            refused_permille: permille(60),
            unanswered_permille: permille(60),
            torn_permille: permille(20),
            delay_max: Duration::from_millis(1 + random.below(2_000)),
        };
        let begun_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
        let has_wild_clocks = random.below(4) == 0;
        Self {
            pool,
            storage: Arc::new(Faulty::new(seed, faults, begun_at)),
            random,
            servers: RefCell::default(),
            has_wild_clocks,
            nights: RefCell::default(),
            verified: RefCell::default(),
            begun: tokio::time::Instant::now(),
            actors: Cell::new(0),
        }
    }

    /// Returns a repository as a process sees it that has just begun, and its clock.
    pub(crate) fn repository(&self, name: &str) -> (Repository, Arc<ActorEnvironment>) {
        self.actors.set(self.actors.get() + 1);
        let environment = Arc::new(ActorEnvironment {
            name: format!("{name}-{}", self.actors.get()),
            nonces: AtomicU64::new(0),
            off: AtomicI64::new(0),
            storage: self.storage.clone(),
        });
        let repository = Repository::with_environment(self.storage.clone(), environment.clone());
        (repository, environment)
    }
}
