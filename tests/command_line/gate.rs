//! The quality gate: what differs too much from the current generation is not selected by itself.

use crate::{
    serving::{HEADER, Serving, row, rows},
    support::{program, repository::TestRepository},
};

/// The id of the generation that a refusal names.
fn refused_generation(stderr: &str) -> String {
    let rest = stderr.split("generation ").nth(1).unwrap();
    rest.split(':').next().unwrap().to_owned()
}

#[test]
fn half_of_the_rows_is_published_and_never_current_unless_selected() {
    let serving = Serving::start();
    let repository = &serving.repository;
    let half = repository.write("half.csv", HEADER.to_owned() + &rows(0..25));

    let outcome = repository.build([&half], &[]);
    let rows = "rows_drop_max: rows used: 25, it was 50: 50 %, at most 30 %";
    outcome.failed(
        3,
        &[
            rows,
            "published, not selected",
            "--last",
            "nightshard select",
        ],
    );
    assert_eq!(repository.current(), serving.generation);
    assert_eq!(serving.server.connect().generation(), serving.generation);
    let refused = refused_generation(&outcome.stderr);

    let shown = repository.run("gate", &[&refused, "--last"]);
    assert_eq!(shown.code, Some(3), "{shown:?}");
    let against = format!("refused, compared with {}", serving.generation);
    assert!(shown.stdout.contains(&against), "{shown:?}");
    assert!(shown.stdout.contains("REFUSED"), "{shown:?}");
    let report = format!("generations/{refused}/reports/gate-0001.json");
    assert!(shown.stdout.contains(&report), "{shown:?}");
    assert!(repository.path().join(&report).is_file());
    let json = repository
        .run("gate", &[&refused, "--last", "--json"])
        .json();
    assert_eq!(json["measures"]["market"]["count"], 25);
    assert_eq!(json["good_measures"]["rows"]["used"], 50);

    // Building it again is refused again, under the next number.
    repository.build([&half], &[]).failed(3, &[rows]);
    assert!(
        repository
            .path()
            .join(report.replace("0001", "0002"))
            .is_file()
    );

    repository.run("select", &[&refused]).succeeded();
    assert_eq!(repository.current(), refused);
    // What is current already is no question any more.
    repository.build([&half], &[]).succeeded();
}

#[test]
fn what_is_told_not_to_be_judged_is_not() {
    let repository = TestRepository::new();
    let all = repository.write("all.csv", HEADER.to_owned() + &rows(0..50));
    let half = repository.write("half.csv", HEADER.to_owned() + &rows(0..25));
    repository.build([&all], &[]).succeeded();
    let built = repository.build_json([&half], &["--no-gate"]);
    assert_eq!(repository.current(), built["generation"].as_str().unwrap());

    // Back up to all: twice as many, which the configuration allows.
    repository.build([&all], &[]).failed(3, &["rows_rise_max"]);
    let config = "[privacy]\nk = 1\n\
                  [gate]\nrows_rise_max = 1\nsize_rise_max = \"off\"\namount_rise_max = \"off\"\n";
    let config = repository.write("nightshard.toml", config);
    let config = config.to_str().unwrap();
    repository.build([&all], &["--config", config]).succeeded();
}

#[test]
fn a_wrong_limit_is_named_with_its_line() {
    let repository = TestRepository::new();
    let all = repository.write("all.csv", HEADER.to_owned() + &rows(0..50));
    for (line, problem) in [
        ("rows_drop_max = \"none\"", "a number from 0 on, or \"off\""),
        ("rows_drop_max = -0.1", "a number from 0 on, or \"off\""),
        ("rows_drop = 0.1", "unknown field `rows_drop`"),
    ] {
        let config = repository.write("nightshard.toml", format!("[gate]\n{line}\n"));
        let config = config.to_str().unwrap();
        let outcome = repository.build([&all], &["--config", config]);
        outcome.failed(2, &["line 2", problem]);
    }
}

#[test]
fn the_first_night_needs_rows_and_few_rejects() {
    let repository = TestRepository::new();
    let bad: String = (0..30)
        .map(|id| row(id, "s", "2018-13-01", "250"))
        .collect();
    let input = repository.write("bad.csv", HEADER.to_owned() + &rows(100..110) + &bad);
    let outcome = repository.build([&input], &[]);
    outcome.failed(
        3,
        &["rejects_share_max: 30 of 40 rows rejected: 75 %, at most 20 %"],
    );
    let listed = repository.run("generations", &["--json"]).succeeded();
    assert_eq!(listed.json()["generations"].as_array().unwrap().len(), 1);
    let refused = refused_generation(&outcome.stderr);
    let judged = repository.run("gate", &[&refused]);
    assert_eq!(judged.code, Some(3));
    assert!(
        judged.stdout.contains("nothing to compare with"),
        "{judged:?}"
    );
}

#[test]
fn a_packed_dataset_that_lost_its_rows_is_refused_too() {
    let repository = TestRepository::new();
    let pack = |rows: std::ops::Range<u32>, options: &[&str]| {
        let lines: String = rows.map(|row| format!("key-{row},{row}\n")).collect();
        let input = repository.write("table.csv", format!("key,value\n{lines}"));
        let path = repository.path();
        let paths = [input.to_str().unwrap(), path.to_str().unwrap()];
        let mut arguments = vec!["pack", "--input", paths[0], "--output", paths[1]];
        arguments.extend(["--dataset", "prices", "--key", "key", "--quiet"]);
        arguments.extend(options);
        program::run(arguments)
    };
    pack(0..100, &[]).succeeded();
    let all = repository.current();
    pack(0..50, &[]).failed(3, &["records_drop_max: records of prices: 50, it was 100"]);
    // As many, but others.
    pack(50..150, &[]).failed(
        3,
        &["keys_missing_max: 50 of 100 keys of prices gone: 50 %, at most 5 %"],
    );
    assert_eq!(repository.current(), all);
    pack(0..50, &["--no-gate"]).succeeded();
    assert_ne!(repository.current(), all);
}
