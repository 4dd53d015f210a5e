//! The documented example reads a repository, and unverified generations are read alike.

use std::fs;

use nightshard_deploy::{Error, VerifiedBlobs};
use nightshard_format::{
    record::{SEARCH, STORES},
    shard::Span,
};

use crate::support::Bench;

#[path = "../../examples/read_generation.rs"]
#[expect(dead_code, reason = "its main is not called here")]
mod read_generation;

#[tokio::test(flavor = "multi_thread")]
async fn the_example_reads_a_repository() {
    let bench = Bench::new();
    let repository = bench.repository();
    let staged = bench.stage(5, 2, 0);
    repository.publish(&staged).await.unwrap();
    repository.select(&staged.manifest.id).await.unwrap();
    let folder = bench.root().display().to_string();
    let mut out = Vec::new();
    for (dataset, key) in [(STORES, "s3"), (STORES, "nobody"), (SEARCH, "store")] {
        read_generation::read(&folder, dataset, key, &mut out)
            .await
            .unwrap();
    }
    let said = String::from_utf8(out).unwrap();
    let id = &staged.manifest.id;
    let [first, found, all, ..] = *said.lines().collect::<Vec<_>>() else {
        panic!("{said}");
    };
    assert_eq!(first, format!("generation {id}"));
    assert_eq!(found, "s3: 59 cards");
    assert!(all.starts_with("5 records, "), "{all}");
    assert!(said.ends_with("begin with \"st\": store\n"), "{said}");
    assert!(said.contains("nobody: not there"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unverified_generation_reads_like_a_verified_one_unless_a_file_has_another_length() {
    let bench = Bench::new();
    let repository = bench.repository();
    let staged = bench.stage(5, 2, 0);
    repository.publish(&staged).await.unwrap();
    let id = &staged.manifest.id;
    let mut verified = VerifiedBlobs::new();
    let verified = repository.open_generation(id, &mut verified).await.unwrap();
    let unverified = repository.open_generation_unverified(id).await.unwrap();
    for (left, right) in verified.shards().zip(unverified.shards()) {
        assert_eq!(left.identity(), right.identity());
        assert!(left.bytes().as_ref() == right.bytes().as_ref());
    }
    let value = unverified.get(STORES, Span::Current, b"s3").unwrap();
    assert!(value.is_some());
    let blob = bench.blob(&staged.manifest.shards[0].blob);
    let bytes = fs::read(&blob).unwrap();
    fs::remove_file(&blob).unwrap();
    let opened = repository.open_generation_unverified(id).await;
    assert!(matches!(opened, Err(Error::MissingBlob { .. })));
    fs::write(&blob, &bytes[1..]).unwrap();
    let opened = repository.open_generation_unverified(id).await;
    assert!(matches!(opened, Err(Error::BadBlob { .. })));
}
