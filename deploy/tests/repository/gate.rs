//! The quality gate on real shards: measures, known keys read back, reports.

use std::{fs, sync::Arc};

use nightshard_deploy::{
    Repository, Staged,
    gate::{Thresholds, Verdict},
};
use nightshard_format::record;

use crate::support::{Bench, FailingStorage, Failure, FixedEnvironment, remove_store};

fn refusals(report: &nightshard_deploy::gate::GateReport) -> Vec<(&str, &str)> {
    let checks = report.checks.iter();
    let checks = checks.filter(|check| check.verdict == Verdict::Refused);
    checks
        .map(|check| (check.name.as_str(), check.line.as_str()))
        .collect()
}

async fn published(bench: &Bench, staged: Staged) -> Staged {
    bench.repository().publish(&staged).await.unwrap();
    staged
}

#[tokio::test(flavor = "multi_thread")]
async fn another_night_of_the_same_stores_passes_and_half_of_them_does_not() {
    let bench = Bench::new();
    let repository = bench.repository();
    let good = published(&bench, bench.stage(60, 2, 0)).await.manifest;
    let next = published(&bench, bench.stage(61, 2, 1)).await.manifest;
    let half = published(&bench, bench.stage(30, 2, 0)).await.manifest;
    let thresholds = Thresholds::default();

    let first = repository.gate(&good, None, &thresholds).await.unwrap();
    assert!(first.is_passed);
    assert_eq!((first.number, first.against.as_ref()), (1, None));

    let report = repository
        .gate(&next, Some(&good), &thresholds)
        .await
        .unwrap();
    assert_eq!(refusals(&report), []);
    assert_eq!(report.against, Some(good.id.clone()));
    let keys = report
        .checks
        .iter()
        .find(|check| check.name == "keys_missing_max");
    assert_eq!(
        keys.unwrap().line,
        "0 of 60 keys of stores gone: 0 %, at most 5 %"
    );

    let report = repository
        .gate(&half, Some(&good), &thresholds)
        .await
        .unwrap();
    assert!(!report.is_passed);
    assert_eq!(report.refusal().unwrap().name, "rows_drop_max");
    let lines = refusals(&report);
    let keys = (
        "keys_missing_max",
        "30 of 60 keys of stores gone: 50 %, at most 5 %",
    );
    assert!(lines.contains(&keys), "{lines:?}");

    assert_eq!(
        repository.last_gate_report(&half.id).await.unwrap(),
        Some(report)
    );
    let again = repository
        .gate(&half, Some(&good), &thresholds)
        .await
        .unwrap();
    assert_eq!(
        (
            again.number,
            again.name().ends_with("/reports/gate-0002.json")
        ),
        (2, true)
    );
    assert_eq!(
        repository.last_gate_report(&half.id).await.unwrap(),
        Some(again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_the_manifest_counts_but_no_shard_has_are_missed() {
    let bench = Bench::new();
    let repository = bench.repository();
    let good = published(&bench, bench.stage_forged(|_tables| ()))
        .await
        .manifest;
    let forged = bench.stage_forged(|tables| remove_store(tables, b"s3"));
    let forged = published(&bench, forged).await.manifest;
    let thresholds = Thresholds::default();
    let report = repository
        .gate(&forged, Some(&good), &thresholds)
        .await
        .unwrap();
    let line = "1 of 5 keys of stores gone: 20 %, at most 5 %";
    assert_eq!(refusals(&report), [("keys_missing_max", line)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_candidate_refuses_it_and_damage_in_the_good_one_does_not() {
    let bench = Bench::new();
    let repository = bench.repository();
    let good = published(&bench, bench.stage(60, 2, 0)).await.manifest;
    let next = published(&bench, bench.stage(60, 2, 1)).await.manifest;
    let blob = |manifest: &nightshard_format::manifest::Manifest| {
        let mut entries = manifest.shards_of(record::STORES);
        entries
            .find(|entry| entry.span == "current")
            .unwrap()
            .blob
            .clone()
    };
    let damage = |blob: &str| {
        let path = bench.blob(blob);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    damage(&blob(&good));
    let thresholds = Thresholds::default();
    let report = repository
        .gate(&next, Some(&good), &thresholds)
        .await
        .unwrap();
    assert_eq!(refusals(&report), []);
    let readable = report
        .checks
        .iter()
        .find(|check| check.name == "readable")
        .unwrap();
    assert!(readable.line.starts_with("not compared: "), "{readable:?}");
    assert!(readable.line.contains(&blob(&good)), "{readable:?}");

    // The other way round: what was good is judged beside what was to come.
    let report = repository
        .gate(&good, Some(&next), &thresholds)
        .await
        .unwrap();
    let [("readable", line)] = refusals(&report)[..] else {
        panic!("{report:?}")
    };
    assert!(line.contains(&blob(&good)), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_whose_answer_was_lost_is_stored_once() {
    let bench = Bench::new();
    let manifest = published(&bench, bench.stage(5, 1, 0)).await.manifest;
    for (failure, number) in [(Failure::Before, 1), (Failure::After, 2)] {
        let storage = FailingStorage::new(bench.storage(), failure, 0..1);
        let environment = FixedEnvironment::named(&format!("{failure:?}"));
        let repository = Repository::with_environment(Arc::new(storage), environment);
        let thresholds = Thresholds::default();
        let report = repository.gate(&manifest, None, &thresholds).await.unwrap();
        assert_eq!(report.number, number, "{failure:?}");
        assert_eq!(
            bench
                .repository()
                .last_gate_report(&manifest.id)
                .await
                .unwrap(),
            Some(report)
        );
    }
}
