//! How a server keeps shards in memory: as it is told, by options or by `[server.memory]`, with
//! the same answers, and without failing where the system refuses.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::{fs, path::Path, process::Command};

use support::{program, repository::TestRepository, server::TestServer};

const PATHS: [&str; 3] = [
    "/v1/stores/s1/statistics?group_by=month",
    "/v1/stores/s1",
    "/v1/search?q=s",
];

/// Makes a repository with one generation.
fn repository() -> TestRepository {
    let repository = TestRepository::new();
    let input = repository.write(
        "payments.csv",
        "store_id,card_id,ts,amount_minor,currency\n\
         s1,c1,2018-03-05T12:00:00,500,EUR\ns2,c2,2018-04-05T12:00:00,700,EUR\n",
    );
    repository.build([input], &[]).succeeded();
    repository
}

/// Makes a command that serves a repository.
fn serve(repository: &TestRepository, options: &[&str]) -> Command {
    let mut command = program::command(["serve", "--listen", "127.0.0.1:0", "--from"]);
    command.arg(repository.path()).args(options);
    command
}

/// Starts a server and returns it with its answers.
fn answers(command: Command) -> (TestServer, Vec<String>) {
    let server = TestServer::spawn_command(command);
    server.wait_for("serving generation ");
    let mut client = server.connect();
    let answers = PATHS.map(|path| client.get(path).1.to_string());
    (server, answers.to_vec())
}

/// Whether a map of one of the repository's shards has a flag.
fn has_flag(server: &TestServer, repository: &Path, flag: &str) -> bool {
    let maps = fs::read_to_string(format!("/proc/{}/smaps", server.id())).unwrap();
    let blobs = repository.canonicalize().unwrap().join("blobs");
    let mut is_blob = false;
    maps.lines().any(|line| {
        match line.split_whitespace().next() {
            Some(range) if !range.ends_with(':') => {
                is_blob = line.contains(blobs.to_str().unwrap())
            }
            _ => {}
        }
        let flags = line.strip_prefix("VmFlags:");
        is_blob && flags.is_some_and(|flags| flags.split_whitespace().any(|found| found == flag))
    })
}

#[test]
fn each_policy_serves_the_same_answers() {
    let repository = repository();
    let (server, expected) = answers(serve(&repository, &[]));
    assert!(has_flag(&server, &repository.path(), "rr"));
    assert!(!has_flag(&server, &repository.path(), "lo"));
    for options in [
        &["--records", "normal", "--indexes", "on-demand"][..],
        &["--indexes", "read-ahead", "--huge-pages", "indexes"],
        &["--indexes", "prefault", "--huge-pages", "all"],
        &["--indexes", "lock", "--huge-pages", "indexes"],
    ] {
        let (server, found) = answers(serve(&repository, options));
        assert_eq!(found, expected, "{options:?}");
        let is_random = !options.contains(&"normal");
        assert_eq!(has_flag(&server, &repository.path(), "rr"), is_random);
    }
}

#[test]
fn options_change_what_the_configuration_says() {
    let repository = repository();
    let file = repository.write(
        "nightshard.toml",
        "[server.memory]\nrecords = \"normal\"\nindexes = \"prefault\"\n",
    );
    let config = ["--config", file.to_str().unwrap()];
    let (server, _) = answers(serve(&repository, &config));
    assert!(!has_flag(&server, &repository.path(), "rr"));
    let changed = [&config[..], &["--records", "random"]].concat();
    let (server, _) = answers(serve(&repository, &changed));
    assert!(has_flag(&server, &repository.path(), "rr"));
}

#[test]
fn what_is_no_policy_is_refused_by_name() {
    let repository = repository();
    let file = repository.write("nightshard.toml", "[server.memory]\nindexes = \"always\"\n");
    let outcome = program::Outcome::of(serve(&repository, &["--config", file.to_str().unwrap()]));
    outcome.failed(2, &["line 2", "`always`", "`prefault`"]);
    let outcome = program::Outcome::of(serve(&repository, &["--indexes", "always"]));
    outcome.failed(2, &["--indexes", "`always`", "`prefault`"]);
}

#[test]
fn a_lock_that_is_refused_is_one_warning_and_no_failure() {
    let repository = repository();
    let (_server, expected) = answers(serve(&repository, &[]));
    let unlimited = serve(&repository, &["--indexes", "lock"]);
    // Root may lock whatever the limit says, unless it may no longer.
    let mut command = Command::new("prlimit");
    command.args(["--memlock=0", "setpriv", "--bounding-set=-ipc_lock"]);
    if !is_root() {
        command = Command::new("prlimit");
        command.arg("--memlock=0");
    }
    command
        .arg(unlimited.get_program())
        .args(unlimited.get_args());
    let (server, found) = answers(program::in_test_environment(command));
    assert_eq!(found, expected);
    let line = server.wait_for_log("refuses to lock");
    assert!(
        line.contains("WARN") && line.contains("ulimit -l"),
        "{line}"
    );
    assert!(!has_flag(&server, &repository.path(), "lo"));
    assert_eq!(
        server
            .log()
            .iter()
            .filter(|line| line.contains("refuses"))
            .count(),
        0
    );
}

fn is_root() -> bool {
    let process = fs::metadata("/proc/self").unwrap();
    std::os::unix::fs::MetadataExt::uid(&process) == 0
}
