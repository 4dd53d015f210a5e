//! Nights whose build a data test blocks.

use super::Nights;

/// The same rows would be blocked again: it was built anew, three times.
#[test]
fn a_blocked_night_ends_at_once_and_says_which_test_blocks_it() {
    let declared = "[[data_tests]]\nname = \"there are stores\"\ntest = \"accepted_values\"\n\
                    column = \"store_id\"\nvalues = [\"nowhere\"]\n";
    let nights = Nights::new("");
    let config = std::fs::read_to_string(&nights.config).unwrap();
    let config = config.replace("attempts = 1", "attempts = 3");
    std::fs::write(&nights.config, format!("{config}{declared}")).unwrap();
    let night = nights.run(&["--once", "--day", "2018-01-05"]);
    assert_eq!(night.code, Some(3), "{night:?}");
    let why =
        "nothing is published: data test \"there are stores\": 50 of 50 rows fail, the first at";
    assert!(night.stdout.contains(why), "{night:?}");
    assert!(nights.repository.generations().is_empty());
    let history = nights.run(&["--history", "--day", "2018-01-05", "--json"]);
    let records = history.succeeded().json();
    let records = records.as_array().unwrap().iter();
    let steps: Vec<&str> = records.map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(steps, ["done", "started", "refused", "refused"]);

    // It warns: the night is served, with the results beside its generation.
    std::fs::write(
        &nights.config,
        format!("{config}{declared}severity = \"warn\"\n"),
    )
    .unwrap();
    nights.run(&["--once", "--day", "2018-01-06"]).succeeded();
    let report = nights
        .repository
        .path()
        .join("generations")
        .join(nights.repository.current());
    let report = std::fs::read_to_string(report.join("reports/quality-0001.json")).unwrap();
    assert!(report.contains("\"warned\""), "{report}");
}
