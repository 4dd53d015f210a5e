//! Nothing half done is ever seen: publishing and selecting, alone, together and interrupted.

use std::{fs, sync::Arc};

use crate::support::{Bench, FailingStorage, Failure, FixedEnvironment};
use nightshard_deploy::{Error, ErrorKind, Repository, SelectionNumber, VerifiedBlobs};
use nightshard_format::record;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_and_selected_is_opened() {
    let bench = Bench::new();
    let repository = bench.repository();
    let staged = bench.stage(9, 2, 0);
    let id = staged.manifest.id.clone();
    let blobs = staged.shards.len() as u64;
    let bytes: u64 = staged
        .manifest
        .shards
        .iter()
        .map(|entry| entry.size_bytes)
        .sum();

    let published = repository.publish(&staged).await.unwrap();
    assert!(published.is_new);
    assert_eq!((published.blobs_new, published.blobs_present), (blobs, 0));
    assert_eq!((published.bytes_new, published.bytes_present), (bytes, 0));
    assert_eq!(
        repository.current().await.unwrap(),
        None,
        "publishing does not select"
    );

    let selected = repository.select(&id).await.unwrap();
    assert!(selected.is_new);
    assert_eq!(selected.selection.number, SelectionNumber(1));
    assert_eq!(selected.selection.at, "2019-01-01T00:00:00Z");
    assert_eq!(
        repository.current().await.unwrap(),
        Some(selected.selection)
    );
    assert!(
        bench
            .root()
            .join("selections/00000000000000000001.json")
            .is_file()
    );

    let mut verified = VerifiedBlobs::new();
    let generation = repository
        .open_generation(&id, &mut verified)
        .await
        .unwrap();
    assert_eq!(*generation.manifest(), staged.manifest);
    let summary = generation.summary(record::STORES, b"s3").unwrap().unwrap();
    // January has 31 days and February 28, of which every third lacks its refund.
    let days = 17_532..17_532 + 59;
    let rows: u64 = days.map(|day| if day % 3 == 0 { 2 } else { 3 }).sum();
    assert_eq!(summary.statistics().count, rows);
    assert_eq!(verified.len() as u64, blobs);

    let verification = repository.verify(&id, |_progress| {}).await.unwrap();
    assert_eq!(verification.damage, []);
    assert_eq!((verification.shards, verification.bytes), (blobs, bytes));
    // Nine stores in two months and in `current`, a ranking and a word.
    assert_eq!(verification.records, 9 * 3 + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_again_stores_nothing_and_says_so() {
    let bench = Bench::new();
    let repository = bench.repository();
    repository.publish(&bench.stage(9, 2, 0)).await.unwrap();
    let again = bench.stage(9, 2, 0);
    let published = repository.publish(&again).await.unwrap();
    assert!(!published.is_new);
    assert_eq!(published.blobs_new, 0);
    assert_eq!(published.blobs_present, again.shards.len() as u64);
    assert!(
        again.shards.iter().all(|(path, _)| path.is_file()),
        "what is there is left alone"
    );

    let first = repository.select(&again.manifest.id).await.unwrap();
    let second = repository.select(&again.manifest.id).await.unwrap();
    assert!(!second.is_new);
    assert_eq!(first.selection, second.selection);
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_of_a_closed_month_are_stored_once() {
    let bench = Bench::new();
    let repository = bench.repository();
    repository.publish(&bench.stage(9, 3, 0)).await.unwrap();
    let next = bench.stage(9, 3, 1);
    let published = repository.publish(&next).await.unwrap();
    assert!(published.is_new);
    // The last month and the summaries changed; two months, ranking and search did not.
    assert_eq!((published.blobs_new, published.blobs_present), (4, 8));
    let listed = repository.generations().await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|generation| generation.manifest.is_ok()));
    assert!(listed.is_sorted_by_key(|generation| generation.id.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_blobs_are_verified_once_and_forgotten_with_the_last_generation() {
    let bench = Bench::new();
    let repository = bench.repository();
    let (old, new) = (bench.stage(9, 3, 0), bench.stage(9, 3, 1));
    let mut verified = VerifiedBlobs::new();
    for staged in [&old, &new] {
        repository.publish(staged).await.unwrap();
        let id = &staged.manifest.id;
        repository.open_generation(id, &mut verified).await.unwrap();
    }
    assert_eq!(verified.len(), 12 + 4);
    verified.retain([&new.manifest]);
    assert_eq!(verified.len(), 12);
    // A blob that stays mapped is not read again, even if its file is gone since.
    fs::remove_dir_all(bench.root().join("blobs")).unwrap();
    repository
        .open_generation(&new.manifest.id, &mut verified)
        .await
        .unwrap();
    let error = repository
        .open_generation(&old.manifest.id, &mut verified)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::MissingBlob { .. }));
    verified.retain([]);
    assert!(verified.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_dies_anywhere_leaves_the_old_generation_and_a_clean_next_run() {
    for failure in [Failure::Before, Failure::After] {
        for crash_after in 0.. {
            let bench = Bench::new();
            let repository = bench.repository();
            let old = bench.stage(3, 1, 0);
            repository.publish(&old).await.unwrap();
            repository.select(&old.manifest.id).await.unwrap();

            let new = bench.stage(3, 2, 0);
            let new_id = new.manifest.id.clone();
            let dying = FailingStorage::new(bench.storage(), failure, crash_after..u64::MAX);
            let dying = Arc::new(dying);
            let environment = FixedEnvironment::named("dying");
            let doomed = Repository::with_environment(dying.clone(), environment);
            let outcome = match doomed.publish(&new).await {
                Ok(_) => doomed.select(&new_id).await.map(drop),
                Err(error) => Err(error),
            };
            let survived = dying.operations() <= crash_after;
            // A selection whose answer is lost is found at the next attempt.
            assert_eq!(
                outcome.is_ok(),
                survived || new_is_current(&repository, &new_id).await
            );

            let current = repository.current_generation().await.unwrap();
            let mut verified = VerifiedBlobs::new();
            let generation = repository.open_generation(&current, &mut verified).await;
            assert_eq!(generation.unwrap().manifest().id, current);
            // Withdrawing the intent fails last, once all is done.
            if outcome.is_err() && failure == Failure::Before {
                assert_eq!(current, old.manifest.id, "after {crash_after} operations");
            }

            let again = bench.stage(3, 2, 0);
            repository.publish(&again).await.unwrap();
            repository.select(&new_id).await.unwrap();
            assert!(new_is_current(&repository, &new_id).await);
            let verification = repository.verify(&new_id, |_progress| {}).await.unwrap();
            assert_eq!(verification.damage, []);
            if survived {
                // Four changed shards, build.json, a report, the manifest, the selection; and an
                // intent written and withdrawn, twice.
                assert_eq!(dying.operations(), 12);
                break;
            }
        }
    }
}

async fn new_is_current(
    repository: &Repository,
    id: &nightshard_format::manifest::GenerationId,
) -> bool {
    repository.current_generation().await.unwrap() == *id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_whose_answer_is_lost_is_its_writers_own() {
    let bench = Bench::new();
    let staged = bench.stage(3, 1, 0);
    bench.repository().publish(&staged).await.unwrap();
    let storage = FailingStorage::new(bench.storage(), Failure::After, 0..1);
    let environment = FixedEnvironment::named("unlucky");
    let repository = Repository::with_environment(Arc::new(storage), environment);
    let selected = repository.select(&staged.manifest.id).await.unwrap();
    assert!(selected.is_new);
    assert_eq!(selected.selection.number, SelectionNumber(1));
    assert_eq!(selected.selection.by, "unlucky");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_selections_at_once_one_wins_and_the_other_is_a_conflict() {
    let bench = Bench::new();
    let writers: Vec<_> = (0..2)
        .map(|writer| (writer, bench.stage(3, 1, writer)))
        .collect();
    for (_, staged) in &writers {
        bench.repository().publish(staged).await.unwrap();
    }
    let (mut wins, mut conflicts) = (0, 0);
    for _round in 0..25 {
        let tasks: Vec<_> = writers
            .iter()
            .map(|(writer, staged)| {
                let environment = FixedEnvironment::named(&format!("writer-{writer}"));
                let repository = Repository::with_environment(bench.storage(), environment);
                let id = staged.manifest.id.clone();
                tokio::spawn(async move { (id.clone(), repository.select(&id).await) })
            })
            .collect();
        for task in tasks {
            match task.await.unwrap() {
                (id, Ok(selected)) => {
                    assert_eq!(selected.selection.generation, id);
                    wins += u64::from(selected.is_new);
                }
                (id, Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::Conflict);
                    let Error::Conflict { generation, .. } = error else {
                        unreachable!()
                    };
                    assert_ne!(generation, id);
                    conflicts += 1;
                }
            }
        }
    }
    // Numbers have no gaps, and every one has exactly one winner.
    let last = bench.repository().current().await.unwrap().unwrap().number;
    assert_eq!(last, SelectionNumber(wins));
    let selections = fs::read_dir(bench.root().join("selections"))
        .unwrap()
        .count();
    assert_eq!(selections as u64, wins);
    assert!(wins >= 25 - conflicts && conflicts <= 25);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_from_an_earlier_selection_is_not_selected_over_a_later_one() {
    let bench = Bench::new();
    let repository = bench.repository();
    let [first, other, own] = [0, 1, 2].map(|seed| bench.stage(3, 1, seed));
    for staged in [&first, &other] {
        repository.publish(staged).await.unwrap();
    }
    let published = repository.publish(&own).await.unwrap();
    let before = repository.base().await.unwrap();
    repository.select(&first.manifest.id).await.unwrap();
    let base = repository.base().await.unwrap();
    assert_eq!(base.number, SelectionNumber(1));
    let manifest = base.manifest.as_ref().unwrap();
    assert_eq!(manifest.as_ref(), Some(&first.manifest));

    let later = repository.select(&other.manifest.id).await.unwrap();
    for base in [&before, &base] {
        let error = repository.select_after(&published, base).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
    }
    let current = repository.current().await.unwrap();
    assert_eq!(current, Some(later.selection));

    let base = repository.base().await.unwrap();
    let selected = repository.select_after(&published, &base).await.unwrap();
    assert_eq!(selected.selection.number, SelectionNumber(3));
    assert!(selected.is_new);
    let base = repository.base().await.unwrap();
    let again = repository.select_after(&published, &base);
    assert!(!again.await.unwrap().is_new);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_publishers_of_one_generation_both_succeed() {
    for _round in 0..5 {
        let bench = Bench::new();
        let tasks: Vec<_> = ["one", "two"]
            .map(|name| {
                let environment = FixedEnvironment::named(name);
                let repository = Repository::with_environment(bench.storage(), environment);
                let staged = bench.stage(9, 3, 0);
                tokio::spawn(async move {
                    let published = repository.publish(&staged).await.unwrap();
                    repository.select(&staged.manifest.id).await.unwrap();
                    published
                })
            })
            .into_iter()
            .collect();
        let mut published = Vec::new();
        for task in tasks {
            published.push(task.await.unwrap());
        }
        assert_eq!(
            published
                .iter()
                .filter(|published| published.is_new)
                .count(),
            1
        );
        assert_eq!(
            published
                .iter()
                .map(|published| published.blobs_new)
                .sum::<u64>(),
            12
        );
        let current = bench.repository().current().await.unwrap().unwrap();
        assert_eq!(current.number, SelectionNumber(1));
    }
}

#[tokio::test]
async fn contradictory_parts_are_refused_before_anything_is_stored() {
    let bench = Bench::new();
    let repository = bench.repository();
    let staged = bench.stage(3, 1, 0);

    let mut foreign = staged.clone();
    foreign.shards[0].1 = "0".repeat(64);
    let mut wrong_id = staged.clone();
    wrong_id.manifest.id = "2018-01-31-000000000000".parse().unwrap();
    let mut escaping = staged.clone();
    escaping.reports[0].0 = "../../manifest.json".into();
    for wrong in [foreign, wrong_id, escaping] {
        let error = repository.publish(&wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(fs::read_dir(bench.root()).is_err(), "nothing was stored");
    }

    let mut lacking = staged.clone();
    lacking.shards.clear();
    let error = repository.publish(&lacking).await.unwrap_err();
    assert!(matches!(error, Error::MissingBlob { .. }), "{error}");
    let half = fs::read(&staged.shards[0].0).unwrap().split_off(9);
    fs::write(&staged.shards[0].0, half).unwrap();
    let error = repository.publish(&staged).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error
            .to_string()
            .contains(&staged.shards[0].0.display().to_string())
    );
    assert!(!bench.root().join("generations").is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_selections_lists_them_once() {
    let bench = Bench::new();
    let repository = bench.repository();
    let staged = [bench.stage(3, 1, 0), bench.stage(3, 1, 1)];
    for staged in &staged {
        repository.publish(staged).await.unwrap();
    }
    let storage = FailingStorage::new(bench.storage(), Failure::Before, 0..0);
    let storage = Arc::new(storage);
    let follower = Repository::new(storage.clone());
    assert_eq!(follower.current().await.unwrap(), None);
    let mut number = 0;
    for round in 0..6 {
        // None, one or two new ones between looks.
        for _ in 0..round % 3 {
            let id = &staged[number % 2].manifest.id;
            repository.select(id).await.unwrap();
            number += 1;
        }
        let current = follower.clone().current().await.unwrap();
        let found = current.map(|selection| selection.number.0);
        assert_eq!(found, (number > 0).then_some(number as u64));
    }
    // Before there was one, and then once.
    assert_eq!(storage.lists(), 3);
    // Another repository in its place is noticed.
    fs::remove_file(bench.root().join("selections/00000000000000000006.json")).unwrap();
    let current = follower.current().await.unwrap().unwrap();
    assert_eq!((current.number.0, storage.lists()), (5, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn generations_are_listed_in_the_order_of_their_days_and_selections() {
    let bench = Bench::new();
    let repository = bench.repository();
    let january: Vec<_> = (0..3).map(|seed| bench.stage(3, 1, seed)).collect();
    let february = bench.stage(3, 2, 0);
    for staged in january.iter().chain([&february]) {
        repository.publish(staged).await.unwrap();
    }
    let mut by_id: Vec<_> = january.iter().map(|staged| &staged.manifest.id).collect();
    by_id.sort();
    // The last by id is selected first.
    let [never, second, first] = by_id[..] else {
        unreachable!()
    };
    for id in [first, &february.manifest.id, second, first] {
        repository.select(id).await.unwrap();
    }
    let listed = repository.generations().await.unwrap();
    let facts: Vec<_> = listed
        .iter()
        .map(|listed| {
            let numbers = listed.selections.iter().map(|number| number.0);
            let marks = (listed.is_current, listed.is_previous);
            (&listed.id, numbers.collect::<Vec<_>>(), marks)
        })
        .collect();
    let expected = [
        (first, vec![1, 4], (true, false)),
        (second, vec![3], (false, true)),
        (never, vec![], (false, false)),
        (&february.manifest.id, vec![2], (false, false)),
    ];
    assert_eq!(facts, expected);

    // A damaged selection makes nothing current; what was is what to go back to.
    let damaged = bench.root().join("selections/00000000000000000005.json");
    fs::write(damaged, "{").unwrap();
    let listed = repository.generations().await.unwrap();
    assert!(listed.iter().all(|listed| !listed.is_current));
    let previous = listed.iter().filter(|listed| listed.is_previous);
    assert!(previous.map(|listed| &listed.id).eq([first]));
}
