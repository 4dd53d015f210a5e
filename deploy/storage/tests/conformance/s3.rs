//! S3, on a server of its own.

use std::{fs, net::TcpListener, process::Command, sync::Arc, time::Duration};

use aws_sdk_s3::{Client, config::BehaviorVersion};
use nightshard_storage::{Config, ErrorKind, Storage, UNFINISHED_AGE_MAX, open, open_or_create};
use tokio::task::JoinSet;

use crate::{
    chain, content, name, nothing_is_unfinished, refusing_port, server,
    suite::{conforms, long_files_are_stored_and_read_in_parts, many_pages_are_listed},
};

/// The variable of the server's URL.
const SERVER: &str = "NIGHTSHARD_TEST_S3";

fn config(endpoint: &str) -> Config {
    let mut config = Config::default();
    config.s3.endpoint = Some(endpoint.to_owned());
    config
}

/// Returns the URI of a folder that no other test uses, nor another run.
fn fresh_uri() -> String {
    format!("s3://nightshard/{:016x}", getrandom::u64().unwrap())
}

async fn fresh() -> Arc<dyn Storage> {
    open_or_create(&fresh_uri(), &config(&server(SERVER)))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_conforms() {
    let files = tempfile::tempdir().unwrap();
    let mut storages = Vec::new();
    for _ in 0..20 {
        storages.push(fresh().await);
    }
    let storages = std::sync::Mutex::new(storages);
    conforms(|| storages.lock().unwrap().pop().unwrap(), files.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_files_become_objects_in_parts() {
    let files = tempfile::tempdir().unwrap();
    let storage = fresh().await;
    long_files_are_stored_and_read_in_parts(&*storage, files.path()).await;
    nothing_is_unfinished(&*storage).await;
}

/// This server tests the condition of a completion without a lock, so that two at one instant may
/// both succeed: what is long is named by its bytes (docs/decisions/0020).
#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_in_parts_one_wins_and_none_does_harm() {
    let files = tempfile::tempdir().unwrap();
    let storage = fresh().await;
    let content = content((16 << 20) + 1);
    for round in 0..3 {
        let object = name(&format!("race/{round}"));
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            let file = files.path().join(format!("{writer}"));
            fs::write(&file, &content).unwrap();
            let (storage, object) = (storage.clone(), object.clone());
            writers.spawn(async move { storage.create_from_file(&object, &file).await });
        }
        let mut winners = 0;
        for done in writers.join_all().await {
            match done {
                Ok(()) => winners += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
            }
        }
        assert!(winners >= 1, "round {round}");
        let read = storage.get(&object, 20 << 20).await.unwrap().unwrap();
        assert!(read == content, "round {round}");
    }
    nothing_is_unfinished(&*storage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_many_pages_are_complete() {
    many_pages_are_listed(fresh().await).await;
}

#[tokio::test]
async fn only_uploads_abandoned_a_day_ago_and_below_the_prefix_are_cleared() {
    let (uri, config) = (fresh_uri(), config(&server(SERVER)));
    let storage = open(&uri, &config).await.unwrap();
    let client = raw_client(&server(SERVER)).await;
    let (_, prefix) = uri.split_once("nightshard/").unwrap();
    for key in [
        format!("{prefix}/blobs/ours"),
        format!("{prefix}-other/blobs/theirs"),
    ] {
        let begun = client
            .create_multipart_upload()
            .bucket("nightshard")
            .key(key);
        begun.send().await.unwrap();
    }
    // By the clock of the server.
    let object = name("a/b");
    storage.create(&object, "".into()).await.unwrap();
    let now = storage.list(&name("a")).await.unwrap()[0].modified;
    assert_eq!(storage.clear_unfinished(now).await.unwrap(), 0);
    let late = now + UNFINISHED_AGE_MAX + Duration::from_secs(60);
    assert_eq!(storage.clear_unfinished(late).await.unwrap(), 1);
    assert_eq!(storage.clear_unfinished(late).await.unwrap(), 0);
}

async fn raw_client(endpoint: &str) -> Client {
    use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .endpoint_url(endpoint)
        .region("us-east-1")
        .load()
        .await;
    let config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(true);
    Client::from_conf(config.build())
}

#[tokio::test]
async fn a_missing_bucket_is_named_at_once() {
    let config = config(&server(SERVER));
    let storage = open("s3://no-such-bucket/x", &config).await.unwrap();
    let object = name("a/b");
    // Of a put this server says that it may not make the bucket.
    let errors = [
        storage.list(&name("a")).await.unwrap_err(),
        storage.get(&object, 9).await.unwrap_err(),
        storage.get_range(&object, 0..9).await.unwrap_err(),
        storage.size(&object).await.unwrap_err(),
        storage.delete(&object).await.unwrap_err(),
    ];
    for error in errors {
        let said = chain(&error);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{said}");
        assert!(
            said.contains("s3://no-such-bucket/x: there is no such bucket"),
            "{said}"
        );
    }
}

#[test]
fn wrong_credentials_are_named_at_once() {
    for (key, secret, said) in [
        (
            "test",
            "wrong",
            "the credentials are not accepted: check AWS_ACCESS_KEY_ID",
        ),
        (
            "nobody",
            "testtest",
            "the credentials are not accepted: check AWS_ACCESS_KEY_ID",
        ),
        ("reader", "readonly", "access is denied"),
        (
            "",
            "",
            "there are no usable credentials: set AWS_ACCESS_KEY_ID",
        ),
    ] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([
            "--exact",
            "s3::print_the_error_of_a_create",
            "--ignored",
            "--nocapture",
        ]);
        child
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", secret);
        let output = child.output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.contains("kind Invalid: cannot create a/b in s3://nightshard/"),
            "{output}"
        );
        assert!(output.contains(said), "{output}");
    }
}

/// Credentials come from a process's environment alone: this is run in one of its own.
#[tokio::test]
#[ignore = "wrong_credentials_are_named_at_once runs this"]
#[allow(clippy::print_stdout, reason = "another test reads it")]
async fn print_the_error_of_a_create() {
    let error = fresh()
        .await
        .create(&name("a/b"), "x".into())
        .await
        .unwrap_err();
    println!("kind {:?}: {}", error.kind(), chain(&error));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_given_up() {
    let port = refusing_port();
    let endpoint = format!("http://{}", port.local_addr().unwrap());
    let mut config = config(&endpoint);
    config.retry_ms = 1_000;
    let storage = open("s3://nightshard/x", &config).await.unwrap();
    let error = storage.get(&name("a/b"), 9).await.unwrap_err();
    let said = chain(&error);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{said}");
    assert!(
        said.contains("cannot read a/b in s3://nightshard/x: given up after"),
        "{said}"
    );
    assert!(said.to_lowercase().contains("connection refused"), "{said}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("file");
    fs::write(&file, content(15 << 20)).unwrap();
    // The system accepts connections, and nobody ever reads from them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(&format!("http://{}", listener.local_addr().unwrap()));
    config.stall_ms = 200.try_into().unwrap();
    config.retry_ms = 500;
    let storage = open("s3://nightshard/x", &config).await.unwrap();
    let errors = [
        storage.list(&name("a")).await.unwrap_err(),
        storage.create(&name("a/b"), "x".into()).await.unwrap_err(),
        storage
            .create_from_file(&name("a/b"), &file)
            .await
            .unwrap_err(),
    ];
    for error in errors {
        let said = chain(&error);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{said}");
        assert!(said.contains("no progress for 200 ms"), "{said}");
    }
}
