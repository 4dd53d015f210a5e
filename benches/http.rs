//! Requests that the server answers per second of processor time, beside a bare hyper server that
//! finds the same bytes, headers included, in a hash map.
//!
//! 64 keep-alive connections ask for statistics of about one kilobyte, once one request at a time
//! and once sixteen in a row. Both servers are processes of their own, asked in turns, and only
//! their processor time counts. `--test` only shows that it works.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and may fail"
)]

mod support;

use std::{
    collections::HashMap,
    convert::Infallible,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::Incoming,
    header::{HeaderMap, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use support::{Repository, Server, median, print_machine};

const CONNECTIONS: usize = 64;
const CLIENT_THREADS: usize = 2;

/// One answer as the product gives it.
#[derive(Serialize, Deserialize)]
struct Recorded {
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Bytes on the wire.
    len: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--bare") {
        return serve_bare(&arguments[at + 1]);
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let (rows, stores, requests, rounds) = if is_test {
        (20_000, 100, 2_000, 1)
    } else {
        (1_000_000, 2_000, 200_000, 7)
    };

    let repository = Repository::new();
    repository.build(stores, rows, 1);
    let product = repository.serve(&[]);
    let recorded = record(product.address, stores);
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &recorded).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--bare").arg(file.path());
    let bare = Server::start(command);

    print_machine();
    let mean: usize = recorded
        .iter()
        .map(|answer| answer.body.len())
        .sum::<usize>()
        / recorded.len();
    println!(
        "{CONNECTIONS} connections, {} resources, bodies of {mean} bytes, median of {rounds}",
        recorded.len()
    );
    println!(
        "{:>9} {:>16} {:>16} {:>8}",
        "in a row", "nightshard /s", "bare hyper /s", "share"
    );
    for depth in [1, 16] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(requests_per_cpu_second(
                &product, &recorded, depth, requests,
            ));
            theirs.push(requests_per_cpu_second(&bare, &recorded, depth, requests));
        }
        let (ours, theirs) = (median(&ours), median(&theirs));
        println!(
            "{depth:>9} {ours:>16.0} {theirs:>16.0} {:>8.2}",
            ours / theirs
        );
    }
}

/// Asks for the statistics of every store, and keeps the answers.
fn record(address: SocketAddr, stores: u32) -> Vec<Recorded> {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    let list = ask(
        &mut stream,
        &format!("/v1/stores?limit={}", stores.min(1_000)),
    );
    let list: serde_json::Value = serde_json::from_str(&list.body).unwrap();
    let ids = list["data"]["rows"].as_array().unwrap().iter();
    let ids = ids.map(|row| row["id"].as_str().unwrap());
    let target = |id| format!("/v1/stores/{id}/statistics?group_by=quarter");
    ids.map(|id| ask(&mut stream, &target(id))).collect()
}

fn ask(stream: &mut BufReader<TcpStream>, target: &str) -> Recorded {
    stream
        .get_mut()
        .write_all(request(target).as_bytes())
        .unwrap();
    let mut head = String::new();
    while stream.read_line(&mut head).unwrap() > 2 {}
    assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
    let headers: Vec<(String, String)> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .unwrap();
    let mut body = vec![0; length.1.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    Recorded {
        target: target.to_owned(),
        len: head.len() + body.len(),
        // Hyper adds these two itself.
        headers: headers
            .into_iter()
            .filter(|(name, _)| name != "content-length" && name != "date")
            .collect(),
        body: String::from_utf8(body).unwrap(),
    }
}

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n\r\n")
}

/// Asks `requests` times over all connections, `depth` requests in a row on each.
fn requests_per_cpu_second(
    server: &Server,
    recorded: &[Recorded],
    depth: usize,
    requests: usize,
) -> f64 {
    let before = server.cpu_time();
    let each = requests / CONNECTIONS / depth;
    std::thread::scope(|scope| {
        for thread in 0..CLIENT_THREADS {
            scope.spawn(move || ask_in_rounds(server.address, recorded, depth, each, thread));
        }
    });
    let used = server.cpu_time() - before;
    (each * depth * CONNECTIONS) as f64 / used.as_secs_f64()
}

/// Writes to all connections of one client thread, then reads from all, `rounds` times.
fn ask_in_rounds(
    address: SocketAddr,
    recorded: &[Recorded],
    depth: usize,
    rounds: usize,
    thread: usize,
) {
    let connect = |_| {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS / CLIENT_THREADS).map(connect).collect();
    let requests: Vec<String> = recorded
        .iter()
        .map(|answer| request(&answer.target))
        .collect();
    // Neighbouring connections ask for different stores.
    let pick = |round: usize, connection: usize, turn: usize| {
        (round * 131 + (connection * 7 + thread) * 17 + turn * 61) % recorded.len()
    };
    let (mut text, mut answer) = (String::new(), Vec::new());
    for round in 0..rounds {
        for (connection, stream) in streams.iter_mut().enumerate() {
            text.clear();
            (0..depth).for_each(|turn| text.push_str(&requests[pick(round, connection, turn)]));
            stream.write_all(text.as_bytes()).unwrap();
        }
        for (connection, stream) in streams.iter_mut().enumerate() {
            let lens = (0..depth).map(|turn| recorded[pick(round, connection, turn)].len);
            answer.resize(lens.sum(), 0);
            stream.read_exact(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200 "));
        }
    }
}

/// Serves recorded answers with nothing but hyper and a hash map.
fn serve_bare(file: &str) {
    let recorded: Vec<Recorded> =
        serde_json::from_reader(std::fs::File::open(file).unwrap()).unwrap();
    let answers: HashMap<String, (HeaderMap, Bytes)> = recorded
        .into_iter()
        .map(|answer| {
            let header = |(name, value): (String, String)| {
                let name: HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(&value).unwrap())
            };
            let headers = answer.headers.into_iter().map(header).collect();
            (answer.target, (headers, answer.body.into()))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("listening on http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(answers);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                let find = |request: Request<Incoming>| {
                    let target = request.uri().path_and_query().unwrap().as_str();
                    let (headers, body) = &answers[target];
                    let mut response = Response::new(Full::new(body.clone()));
                    *response.headers_mut() = headers.clone();
                    async { Ok::<_, Infallible>(response) }
                };
                let connection = http1::Builder::new()
                    .pipeline_flush(true)
                    .serve_connection(TokioIo::new(stream), service_fn(find));
                let _client_gone = connection.await;
            });
        }
    });
}
