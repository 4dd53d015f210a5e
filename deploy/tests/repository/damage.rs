//! No wrong answer from a damaged repository: what is at fault is named, and nothing is served.

use std::{collections::BTreeMap, fs};

use crate::support::{Bench, Tables, with_id};
use nightshard_deploy::{Error, ErrorKind, Repository, Staged, VerifiedBlobs};
use nightshard_format::{calendar::Month, manifest::ShardEntry, record, shard::Span};

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

/// A blob that was damaged on disk was taken for present, since it had its length: every later
/// generation built on it, and no server opened one.
#[tokio::test(flavor = "multi_thread")]
async fn publishing_mends_damaged_blobs_and_says_so() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let id = &staged.manifest.id;
    let [longer, shorter, flipped, ..] = &staged.manifest.shards[..] else {
        unreachable!()
    };
    replace(&bench, longer, |bytes| bytes.push(0));
    replace(&bench, shorter, |bytes| bytes.truncate(10));
    replace(&bench, flipped, |bytes| bytes[70] ^= 1);
    assert!(repository.select(id).await.is_err());

    let again = bench.stage(5, 2, 0);
    let published = repository.publish(&again).await.unwrap();
    let present = staged.manifest.shards.len() as u64 - 3;
    assert_eq!((published.blobs_new, published.blobs_present), (0, present));
    assert_eq!(published.mended.len(), 3);
    for (entry, damage) in [
        (longer, "bytes, not "),
        (shorter, "it has 10 bytes, not "),
        (flipped, "its BLAKE3 digest is "),
    ] {
        let mut lines = published.mended.iter();
        let line = lines.find(|line| line.contains(&entry.blob)).unwrap();
        assert!(line.contains(damage), "{line}");
    }
    let verification = repository.verify(id, |_progress| {}).await.unwrap();
    assert_eq!(verification.damage, []);
    repository.select(id).await.unwrap();
    let again = repository.publish(&bench.stage(5, 2, 0)).await.unwrap();
    assert_eq!(again.mended, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_is_replaced_by_the_right_bytes_only() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let entry = &staged.manifest.shards[0];
    replace(&bench, entry, |bytes| bytes[70] ^= 1);
    let damaged = fs::read(bench.blob(&entry.blob)).unwrap();

    let wrong = bench.stage(5, 2, 0);
    let mut staged_shards = wrong.shards.iter();
    let (path, _) = staged_shards
        .find(|(_, digest)| *digest == entry.blob)
        .unwrap();
    fs::write(path, &damaged).unwrap();
    let error = repository.publish(&wrong).await.unwrap_err();
    assert!(matches!(error, Error::Staged { .. }));
    assert!(error.to_string().contains(&path.display().to_string()));
    assert_eq!(fs::read(bench.blob(&entry.blob)).unwrap(), damaged);
}

/// What a generation takes over from another is not read again, and not taken for right by those
/// who serve it.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_blob_that_is_not_staged_the_length_is_checked_and_whoever_opens_it_reads_it() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let entry = &staged.manifest.shards[0];
    let unstaged = || {
        let mut unstaged = bench.stage(5, 2, 0);
        unstaged.shards.retain(|(_, digest)| *digest != entry.blob);
        unstaged
    };
    replace(&bench, entry, |bytes| bytes[70] ^= 1);
    let published = repository.publish(&unstaged()).await.unwrap();
    assert_eq!(published.blobs_present, staged.manifest.shards.len() as u64);
    let id = &staged.manifest.id;
    let verification = repository.verify(id, |_progress| {}).await.unwrap();
    assert_eq!(verification.damage.len(), 1);
    let error = repository.select(id).await.unwrap_err();
    assert!(matches!(error, Error::BadBlob { .. }));

    replace(&bench, entry, |bytes| bytes.truncate(70));
    let error = repository.publish(&unstaged()).await.unwrap_err();
    assert!(matches!(error, Error::BadBlob { .. }));
    assert!(error.to_string().contains(&entry.blob));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_generation_is_not_selected() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let other = bench.stage(4, 1, 0);
    repository.publish(&other).await.unwrap();
    repository.select(&other.manifest.id).await.unwrap();
    let entry = &staged.manifest.shards[2];
    replace(&bench, entry, |bytes| bytes[70] ^= 1);
    let error = repository.select(&staged.manifest.id).await.unwrap_err();
    assert!(matches!(error, Error::BadBlob { .. }));
    let current = repository.current_generation().await.unwrap();
    assert_eq!(current, other.manifest.id);
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
async fn files_under_each_others_names_are_found() {
    let bench = Bench::new();
    let (repository, staged) = published(&bench).await;
    let later = bench.stage(5, 2, 1);
    repository.publish(&later).await.unwrap();
    let find = |staged: &Staged, dataset: &str, span: &str| {
        let mut shards = staged.manifest.shards.iter();
        let is_it = |entry: &&ShardEntry| entry.dataset == dataset && entry.span == span;
        shards.find(is_it).unwrap().clone()
    };
    let month = find(&staged, "stores", "2018-02");
    // Of another generation, another dataset, another span.
    for other in [
        find(&later, "stores", "2018-02"),
        find(&staged, "search", "current"),
        find(&staged, "stores", "current"),
    ] {
        assert_ne!(month.blob, other.blob);
        let [path, other_path] = [&month, &other].map(|entry| bench.blob(&entry.blob));
        let aside = path.with_extension("aside");
        let swap = || {
            fs::rename(&path, &aside).unwrap();
            fs::rename(&other_path, &path).unwrap();
            fs::rename(&aside, &other_path).unwrap();
        };
        swap();
        let id = &staged.manifest.id;
        for entry in [&month, &other] {
            let error = repository.open_shard(entry).await.unwrap_err();
            assert!(matches!(error, Error::BadBlob { .. }), "{error}");
            assert!(error.to_string().contains(&entry.blob), "{error}");
        }
        let mut verified = VerifiedBlobs::new();
        let opened = repository.open_generation(id, &mut verified).await;
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Data);
        let verification = repository.verify(id, |_progress| {}).await.unwrap();
        let mut damaged = verification.damage.iter();
        assert!(damaged.any(|damage| damage.shard.as_ref() == Some(&month)));
        swap();
        let verification = repository.verify(id, |_progress| {}).await.unwrap();
        assert_eq!(verification.damage, []);
        // Under an entry that says something else, the right file is the wrong one.
        let wrong = ShardEntry {
            dataset: other.dataset.clone(),
            span: if other.span == month.span {
                "2018-01".into()
            } else {
                other.span.clone()
            },
            ..month.clone()
        };
        let error = repository.open_shard(&wrong).await.unwrap_err();
        assert!(error.to_string().contains(&month.blob), "{error}");
    }
}

/// A forgery of records, and what is to be found of it.
type Forgery = (fn(&mut Tables), &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn summaries_that_do_not_sum_up_their_months_are_found() {
    fn table(tables: &mut Tables, span: Span) -> &mut BTreeMap<Vec<u8>, Vec<u8>> {
        tables.get_mut(&(record::STORES, span)).unwrap()
    }
    fn summary(tables: &mut Tables) -> &mut Vec<u8> {
        let table = table(tables, Span::Current);
        table.get_mut(&b"s3"[..]).unwrap()
    }
    fn february() -> Span {
        Span::Month(Month::new(2018, 2).unwrap())
    }
    let forgeries: [Forgery; 5] = [
        (
            |tables| drop(table(tables, february()).remove(&b"s3"[..])),
            "stores \"s3\": 2018-02 has no record",
        ),
        (
            // Another store's month is right in itself.
            |tables| {
                let february = table(tables, february());
                let other = february[&b"s4"[..]].clone();
                february.insert(b"s3".to_vec(), other);
            },
            "stores \"s3\": its totals of 2018-02 are not the record's",
        ),
        (
            |tables| drop(table(tables, Span::Current).remove(&b"s3"[..])),
            "stores: there are month records of which no summary knows",
        ),
        (
            // Behind the profile of five absent parts: the first day and the last.
            |tables| {
                let summary = summary(tables);
                assert_eq!(summary[9], 58);
                summary[9] = 57;
            },
            "stores \"s3\": its days are not those of its months",
        ),
        (
            |tables| {
                // 59 first ever; 60 fits in what the months have, but is not what they say.
                let summary = summary(tables);
                assert_eq!(summary[10], 59);
                let year = summary.len() - 1;
                summary[10] = 60;
                summary[year] = 60;
                summary[year - 1] = 60;
            },
            "its cards from 2018-01-01 to 2018-02-28 are not its months'",
        ),
    ];
    for (forge, problem) in forgeries {
        let bench = Bench::new();
        let repository = bench.repository();
        let staged = bench.stage_forged(forge);
        repository.publish(&staged).await.unwrap();
        let id = &staged.manifest.id;
        let verification = repository.verify(id, |_progress| {}).await.unwrap();
        let [damage] = &verification.damage[..] else {
            panic!("{:?}", verification.damage)
        };
        assert_eq!(damage.shard, None);
        assert!(damage.problem.contains(problem), "{}", damage.problem);
    }
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
