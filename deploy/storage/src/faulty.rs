//! Storage in memory that fails as storage elsewhere does, by a seed: for tests and simulations.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::{Error, Listed, ObjectName, Result, Storage};

/// How often storage fails, and how slow it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// Of a thousand operations so many are never done.
    pub refused_permille: u32,
    /// Of a thousand so many are done, and their answer is lost.
    pub unanswered_permille: u32,
    /// Of a thousand objects created so many are left half written, and their answer is lost.
    pub torn_permille: u32,
    /// An operation takes up to so long before it is done, and again until it is answered.
    pub delay_max: Duration,
}

impl Faults {
    /// No faults, and no delays.
    pub const NONE: Self = Self {
        refused_permille: 0,
        unanswered_permille: 0,
        torn_permille: 0,
        delay_max: Duration::ZERO,
    };
}

/// Storage in memory that fails by a seed.
///
/// Time is that of tokio, from a fixed day on, so that a test with a paused clock owns it. Dropping
/// a call's future is the crash of its caller: what the call was to do may be done or not.
#[derive(Debug)]
pub struct Faulty {
    state: Mutex<State>,
    begun: Instant,
    begun_at: SystemTime,
}

#[derive(Debug)]
struct State {
    objects: BTreeMap<ObjectName, Object>,
    faults: Faults,
    random: u64,
    operations: u64,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    modified: SystemTime,
}

/// What becomes of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    Refused,
    Unanswered,
    Torn,
}

impl Faulty {
    /// Makes an empty storage; its first object is created at `begun_at`.
    #[must_use]
    pub fn new(seed: u64, faults: Faults, begun_at: SystemTime) -> Self {
        Self {
            state: Mutex::new(State {
                objects: BTreeMap::new(),
                faults,
                random: seed,
                operations: 0,
            }),
            begun: Instant::now(),
            begun_at,
        }
    }

    /// Fails differently from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Returns how many operations were begun.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Returns the time by the clock of this storage.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.begun_at + self.begun.elapsed()
    }

    /// Returns all objects, as somebody sees them to whom nothing fails.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<ObjectName, Bytes> {
        let state = self.state();
        let objects = state.objects.iter();
        objects
            .map(|(name, object)| (name.clone(), object.bytes.clone()))
            .collect()
    }

    /// Puts an object in its place, whatever is there: damage that nobody did.
    pub fn put(&self, name: &ObjectName, bytes: Bytes) {
        let modified = self.now();
        let object = Object { bytes, modified };
        self.state().objects.insert(name.clone(), object);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an operation, or fails it.
    async fn operate<T>(
        &self,
        action: &'static str,
        name: &ObjectName,
        operation: impl FnOnce(&mut State, SystemTime, bool) -> Result<T> + Send,
    ) -> Result<T> {
        let (fate, delays) = self.state().draw(action);
        let failed = |problem: &str| Error::Failed {
            action,
            name: name.to_string(),
            location: self.location().to_owned(),
            source: problem.into(),
        };
        tokio::time::sleep(delays.0).await;
        if fate == Fate::Refused {
            return Err(failed("injected: it was not done"));
        }
        let now = self.now();
        let done = operation(&mut self.state(), now, fate == Fate::Torn);
        tokio::time::sleep(delays.1).await;
        match fate {
            Fate::Unanswered | Fate::Torn => Err(failed("injected: the answer is lost")),
            _ => done,
        }
    }
}

impl State {
    /// Returns what becomes of the next operation, and how long it takes.
    fn draw(&mut self, action: &'static str) -> (Fate, (Duration, Duration)) {
        self.operations += 1;
        let drawn = self.next() % 1_000;
        let Faults {
            refused_permille,
            unanswered_permille,
            torn_permille,
            delay_max,
        } = self.faults.clone();
        let is_torn = self.next() % 1_000 < u64::from(torn_permille) && action == "create";
        let fate = if is_torn {
            Fate::Torn
        } else if drawn < u64::from(refused_permille) {
            Fate::Refused
        } else if drawn < u64::from(refused_permille + unanswered_permille) {
            Fate::Unanswered
        } else {
            Fate::Done
        };
        let micros = u64::try_from(delay_max.as_micros()).unwrap_or(u64::MAX);
        let mut delay = || Duration::from_micros(self.next() % micros.saturating_add(1));
        (fate, (delay(), delay()))
    }

    /// The generator of Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn create(
        &mut self,
        name: &ObjectName,
        bytes: &Bytes,
        modified: SystemTime,
        torn: bool,
    ) -> bool {
        if self.objects.contains_key(name) {
            return false;
        }
        let len = if torn { bytes.len() / 2 } else { bytes.len() };
        let bytes = bytes.slice(..len);
        self.objects
            .insert(name.clone(), Object { bytes, modified });
        true
    }
}

#[async_trait]
impl Storage for Faulty {
    fn location(&self) -> &'static str {
        "faulty storage"
    }

    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        let exists = || Error::Exists {
            name: name.clone(),
            location: self.location().to_owned(),
        };
        self.operate("create", name, |state, now, torn| {
            let is_new = state.create(name, &bytes, now, torn);
            is_new.then_some(()).ok_or_else(exists)
        })
        .await
    }

    async fn create_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        self.create(name, read_source(file)?).await
    }

    async fn replace_from_file(&self, name: &ObjectName, file: &Path) -> Result<()> {
        let bytes = read_source(file)?;
        self.operate("replace", name, |state, modified, _torn| {
            state
                .objects
                .insert(name.clone(), Object { bytes, modified });
            Ok(())
        })
        .await
    }

    async fn get(&self, name: &ObjectName, limit_bytes: u64) -> Result<Option<Bytes>> {
        let location = self.location().to_owned();
        self.operate("read", name, |state, _now, _torn| {
            let found = state.objects.get(name).map(|object| object.bytes.clone());
            match found {
                Some(bytes) if bytes.len() as u64 > limit_bytes => Err(Error::TooLarge {
                    name: name.clone(),
                    location,
                    limit_bytes,
                }),
                found => Ok(found),
            }
        })
        .await
    }

    async fn get_range(&self, name: &ObjectName, range: Range<u64>) -> Result<Option<Bytes>> {
        self.operate("read", name, |state, _now, _torn| {
            let Some(Object { bytes, .. }) = state.objects.get(name) else {
                return Ok(None);
            };
            let within =
                |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
            let (start, end) = (within(range.start), within(range.end));
            Ok(Some(bytes.slice(start..end.max(start))))
        })
        .await
    }

    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>> {
        self.operate("list", folder, |state, _now, _torn| {
            let prefix = format!("{folder}/");
            let objects = state.objects.iter();
            let within = objects.filter(|(name, _)| name.as_str().starts_with(&prefix));
            Ok(within
                .map(|(name, object)| Listed {
                    name: name.clone(),
                    len_bytes: object.bytes.len() as u64,
                    modified: object.modified,
                })
                .collect())
        })
        .await
    }

    async fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.operate("examine", name, |state, _now, _torn| {
            let found = state.objects.get(name);
            Ok(found.map(|object| object.bytes.len() as u64))
        })
        .await
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool> {
        self.operate("delete", name, |state, _now, _torn| {
            Ok(state.objects.remove(name).is_some())
        })
        .await
    }

    async fn clear_unfinished(&self, _now: SystemTime) -> Result<u64> {
        // What is half written here has a name already.
        Ok(0)
    }

    fn local_path(&self, _name: &ObjectName) -> Option<PathBuf> {
        None
    }
}

/// Reads a file that is to become an object; at once, so that a simulation repeats itself.
fn read_source(file: &Path) -> Result<Bytes> {
    let read = std::fs::read(file).map(Bytes::from);
    read.map_err(|source| Error::Source {
        path: file.to_owned(),
        source,
    })
}
