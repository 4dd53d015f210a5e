//! What every storage must do, run on each implementation, and what each does beside.
//!
//! The servers that other storages than local folders need are started by `tests/servers/run`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faulty;
#[cfg(feature = "hdfs")]
mod hdfs;
mod local;
#[cfg(feature = "hdfs")]
mod name_service;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "hdfs")]
#[allow(dead_code, reason = "it is of the tests of the whole system, too")]
#[path = "../../../../tests/support/servers.rs"]
mod servers;
mod suite;

#[cfg(any(feature = "hdfs", feature = "s3"))]
use std::time::Duration;
use std::time::SystemTime;

#[cfg(any(feature = "hdfs", feature = "s3"))]
use nightshard_storage::Error;
use nightshard_storage::{ObjectName, Storage};
#[cfg(any(feature = "hdfs", feature = "s3"))]
use tokio::net::TcpSocket;

fn name(text: &str) -> ObjectName {
    text.parse().unwrap()
}

fn names(texts: &[&str]) -> Vec<ObjectName> {
    texts.iter().map(|text| name(text)).collect()
}

/// Returns the names of what is in a folder, and checks what else is said of it.
async fn names_in(storage: &dyn Storage, folder: &str) -> Vec<ObjectName> {
    let listed = storage.list(&name(folder)).await.unwrap();
    for object in &listed {
        let len_bytes = storage.size(&object.name).await.unwrap();
        assert_eq!(Some(object.len_bytes), len_bytes, "{}", object.name);
        assert!(object.modified > SystemTime::UNIX_EPOCH, "{}", object.name);
    }
    listed.into_iter().map(|object| object.name).collect()
}

/// Returns how a server is reached, which `tests/servers/run` says.
#[cfg(any(feature = "hdfs", feature = "s3"))]
fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_unset| {
        panic!("{variable} is not set: start what is tested by `tests/servers/run cargo test ...`")
    })
}

/// Returns a socket that holds its port, at which connections are refused: it does not listen.
#[cfg(any(feature = "hdfs", feature = "s3"))]
fn refusing_port() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    socket
}

/// Returns bytes that are not alike from one part of a file to the next.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

/// Checks that nothing half done was left behind, however young.
#[cfg(any(feature = "hdfs", feature = "s3"))]
async fn nothing_is_unfinished(storage: &dyn Storage) {
    let late = SystemTime::UNIX_EPOCH + Duration::from_secs(10_000_000_000);
    assert_eq!(storage.clear_unfinished(late).await.unwrap(), 0);
}

/// Returns what an error says, with its causes.
#[cfg(any(feature = "hdfs", feature = "s3"))]
fn chain(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
