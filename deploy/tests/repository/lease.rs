//! The lease of the nights: one holder at a time, whoever sleeps and whatever clocks say.

use std::{
    collections::BTreeMap,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::SignedDuration;
use nightshard_deploy::{
    Environment, Error, ErrorKind, Repository,
    controller::{Lease, LeaseTerms, Outcome, Step},
};
use nightshard_format::calendar::Day;
use nightshard_storage::{Error as StorageError, Listed, ObjectName, Result, Storage};

const TERMS: LeaseTerms = LeaseTerms {
    duration: SignedDuration::from_secs(60),
    clock_error: SignedDuration::from_secs(10),
};

/// Time and chance that all contenders share, in a seeded order.
#[derive(Debug)]
struct World {
    /// Milliseconds.
    now: AtomicI64,
    state: AtomicU64,
    /// How long one operation in ten may take, in milliseconds.
    slowest: u64,
    objects: Mutex<BTreeMap<ObjectName, (Bytes, SystemTime)>>,
}

impl World {
    fn new(seed: u64, slowest: u64) -> Arc<Self> {
        Arc::new(Self {
            now: AtomicI64::new(1_000_000_000_000),
            state: AtomicU64::new(seed),
            slowest,
            objects: Mutex::default(),
        })
    }

    /// SplitMix64.
    fn random(&self, end: u64) -> u64 {
        let mut z = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn now(&self) -> i64 {
        self.now.load(SeqCst)
    }

    fn advance(&self, milliseconds: u64) {
        self.now.fetch_add(milliseconds.cast_signed(), SeqCst);
    }

    /// Lets others go first for a while.
    async fn pause(&self, milliseconds: u64) {
        let end = self.now() + milliseconds.cast_signed();
        loop {
            tokio::task::yield_now().await;
            if self.now() >= end {
                return;
            }
            self.advance(1 + self.random(200));
        }
    }

    async fn latency(&self) {
        let milliseconds = match self.random(10) {
            0 => self.random(self.slowest),
            _ => self.random(300),
        };
        self.pause(milliseconds).await;
    }

    fn time(&self, skew: i64) -> SystemTime {
        let since = u64::try_from(self.now() + skew).unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_millis(since)
    }

    fn epochs(&self) -> usize {
        self.objects.lock().unwrap().len()
    }
}

#[async_trait]
impl Storage for World {
    fn location(&self) -> &str {
        "memory"
    }

    async fn create(&self, name: &ObjectName, bytes: Bytes) -> Result<()> {
        self.latency().await;
        let done = {
            let mut objects = self.objects.lock().unwrap();
            if objects.contains_key(name) {
                Err(StorageError::Exists {
                    name: name.clone(),
                    location: "memory".into(),
                })
            } else {
                objects.insert(name.clone(), (bytes, self.time(0)));
                Ok(())
            }
        };
        self.latency().await;
        // One answer in ten is lost.
        match (done, self.random(10)) {
            (Ok(()), 0) => Err(StorageError::Failed {
                action: "create",
                name: name.to_string(),
                location: "memory".into(),
                source: "lost".into(),
            }),
            (done, _) => done,
        }
    }

    async fn create_from_file(&self, _name: &ObjectName, _file: &Path) -> Result<()> {
        unimplemented!()
    }

    async fn replace_from_file(&self, _name: &ObjectName, _file: &Path) -> Result<()> {
        unimplemented!()
    }

    async fn get(&self, name: &ObjectName, _limit_bytes: u64) -> Result<Option<Bytes>> {
        self.latency().await;
        let objects = self.objects.lock().unwrap();
        Ok(objects.get(name).map(|(bytes, _)| bytes.clone()))
    }

    async fn get_range(&self, _name: &ObjectName, _range: Range<u64>) -> Result<Option<Bytes>> {
        unimplemented!()
    }

    async fn list(&self, folder: &ObjectName) -> Result<Vec<Listed>> {
        self.latency().await;
        let prefix = format!("{folder}/");
        let listed: Vec<Listed> = {
            let objects = self.objects.lock().unwrap();
            let below = objects
                .iter()
                .filter(|(name, _)| name.as_str().starts_with(&prefix));
            below
                .map(|(name, (bytes, modified))| Listed {
                    name: name.clone(),
                    len_bytes: bytes.len() as u64,
                    modified: *modified,
                })
                .collect()
        };
        self.latency().await;
        Ok(listed)
    }

    async fn size(&self, _name: &ObjectName) -> Result<Option<u64>> {
        unimplemented!()
    }

    async fn delete(&self, name: &ObjectName) -> Result<bool> {
        self.latency().await;
        Ok(self.objects.lock().unwrap().remove(name).is_some())
    }

    async fn clear_unfinished(&self, _now: SystemTime) -> Result<u64> {
        unimplemented!()
    }

    fn local_path(&self, _name: &ObjectName) -> Option<PathBuf> {
        None
    }
}

/// A contender, whose clock is off by so much.
#[derive(Debug)]
struct Contender {
    world: Arc<World>,
    name: String,
    /// Milliseconds.
    skew: i64,
}

impl Environment for Contender {
    fn now(&self) -> SystemTime {
        self.world.time(self.skew)
    }

    fn nonce(&self) -> String {
        format!("{} {}", self.name, self.world.random(u64::MAX))
    }

    fn writer(&self) -> String {
        self.name.clone()
    }
}

fn contender(world: &Arc<World>, name: &str, skew: i64) -> Repository {
    let environment = Contender {
        world: world.clone(),
        name: name.to_owned(),
        skew,
    };
    Repository::with_environment(world.clone(), Arc::new(environment))
}

async fn take(repository: &Repository) -> Option<Lease> {
    match Lease::take(repository, TERMS).await {
        Err(Error::LeaseHeld { .. }) => None,
        taken => Some(taken.unwrap()),
    }
}

/// From when until when a contender believed to hold the lease, in true time.
type Held = (i64, i64);

/// Takes the lease, holds it for a while with long sleeps, and gives it up or forgets it.
async fn contend(world: Arc<World>, name: String, skew: i64) -> Vec<Held> {
    let repository = contender(&world, &name, skew);
    let mut held = Vec::new();
    let end_of = |lease: &Lease| lease.expires_at().as_millisecond() - skew;
    for _attempt in 0..12 {
        world.pause(world.random(40_000)).await;
        let mut lease = match Lease::take(&repository, TERMS).await {
            Ok(lease) => lease,
            Err(error) => {
                let kinds = [ErrorKind::Conflict, ErrorKind::Unavailable];
                assert!(kinds.contains(&error.kind()), "{error:?}");
                continue;
            }
        };
        let start = world.now();
        let mut end = end_of(&lease);
        while world.random(4) > 0 {
            world.pause(world.random(50_000)).await;
            let is_held = lease.check().await.is_ok();
            // Fencing: whoever is told to go on is the only one.
            assert!(
                !is_held || world.now() - 1_000 < end,
                "{name} goes on after its end"
            );
            if lease.renew().await.is_err() {
                break;
            }
            end = end_of(&lease);
        }
        if world.random(2) == 0 {
            end = end.min(world.now());
            let _lost = lease.release().await;
        }
        if start < end {
            held.push((start, end));
        }
    }
    held
}

#[test]
fn of_several_contenders_one_holds_the_lease_at_a_time() {
    for seed in 0..300 {
        let world = World::new(seed, 100_000);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut held = runtime.block_on(async {
            let contenders = [-5_000, 0, 2_500, 5_000]
                .map(|skew| tokio::spawn(contend(world.clone(), format!("off by {skew}"), skew)));
            let mut held = Vec::new();
            for contender in contenders {
                held.extend(contender.await.unwrap());
            }
            held
        });
        held.sort_unstable();
        assert!(held.len() > 1, "seed {seed}: {held:?}");
        for pair in held.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "seed {seed}: {pair:?}");
        }
    }
}

#[tokio::test]
async fn who_sleeps_past_the_end_is_fenced() {
    let world = World::new(1, 300);
    let [sleeper, next] = ["sleeper", "next"].map(|name| contender(&world, name, 0));
    let mut lease = take(&sleeper).await.unwrap();
    world.advance(61_000);
    let error = lease.check().await.unwrap_err();
    assert!(
        matches!(error, Error::LeaseLost { epoch: 1, .. }),
        "{error:?}"
    );
    assert_eq!(error.kind(), ErrorKind::Conflict);
    world.advance(60_000);
    let newer = take(&next).await.unwrap();
    assert_eq!(newer.epoch(), 2);
    assert!(lease.check().await.is_err() && lease.renew().await.is_err());
}

/// By its own clock it holds the lease still: the epoch of the other one tells.
#[tokio::test]
async fn who_is_robbed_by_a_clock_that_is_an_hour_ahead_is_fenced() {
    let world = World::new(4, 300);
    let mut lease = take(&contender(&world, "robbed", 0)).await.unwrap();
    lease.check().await.unwrap();
    let robber = take(&contender(&world, "robber", 3_600_000)).await.unwrap();
    assert!(robber.epoch() > lease.epoch());
    for lost in [lease.check().await, lease.renew().await] {
        let error = lost.unwrap_err();
        assert!(matches!(error, Error::LeaseLost { .. }), "{error:?}");
    }
    robber.check().await.unwrap();
}

#[tokio::test]
async fn a_released_lease_is_taken_at_once_and_old_epochs_go() {
    let world = World::new(2, 300);
    let [first, second] = ["first", "second"].map(|name| contender(&world, name, 0));
    let mut lease = take(&first).await.unwrap();
    for _renewal in 0..30 {
        lease.renew().await.unwrap();
    }
    assert!(world.epochs() <= 10, "{} epochs", world.epochs());
    let epoch = lease.epoch();
    assert!(take(&second).await.is_none());
    lease.release().await.unwrap();
    assert_eq!(take(&second).await.unwrap().epoch(), epoch + 2);
}

#[tokio::test]
async fn of_two_who_record_a_step_at_once_one_is_told_to_look_again() {
    let world = World::new(3, 300);
    let [first, second] = ["first", "second"].map(|name| contender(&world, name, 0));
    let day = Day::from_civil(2026, 1, 31).unwrap();
    let mut seen = first.run_history(day).await.unwrap();
    let mut late = second.run_history(day).await.unwrap();
    assert_eq!(seen, late);
    let step = (Step::Begin, Outcome::Done);
    let append = first.append_run(&mut seen, step.0, step.1, None, "now".into(), 7);
    assert!(append.await.unwrap());
    let append = second.append_run(&mut late, step.0, step.1, None, "too".into(), 7);
    assert!(!append.await.unwrap());
    let late = second.run_history(day).await.unwrap();
    assert_eq!(late, seen);
    assert_eq!((late.last, late.records[0].detail.as_str()), (1, "now"));
    let other = second.run_history(Day(day.0 + 1)).await.unwrap();
    assert_eq!(other.last, 0);
}
