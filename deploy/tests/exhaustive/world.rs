//! The repository that steps are taken in, put up anew for each of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use nightshard_deploy::{Reclaim, Repository, Selection, Staged, Verdict};
use nightshard_format::manifest::GenerationId;
use nightshard_storage::{Faults, Faulty, ObjectName, Storage};

use crate::{
    blobs::blobs_of,
    model::{Known, State, Step},
    support::{self, Bench, FailingStorage, Failure, FixedEnvironment},
};

/// Objects by their names.
pub(crate) type Objects = BTreeMap<ObjectName, Bytes>;

/// Longer than anything in a repository counts.
const AGES: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What storage holds after a step.
pub(crate) struct Left {
    pub(crate) all: Objects,
    /// The generations whose manifests are there, in the order in which they were created.
    created: Vec<GenerationId>,
}

/// Generations that share blobs, each with the next, numbered in the order of their making.
pub(crate) struct World {
    _bench: Bench,
    staged: Vec<Staged>,
    /// The right bytes of every blob.
    blobs: BTreeMap<String, Bytes>,
    processes: AtomicU64,
}

impl World {
    pub(crate) fn new(generations: usize) -> Self {
        let bench = Bench::new();
        let staged: Vec<Staged> = (0..)
            .take(generations)
            .map(|seed| bench.stage(1, 1, seed))
            .collect();
        Self {
            _bench: bench,
            blobs: blobs_of(&staged),
            staged,
            processes: AtomicU64::new(0),
        }
    }

    pub(crate) fn generations(&self) -> usize {
        self.staged.len()
    }

    /// Takes a step; returns whether it could be done, and what is there then.
    pub(crate) fn run(&self, objects: &Objects, state: &State, step: Step) -> (bool, Left) {
        self.with_storage(objects, state, async |storage| {
            self.take(step, storage).await.is_ok()
        })
    }

    /// Takes a step whose process ends after so many changes; returns whether it wanted more, and what
    /// is there then.
    pub(crate) fn cut_short(
        &self,
        objects: &Objects,
        state: &State,
        step: Step,
        changes: u64,
    ) -> (bool, Left) {
        self.with_storage(objects, state, async |storage| {
            let failing = FailingStorage::new(storage, Failure::Before, changes..u64::MAX);
            let failing = Arc::new(failing);
            let _done = self.take(step, failing.clone()).await;
            failing.operations() > changes
        })
    }

    /// Puts storage up as it was left, long ago, and returns what is there after `act`.
    fn with_storage<T>(
        &self,
        objects: &Objects,
        state: &State,
        act: impl AsyncFnOnce(Arc<Faulty>) -> T,
    ) -> (T, Left) {
        support::simulated().block_on(async {
            let begun_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
            let storage = Arc::new(Faulty::new(0, Faults::NONE, begun_at));
            for (name, bytes) in objects {
                storage.put(name, bytes.clone());
            }
            // In the order of their creation.
            for id in &state.created {
                tokio::time::advance(Duration::from_secs(1)).await;
                let name = manifest_of(&self.staged[*id].manifest.id);
                storage.put(&name, objects[&name].clone());
            }
            tokio::time::advance(AGES).await;
            let done = act(storage.clone()).await;
            let folder = "generations".parse().unwrap();
            let mut listed = storage.list(&folder).await.unwrap();
            listed.sort_by_key(|object| object.modified);
            let created = listed.iter().filter_map(|object| id_of(&object.name));
            let left = Left {
                all: storage.objects(),
                created: created.collect(),
            };
            (done, left)
        })
    }

    async fn take(&self, step: Step, storage: Arc<dyn Storage>) -> nightshard_deploy::Result<()> {
        // Of each process the nonces are its own.
        let process = self.processes.fetch_add(1, Ordering::Relaxed);
        let environment = FixedEnvironment::named(&format!("process{process}"));
        let repository = Repository::with_environment(storage, environment);
        let id = |number: usize| &self.staged[number].manifest.id;
        match step {
            Step::Publish(number) => repository.publish(&self.staged[number]).await.map(drop),
            Step::Select(number) => repository.select(id(number)).await.map(drop),
            Step::Mark(number, known) => {
                let verdict = match known {
                    Known::Good => Verdict::Good,
                    Known::Bad => Verdict::Bad,
                    Known::Retired => Verdict::Retired,
                };
                repository
                    .mark(id(number), verdict, "a test")
                    .await
                    .map(drop)
            }
            Step::Rollback => repository.rollback("a test").await.map(drop),
            Step::Reclaim { keep } => {
                let rules = Reclaim {
                    keep,
                    floor: AGES / 2,
                    ..Reclaim::default()
                };
                repository.reclaim(&rules).await.map(drop)
            }
        }
    }

    /// Reads the state that storage is in.
    pub(crate) fn state_of(&self, left: &Left) -> State {
        let number_of = |id: &GenerationId| {
            let mut ids = self.staged.iter().map(|staged| &staged.manifest.id);
            ids.position(|its| its == id).unwrap()
        };
        let mut state = State {
            created: left.created.iter().map(number_of).collect(),
            ..State::default()
        };
        // In the order of their names: of numbers the last counts.
        for (name, bytes) in &left.all {
            if name.as_str().starts_with("selections/") {
                let selection: Selection = serde_json::from_slice(bytes).unwrap();
                state.history.push(number_of(&selection.generation));
            }
            if name.as_str().starts_with("marks/") {
                let mark: nightshard_deploy::Mark = serde_json::from_slice(bytes).unwrap();
                state.marks[number_of(&mark.generation)] = Some(match mark.mark {
                    Verdict::Good => Known::Good,
                    Verdict::Bad => Known::Bad,
                    Verdict::Retired => Known::Retired,
                    other => panic!("nobody writes {other:?}"),
                });
            }
        }
        state
    }

    /// Checks what holds always: whatever has a manifest is whole, what is current among it, and
    /// selections have no gaps.
    pub(crate) fn check(&self, left: &Left, path: &[Step]) {
        for blob in self.needed(left) {
            let name: ObjectName = format!("blobs/{blob}").parse().unwrap();
            let found = left.all.get(&name);
            assert_eq!(
                found,
                self.blobs.get(&blob),
                "{path:?}: {blob} is not right"
            );
        }
        let state = self.state_of(left);
        if let Some(current) = state.history.last() {
            assert!(
                state.created.contains(current),
                "{path:?}: what is current is gone"
            );
        }
        let names = left.all.keys().map(ObjectName::as_str);
        let selections = names.filter(|name| name.starts_with("selections/"));
        for (number, name) in (1..).zip(selections) {
            assert_eq!(name, format!("selections/{number:020}.json"), "{path:?}");
        }
    }

    /// Checks that nothing is there that no generation needs, but for records that are never deleted.
    pub(crate) fn check_nothing_is_left_over(&self, left: &Left, path: &[Step]) {
        let needed = self.needed(left);
        for name in left.all.keys() {
            let is_needed = match name.as_str().split_once('/').unwrap() {
                ("blobs", digest) => needed.contains(digest),
                ("generations", inside) => {
                    let id = inside.split_once('/').unwrap().0.parse().unwrap();
                    left.created.contains(&id)
                }
                ("selections" | "marks", _) => true,
                _ => false,
            };
            assert!(is_needed, "{path:?}: {name} is left over");
        }
    }

    /// The blobs that what is there needs.
    fn needed(&self, left: &Left) -> BTreeSet<String> {
        let there = self.staged.iter();
        let there = there.filter(|staged| left.created.contains(&staged.manifest.id));
        let shards = there.flat_map(|staged| &staged.manifest.shards);
        shards.map(|entry| entry.blob.clone()).collect()
    }
}

fn manifest_of(id: &GenerationId) -> ObjectName {
    format!("generations/{id}/manifest.json").parse().unwrap()
}

/// Returns the generation whose manifest has this name.
fn id_of(name: &ObjectName) -> Option<GenerationId> {
    let id = name.as_str().strip_prefix("generations/")?;
    id.strip_suffix("/manifest.json")?.parse().ok()
}
