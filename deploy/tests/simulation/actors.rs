//! Who is at work, each for a few actions, any of which may be cut short as by a crash.

use std::{sync::atomic::Ordering, time::Duration};

use nightshard_deploy::{Error, Reclaim, Repository, Result, Verdict};
use nightshard_storage::{ObjectName, Storage};

use crate::{
    nights, promises,
    world::{Random, World},
};

/// Nothing younger is reclaimed here, so that there is something to reclaim; no publisher takes
/// so long.
pub(crate) const FLOOR: Duration = Duration::from_secs(20 * 60);

/// A publisher that takes longer is given up.
const PUBLISH_MAX: Duration = Duration::from_secs(10 * 60);

/// Who acts how often, and how.
struct Part {
    actor: u64,
    times: u32,
    /// If it crashes, then within this time.
    crash_max: Duration,
    /// How far its clock may be off, in seconds, and in how many of a hundred actions it is.
    clock: (u64, u64),
}

/// Runs everybody until all have done what they do.
pub(crate) async fn run_actors(world: &World<'_>) {
    let part = |actor, times| Part {
        actor,
        times,
        crash_max: Duration::from_secs(30),
        clock: (24 * 3_600, 10),
    };
    let controller = |actor| Part {
        crash_max: Duration::from_secs(20 * 60),
        clock: match world.has_wild_clocks {
            true => (12 * 3_600, 30),
            false => (nights::CLOCK_ERROR_MAX, 100),
        },
        ..part(actor, 6)
    };
    tokio::join!(
        act(world, part(0, 5), publish),
        act(world, part(1, 5), publish),
        act(world, part(2, 8), reclaim),
        act(world, part(3, 6), decide),
        act(world, part(4, 24), |world, repository, random| serve(
            world, repository, random, 0
        )),
        act(world, part(5, 24), |world, repository, random| serve(
            world, repository, random, 1
        )),
        act(world, controller(6), nights::control),
        act(world, controller(7), nights::control),
        watch(world),
    );
}

/// Does an action so many times, each as a process of its own that may crash at any await.
async fn act<'a, F>(
    world: &'a World<'a>,
    part: Part,
    action: impl Fn(&'a World<'a>, Repository, Random) -> F,
) where
    F: Future<Output = Result<()>>,
{
    let random = Random::new(world.random.below(u64::MAX) ^ part.actor);
    for _ in 0..part.times {
        tokio::time::sleep(pause(world, &random, part.times)).await;
        let (repository, environment) = world.repository(&format!("actor{}", part.actor));
        let (off_max, often) = part.clock;
        if random.below(100) < often {
            let off = i64::try_from(random.below(2 * off_max + 1)).unwrap();
            let off = off - i64::try_from(off_max).unwrap();
            environment.off.store(off, Ordering::Relaxed);
        }
        let action = action(world, repository, random.clone());
        let done = match random.below(3) {
            0 => {
                let millis = u64::try_from(part.crash_max.as_millis()).unwrap();
                let crash = Duration::from_millis(random.below(millis));
                tokio::time::timeout(crash, action).await.ok()
            }
            _ => Some(action.await),
        };
        if let Some(Err(error)) = done {
            promises::is_a_clear_error(&error);
        }
    }
}

/// Returns how long an actor rests before its next action: until a quarter of an hour begins, more
/// or less, so that actions meet.
fn pause(world: &World<'_>, random: &Random, times: u32) -> Duration {
    const QUARTER: u64 = 15 * 60;
    let rest = random.below(2 * 60 * 60 / u64::from(times));
    let now = world.begun.elapsed().as_secs() + rest;
    let until = now.next_multiple_of(QUARTER) - now;
    let jitter = Duration::from_millis(random.below(4_000));
    Duration::from_secs(rest + until) + jitter
}

/// A night: a generation is published and selected.
async fn publish(world: &World<'_>, repository: Repository, random: Random) -> Result<()> {
    let at = usize::try_from(random.below(world.pool.staged.len() as u64)).unwrap();
    let mut staged = world.pool.staged[at].clone();
    let night = async {
        let base = repository.base().await?;
        repository.publish_from(base, &mut staged).await.map(drop)
    };
    tokio::time::timeout(PUBLISH_MAX, night)
        .await
        .unwrap_or(Ok(()))
}

async fn reclaim(_world: &World<'_>, repository: Repository, random: Random) -> Result<()> {
    let rules = Reclaim {
        keep: usize::try_from(random.below(2)).unwrap(),
        floor: FLOOR,
        wait: Duration::from_secs(random.below(3)),
        is_dry_run: random.below(8) == 0,
    };
    repository.reclaim(&rules).await.map(drop)
}

/// People and controllers: they mark, go back, and select.
async fn decide(world: &World<'_>, repository: Repository, random: Random) -> Result<()> {
    let at = usize::try_from(random.below(world.pool.staged.len() as u64)).unwrap();
    let id = &world.pool.staged[at].manifest.id;
    match random.below(4) {
        0 => repository.mark(id, Verdict::Good, "it is").await.map(drop),
        1 => repository.mark(id, Verdict::Bad, "it is").await.map(drop),
        2 => repository.select(id).await.map(drop),
        _ => {
            let bad = promises::bad(world);
            let done = repository.rollback("it is bad").await?;
            let chosen = &done.selected.selection.generation;
            assert_ne!(*chosen, done.from, "a rollback leaves what was current");
            let is_bad = bad.contains(chosen) && promises::bad(world).contains(chosen);
            assert!(!is_bad, "a rollback chooses nothing bad");
            Ok(())
        }
    }
}

/// A server: it serves what is selected once it has every byte of it, and keeps what it serves.
async fn serve(
    world: &World<'_>,
    repository: Repository,
    _random: Random,
    server: usize,
) -> Result<()> {
    let Some(selection) = repository.current().await? else {
        return Ok(());
    };
    let manifest = repository.manifest(&selection.generation).await?;
    for entry in &manifest.shards {
        let name: ObjectName = format!("blobs/{}", entry.blob).parse()?;
        let found = world.storage.get_range(&name, 0..entry.size_bytes).await?;
        if found.as_ref() != Some(&world.pool.blobs[&entry.blob]) {
            return Err(Error::NotLocal {
                location: format!("{} is not right", entry.blob),
            });
        }
    }
    let mut servers = world.servers.borrow_mut();
    let served = &mut servers[server].current;
    let last = served.as_ref().map(|(number, _)| *number);
    if last.is_none_or(|last| last <= selection.number.0) {
        *served = Some((selection.number.0, selection.generation));
    }
    Ok(())
}

/// Looks at the truth from time to time.
async fn watch(world: &World<'_>) {
    for _ in 0..120 {
        tokio::time::sleep(Duration::from_millis(60_000 + world.random.below(977))).await;
        promises::check(world);
    }
}
