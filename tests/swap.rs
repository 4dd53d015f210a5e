//! A server as a process follows its repository: swaps under load, refuses damage, stops cleanly.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use serde_json::Value;
use support::{
    client::Client,
    repository::TestRepository,
    server::{FOLLOW, TestServer},
};

/// Builds a generation of `rows` rows without selecting it, and returns its id.
fn build(repository: &TestRepository, rows: usize) -> String {
    let header = "tx_id,store_id,card_id,ts,amount_minor,currency\n";
    let row = |row: usize| {
        let (store, card, day) = (row % 3, row % 7, row % 28 + 1);
        format!("t{row},s{store},c{card},2018-03-{day:02}T12:00:00,{row},EUR\n")
    };
    let content: String = std::iter::once(header.to_owned())
        .chain((0..rows).map(row))
        .collect();
    let input = repository.write(&format!("{rows}.csv"), content);
    let built = repository.build_json([input], &["--no-select"]);
    built["generation"].as_str().unwrap().to_owned()
}

fn select(repository: &TestRepository, generation: &str) {
    repository
        .run("select", &[generation, "--quiet"])
        .succeeded();
}

/// Returns the generation that an answer names, and the number of rows that it counts.
fn count(client: &mut Client) -> (String, u64) {
    let (status, document) = client.get("/v1/markets/all/statistics?group_by=day");
    assert_eq!(status, 200, "{document}");
    let rows = document["data"]["rows"].as_array().unwrap().iter();
    let count = rows.map(|row| row["count"].as_u64().unwrap()).sum();
    (document["generation"].as_str().unwrap().to_owned(), count)
}

#[test]
fn selections_are_followed_under_load_without_a_failed_or_mixed_answer() {
    let repository = TestRepository::new();
    let sizes = [100_usize, 170];
    let ids = sizes.map(|rows| build(&repository, rows));
    let truth: HashMap<&str, u64> = std::iter::zip(&ids, sizes)
        .map(|(id, rows)| (&**id, rows as u64))
        .collect();
    select(&repository, &ids[0]);
    let server = TestServer::start(&repository.path());
    let address = server.address();
    let done = AtomicBool::new(false);
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while !done.load(Relaxed) {
                    let (generation, rows) = count(&mut client);
                    assert_eq!(rows, truth[&*generation]);
                    answered.fetch_add(1, Relaxed);
                }
            });
        }
        for round in 1..=40 {
            let id = &ids[round % 2];
            let before = answered.load(Relaxed);
            select(&repository, id);
            assert_eq!(server.wait_for("serving generation "), *id);
            while answered.load(Relaxed) == before {
                std::thread::yield_now();
            }
        }
        done.store(true, Relaxed);
    });
    assert_eq!(count(&mut server.connect()), (ids[0].clone(), 100));
}

/// Returns the file of a blob that only one of two generations has.
fn own_blob(repository: &TestRepository, generation: &str, other: &str) -> PathBuf {
    let blobs = |id: &str| -> Vec<Value> {
        let manifest = repository.manifest(id);
        let shards = manifest["shards"].as_array().unwrap().iter();
        shards.map(|shard| shard["blob"].clone()).collect()
    };
    let others = blobs(other);
    let own = blobs(generation)
        .into_iter()
        .find(|blob| !others.contains(blob))
        .unwrap();
    repository.path().join("blobs").join(own.as_str().unwrap())
}

/// Writes the next selection as another release might, without looking at what it names.
fn force_selection(repository: &TestRepository, number: u64, generation: &str) {
    let folder = repository.path().join("selections");
    let first = fs::read(folder.join(format!("{:020}.json", 1))).unwrap();
    let mut selection: Value = serde_json::from_slice(&first).unwrap();
    selection["number"] = number.into();
    selection["generation"] = generation.into();
    let aside = folder.join("aside");
    fs::write(&aside, selection.to_string()).unwrap();
    fs::rename(aside, folder.join(format!("{number:020}.json"))).unwrap();
}

/// Overwrites a read-only file as a failing disk might.
fn overwrite(path: &PathBuf, content: &[u8]) {
    let aside = path.with_extension("aside");
    fs::write(&aside, content).unwrap();
    fs::rename(aside, path).unwrap();
}

#[test]
fn a_damaged_candidate_is_refused_loudly_until_it_is_whole_again() {
    let repository = TestRepository::new();
    let ids = [100, 170].map(|rows| build(&repository, rows));
    select(&repository, &ids[0]);
    let server = TestServer::start(&repository.path());

    let blob = own_blob(&repository, &ids[1], &ids[0]);
    let whole = fs::read(&blob).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    overwrite(&blob, &damaged);
    force_selection(&repository, 2, &ids[1]);
    let refused = server.wait_for_log("candidate refused");
    let name = blob.file_name().unwrap().to_str().unwrap();
    assert!(
        refused.contains("ERROR") && refused.contains(name),
        "{refused}"
    );
    let mut client = server.connect();
    assert_eq!(count(&mut client), (ids[0].clone(), 100));

    overwrite(&blob, &whole);
    assert_eq!(server.wait_for("serving generation "), ids[1]);
    assert_eq!(count(&mut client), (ids[1].clone(), 170));
}

#[test]
fn a_server_that_is_told_to_stop_finishes_its_requests_and_exits_with_0() {
    let repository = TestRepository::new();
    let id = build(&repository, 100);
    select(&repository, &id);
    for signal in ["-TERM", "-INT"] {
        let mut server = TestServer::start(&repository.path());
        let address = server.address();
        let mut open = std::net::TcpStream::connect(address).unwrap();
        // Better to fail than to hang.
        open.set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let body = r#"{"lookups": [{"path": "/v1/markets/all"}]}"#;
        let head = format!(
            "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // `100 Continue` would say so, but few clients ask: another answer on the same
        // connection does as well.
        let first = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n{head}");
        open.write_all(first.as_bytes()).unwrap();
        let mut reader = BufReader::new(open.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");

        let told = Command::new("kill")
            .args([signal, &server.id().to_string()])
            .status();
        assert!(told.unwrap().success());
        // Nobody is let in any more; then the rest of the request comes.
        while std::net::TcpStream::connect(address).is_ok() {}
        open.write_all(body.as_bytes()).unwrap();
        let answers: Vec<String> = reader.lines().map(|line| line.unwrap()).collect();
        let answer = answers.last().unwrap();
        assert!(
            answer.contains(r#""rows":[{"status":200,"data":{"id":"all""#),
            "{answers:?}"
        );
        assert_eq!(server.wait().code(), Some(0));
    }
}

#[test]
fn a_server_is_prepared_and_told_over_its_admin_interface() {
    let repository = TestRepository::new();
    let ids = [100, 170].map(|rows| build(&repository, rows));
    select(&repository, &ids[0]);
    let token = "correct-horse-battery-staple";
    let token_file = repository.write("token", format!("{token}\n"));
    let config = format!("[server.admin]\ntoken_file = {token_file:?}\n");
    let config = repository.write("nightshard.toml", config);
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        // It is told, or never notices.
        "--poll-ms",
        "3600000",
        "--config",
    ];
    let arguments = arguments.map(std::ffi::OsString::from).into_iter();
    let rest = [config.into(), "--from".into(), repository.path().into()];
    let server = TestServer::spawn(arguments.chain(rest));
    let admin = server.wait_for("admin on http://").parse().unwrap();
    assert_eq!(server.wait_for("serving generation "), ids[0]);
    let ask = |request: &str, body: &str| {
        let length = body.len();
        Client::connect(admin).ask(&format!(
            "{request} HTTP/1.1\r\nhost: a.example\r\nauthorization: Bearer {token}\r\n\
             content-length: {length}\r\n\r\n{body}"
        ))
    };
    assert_eq!(Client::connect(admin).get("/v1/state").0, 401);
    let wanted = format!("{{\"generation\": \"{}\"}}", ids[1]);
    assert_eq!(ask("POST /v1/prepare", &wanted).0, 202);
    server.wait_for_log("prepared");
    let (_, state) = ask("GET /v1/state", "");
    assert_eq!(state["prepared"][0], *ids[1]);
    assert_eq!(state["serving"]["generation"], *ids[0]);
    select(&repository, &ids[1]);
    assert_eq!(ask("POST /v1/follow", "").0, 202);
    assert_eq!(server.wait_for("serving generation "), ids[1]);
    assert_eq!(count(&mut server.connect()), (ids[1].clone(), 170));
    let log = server.log().join("\n");
    assert!(!log.contains(token), "{log}");
}

#[test]
fn a_repository_without_a_selection_is_waited_for() {
    let repository = TestRepository::new();
    let id = build(&repository, 100);
    let arguments = [&["serve"], &FOLLOW[..]].concat().into_iter();
    let arguments = arguments.map(std::ffi::OsString::from);
    let server = TestServer::spawn(arguments.chain([repository.path().into()]));
    let mut client = server.connect();
    assert_eq!(client.get("/readyz").0, 503);
    assert_eq!(client.get("/v1/markets/all").0, 503);
    select(&repository, &id);
    assert_eq!(server.wait_for("serving generation "), id);
    assert_eq!(count(&mut client), (id, 100));
}
