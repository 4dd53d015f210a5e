//! Builders, publishers, controllers, reclaimers and servers that are killed at random moments: old
//! data serves, the next run succeeds, and nothing is left that nobody takes.
//!
//! `NIGHTSHARD_TEST_KILLS` says how often, 48 times unless told; `NIGHTSHARD_TEST_SEED` gives other
//! moments. A repository in a local folder gets a third of the kills, one in object storage, which
//! `tests/servers/run` starts, the others. Both at once take what a single one takes. In object
//! storage a process is killed at a request, and where there are kills enough, which 200 are for most, it
//! is checked that each step of each kind was hit; in a folder it is killed once a step was seen, and may
//! be beyond it by then.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]
#![allow(clippy::print_stdout, reason = "a test says how many kills fell where")]

mod fed;
mod litter;
mod moment;
mod observer;
mod role;
mod scene;
#[path = "../support/mod.rs"]
mod support;
mod world;

use role::Role;
use support::{object_storage, random};
use world::World;

/// In which order they are killed in a local repository.
const IN_FOLDER: &[Role] = &[
    Role::Build,
    Role::Publish,
    Role::Night,
    Role::Rollback,
    Role::NightsBuild,
    Role::Reclaim,
];
/// In which order they are killed in object storage.
const IN_STORAGE: &[Role] = &[
    Role::Build,
    Role::Serve,
    Role::Publish,
    Role::Night,
    Role::Serve,
    Role::Rollback,
    Role::NightsBuild,
    Role::Reclaim,
];

fn kills() -> usize {
    match std::env::var("NIGHTSHARD_TEST_KILLS") {
        Ok(kills) => kills.parse().expect("NIGHTSHARD_TEST_KILLS is a number"),
        Err(_unset) => 48,
    }
}

/// Kills so many processes of these kinds in turn.
fn kill_all(world: &mut World, kills: usize, roles: &[Role]) {
    let (mut killed, mut tried) = (0, 0);
    while killed < kills {
        killed += usize::from(world.kill(roles[tried % roles.len()]));
        tried += 1;
        assert!(tried < 3 * kills.max(10), "most were killed too late");
    }
}

#[test]
fn whoever_is_killed_in_a_local_repository_leaves_old_data_served_and_no_litter() {
    let mut world = World::in_folder(random::seed(66));
    kill_all(&mut world, kills() / 3, IN_FOLDER);
    world.ends_clean();
}

#[test]
fn whoever_is_killed_in_object_storage_leaves_old_data_served_and_no_litter() {
    let (server, folder) = (object_storage::server(), object_storage::fresh_folder());
    let mut world = World::in_storage(&server, &folder, random::seed(134));
    kill_all(&mut world, kills() - kills() / 3, IN_STORAGE);
    world.ends_clean();
}
