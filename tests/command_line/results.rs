//! Results for programs, and the demonstration.

use std::{ffi::OsStr, fs};

use serde_json::json;

use crate::serving::{HEADER, Serving, rows};
use crate::support::{program, repository::files_below, server::TestServer};

#[test]
fn results_for_programs_are_json() {
    let serving = Serving::start();
    let more = serving
        .repository
        .write("more.csv", HEADER.to_owned() + &rows(0..60));
    let [build, again] = [(); 2].map(|()| serving.repository.build_json([&more], &[]));
    assert_eq!(
        build["rows"],
        json!({"read": 60, "used": 60, "rejected": {}, "excluded": {}})
    );
    assert_eq!(build["stores"], 3);
    assert_eq!(
        (&build["selection"], &again["selection"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&again["blobs_new"], &again["generation"]),
        (&json!(0), &build["generation"])
    );
    let current = build["generation"].as_str().unwrap();

    let run = |command: &str, arguments: &[&str]| {
        let arguments = [arguments, &["--json"]].concat();
        let outcome = serving.repository.run(command, &arguments).succeeded();
        assert!(
            outcome
                .stderr
                .lines()
                .all(|line| line.starts_with("verified ")),
            "{outcome:?}"
        );
        outcome.json()
    };
    let listed = run("generations", &[]);
    assert_eq!(listed["generations"].as_array().unwrap().len(), 2);
    let verified = run("verify", &[]);
    assert_eq!(
        (&verified["generation"], &verified["damage"]),
        (&json!(current), &json!([]))
    );
    let selected = run("select", &[&serving.generation]);
    assert_eq!(selected["is_new"], true);
    assert_eq!(selected["selection"]["generation"], serving.generation);
    let all = run("inspect", &[current]);
    assert_eq!(all["generation"], current);
    let record = run("inspect", &["--key", "s1"]);
    assert!(record.is_object(), "{record}");

    let blob = files_below(&serving.repository.path().join("blobs")).remove(0);
    for command in ["verify", "inspect"] {
        let blob = blob.to_str().unwrap();
        let shard = program::run([command, blob, "--json"]).succeeded().json();
        assert!(shard["records"].as_u64().unwrap() > 0, "{shard}");
    }
    let output = serving.good.with_file_name("generated.csv");
    let output = output.to_str().unwrap();
    let generate = [
        "generate",
        "--transactions",
        "1000",
        "--output",
        output,
        "--json",
    ];
    let generated = program::run(generate).succeeded().json();
    assert_eq!(generated["rows"], 1_000);
}

#[test]
fn the_demo_overwrites_nothing_and_takes_its_address_first() {
    let temporary = tempfile::tempdir().unwrap();
    let own = temporary.path().join("transactions.csv");
    fs::write(&own, "mine").unwrap();
    let folder = temporary.path().to_str().unwrap();
    let demo = |folder: &str, listen: &str| {
        let arguments = ["demo", "--folder", folder, "--listen", listen];
        program::run(arguments.map(OsStr::new))
    };
    demo(folder, "127.0.0.1:0").failed(2, &["--folder", folder]);
    assert_eq!(fs::read_to_string(own).unwrap(), "mine");

    let new = temporary.path().join("new");
    let folder = new.to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    demo(folder, &address).failed(1, &["--listen", &address]);
    demo(folder, "0.0.0.0:0").failed(2, &["--listen", "0.0.0.0:0"]);
    assert!(!new.is_dir());
}

#[test]
fn the_demo_generates_builds_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "demo",
        "--transactions",
        "20000",
        "--listen",
        "127.0.0.1:0",
        "--folder",
    ];
    let arguments = arguments.iter().map(OsStr::new);
    let arguments = arguments.chain([folder.path().as_os_str()]);
    let first = TestServer::spawn(arguments.clone());
    let generation = first.wait_for("serving generation ");
    drop(first);
    // A folder of an earlier demo is used again.
    let server = TestServer::spawn(arguments);
    assert_eq!(server.wait_for("serving generation "), generation);
    let mut client = server.connect();
    assert_eq!(client.generation(), generation);
    let largest = client.data("/v1/stores?limit=1")["rows"][0]["id"].take();
    let path = format!(
        "/v1/stores/{}/statistics?group_by=all",
        largest.as_str().unwrap()
    );
    assert!(client.data(&path)["rows"][0]["count"].as_u64().unwrap() > 0);
    let market = client.data("/v1/markets/all/statistics?group_by=all");
    assert_eq!(market["rows"][0]["count"], 20_000);
    assert!(
        !client.data("/v1/markets/all/histogram")["rows"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}
