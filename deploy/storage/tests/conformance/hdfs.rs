//! HDFS, on a cluster of its own.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
    time::Duration,
};

use hdfs_native::{ClientBuilder, WriteOptions};
use nightshard_storage::{Config, ErrorKind, Storage, UNFINISHED_AGE_MAX, open, open_or_create};

use crate::{
    chain, name, nothing_is_unfinished, refusing_port, server,
    suite::{conforms, long_files_are_stored_and_read_in_parts, many_pages_are_listed},
};

/// The variable of the NameNode's URL.
const SERVER: &str = "NIGHTSHARD_TEST_HDFS";

/// Returns a folder that no other test uses, nor another run.
fn fresh_folder() -> String {
    format!("/nightshard/{:016x}", getrandom::u64().unwrap())
}

async fn storage_in(folder: &str) -> Arc<dyn Storage> {
    let uri = format!("{}{folder}", server(SERVER));
    open_or_create(&uri, &Config::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn hdfs_conforms() {
    let files = tempfile::tempdir().unwrap();
    let mut storages = Vec::new();
    for _ in 0..20 {
        storages.push(storage_in(&fresh_folder()).await);
    }
    let (used, left) = (Mutex::new(Vec::new()), Mutex::new(storages));
    let empty = || {
        let storage = left.lock().unwrap().pop().unwrap();
        used.lock().unwrap().push(storage.clone());
        storage
    };
    conforms(empty, files.path()).await;
    for storage in used.into_inner().unwrap() {
        nothing_is_unfinished(&*storage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_files_become_objects_of_many_blocks() {
    let files = tempfile::tempdir().unwrap();
    let storage = storage_in(&fresh_folder()).await;
    long_files_are_stored_and_read_in_parts(&*storage, files.path()).await;
    nothing_is_unfinished(&*storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_many_pages_are_complete() {
    many_pages_are_listed(storage_in(&fresh_folder()).await).await;
}

#[tokio::test]
async fn only_files_abandoned_a_day_ago_are_cleared() {
    let folder = fresh_folder();
    let storage = storage_in(&folder).await;
    let client = ClientBuilder::new()
        .with_url(server(SERVER))
        .build()
        .unwrap();
    let aside = format!("{folder}/tmp/0123");
    let mut writer = client
        .create(&aside, WriteOptions::default())
        .await
        .unwrap();
    writer.write_bytes("half".into()).await.unwrap();
    drop(writer);
    // By the clock of the server.
    let object = name("a/b");
    storage.create(&object, "".into()).await.unwrap();
    let now = storage.list(&name("a")).await.unwrap()[0].modified;
    assert_eq!(storage.clear_unfinished(now).await.unwrap(), 0);
    let late = now + UNFINISHED_AGE_MAX + Duration::from_secs(60);
    assert_eq!(storage.clear_unfinished(late).await.unwrap(), 1);
    assert_eq!(storage.clear_unfinished(late).await.unwrap(), 0);
    assert_eq!(storage.get(&object, 9).await.unwrap(), Some("".into()));
}

#[tokio::test]
async fn a_file_where_a_folder_belongs_is_named_at_once() {
    let folder = fresh_folder();
    let storage = storage_in(&folder).await;
    storage.create(&name("blobs"), "x".into()).await.unwrap();
    let error = storage
        .create(&name("blobs/00"), "x".into())
        .await
        .unwrap_err();
    let said = chain(&error);
    assert_eq!(error.kind(), ErrorKind::Invalid, "{said}");
    assert!(
        said.contains("a file stands where a folder belongs"),
        "{said}"
    );
    nothing_is_unfinished(&*storage).await;
}

#[tokio::test]
async fn an_unknown_name_service_is_named_at_once() {
    let error = open("hdfs://no-such-service/x", &Config::default())
        .await
        .unwrap_err();
    let said = chain(&error);
    assert_eq!(error.kind(), ErrorKind::Invalid, "{said}");
    assert!(
        said.contains("check core-site.xml and hdfs-site.xml"),
        "{said}"
    );
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_given_up() {
    let port = refusing_port();
    let uri = format!("hdfs://{}/x", port.local_addr().unwrap());
    let config = Config {
        retry_ms: 1_000,
        ..Config::default()
    };
    let storage = open(&uri, &config).await.unwrap();
    let error = storage.get(&name("a/b"), 9).await.unwrap_err();
    let said = chain(&error);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{said}");
    assert!(
        said.contains(&format!("cannot read a/b in {uri}: ")),
        "{said}"
    );
    assert!(said.to_lowercase().contains("connection refused"), "{said}");
}

#[tokio::test]
async fn a_cluster_that_never_answers_is_given_up() {
    // The system accepts connections, and nobody ever reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("hdfs://{}/x", listener.local_addr().unwrap());
    let config = Config {
        stall_ms: 200.try_into().unwrap(),
        retry_ms: 500,
        ..Config::default()
    };
    let storage = open(&uri, &config).await.unwrap();
    for error in [
        storage.list(&name("a")).await.unwrap_err(),
        storage.create(&name("a/b"), "x".into()).await.unwrap_err(),
    ] {
        let said = chain(&error);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{said}");
        assert!(said.contains("no progress for 200 ms"), "{said}");
    }
}
