//! Reclaiming: what nobody needs goes, and nothing else does.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use nightshard_deploy::{
    Error, ErrorKind, Reclaim, Reclaimed, Repository, Staged, Verdict, VerifiedBlobs,
};
use nightshard_storage::{Faults, Faulty, ObjectName};
use tokio::time::Instant;

use crate::support::{Bench, FixedEnvironment};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A repository in storage whose clock a test owns.
struct Nights {
    bench: Bench,
    storage: Arc<Faulty>,
    repository: Repository,
}

impl Nights {
    fn new() -> Self {
        let begun_at = SystemTime::UNIX_EPOCH + 1_000 * DAY;
        let storage = Arc::new(Faulty::new(1, Faults::NONE, begun_at));
        // The clock of this machine is years off.
        let environment = FixedEnvironment::named("nights");
        let repository = Repository::with_environment(storage.clone(), environment);
        Self {
            bench: Bench::new(),
            storage,
            repository,
        }
    }

    /// Publishes and selects a generation, a day after the last.
    async fn night(&self, seed: i64) -> Staged {
        tokio::time::advance(DAY).await;
        let staged = self.bench.stage(3, 1, seed);
        self.repository.publish(&staged).await.unwrap();
        self.repository.select(&staged.manifest.id).await.unwrap();
        staged
    }

    async fn reclaim(&self, keep: usize) -> Reclaimed {
        let rules = Reclaim {
            keep,
            ..Reclaim::default()
        };
        self.repository.reclaim(&rules).await.unwrap()
    }

    fn blobs(&self) -> BTreeSet<String> {
        let objects = self.storage.objects();
        let blobs = objects
            .keys()
            .filter(|name| name.as_str().starts_with("blobs/"));
        blobs.map(|name| name.last_part().to_owned()).collect()
    }
}

fn blobs_of<'a>(kept: impl IntoIterator<Item = &'a Staged>) -> BTreeSet<String> {
    let shards = kept.into_iter().flat_map(|staged| &staged.manifest.shards);
    shards.map(|entry| entry.blob.clone()).collect()
}

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn old_generations_go_with_the_blobs_that_only_they_have() {
    let nights = Nights::new();
    let mut staged = Vec::new();
    for seed in 0..12 {
        staged.push(nights.night(seed).await);
    }
    nights
        .repository
        .mark(&staged[1].manifest.id, Verdict::Good, "proved right")
        .await
        .unwrap();
    tokio::time::advance(DAY / 2).await;
    let all = nights.blobs();
    let dry = Reclaim {
        is_dry_run: true,
        ..Reclaim::default()
    };
    let before = nights.storage.objects();
    nights.repository.reclaim(&dry).await.unwrap();
    assert!(
        nights.storage.objects() == before,
        "a dry run changes nothing"
    );
    assert_eq!(nights.blobs(), all);

    let reclaimed = nights.reclaim(3).await;
    // Older than a week: 0 to 4, of which 1 is the one to go back to.
    let gone = [0, 2, 3, 4].map(|at: usize| staged[at].manifest.id.clone());
    let mut gone = gone.to_vec();
    gone.sort();
    assert_eq!(reclaimed.generations, gone);
    let kept = staged.iter().filter(|it| !gone.contains(&it.manifest.id));
    assert_eq!(nights.blobs(), blobs_of(kept.clone()));
    assert_eq!(reclaimed.blobs, (all.len() - nights.blobs().len()) as u64);
    for staged in kept {
        let id = &staged.manifest.id;
        let folder = tempfile::tempdir().unwrap();
        let cache = nightshard_deploy::Cache::open(folder.path(), Default::default());
        let cached = nights.repository.clone().with_cache(cache.unwrap());
        let mut verified = VerifiedBlobs::new();
        cached.open_generation(id, &mut verified).await.unwrap();
    }
    let marks = nights.repository.marks().await.unwrap();
    assert!(gone.iter().all(|id| marks[id].mark == Verdict::Retired));
    let left = nights.storage.objects();
    let is_left = |id: &_| {
        left.keys()
            .any(|name| name.as_str().contains(&format!("generations/{id}")))
    };
    assert!(!gone.iter().any(is_left));
    // Again: nothing is left to do.
    let again = nights.reclaim(3).await;
    assert_eq!(
        (again.generations.len(), again.blobs, again.litter),
        (0, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn the_current_and_the_previous_stay_however_old() {
    let nights = Nights::new();
    let (first, second) = (nights.night(0).await, nights.night(1).await);
    nights.repository.select(&first.manifest.id).await.unwrap();
    tokio::time::advance(1_000 * DAY).await;
    let reclaimed = nights.reclaim(0).await;
    assert_eq!((reclaimed.generations.len(), reclaimed.blobs), (0, 0));
    assert_eq!(nights.blobs(), blobs_of([&first, &second]));
}

#[tokio::test(start_paused = true)]
async fn what_publishers_left_half_done_goes_when_it_is_old() {
    let nights = Nights::new();
    let first = nights.night(0).await;
    for litter in [
        "blobs/of-a-publisher-that-died",
        "generations/2018-01-01-000000000000/build.json",
        "generations/2018-01-01-000000000000/reports/quarantine.csv",
    ] {
        nights.storage.put(&name(litter), "half".into());
    }
    let intent = r#"{"nonce": "dead", "generations": [], "blobs": ["of-a-publisher-that-died"],
        "at": "", "by": ""}"#;
    nights
        .storage
        .put(&name("intents/dead.json"), intent.into());
    nights
        .storage
        .put(&name("condemned/dead.json"), intent.into());
    tokio::time::advance(7 * DAY).await;
    let young = nights.reclaim(3).await;
    assert_eq!((young.blobs, young.litter), (0, 1), "a void condemnation");
    tokio::time::advance(DAY).await;
    let old = nights.reclaim(3).await;
    assert_eq!((old.blobs, old.litter), (1, 3));
    assert_eq!(nights.blobs(), blobs_of([&first]));
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_while_something_cannot_be_read_that_says_what_is_needed() {
    let nights = Nights::new();
    for seed in 0..5 {
        nights.night(seed).await;
    }
    tokio::time::advance(100 * DAY).await;
    let objects = nights.storage.objects();
    let last = objects
        .keys()
        .rfind(|name| name.as_str().starts_with("selections/"));
    let current = nights.repository.current_generation().await.unwrap();
    let manifest = name(&format!("generations/{current}/manifest.json"));
    for damaged in [
        last.unwrap().clone(),
        manifest,
        name("intents/foreign.json"),
    ] {
        let right = objects.get(&damaged).cloned();
        nights.storage.put(&damaged, "{".into());
        let before = nights.blobs();
        let error = nights.repository.reclaim(&Reclaim::default()).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(error.to_string().contains(damaged.as_str()), "{error}");
        assert_eq!(nights.blobs(), before);
        if let Some(right) = right {
            nights.storage.put(&damaged, right);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_waits_for_a_condemnation_of_what_it_needs_to_end() {
    let nights = Nights::new();
    let first = nights.night(0).await;
    let second = nights.night(1).await;
    // Of what the first alone has.
    let others = |blob: &String| second.manifest.shards.iter().any(|it| it.blob == *blob);
    let mut blobs = first.manifest.shards.iter().map(|entry| &entry.blob);
    let digest = blobs.find(|blob| !others(blob)).unwrap();
    let condemned = format!(
        r#"{{"nonce": "slow", "generations": [], "blobs": ["{digest}"], "at": "", "by": "somebody"}}"#
    );
    let condemnation = name("condemned/slow.json");
    // By somebody who goes on and on.
    let storage = nights.storage.clone();
    storage.put(&condemnation, condemned.clone().into());
    let writing = tokio::spawn(async move {
        loop {
            tokio::time::sleep(MINUTE).await;
            storage.put(&condemnation, condemned.clone().into());
        }
    });
    let error = nights.repository.select(&first.manifest.id).await;
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Condemned { .. }));
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("somebody"), "{error}");
    let intents = nights.storage.objects();
    assert!(
        !intents
            .keys()
            .any(|name| name.as_str().starts_with("intents/"))
    );
    // Others are not kept from anything.
    let begun = Instant::now();
    let third = nights.bench.stage(3, 1, 2);
    nights.repository.publish(&third).await.unwrap();
    nights.repository.select(&third.manifest.id).await.unwrap();
    assert!(begun.elapsed() < MINUTE);
    // It is void once whoever wrote it cannot be at work any more: nobody has to try again.
    writing.abort();
    nights.repository.select(&first.manifest.id).await.unwrap();
    assert!((MINUTE * 3..MINUTE * 6).contains(&begun.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_a_condemnation_holds_is_done_in_rounds() {
    let nights = Nights::new();
    for seed in 0..6 {
        nights.night(seed).await;
    }
    tokio::time::advance(DAY * 30).await;
    let rules = Reclaim {
        keep: 0,
        ..Reclaim::default()
    };
    let expected = Reclaim {
        is_dry_run: true,
        ..rules.clone()
    };
    let expected = nights.repository.reclaim(&expected).await.unwrap();
    nights.storage.set_faults(Faults {
        delay_max: Duration::from_secs(2),
        ..Faults::NONE
    });
    let begun = Instant::now();
    let reclaimed = nights.repository.reclaim(&rules).await.unwrap();
    assert!(begun.elapsed() > MINUTE, "{:?}", begun.elapsed());
    assert_eq!(reclaimed.generations, expected.generations);
    assert_eq!(nights.repository.generations().await.unwrap().len(), 2);
    let again = nights.repository.reclaim(&rules).await.unwrap();
    assert_eq!((again.generations.len(), again.blobs), (0, 0));
}
