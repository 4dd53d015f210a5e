//! Disks that are full.

use std::{ffi::OsStr, fs, path::PathBuf, process::Command};

use crate::serving::{HEADER, Serving, keeps_secrets, row, rows};
use crate::support::{
    data,
    program::{self, Outcome},
    repository::TestRepository,
    server::TestServer,
    small_disk::SmallDisk,
};

#[test]
fn a_full_disk_is_named_and_changes_nothing() {
    let serving = Serving::start();
    let large = serving
        .repository
        .write("large.csv", HEADER.to_owned() + &spread_rows(20_000));
    // A limit on the length of a file is the full disk that every user can make.
    for (limit_kib, place) in [(1, "repository/tmp/build-"), (96, "manifest.json")] {
        let arguments = serving.repository.build_arguments([&large], &["--quiet"]);
        let outcome = Outcome::of(with_file_limit(limit_kib, &arguments));
        outcome.failed(1, &[place, "File too large"]);
        serving.is_untouched(&outcome);
    }
    serving.builds_again();
}

#[test]
fn an_export_onto_a_full_disk_names_the_file_and_leaves_nothing() {
    let repository = TestRepository::new();
    let large = repository.write("large.csv", HEADER.to_owned() + &spread_rows(20_000));
    repository.build([&large], &[]).succeeded();
    let output = repository.path().with_file_name("output");
    for format in ["csv", "parquet"] {
        let path = repository.path();
        let arguments = ["export".as_ref(), path.as_os_str(), "--output".as_ref()];
        let options = [output.as_os_str(), "--quiet".as_ref()];
        let format = ["--format".as_ref(), format.as_ref()];
        let arguments = [&arguments[..], &options, &format].concat();
        let outcome = Outcome::of(with_file_limit(64, &arguments));
        outcome.failed(
            1,
            &["cannot write", "output/export.tmp/store_", "File too large"],
        );
        assert!(!output.is_dir());
    }
}

#[test]
fn a_full_scratch_disk_is_named_and_changes_nothing() {
    let serving = Serving::start();
    let large = serving.good.with_file_name("large.csv");
    let size = [
        "--stores",
        "50",
        "--cards",
        "5000",
        "--transactions",
        "1500000",
    ];
    data::generate(&large, &[&size[..], &["--to", "2018-02-28"]].concat());
    let options = ["--quiet", "--memory", "64MiB", "--currency", "EUR"];
    let arguments = serving.repository.build_arguments([&large], &options);
    let outcome = Outcome::of(with_file_limit(1_000, &arguments));
    outcome.failed(1, &["scratch", "File too large"]);
    serving.is_untouched(&outcome);
    serving.builds_again();
}

/// Makes a command whose files can be no longer than this.
fn with_file_limit<S: AsRef<OsStr>>(limit_kib: u64, arguments: &[S]) -> Command {
    let mut command = Command::new("sh");
    // In units of 512 bytes. The signal is ignored, so that writes fail as on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", limit_kib * 2);
    command
        .arg("-c")
        .arg(script)
        .arg("sh")
        .arg(program::path())
        .args(arguments);
    program::in_test_environment(command)
}

/// Rows of many stores over many months: hundreds of kilobytes of shards.
fn spread_rows(len: usize) -> String {
    let day = |id: usize| format!("20{:02}-{:02}-{:02}", 10 + id % 9, 1 + id % 12, 1 + id % 28);
    let rows = (0..len).map(|id| {
        row(
            id,
            &format!("store {}", id % 997),
            &day(id),
            &id.to_string(),
        )
    });
    rows.collect()
}

#[test]
fn a_repository_on_a_disk_that_fills_up_serves_on_and_builds_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("1m") else {
        return;
    };
    let repository = TestRepository::in_folder(disk.path());
    let beside = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: String| {
        let path = beside.path().join(name);
        fs::write(&path, HEADER.to_owned() + &rows).unwrap();
        path
    };
    let good = write("good.csv", rows(0..50));
    repository.build([&good], &[]).succeeded();
    let generation = repository.current();
    let server = TestServer::start(&repository.path());

    let large = write("large.csv", spread_rows(20_000));
    let outcome = repository.build([&large], &[]);
    outcome.failed(1, &["repository/", "No space left on device"]);
    assert_eq!(repository.current(), generation);
    repository.run("verify", &["--quiet"]).succeeded();
    assert_eq!(server.connect().generation(), generation);
    assert_eq!(repository.litter(), Vec::<PathBuf>::new());
    keeps_secrets(&repository, &outcome);

    let more = write("more.csv", rows(0..60));
    repository.build([&more], &[]).succeeded();
    repository.run("verify", &["--quiet"]).succeeded();
    server.wait_for(&format!("serving generation {}", repository.current()));
}
