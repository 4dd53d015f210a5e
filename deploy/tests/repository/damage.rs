//! No wrong answer from a damaged repository: what is at fault is named, and nothing is served.

use std::fs;

use crate::support::{Bench, with_id};
use nightshard_deploy::{Error, ErrorKind, Repository, Staged, VerifiedBlobs};
use nightshard_format::manifest::ShardEntry;

async fn published(bench: &Bench) -> (Repository, Staged) {
    let repository = bench.repository();
    let staged = bench.stage(5, 2, 0);
    repository.publish(&staged).await.unwrap();
    repository.select(&staged.manifest.id).await.unwrap();
    (repository, staged)
}

/// Replaces the file of a blob, as no well-behaved program does.
fn replace(bench: &Bench, entry: &ShardEntry, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let path = bench.blob(&entry.blob);
    let right = fs::read(&path).unwrap();
    let mut bytes = right.clone();
    change(&mut bytes);
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    right
}

/// Opening and verifying name the blob, its dataset and its span.
async fn assert_named(repository: &Repository, staged: &Staged, entry: &ShardEntry) -> Error {
    let id = &staged.manifest.id;
    let mut verified = VerifiedBlobs::new();
    let error = repository
        .open_generation(id, &mut verified)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert!(verified.is_empty(), "nothing of a failed candidate is kept");
    let verification = repository.verify(id, |_progress| {}).await.unwrap();
    assert_eq!(verification.damage.len(), 1);
    assert_eq!(verification.damage[0].shard.as_ref(), Some(entry));
    assert_eq!(verification.bytes + entry.size_bytes, total_bytes(staged));
    for named in [&entry.blob, &entry.dataset, &entry.span] {
        assert!(error.to_string().contains(named), "{error}");
        assert!(verification.damage[0].problem.contains(named));
    }
    error
}

fn total_bytes(staged: &Staged) -> u64 {
    staged
        .manifest
        .shards
        .iter()
        .map(|entry| entry.size_bytes)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_flipped_byte_is_found_and_its_blob_named() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    for (at, entry) in staged.manifest.shards.iter().enumerate() {
        let len = usize::try_from(entry.size_bytes).unwrap();
        let position = (at * 7_919 + 3) % len;
        let right = replace(&bench, entry, |bytes| bytes[position] ^= 0x10);
        let error = assert_named(&repository, &staged, entry).await;
        assert!(matches!(error, Error::BadBlob { .. }));
        replace(&bench, entry, |bytes| *bytes = right);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_foreign_and_missing_blobs_are_named_and_never_selected() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let other = bench.stage(4, 1, 0);
    repository.publish(&other).await.unwrap();
    let entry = &staged.manifest.shards[3];
    let foreign = fs::read(bench.blob(&staged.manifest.shards[0].blob)).unwrap();
    type Change = Box<dyn FnOnce(&mut Vec<u8>)>;
    let changes: [Change; 4] = [
        Box::new(|bytes| bytes.truncate(bytes.len() - 1)),
        Box::new(Vec::clear),
        Box::new(|bytes| *bytes = b"<html>not found</html>".to_vec()),
        Box::new(|bytes| *bytes = foreign),
    ];
    for change in changes {
        let right = replace(&bench, entry, change);
        let error = assert_named(&repository, &staged, entry).await;
        assert!(matches!(error, Error::BadBlob { .. }));
        // Back and forth, so that selecting has something to do.
        repository.select(&other.manifest.id).await.unwrap();
        let error = repository.select(&staged.manifest.id).await.unwrap_err();
        assert!(error.to_string().contains(&entry.blob));
        replace(&bench, entry, |bytes| *bytes = right);
        repository.select(&staged.manifest.id).await.unwrap();
    }

    fs::remove_file(bench.blob(&entry.blob)).unwrap();
    let error = assert_named(&repository, &staged, entry).await;
    assert!(matches!(error, Error::MissingBlob { .. }));
    repository.select(&other.manifest.id).await.unwrap();
    let error = repository.select(&staged.manifest.id).await.unwrap_err();
    assert!(matches!(error, Error::MissingBlob { .. }));
    // Publishing again puts back what is missing.
    let again = repository.publish(&bench.stage(5, 2, 0)).await.unwrap();
    assert_eq!((again.is_new, again.blobs_new), (false, 1));
    repository.select(&staged.manifest.id).await.unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_is_no_file_is_named_and_not_waited_for() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let entry = &staged.manifest.shards[0];
    let path = bench.blob(&entry.blob);
    fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = assert_named(&repository, &staged, entry).await;
    assert!(matches!(error, Error::BadBlob { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_of_an_absurd_number_is_none() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let other = bench.stage(4, 1, 0);
    repository.publish(&other).await.unwrap();
    let last = format!("selections/{}.json", u64::MAX);
    fs::write(bench.root().join(last), "{}").unwrap();
    assert_eq!(repository.current().await.unwrap().unwrap().number.0, 1);
    let selected = repository.select(&other.manifest.id).await.unwrap();
    assert_eq!((selected.selection.number.0, selected.is_new), (2, true));
    let current = repository.current().await.unwrap().unwrap();
    assert_eq!(current.generation, other.manifest.id);
    assert_ne!(current.generation, staged.manifest.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_does_not_build_on_a_damaged_blob() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let entry = &staged.manifest.shards[0];
    replace(&bench, entry, |bytes| bytes.truncate(10));
    let error = repository.publish(&bench.stage(5, 2, 0)).await.unwrap_err();
    assert!(matches!(error, Error::BadBlob { .. }));
    assert!(error.to_string().contains(&entry.blob));
}

#[tokio::test(flavor = "multi_thread")]
async fn right_blobs_under_the_wrong_entry_are_found() {
    let bench = Bench::new();
    let (repository, mut staged) = published(&bench).await;
    // A manifest that is whole in itself, but swaps two months.
    for entry in &mut staged.manifest.shards {
        match entry.span.as_str() {
            "2018-01" => entry.span = "2018-02".into(),
            "2018-02" => entry.span = "2018-01".into(),
            _ => {}
        }
    }
    staged.manifest.shards.sort();
    staged.reports.clear();
    staged.manifest = with_id(staged.manifest);
    repository.publish(&staged).await.unwrap();
    let id = &staged.manifest.id;
    let mut verified = VerifiedBlobs::new();
    let error = repository
        .open_generation(id, &mut verified)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Inconsistent { .. }));
    let verification = repository.verify(id, |_progress| {}).await.unwrap();
    assert_eq!(verification.damage.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unusable_manifests_are_named_and_listed_beside_the_others() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let id = &staged.manifest.id;
    let path = bench.root().join(format!("generations/{id}/manifest.json"));
    let right = fs::read_to_string(&path).unwrap();
    let newer = right.replace("\"format_version\": 1", "\"format_version\": 2");
    let other = bench.stage(4, 2, 0).manifest;
    let cases = [
        (newer, "format version 2 is not known here"),
        (right[..right.len() / 2].to_owned(), "damaged manifest"),
        (right.replacen("GBP", "EUR", 1), "its id is not the digest"),
        (
            String::from_utf8(other.to_json().unwrap()).unwrap(),
            "it is that of generation",
        ),
        (String::new(), "damaged manifest"),
    ];
    for (content, problem) in cases {
        assert_ne!(content, right);
        fs::write(&path, content).unwrap();
        let error = repository.manifest(id).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(
            error
                .to_string()
                .contains(&format!("generations/{id}/manifest.json"))
        );
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(problem), "{cause}");
        assert!(repository.select(id).await.is_err());
        let listed = repository.generations().await.unwrap();
        assert_eq!((listed.len(), &listed[0].id), (1, id));
        assert!(listed[0].is_current && listed[0].manifest.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_of_something_missing_or_damaged_is_overruled_by_the_next() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let id = &staged.manifest.id;
    let selections = bench.root().join("selections");
    let missing = "2018-02-28-0123456789ab";
    let record =
        format!(r#"{{"number": 2, "generation": "{missing}", "nonce": "x", "at": "", "by": "z"}}"#);
    fs::write(selections.join("00000000000000000002.json"), &record).unwrap();
    let current = repository.current_generation().await.unwrap();
    assert_eq!(current.as_str(), missing);
    let mut verified = VerifiedBlobs::new();
    let error = repository
        .open_generation(&current, &mut verified)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::UnknownGeneration { .. }));
    assert!(repository.select(&current).await.is_err());
    assert_eq!(repository.select(id).await.unwrap().selection.number.0, 3);

    for (number, content) in [(4, "{"), (6, ""), (8, record.as_str()), (10, "[]")] {
        fs::write(selections.join(format!("{number:020}.json")), content).unwrap();
        let error = repository.current().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        assert!(
            error
                .to_string()
                .contains(&format!("selections/{number:020}.json"))
        );
        assert_eq!(repository.generations().await.unwrap().len(), 1);
        let selected = repository.select(id).await.unwrap();
        assert_eq!(selected.selection.number.0, number + 1);
    }
    // What is no selection is none.
    fs::write(selections.join("README.txt"), "hello").unwrap();
    fs::write(selections.join("99.json"), "{}").unwrap();
    assert_eq!(repository.current().await.unwrap().unwrap().number.0, 11);
}

#[tokio::test]
async fn an_empty_repository_has_nothing_and_says_so() {
    let bench = Bench::new();
    let repository = bench.repository();
    assert_eq!(repository.current().await.unwrap(), None);
    assert!(repository.generations().await.unwrap().is_empty());
    let error = repository.current_generation().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&bench.root().display().to_string())
    );
}
