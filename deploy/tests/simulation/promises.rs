//! What holds at every moment, and in the end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use nightshard_deploy::{Error, ErrorKind, Mark, Reclaim, Selection, Verdict, controller::Ending};
use nightshard_format::{calendar::Day, manifest::GenerationId};
use nightshard_storage::ObjectName;

use crate::{
    actors::FLOOR,
    nights::{self, Model},
    world::{Random, World},
};

type Objects = BTreeMap<ObjectName, Bytes>;

/// Returns the usable selections, ascending.
fn selections(objects: &Objects) -> Vec<Selection> {
    let of_selections = objects
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("selections/"));
    of_selections
        .filter_map(|(_, bytes)| serde_json::from_slice(bytes).ok())
        .collect()
}

fn manifests(objects: &Objects) -> BTreeSet<GenerationId> {
    let ids = objects.keys().filter_map(|name| {
        let id = name.as_str().strip_prefix("generations/")?;
        id.strip_suffix("/manifest.json")?.parse().ok()
    });
    ids.collect()
}

/// What holds at every moment.
pub(crate) fn check(world: &World<'_>) {
    let objects = world.storage.objects();
    let there = manifests(&objects);
    // A manifest never names what is not there, or not right.
    for id in &there {
        for blob in world.pool.blobs_of(id) {
            let name: ObjectName = format!("blobs/{blob}").parse().unwrap();
            let found = objects.get(&name);
            assert_eq!(found, world.pool.blobs.get(blob), "{id} lacks {blob}");
        }
    }
    // What is current, and what was before it, is there.
    let selections = selections(&objects);
    let mut kept: Vec<&GenerationId> = Vec::new();
    for selection in selections.iter().rev() {
        if kept.len() < 2 && !kept.contains(&&selection.generation) {
            kept.push(&selection.generation);
        }
    }
    for id in kept {
        assert!(there.contains(id), "{id} is or was current, and is gone");
    }
    // Numbers have no gaps.
    let numbers = objects
        .keys()
        .filter(|name| name.as_str().starts_with("selections/"));
    for (number, name) in (1..).zip(numbers) {
        assert_eq!(name.as_str(), format!("selections/{number:020}.json"));
    }
}

/// Returns the generations that are marked bad, as whoever reads everything knows.
pub(crate) fn bad(world: &World<'_>) -> Vec<GenerationId> {
    let objects = world.storage.objects();
    let mut last: BTreeMap<&str, &Bytes> = BTreeMap::new();
    for (name, bytes) in &objects {
        if let Some((id, _number)) = name
            .as_str()
            .strip_prefix("marks/")
            .and_then(|it| it.split_once('/'))
        {
            last.insert(id, bytes);
        }
    }
    let marks = last
        .values()
        .filter_map(|bytes| serde_json::from_slice::<Mark>(bytes).ok());
    let bad = marks.filter(|mark| mark.mark == Verdict::Bad);
    bad.map(|mark| mark.generation).collect()
}

/// Returns the highest epoch of the lease of nights, 0 before the first.
pub(crate) fn highest_epoch(world: &World<'_>) -> u64 {
    let objects = world.storage.objects();
    let epochs = objects.keys().filter_map(|name| {
        let epoch = name.as_str().strip_prefix("leases/")?;
        epoch.strip_suffix(".json")?.parse().ok()
    });
    epochs.max().unwrap_or_default()
}

/// Errors are those of storage, of others who were first, or of what was damaged.
pub(crate) fn is_a_clear_error(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{text}");
    let is_a_servers = matches!(error, Error::NotLocal { .. });
    let expected = [ErrorKind::Unavailable, ErrorKind::Conflict, ErrorKind::Data];
    assert!(is_a_servers || expected.contains(&error.kind()), "{text}");
}

/// Every generation can be published and selected, whatever an earlier night left behind.
pub(crate) async fn the_next_night_works(world: &World<'_>) {
    // What somebody found bad is not made current by making it again.
    let bad = bad(world);
    let staged = world.pool.staged.iter();
    let staged = staged.filter(|staged| !bad.contains(&staged.manifest.id));
    for staged in staged.take(2) {
        let (repository, _) = world.repository("next");
        let mut staged = staged.clone();
        let base = repository.base().await.unwrap();
        let (_, selected) = repository.publish_from(base, &mut staged).await.unwrap();
        let current = repository.current().await.unwrap().unwrap();
        assert_eq!(current, selected.selection);
        assert_eq!(current.generation, staged.manifest.id);
        check(world);
    }
}

/// A controller that nothing disturbs serves what it builds, whatever earlier nights left behind.
pub(crate) async fn the_next_night_makes_itself(world: &World<'_>) {
    let staged = &world.pool.staged[0];
    let id = &staged.manifest.id;
    let (repository, _) = world.repository("controller");
    // Somebody may have been against it.
    repository.publish(staged).await.unwrap();
    repository.mark(id, Verdict::Good, "it is").await.unwrap();
    let site = Model {
        world,
        built: 0,
        random: Random::new(0),
        is_disturbed: false,
    };
    let ending = nights::make(world, repository.clone(), site, Day(21_000), true);
    assert_eq!(ending.await.unwrap(), Some(Ending::Served(id.clone())));
    assert_eq!(repository.current_generation().await.unwrap(), *id);
    check(world);
}

/// Whatever died, reclaiming takes what it left.
pub(crate) async fn reclaiming_leaves_no_litter(world: &World<'_>) {
    let (repository, _) = world.repository("tidy");
    let rules = Reclaim {
        keep: 0,
        floor: FLOOR,
        ..Reclaim::default()
    };
    repository.reclaim(&rules).await.unwrap();
    check(world);
    let objects = world.storage.objects();
    let there = manifests(&objects);
    let needed: BTreeSet<&str> = there
        .iter()
        .flat_map(|id| world.pool.blobs_of(id))
        .collect();
    for name in objects.keys() {
        let is_needed = match name.as_str().split_once('/').unwrap() {
            ("blobs", digest) => needed.contains(digest),
            ("generations", inside) => {
                let id = inside.split_once('/').unwrap().0;
                there.contains(&id.parse().unwrap())
            }
            ("selections" | "marks" | "runs" | "leases", _) => true,
            _ => false,
        };
        assert!(is_needed, "{name} is litter");
    }
}
