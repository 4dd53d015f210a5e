//! Writers that end at once: what one changed, the other does not take away.

use std::{
    fmt, fs,
    sync::{Arc, Mutex},
    thread,
    time::SystemTime,
};

use nightshard_deploy::{
    Environment, Error, Repository, SelectionNumber, Staged, SystemEnvironment, VerifiedBlobs,
};
use nightshard_format::{
    key::PartitionRun,
    manifest::{Manifest, OnDuplicate, Packed, Rows},
    shard::Span,
};

use crate::support::{Bench, Table, with_id, write_shard};

/// What another writer does just before a selection is written, each time the next.
struct Interrupted(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

impl Interrupted {
    /// Returns a repository whose selections `others` come before, the last one first.
    fn repository(bench: &Bench, others: Vec<Box<dyn FnOnce() + Send>>) -> Repository {
        Repository::with_environment(bench.storage(), Arc::new(Self(Mutex::new(others))))
    }
}

impl fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interrupted")
    }
}

impl Environment for Interrupted {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    /// A nonce is drawn when all that a selection is made from was read, and nothing written yet.
    fn nonce(&self) -> String {
        let other = self.0.lock().unwrap().pop();
        if let Some(other) = other {
            run(other);
        }
        SystemEnvironment.nonce()
    }

    fn writer(&self) -> String {
        "interrupted".into()
    }
}

/// Runs a writer to its end, on a thread of its own: it has a runtime of its own.
fn run(writer: Box<dyn FnOnce() + Send>) {
    thread::spawn(writer).join().unwrap();
}

/// Makes a generation of `from` and of a packed dataset with one record.
fn packed(bench: &Bench, from: Option<&Manifest>, dataset: &'static str, value: &str) -> Staged {
    let folder = bench.new_folder();
    let table: Table = [(b"key".to_vec(), value.into())].into();
    let run = PartitionRun::split(1).unwrap()[0];
    let (path, entry) = write_shard(&folder, dataset, Span::Current, run, &table);
    let mut manifest = from.cloned().unwrap_or_else(|| Manifest {
        transactions: None,
        shards: Vec::new(),
        ..bench.stage(1, 1, 0).manifest
    });
    let packed = Packed {
        media_type: "text/plain".into(),
        key: "key".into(),
        values: Vec::new(),
        on_duplicate: OnDuplicate::Error,
        rows: Rows {
            read: 1,
            used: 1,
            ..Rows::default()
        },
    };
    let blob = entry.blob.clone();
    manifest.put_packed(dataset, packed, [], [entry]);
    Staged {
        manifest: with_id(manifest),
        shards: vec![(path, blob)],
        build_json: b"{}".to_vec(),
        reports: Vec::new(),
    }
}

/// Returns a writer that publishes a generation made from what is current and selects it.
fn writer(
    bench: &Arc<Bench>,
    make: impl FnOnce(&Bench, Option<&Manifest>) -> Staged + Send + 'static,
) -> Box<dyn FnOnce() + Send> {
    let bench = bench.clone();
    Box::new(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let repository = bench.repository();
            let base = repository.base().await.unwrap();
            let current = base.manifest.as_ref().unwrap().clone();
            let mut staged = make(&bench, current.as_ref());
            repository.publish_from(base, &mut staged).await.unwrap();
        });
    })
}

/// Returns a writer of a packed dataset.
fn packer(
    bench: &Arc<Bench>,
    dataset: &'static str,
    value: &'static str,
) -> Box<dyn FnOnce() + Send> {
    writer(bench, move |bench, current| {
        packed(bench, current, dataset, value)
    })
}

/// Builds transactions, taking over what is packed.
fn build(bench: &Bench, current: Option<&Manifest>, seed: i64) -> Staged {
    let mut staged = bench.stage(3, 1, seed);
    if let Some(current) = current {
        staged.manifest.carry_packed(current);
        staged.manifest = with_id(staged.manifest);
    }
    staged
}

/// Returns the current generation's value of `key` in each of `datasets`, once all is verified.
async fn values(bench: &Bench, datasets: &[&str]) -> Vec<Option<String>> {
    let repository = bench.repository();
    let id = repository.current_generation().await.unwrap();
    let mut verified = VerifiedBlobs::new();
    let generation = repository.open_generation(&id, &mut verified).await;
    let generation = generation.unwrap();
    let value = |dataset: &&str| {
        let value = generation.get(dataset, Span::Current, b"key").unwrap();
        value.map(|value| String::from_utf8(value.read().unwrap().into()).unwrap())
    };
    datasets.iter().map(value).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_keeps_what_was_packed_while_it_published() {
    let bench = Arc::new(Bench::new());
    run(packer(&bench, "old", "1"));
    // The last one first: `prices`, then `old` anew.
    let others = vec![packer(&bench, "old", "2"), packer(&bench, "prices", "3")];
    let repository = Interrupted::repository(&bench, others);
    let base = repository.base().await.unwrap();
    let mut staged = build(&bench, base.manifest.as_ref().unwrap().as_ref(), 0);
    let (published, selected) = repository.publish_from(base, &mut staged).await.unwrap();

    assert_eq!(selected.selection.number, SelectionNumber(4));
    assert!(selected.is_new && published.is_new);
    assert_eq!(published.generation, selected.selection.generation);
    assert_eq!(staged.manifest.id, published.generation);
    let some = |value: &str| Some(value.to_owned());
    let found = values(&bench, &["old", "prices"]).await;
    assert_eq!(found, [some("2"), some("3")]);
    let manifest = repository.manifest(&published.generation).await.unwrap();
    assert!(manifest.transactions.is_some());
    let report = format!("generations/{}/reports/gate.json", published.generation);
    assert!(bench.root().join(report).is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_keeps_what_was_built_and_packed_while_it_ran() {
    let bench = Arc::new(Bench::new());
    let builder = writer(&bench, |bench, current| build(bench, current, 0));
    // The first three writers of a repository: none knows of another.
    let others = vec![builder, packer(&bench, "prices", "3")];
    let repository = Interrupted::repository(&bench, others);
    let base = repository.base().await.unwrap();
    let mut staged = packed(&bench, None, "names", "4");
    let (published, _) = repository.publish_from(base, &mut staged).await.unwrap();

    let some = |value: &str| Some(value.to_owned());
    let found = values(&bench, &["names", "prices"]).await;
    assert_eq!(found, [some("4"), some("3")]);
    let manifest = repository.manifest(&published.generation).await.unwrap();
    assert!(manifest.transactions.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_change_the_same_are_a_conflict() {
    let bench = Arc::new(Bench::new());
    run(packer(&bench, "names", "0"));
    let builder = || writer(&bench, |bench, current| build(bench, current, 1));
    let own_pack = |base: Option<&Manifest>| packed(&bench, base, "names", "2");
    let own_build = |base: Option<&Manifest>| build(&bench, base, 2);
    type Make<'a> = &'a dyn Fn(Option<&Manifest>) -> Staged;
    let cases: [(Box<dyn FnOnce() + Send>, Make<'_>); 2] = [
        (packer(&bench, "names", "1"), &own_pack),
        (builder(), &own_build),
    ];
    for (other, own) in cases {
        let repository = Interrupted::repository(&bench, vec![other]);
        let base = repository.base().await.unwrap();
        let number = base.number;
        let mut staged = own(base.manifest.as_ref().unwrap().as_ref());
        let error = repository.publish_from(base, &mut staged).await;
        assert!(matches!(error, Err(Error::Conflict { .. })), "{error:?}");
        let current = repository.current().await.unwrap().unwrap();
        assert_eq!(current.number.0, number.0 + 1);
        assert_ne!(current.generation, staged.manifest.id);
    }
    assert_eq!(values(&bench, &["names"]).await, [Some("1".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_current_already_gives_way_to_what_was_selected_meanwhile() {
    let bench = Arc::new(Bench::new());
    run(packer(&bench, "names", "1"));
    let repository = bench.repository();
    let base = repository.base().await.unwrap();
    let mut staged = packed(
        &bench,
        base.manifest.as_ref().unwrap().as_ref(),
        "names",
        "1",
    );
    run(packer(&bench, "names", "2"));
    let (_, selected) = repository.publish_from(base, &mut staged).await.unwrap();
    assert!(!selected.is_new);
    assert_eq!(selected.selection.number, SelectionNumber(2));
    assert_eq!(staged.manifest.id, selected.selection.generation);
    assert_eq!(values(&bench, &["names"]).await, [Some("2".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_storage_does_not_give_is_not_overruled_and_a_damaged_one_is() {
    let bench = Arc::new(Bench::new());
    run(packer(&bench, "names", "1"));
    let repository = bench.repository();
    let id = repository.current_generation().await.unwrap();
    let path = bench.root().join(format!("generations/{id}/manifest.json"));
    fs::write(&path, b"{").unwrap();
    let base = repository.base().await.unwrap();
    assert!(matches!(base.manifest, Err(Error::Unusable { .. })));
    // A link that leads to itself stands for a disk that fails.
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let refused = repository.base().await;
    assert!(matches!(refused, Err(Error::Storage(_))), "{refused:?}");
}
