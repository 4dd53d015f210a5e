//! Publishers, controllers, servers, people and whoever reclaims, all at once over storage that fails,
//! by a seed.
//!
//! Time is simulated, and everything that happens follows from the seed: a schedule that breaks a
//! promise is found again with `NIGHTSHARD_SEED=<seed> cargo test -p nightshard-deploy --test
//! simulation`. `NIGHTSHARD_SCHEDULES` says how many are run.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../repository/support.rs"]
#[allow(dead_code, unreachable_pub, reason = "other tests use the rest")]
mod support;

mod actors;
mod blobs;
mod nights;
mod promises;
mod world;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use nightshard_storage::Faults;

use crate::{actors::run_actors, world::World};

/// So many schedules are run unless the environment says otherwise.
const SCHEDULES: u64 = 10_000;

/// Runs one schedule and checks every promise.
fn run(pool: &world::Pool, seed: u64) {
    support::simulated().block_on(async {
        let world = World::new(pool, seed);
        run_actors(&world).await;
        promises::check(&world);
        world.storage.set_faults(Faults::NONE);
        // The next night works, whatever happened in this one.
        tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
        promises::the_next_night_works(&world).await;
        promises::the_next_night_makes_itself(&world).await;
        tokio::time::advance(Duration::from_secs(30 * 24 * 60 * 60)).await;
        promises::reclaiming_leaves_no_litter(&world).await;
    });
}

#[test]
fn no_schedule_breaks_a_promise() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let pool = world::Pool::new();
    if let Some(seed) = number("NIGHTSHARD_SEED") {
        return run(&pool, seed);
    }
    let schedules = number("NIGHTSHARD_SCHEDULES").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= schedules {
                        return;
                    }
                    let run = AssertUnwindSafe(|| run(&pool, seed));
                    if catch_unwind(run).is_err() {
                        next.store(schedules, Ordering::Relaxed);
                        panic!("NIGHTSHARD_SEED={seed} breaks a promise");
                    }
                }
            });
        }
    });
}

/// Else promises would hold of schedules in which nothing happens.
#[test]
fn nights_end_in_every_way_and_are_gone_on_with() {
    let pool = world::Pool::new();
    let mut seen = BTreeSet::new();
    for seed in 0..400 {
        support::simulated().block_on(async {
            let world = World::new(&pool, seed);
            run_actors(&world).await;
            seen.append(&mut world.nights.borrow_mut());
        });
    }
    let expected = [
        "served",
        "blocked",
        "refused",
        "rolled back",
        "superseded",
        "failed",
        "stuck",
        "gone on with",
    ];
    assert_eq!(seen, expected.into());
}

#[test]
fn a_schedule_repeats_itself() {
    let pool = world::Pool::new();
    for seed in 0..20 {
        let trace = || {
            support::simulated().block_on(async {
                let world = World::new(&pool, seed);
                run_actors(&world).await;
                (world.storage.objects(), world.storage.operations())
            })
        };
        assert!(trace() == trace(), "seed {seed}");
    }
}
