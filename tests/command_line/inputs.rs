//! Inputs that cannot be read, or not as they are meant.

use std::{ffi::OsStr, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::{Value, json};

use crate::serving::{HEADER, LACKS_ALL, Serving, UNSEEN, gzip, row, rows};
use crate::support::{
    program::{self, Outcome},
    random::Random,
    repository::TestRepository,
};

#[test]
fn inputs_that_are_no_transactions_are_named_and_change_nothing() {
    let serving = Serving::start();
    let sound = HEADER.to_owned() + &rows(0..50);
    let compressed = gzip(&sound);
    let mut damaged = compressed.clone();
    let checksum_at = compressed.len() - 8;
    damaged[checksum_at] ^= 1;
    let utf16: Vec<u8> = sound.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut random = Random::new(1);
    let binary: Vec<u8> = (0..50_000)
        .map(|_| random.next().to_le_bytes()[0])
        .collect();
    let headless = row(1, UNSEEN, "2018-01-05", "1") + &rows(2..50);

    serving.refuses("empty.csv", "", "is empty");
    serving.refuses("blank.csv", "\n\n \r\n", "is empty");
    serving.refuses("empty.csv.gz", gzip(""), "is empty");
    serving.refuses(
        "ends.csv.gz",
        &compressed[..compressed.len() / 2],
        "file ends early",
    );
    serving.refuses(
        "ends_late.csv.gz",
        &compressed[..compressed.len() - 1],
        "file ends early",
    );
    serving.refuses("damaged.csv.gz", &damaged, "compressed data is damaged");
    serving.refuses("zeroes.csv", [0; 5_000], "is not a text file");
    serving.refuses("binary.csv", &binary, "is not a text file");
    serving.refuses("utf16.csv", &utf16, "is not a text file");
    serving.refuses("headless.csv", headless, LACKS_ALL);
    serving.refuses(
        "half_a_header.csv",
        &HEADER[..20],
        "the header lacks card_id",
    );
    serving.refuses("semicolons.csv", sound.replace(',', ";"), "(delimiter ',')");
    serving.refuses("tabs.csv", sound.replace(',', "\t"), "(delimiter ',')");
    serving.refuses("no.jsonl", &sound, "is not JSON lines");
    serving.builds_again();
}

#[test]
fn inputs_without_a_usable_row_say_what_became_of_their_rows() {
    let serving = Serving::start();
    let only = |rows: String| {
        serving
            .repository
            .write("only.csv", HEADER.to_owned() + &rows)
    };
    let bad = only(row(1, UNSEEN, "2018-02-30", "1") + &row(2, UNSEEN, "2018-01-05", "x"));
    serving.refuses_input(&bad, &[], 1, &["no usable row: of 2 read 2 were rejected"]);
    let none = only(String::new());
    serving.refuses_input(&none, &[], 1, &["no usable row"]);
    let good = only(rows(0..9));
    let later = ["--as-of", "2017-12-31"];
    serving.refuses_input(&good, &later, 1, &["9 excluded", "after_as_of"]);
    let other = ["--currency", "EUR"];
    serving.refuses_input(&good, &other, 1, &["9 excluded", "other_currency"]);
    serving.builds_again();
}

#[test]
fn places_that_cannot_be_read_are_named_and_change_nothing() {
    let serving = Serving::start();
    let beside = |name: &str| serving.good.with_file_name(name);
    serving.refuses_input(
        &beside("missing.csv"),
        &[],
        1,
        &["missing.csv", "No such file"],
    );
    serving.refuses_input(&serving.good.join("file.csv"), &[], 1, &["Not a directory"]);

    let folder = beside("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("readme.md"), UNSEEN).unwrap();
    serving.refuses_input(&folder, &[], 1, &["folder", "no file of transactions"]);

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
    let mut arguments = serving.repository.build_arguments([&folder], &["--quiet"]);
    arguments.insert(0, program::path().into());
    let outcome = Outcome::of(bound_by_permissions(&arguments));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    outcome.failed(1, &["folder", "Permission denied"]);
    serving.is_untouched(&outcome);
    serving.builds_again();
}

#[test]
fn a_repository_in_the_input_folder_is_not_read() {
    let repository = TestRepository::new();
    let faulty = row(9, "s1", "2018-02-30", "1");
    let input = repository.write("rows.csv", format!("{HEADER}{}{faulty}", rows(0..8)));
    let folder = [input.parent().unwrap()];
    let first = repository.build_json(folder, &[]);
    assert_eq!(repository.build_json(folder, &[])["rows"], first["rows"]);
    repository
        .build([repository.path()], &[])
        .failed(1, &["repository is a repository"]);
}

#[test]
fn a_file_that_may_be_cut_in_its_last_row_is_named() {
    let repository = TestRepository::new();
    let rows = format!("{HEADER}{}", rows(0..8));
    let whole = repository.write("whole.csv", &rows);
    let cut = repository.write("cut.csv", rows.trim_end());
    let warned = |input: &Path| {
        let outcome = program::run(repository.build_arguments([input], &[])).succeeded();
        let words = format!(
            "warning: {}: ends without a line break; its last row may be cut",
            input.display()
        );
        outcome.stderr.contains(&words)
    };
    assert!(!warned(&whole));
    assert!(warned(&cut));
    let generation = repository
        .path()
        .join("generations")
        .join(repository.current());
    let report = fs::read(generation.join("build.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["without_line_end"], json!([cut]));
}

#[test]
fn an_end_long_after_the_last_row_is_built_and_warned_of() {
    let repository = TestRepository::new();
    let input = repository.write(
        "rows.csv",
        format!("{HEADER}{}", row(1, "s", "2018-01-05", "1")),
    );
    let warned = |as_of: &str| {
        let arguments = repository.build_arguments([&input], &["--as-of", as_of]);
        let outcome = program::run(arguments).succeeded();
        outcome.stderr.contains(&format!(
            "warning: --as-of {as_of} lies 367 days after the last row's, 2018-01-05"
        ))
    };
    assert!(!warned("2019-01-06"));
    assert!(warned("2019-01-07"));
}

#[test]
fn a_currency_is_named_in_capitals_or_not() {
    let repository = TestRepository::new();
    let input = repository.write("rows.csv", format!("{HEADER}{}", rows(0..8)));
    let used = |currency: &str| {
        let result = repository.build_json([&input], &["--currency", currency]);
        result["rows"]["used"].clone()
    };
    assert_eq!(used("gbp"), used("GBP"));
}

#[test]
fn one_file_under_two_names_is_refused() {
    let serving = Serving::start();
    let folder = serving.good.parent().unwrap();
    let link = folder.join("link.csv");
    std::os::unix::fs::symlink(&serving.good, &link).unwrap();
    let roundabout = folder.join("scratch/../good.csv");
    for other in [&serving.good, &link, &roundabout] {
        let outcome = serving.repository.build([&serving.good, other], &[]);
        outcome.failed(1, &["is named twice"]);
        serving.is_untouched(&outcome);
    }
}

/// Makes a command that permissions bind, also when root runs it.
fn bound_by_permissions<S: AsRef<OsStr>>(arguments: &[S]) -> Command {
    // The owner of what this process creates is its effective user.
    let user = fs::metadata("/proc/self").unwrap();
    let command = if std::os::unix::fs::MetadataExt::uid(&user) == 0 {
        let mut command = Command::new("setpriv");
        command
            .arg("--bounding-set=-dac_override,-dac_read_search")
            .args(arguments);
        command
    } else {
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]);
        command
    };
    program::in_test_environment(command)
}
