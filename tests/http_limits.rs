//! The limits of a server as a process: configured in `[server]`, kept to on the wire.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use support::{repository::TestRepository, server::TestServer};

/// Makes a repository with one generation.
fn repository() -> TestRepository {
    let repository = TestRepository::new();
    let input = repository.write(
        "payments.csv",
        "store_id,card_id,ts,amount_minor,currency\ns1,c1,2018-03-05T12:00:00,500,EUR\n",
    );
    repository.build([input], &[]).succeeded();
    repository
}

/// Serves with a configuration file.
fn serve(repository: &TestRepository, configuration: &str) -> TestServer {
    let file = repository.write("nightshard.toml", configuration);
    let mut arguments: Vec<std::ffi::OsString> = ["serve", "--listen", "127.0.0.1:0", "--from"]
        .map(Into::into)
        .into();
    arguments.extend([repository.path().into(), "--config".into(), file.into()]);
    let server = TestServer::spawn(arguments);
    server.wait_for("serving generation ");
    server
}

/// Sends bytes and returns all that the server says until it closes.
fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    // A server that refuses may close before everything is sent.
    let _refused = stream.write_all(bytes);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

#[test]
fn every_limit_can_be_configured_and_says_which_it_is() {
    let repository = repository();
    let server = serve(
        &repository,
        "[server.limits]\nrequest_line_bytes = 100\nheader_bytes = 200\nheader_timeout_ms = 2000\n\
         body_bytes = 50\nrequest_timeout_ms = 2000\nidle_timeout_ms = 2000\n",
    );
    let get = "GET /v1/stores/s1 HTTP/1.1\r\nhost: localhost\r\n";
    let post = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\n";
    let long = "x".repeat(1_000);
    let requests = [
        (format!("{get}\r\n"), 200),
        (
            format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", &long[..90]),
            414,
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
            414,
        ),
        (format!("{get}long: {}\r\n\r\n", &long[..210]), 431),
        (format!("{get}long: {long}\r\n\r\n"), 431),
        (get.to_owned(), 408),
        (
            format!("{post}content-length: 51\r\n\r\n{}", &long[..51]),
            413,
        ),
        (
            format!("{post}content-length: 50\r\n\r\n{}", &long[..49]),
            408,
        ),
    ];
    let address = server.address();
    // Most connections are closed only when their time is over.
    std::thread::scope(|scope| {
        for (request, status) in &requests {
            scope.spawn(move || is_answered(address, request, *status));
        }
        let silence = exchange(address, b"");
        assert_eq!(silence, "", "an idle connection is closed in silence");
    });
}

/// Checks the status of the answer to a request, and that it says which generation is served.
fn is_answered(address: SocketAddr, request: &str, status: u16) {
    let answer = exchange(address, request.as_bytes());
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{request}{answer}"
    );
    assert!(
        answer.contains("nightshard-generation: 2018-03-05-"),
        "{answer}"
    );
    if status != 200 {
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
}

#[test]
fn connections_beyond_the_configured_number_are_told_to_come_again() {
    let repository = repository();
    let server = serve(&repository, "[server.limits]\nconnections = 1\n");
    let mut first = server.connect();
    assert_eq!(first.get("/v1/stores/s1").0, 200);
    let answer = exchange(server.address(), b"");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"),
        "{answer}"
    );
    assert_eq!(first.get("/v1/stores/s1").0, 200);
}
