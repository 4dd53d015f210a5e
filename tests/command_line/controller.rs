//! Nights by the controller: built, verified, judged, selected, watched, marked or taken back.

mod apart;
mod blocked;
mod packs;
mod secure;
mod series;
#[cfg(target_os = "linux")]
mod stopping;

use std::{
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, ChildStderr, Stdio},
    sync::{Arc, OnceLock},
};

use crate::{
    listener::listen,
    serving::{HEADER, row, rows},
    support::{
        program::{self, Outcome},
        repository::TestRepository,
    },
};

/// A repository and a controller's configuration beside it.
struct Nights {
    repository: TestRepository,
    input: PathBuf,
    config: PathBuf,
}

impl Nights {
    fn new(more: &str) -> Self {
        let repository = TestRepository::new();
        let input = repository.write("input.csv", HEADER.to_owned() + &rows(0..50));
        let (uri, scratch) = (repository.path(), repository.scratch());
        let config = format!(
            "[controller]\nrepository = {uri:?}\nbuild = [\"--input\", {input:?}, \"--scratch\", \
             {scratch:?}]\nfreshness_max_hours = 0\nattempts = 1\nwatch_seconds = 0\n{more}\n"
        );
        let config = repository.write("nightshard.toml", config);
        Self {
            repository,
            input,
            config,
        }
    }

    fn holds(&self, rows: &str) {
        std::fs::write(&self.input, HEADER.to_owned() + rows).unwrap();
    }

    fn run(&self, options: &[&str]) -> Outcome {
        let config = self.config.to_str().unwrap();
        program::run([&["controller", "--config", config], options].concat())
    }

    fn mark(&self, generation: &str) -> String {
        let generations = self.repository.generations();
        let mut generations = generations.iter();
        let found = generations
            .find(|row| row["generation"] == generation)
            .unwrap();
        found["mark"].to_string()
    }
}

#[test]
fn a_night_is_served_and_good_and_the_next_one_with_half_of_it_is_refused() {
    let (webhook, alerts) = listen(|_path| "{}".into());
    let nights = Nights::new(&format!("webhook = \"http://{webhook}/secret\""));
    let night = nights.run(&["--once", "--day", "2018-01-05"]).succeeded();
    let first = nights.repository.current();
    let line = format!("night of 2018-01-05: {first} is served and good\n");
    assert_eq!(night.stdout, line, "{night:?}");
    assert!(
        nights.mark(&first).contains("good"),
        "{}",
        nights.mark(&first)
    );

    nights.holds(&rows(0..25));
    let night = nights.run(&["--once", "--day", "2018-01-06"]);
    assert_eq!(night.code, Some(3), "{night:?}");
    assert_eq!(nights.repository.current(), first);
    let alert: serde_json::Value = serde_json::from_str(&alerts.recv().unwrap()).unwrap();
    assert_eq!(
        (&alert["alert"], &alert["day"]),
        (&"night".into(), &"2018-01-06".into())
    );
    assert!(
        alert["text"]
            .as_str()
            .unwrap()
            .contains("refused by the quality gate"),
        "{alert}"
    );

    let history = nights
        .run(&["--history", "--day", "2018-01-06"])
        .succeeded();
    let steps: Vec<String> = history
        .stdout
        .lines()
        .map(|line| {
            line.split_whitespace()
                .skip(1)
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let expected = [
        "begin done",
        "build started",
        "build done",
        "verify started",
        "verify done",
        "gate started",
        "gate refused",
        "end refused",
    ];
    assert_eq!(steps, expected, "{history:?}");
    assert!(
        history
            .stdout
            .contains("rows_drop_max: rows used: 25, it was 50"),
        "{history:?}"
    );

    // Made again with all of it, the night is served.
    nights.holds(&(rows(0..50) + &row(50, "s1", "2018-01-06T10:00:00", "1")));
    nights.run(&["--once", "--day", "2018-01-06"]).succeeded();
    assert_ne!(nights.repository.current(), first);
}

#[test]
fn what_servers_do_badly_with_is_taken_back() {
    // It says that it has everything ready, and then serves something else.
    let generations = Arc::new(OnceLock::<PathBuf>::new());
    let of_repository = Arc::clone(&generations);
    let (server, _) = listen(move |path| {
        assert!(["/v1/prepare", "/v1/state", "/v1/follow"].contains(&path));
        let ready = of_repository
            .get()
            .and_then(|path| std::fs::read_dir(path).ok());
        let ready = ready.into_iter().flatten().flatten();
        let ready: Vec<String> = ready
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        let serving = r#"{"selection": 99, "generation": "2018-01-01-0123456789ab"}"#;
        format!(r#"{{"serving": {serving}, "failed": null, "prepared": {ready:?}}}"#)
    });
    let nights = Nights::new(&format!("servers = [\"dns:{server}\"]"));
    generations
        .set(nights.repository.path().join("generations"))
        .unwrap();
    let night = nights.run(&["--once", "--day", "2018-01-05"]);
    assert_eq!(night.code, Some(1), "{night:?}");
    assert!(
        night
            .stdout
            .contains("there is no good generation to go back to"),
        "{night:?}"
    );
    let id = &*nights.repository.current();
    assert!(nights.mark(id).contains("bad"), "{}", nights.mark(id));
    nights.repository.run("mark", &[id, "good"]).succeeded();

    nights.holds(&(rows(0..50) + &row(50, "s1", "2018-01-06T10:00:00", "1")));
    let night = nights.run(&["--once", "--day", "2018-01-06"]);
    assert_eq!(night.code, Some(1), "{night:?}");
    let line = format!("{id} is current again: servers did badly with what was built");
    assert!(night.stdout.contains(&line), "{night:?}");
    assert_eq!(nights.repository.current(), id);
}

#[test]
fn of_two_controllers_one_works_and_what_the_other_left_is_gone_on_with() {
    let nights = Nights::new("");
    let lease = r#"{"epoch": 1, "holder": "somebody else", "nonce": "", "at":
        "2018-01-05T00:00:00Z", "expires_at": "2999-01-01T00:00:00Z"}"#;
    let leases = nights.repository.path().join("leases");
    std::fs::create_dir_all(&leases).unwrap();
    let lease_path = leases.join("00000000000000000001.json");
    std::fs::write(&lease_path, lease).unwrap();
    let day = ["--once", "--day", "2018-01-05"];
    nights
        .run(&day)
        .failed(4, &["somebody else holds the lease"]);
    std::fs::write(&lease_path, lease.replace("2999", "2018")).unwrap();

    // It died once it had built.
    let runs = nights.repository.path().join("runs/2018-01-05");
    std::fs::create_dir_all(&runs).unwrap();
    let options = ["--as-of", "2018-01-05", "--no-select"];
    let built = nights.repository.build_json([&nights.input], &options);
    let id = built["generation"].as_str().unwrap();
    for (number, step, outcome) in [
        (1, "begin", "done"),
        (2, "build", "started"),
        (3, "build", "done"),
    ] {
        let generation = if number == 3 {
            format!("{id:?}")
        } else {
            "null".into()
        };
        let record = format!(
            r#"{{"day": "2018-01-05", "number": {number}, "step": "{step}", "outcome": "{outcome}",
            "generation": {generation}, "detail": "", "at": "2018-01-06T00:00:00Z", "epoch": 1,
            "by": "somebody else", "nonce": "{number}"}}"#
        );
        std::fs::write(runs.join(format!("{number:020}.json")), record).unwrap();
    }
    nights.holds("");
    nights.run(&day).succeeded();
    assert_eq!(nights.repository.current(), id, "it is not built again");
}

#[test]
fn what_is_wrong_with_the_configuration_is_named() {
    for (more, problem) in [
        (
            "schedule = \"every night\"",
            "controller: schedule \"every night\" is no cron expression",
        ),
        (
            "zone = \"Mars/Olympus\"",
            "controller: zone \"Mars/Olympus\" is unknown",
        ),
        (
            "webhook = \"mailto:night@example.org\"",
            "controller.webhook: it begins with neither https:// nor http://",
        ),
        (
            "quorum = 1",
            "controller.quorum: there are not so many servers",
        ),
        ("reclaim = { keep = 3, days = 7 }", "unknown field `days`"),
    ] {
        let nights = Nights::new(more);
        nights.run(&["--once"]).failed(2, &[problem]);
    }
    let nights = Nights::new("");
    let path = nights.repository.path();
    let config = std::fs::read_to_string(&nights.config).unwrap();
    std::fs::write(&nights.config, format!("{config}publish_to = {path:?}\n")).unwrap();
    nights
        .run(&["--once"])
        .failed(2, &["controller.publish_to: it is where builds go already"]);
    std::fs::write(&nights.config, "").unwrap();
    nights
        .run(&["--once"])
        .failed(2, &["it has no table [controller]"]);
}

#[test]
fn a_failed_build_is_told_in_one_line_and_leaves_what_is_current() {
    let nights = Nights::new("");
    nights.run(&["--once", "--day", "2018-01-05"]).succeeded();
    let first = nights.repository.current();
    std::fs::write(&nights.input, "no,such,columns\n1,2,3\n").unwrap();
    let night = nights.run(&["--once", "--day", "2018-01-06"]);
    assert_eq!(night.code, Some(1), "{night:?}");
    assert_eq!(
        night.stdout,
        "night of 2018-01-06: build failed too often\n"
    );
    let history = nights
        .run(&["--history", "--day", "2018-01-06"])
        .succeeded();
    assert!(
        history.stdout.contains("input.csv: the header lacks"),
        "{history:?}"
    );
    assert_eq!(nights.repository.current(), first);
}

/// Starts a controller that makes what is due.
fn start(nights: &Nights) -> (Child, Lines<BufReader<ChildStderr>>) {
    let config = nights.config.to_str().unwrap();
    let mut command = program::command(["controller", "--config", config]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, lines)
}

#[test]
fn a_controller_makes_what_is_due_and_says_how_nights_stand() {
    // The night that is due stays the same at midnight.
    let nights = Nights::new("schedule = \"0 0 1 1 *\"\nlisten = \"127.0.0.1:0\"");
    let (mut controller, mut lines) = start(&nights);
    let mut line_with = |words: &str| loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, rest)) = line.split_once(words) {
            return rest.to_owned();
        }
    };
    let address: SocketAddr = line_with("listening on http://").parse().unwrap();
    let ending = line_with("night of ");
    let current = nights.repository.current();
    assert!(
        ending.ends_with(&format!(": {current} is served and good")),
        "{ending}"
    );
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/metrics").contains("nightshard_controller_night_served 1\n"));
    assert!(get("/").contains(&format!("current: {current}; next night: ")));
    let json = get("/status.json");
    let json: serde_json::Value =
        serde_json::from_str(json.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(json["current"], current.as_str());
    assert_eq!(
        json["records"].as_array().unwrap().last().unwrap()["step"],
        "end"
    );
    assert!(get("/etc").starts_with("HTTP/1.1 404"));
    controller.kill().unwrap();
    controller.wait().unwrap();
}
