//! The lease of the nights: one holder at a time, whoever sleeps and whatever clocks say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use jiff::SignedDuration;
use nightshard_deploy::{
    Environment, Error, ErrorKind, Repository,
    controller::{Lease, LeaseTerms, Outcome, Step},
};
use nightshard_format::calendar::Day;
use nightshard_storage::{Faults, Faulty, Storage};
use tokio::time::{advance, sleep};

use crate::support::simulated;

const TERMS: LeaseTerms = LeaseTerms {
    duration: SignedDuration::from_secs(60),
    clock_error: SignedDuration::from_secs(10),
};

/// One answer in ten is lost.
fn faults(delay_max: Duration) -> Faults {
    Faults {
        unanswered_permille: 100,
        delay_max,
        ..Faults::NONE
    }
}

/// Storage, time and chance that all contenders share, in a seeded order.
#[derive(Debug)]
struct World {
    storage: Arc<Faulty>,
    state: AtomicU64,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Arc<Self> {
        let begun_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        Arc::new(Self {
            storage: Arc::new(Faulty::new(seed, faults, begun_at)),
            state: AtomicU64::new(seed),
        })
    }

    /// The generator of Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
    fn random(&self, end: u64) -> u64 {
        let mut mixed = self.state.fetch_add(0x9e37_79b9_7f4a_7c15, SeqCst);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// Returns the time in milliseconds.
    fn now(&self) -> i64 {
        let since = self.storage.now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap().as_millis().try_into().unwrap()
    }

    /// Lets others go first for a while.
    async fn pause(&self, milliseconds: u64) {
        sleep(Duration::from_millis(self.random(milliseconds))).await;
    }
}

/// A contender, whose clock is off by so many milliseconds.
#[derive(Debug)]
struct Contender {
    world: Arc<World>,
    name: String,
    skew: i64,
}

impl Environment for Contender {
    fn now(&self) -> SystemTime {
        let since = u64::try_from(self.world.now() + self.skew).unwrap();
        SystemTime::UNIX_EPOCH + Duration::from_millis(since)
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
    Repository::with_environment(world.storage.clone(), Arc::new(environment))
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
        world.pause(40_000).await;
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
            world.pause(50_000).await;
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
    const SEEDS: u64 = 300;
    let mut times = 0;
    for seed in 0..SEEDS {
        // From a third of a second to longer than half of what the lease holds.
        let delay_max = Duration::from_millis(300 << (seed % 8));
        let mut held = simulated().block_on(async {
            let world = World::new(seed, faults(delay_max));
            let contenders = [-5_000, 0, 2_500, 5_000]
                .map(|skew| tokio::spawn(contend(world.clone(), format!("off by {skew}"), skew)));
            let mut held = Vec::new();
            for contender in contenders {
                held.extend(contender.await.unwrap());
            }
            held
        });
        held.sort_unstable();
        times += held.len() as u64;
        for pair in held.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "seed {seed}: {pair:?}");
        }
    }
    assert!(times > SEEDS, "nobody gets it: {times} times");
}

#[tokio::test(start_paused = true)]
async fn who_sleeps_past_the_end_is_fenced() {
    let world = World::new(1, Faults::NONE);
    let [sleeper, next] = ["sleeper", "next"].map(|name| contender(&world, name, 0));
    let mut lease = take(&sleeper).await.unwrap();
    advance(Duration::from_secs(61)).await;
    let error = lease.check().await.unwrap_err();
    assert!(
        matches!(error, Error::LeaseLost { epoch: 1, .. }),
        "{error:?}"
    );
    assert_eq!(error.kind(), ErrorKind::Conflict);
    advance(Duration::from_secs(60)).await;
    let newer = take(&next).await.unwrap();
    assert_eq!(newer.epoch(), 2);
    assert!(lease.check().await.is_err() && lease.renew().await.is_err());
    assert!(lease.release().await.is_err());
    newer.check().await.unwrap();
}

/// By its own clock it holds the lease still: the epoch of the other one tells.
#[tokio::test(start_paused = true)]
async fn who_is_robbed_by_a_clock_that_is_an_hour_ahead_is_fenced() {
    let world = World::new(4, Faults::NONE);
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

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_once_and_old_epochs_go() {
    let world = World::new(2, Faults::NONE);
    let [first, second] = ["first", "second"].map(|name| contender(&world, name, 0));
    let mut lease = take(&first).await.unwrap();
    for _renewal in 0..30 {
        lease.renew().await.unwrap();
    }
    let epochs = world.storage.list(&"leases".parse().unwrap()).await;
    assert!(epochs.unwrap().len() <= 10);
    let epoch = lease.epoch();
    assert!(take(&second).await.is_none());
    lease.release().await.unwrap();
    assert_eq!(take(&second).await.unwrap().epoch(), epoch + 2);
}

/// Whoever is stopped in the middle of a renewal does not know whether it was done.
#[test]
fn a_lease_is_released_wherever_its_renewal_was_cut_off() {
    for seed in 0..200 {
        simulated().block_on(async {
            let slow = Faults {
                delay_max: Duration::from_secs(1),
                ..Faults::NONE
            };
            let world = World::new(seed, slow);
            let [first, second] = ["first", "second"].map(|name| contender(&world, name, 0));
            let mut lease = take(&first).await.unwrap();
            let cut = Duration::from_millis(world.random(6_000));
            let _cut_off = tokio::time::timeout(cut, lease.renew()).await;
            lease.release().await.unwrap();
            assert!(take(&second).await.is_some(), "seed {seed}");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_record_a_step_at_once_one_is_told_to_look_again() {
    let world = World::new(3, Faults::NONE);
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
