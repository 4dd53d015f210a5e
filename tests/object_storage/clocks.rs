//! Clocks that are an hour off from that of the storage.

use std::{fs, process::Command};

use crate::{
    published::{Published, straight},
    support::{
        clock::{self, HOUR},
        program::{self, Outcome},
        repository::TestRepository,
        server::{TestServer, serve},
    },
};

/// What is said to somebody whose clock is wrong.
const REMEDY: &str = "this machine's clock is not the server's: set it right";

#[test]
fn who_signs_with_a_wrong_clock_is_told_so() {
    let published = Published::new();
    published.build_more();
    let (from, uri, generation) = (published.from(), published.uri(), &published.generation);
    for seconds in [HOUR, -HOUR] {
        for arguments in [
            &["publish", &from, &uri][..],
            &["select", &uri, generation],
            &["rollback", &uri, generation],
            &["reclaim", &uri],
            &["generations", &uri],
            &["verify", &uri],
        ] {
            let outcome = Outcome::of(clock::ahead(straight(arguments), seconds));
            outcome.failed(2, &[&uri, REMEDY]);
        }
    }
    published.is_untouched();
}

/// What it asks every second has no body that could say why it is refused.
#[test]
fn a_server_whose_clock_goes_wrong_serves_on_says_so_and_follows_once_it_is_right() {
    let published = Published::new();
    let time = published.local.write("time", "+0s\n");
    let (uri, config) = (published.uri(), published.config(""));
    let command = serve(straight(["serve"]), &uri, &published.cache("own"), &config);
    let server = TestServer::spawn_command(clock::as_a_file_says(command, &time));
    server.wait_for("serving generation ");
    published.local.write("time", format!("+{HOUR}s\n"));
    server.wait_for_log_with_all(&["the repository cannot be followed", REMEDY]);
    let next = published.build_more();
    Outcome::of(straight(["publish", &published.from(), &uri])).succeeded();
    assert_eq!(server.connect().generation(), published.generation);
    published.local.write("time", "+0s\n");
    server.wait_for(&format!("serving generation {next}"));
}

/// Runs the program with a clock that is so many seconds ahead.
fn run(arguments: &[&str], seconds: i64) -> Outcome {
    Outcome::of(clock::ahead(program::command(arguments), seconds))
}

#[test]
fn a_local_repository_goes_by_the_clock_of_its_files() {
    let repository = TestRepository::new();
    let mut ids = Vec::new();
    for (rows, seconds) in [(50, HOUR), (55, -HOUR), (60, HOUR), (65, -HOUR), (70, 0)] {
        let row = |row: usize| format!("t{row},s{},c,2018-03-05,1,EUR\n", row % 3);
        let rows: String = (0..rows).map(row).collect();
        let header = "tx_id,store_id,card_id,ts,amount_minor,currency\n";
        let input = repository.write("input.csv", header.to_owned() + &rows);
        let mut arguments = repository.build_arguments([input], &["--quiet"]);
        let mut command = program::command(None::<&str>);
        command.args(arguments.drain(..));
        Outcome::of(clock::ahead(command, seconds)).succeeded();
        ids.push(repository.current());
    }
    let path = repository.path();
    let uri = path.to_str().unwrap();
    // By its own clock everything is a month old.
    let month = 30 * 24 * HOUR;
    let reclaim = ["reclaim", uri, "--keep", "0", "--json"];
    let reclaimed = run(&reclaim, month).succeeded().json();
    assert_eq!(
        reclaimed["generations"].as_array().unwrap().len(),
        0,
        "{reclaimed}"
    );
    assert_eq!(repository.generations().len(), ids.len());
    run(&["rollback", uri, &ids[3]], -HOUR).succeeded();
    assert_eq!(repository.current(), ids[3]);
    repository.run("verify", &["--quiet"]).succeeded();
}

/// A controller's command line, of a repository beside its configuration.
fn controller(config: &str) -> Command {
    program::command([
        "controller",
        "--config",
        config,
        "--once",
        "--day",
        "2018-03-05",
    ])
}

#[test]
fn a_lease_is_believed_for_as_long_as_it_says_and_a_clock_that_is_ahead_ends_it() {
    let repository = TestRepository::new();
    let rows = "store_id,card_id,ts,amount_minor,currency\ns,c,2018-03-05,1,EUR\n";
    let input = repository.write("input.csv", rows);
    let (path, scratch) = (repository.path(), repository.scratch());
    let config = format!(
        "[controller]\nrepository = {path:?}\nbuild = [\"--input\", {input:?}, \"--scratch\", \
         {scratch:?}]\nfreshness_max_hours = 0\nwatch_seconds = 0\n"
    );
    let config = repository.write("nightshard.toml", config);
    let config = config.to_str().unwrap();
    let night = |seconds| Outcome::of(clock::ahead(controller(config), seconds));
    night(0).succeeded();
    let current = repository.current();

    // Somebody holds the lease for a minute.
    let minute = lease_of(&repository, 60);
    // Whose clock is right, or behind, waits; and is told until when.
    night(0).failed(4, &["somebody holds the lease", &minute]);
    night(-HOUR).failed(4, &["somebody holds the lease", &minute]);
    assert_eq!(repository.current(), current);
    // Whose clock is ahead believes that it is over: it takes the lease, and the other is fenced.
    night(HOUR).succeeded();
    assert_eq!(repository.current(), current);
    repository.run("verify", &["--quiet"]).succeeded();
}

/// Writes the next epoch of the lease, which ends in so many seconds, and returns when that is.
fn lease_of(repository: &TestRepository, seconds: i64) -> String {
    let folder = repository.path().join("leases");
    let mut epochs: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .collect();
    epochs.sort();
    let last = fs::read(epochs.last().unwrap()).unwrap();
    let mut lease: serde_json::Value = serde_json::from_slice(&last).unwrap();
    let at: jiff::Timestamp = lease["at"].as_str().unwrap().parse().unwrap();
    let ends = at + jiff::SignedDuration::from_secs(seconds);
    let epoch = lease["epoch"].as_u64().unwrap() + 1;
    lease["epoch"] = epoch.into();
    lease["holder"] = "somebody".into();
    lease["expires_at"] = ends.to_string().into();
    fs::write(folder.join(format!("{epoch:020}.json")), lease.to_string()).unwrap();
    // With what clocks may differ by.
    (ends + jiff::SignedDuration::from_secs(15)).to_string()
}
