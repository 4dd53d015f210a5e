//! Marks, and going back to what proved right.

use nightshard_deploy::{Error, ErrorKind, Repository, SelectionNumber, Verdict};
use nightshard_format::manifest::GenerationId;

use crate::support::Bench;

/// Publishes and selects generations in this order.
async fn history(bench: &Bench, seeds: impl IntoIterator<Item = i64>) -> Vec<GenerationId> {
    let repository = bench.repository();
    let mut ids = Vec::new();
    for seed in seeds {
        let staged = bench.stage(3, 1, seed);
        repository.publish(&staged).await.unwrap();
        repository.select(&staged.manifest.id).await.unwrap();
        ids.push(staged.manifest.id);
    }
    ids
}

async fn mark(repository: &Repository, id: &GenerationId, verdict: Verdict) {
    repository.mark(id, verdict, "a test").await.unwrap();
}

#[tokio::test]
async fn the_newest_good_generation_before_the_current_one_is_gone_back_to() {
    let bench = Bench::new();
    let repository = bench.repository();
    let ids = history(&bench, 0..5).await;
    let error = repository.rollback("why").await.unwrap_err();
    assert!(matches!(error, Error::NothingGood { .. }));
    assert_eq!(repository.current_generation().await.unwrap(), ids[4]);
    for good in [0, 1, 3] {
        mark(&repository, &ids[good], Verdict::Good).await;
    }
    // Once good, found bad later: the last mark counts.
    mark(&repository, &ids[3], Verdict::Bad).await;

    let done = repository.rollback("wrong sums").await.unwrap();
    assert_eq!(done.from, ids[4]);
    assert_eq!(done.selected.selection.generation, ids[1]);
    assert_eq!(done.selected.selection.number, SelectionNumber(6));
    let marks = repository.marks().await.unwrap();
    assert_eq!(marks[&ids[4]].mark, Verdict::Bad);
    assert_eq!(marks[&ids[4]].why, "wrong sums");
    // Going back again goes back further, then no further.
    let done = repository.rollback("why").await.unwrap();
    assert_eq!(done.selected.selection.generation, ids[0]);
    assert!(repository.rollback("why").await.is_err());
    assert_eq!(repository.current_generation().await.unwrap(), ids[0]);
    // Forward again by name.
    repository.select(&ids[4]).await.unwrap();
    assert_eq!(repository.current_generation().await.unwrap(), ids[4]);
}

#[tokio::test]
async fn a_good_generation_that_has_lost_a_blob_is_passed_over() {
    let bench = Bench::new();
    let repository = bench.repository();
    let ids = history(&bench, 0..3).await;
    for id in &ids[..2] {
        mark(&repository, id, Verdict::Good).await;
    }
    let manifest = repository.manifest(&ids[1]).await.unwrap();
    let first = repository.manifest(&ids[0]).await.unwrap();
    let of_first = |blob: &String| first.shards.iter().any(|entry| entry.blob == *blob);
    let mut own = manifest.shards.iter().map(|entry| &entry.blob);
    let own = own.find(|blob| !of_first(blob)).unwrap();
    std::fs::remove_file(bench.blob(own)).unwrap();
    let done = repository.rollback("why").await.unwrap();
    assert_eq!(done.selected.selection.generation, ids[0]);
}

#[tokio::test]
async fn only_what_is_there_is_marked_and_a_named_one_gone_back_to() {
    let bench = Bench::new();
    let repository = bench.repository();
    let error = repository.rollback("why").await.unwrap_err();
    assert!(matches!(error, Error::NothingSelected { .. }));
    let ids = history(&bench, 0..2).await;
    let unknown = "2018-01-31-000000000000".parse().unwrap();
    let error = repository.mark(&unknown, Verdict::Good, "why").await;
    assert!(matches!(error, Err(Error::UnknownGeneration { .. })));
    let error = repository.rollback_to(&unknown, "why").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    let done = repository.rollback_to(&ids[0], "why").await.unwrap();
    assert_eq!(done.selected.selection.generation, ids[0]);
    let listed = repository.generations().await.unwrap();
    let left = listed.iter().find(|listed| listed.id == ids[1]).unwrap();
    assert_eq!(left.mark.as_ref().unwrap().mark, Verdict::Bad);
    assert!(left.is_previous);
    // To where one is: nothing is marked.
    let done = repository.rollback_to(&ids[0], "why").await.unwrap();
    assert!(!done.selected.is_new || done.from == ids[0]);
    assert!(!repository.marks().await.unwrap().contains_key(&ids[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_written_at_once_are_all_kept() {
    let bench = Bench::new();
    let ids = history(&bench, [0]).await;
    let marking: Vec<_> = (0..8)
        .map(|writer| {
            let environment = crate::support::FixedEnvironment::named(&format!("w{writer}"));
            let repository = Repository::with_environment(bench.storage(), environment);
            let id = ids[0].clone();
            tokio::spawn(async move { repository.mark(&id, Verdict::Good, "why").await })
        })
        .collect();
    let mut numbers = Vec::new();
    for marked in marking {
        numbers.push(marked.await.unwrap().unwrap().number);
    }
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(1..=8));
}

#[tokio::test]
async fn a_stray_mark_of_the_largest_number_is_an_error_that_names_it() {
    let bench = Bench::new();
    let ids = history(&bench, 0..2).await;
    let number = u64::MAX;
    let stray = bench
        .root()
        .join(format!("marks/{}/{number:020}.json", ids[1]));
    std::fs::create_dir_all(stray.parent().unwrap()).unwrap();
    std::fs::write(&stray, "{}").unwrap();
    let error = bench.repository().mark(&ids[1], Verdict::Good, "why").await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&number.to_string()), "{error}");
}
