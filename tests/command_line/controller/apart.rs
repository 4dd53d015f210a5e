//! Nights that build in one repository and publish in another, and what they leave behind.

use super::{Nights, listen};
use crate::{
    serving::{row, rows},
    support::repository::TestRepository,
};

/// Returns the steps that began in the night of a day, in order.
fn steps(nights: &Nights, day: &str) -> Vec<String> {
    let history = nights.run(&["--history", "--day", day, "--json"]);
    let records = history.succeeded().json();
    let records = records.as_array().unwrap().iter();
    let begun = records.filter(|record| record["outcome"] == "started");
    let step = |record: &serde_json::Value| record["step"].as_str().unwrap().to_owned();
    begun.map(step).collect()
}

/// Returns a further row for each night, so that each makes another generation.
fn row_of(day: u32) -> String {
    row(
        50 + day as usize,
        "s1",
        &format!("2018-01-{day:02}T10:00:00"),
        "1",
    )
}

#[test]
fn what_is_built_in_one_repository_is_judged_there_and_served_from_another() {
    let served = TestRepository::new();
    let nights = Nights::new(&format!("publish_to = {:?}", served.path()));
    nights.run(&["--once", "--day", "2018-01-05"]).succeeded();
    let first = served.current();
    let expected = [
        "build",
        "verify",
        "gate",
        "publish",
        "select",
        "watch",
        "mark_good",
    ];
    assert_eq!(steps(&nights, "2018-01-05"), expected);
    let built = nights.repository.generations();
    assert_eq!(built.len(), 1);
    assert_eq!(
        (&built[0]["generation"], &built[0]["is_current"]),
        (&first.as_str().into(), &false.into())
    );
    // All records are where servers look.
    for folder in ["runs", "leases", "marks", "selections"] {
        assert!(served.path().join(folder).is_dir(), "{folder}");
        assert!(!nights.repository.path().join(folder).is_dir(), "{folder}");
    }

    // It is compared with what is served, and does not travel.
    nights.holds(&rows(0..25));
    let night = nights.run(&["--once", "--day", "2018-01-06"]);
    assert_eq!(night.code, Some(3), "{night:?}");
    assert_eq!(steps(&nights, "2018-01-06"), ["build", "verify", "gate"]);
    assert_eq!((served.current(), served.generations().len()), (first, 1));
    assert_eq!(nights.repository.generations().len(), 2);

    // Another machine, where nothing was built yet, goes on with the same nights.
    std::fs::remove_dir_all(nights.repository.path()).unwrap();
    nights.holds(&(rows(0..50) + &row_of(7)));
    nights.run(&["--once", "--day", "2018-01-07"]).succeeded();
    assert!(served.current().starts_with("2018-01-07"));
}

#[test]
fn a_build_that_is_known_to_be_done_is_found_by_whoever_goes_on() {
    let nights = Nights::new("");
    let options = [
        "--as-of",
        "2018-01-05",
        "--no-select",
        "--run",
        "of-a-dead-controller",
    ];
    let built = nights.repository.build_json([&nights.input], &options);
    let runs = nights.repository.path().join("runs/2018-01-05");
    std::fs::create_dir_all(&runs).unwrap();
    for (number, step, outcome) in [(1, "begin", "done"), (2, "build", "started")] {
        let record = format!(
            r#"{{"day": "2018-01-05", "number": {number}, "step": "{step}", "outcome": "{outcome}",
            "generation": null, "detail": "", "at": "2018-01-06T00:00:00Z", "epoch": 1,
            "by": "somebody else", "nonce": "of-a-dead-controller"}}"#
        );
        std::fs::write(runs.join(format!("{number:020}.json")), record).unwrap();
    }
    // A build would fail.
    std::fs::remove_file(&nights.input).unwrap();
    nights.run(&["--once", "--day", "2018-01-05"]).succeeded();
    assert_eq!(
        nights.repository.current(),
        built["generation"].as_str().unwrap()
    );
    assert_eq!(steps(&nights, "2018-01-05")[..2], ["build", "verify"]);
}

#[test]
fn a_night_reclaims_what_nobody_needs_and_is_served_where_that_fails() {
    let (webhook, alerts) = listen(|_path| "{}".into());
    let served = TestRepository::new();
    let nights = Nights::new(&format!(
        "publish_to = {:?}\nreclaim = {{ keep = 1, floor_days = 0 }}\nwebhook = \"http://{webhook}\"",
        served.path()
    ));
    for day in 5..9 {
        nights.holds(&(rows(0..50) + &row_of(day)));
        let date = format!("2018-01-{day:02}");
        nights.run(&["--once", "--day", &date]).succeeded();
        assert_eq!(steps(&nights, &date).last().unwrap(), "reclaim");
    }
    // The current one, and the one before it; where builds go, the newest.
    assert_eq!(served.generations().len(), 2);
    assert_eq!(nights.repository.generations().len(), 1);

    // What it is about nobody can know, while it is young.
    let config = std::fs::read_to_string(&nights.config).unwrap();
    std::fs::write(
        &nights.config,
        config.replace("floor_days = 0", "floor_days = 1"),
    )
    .unwrap();
    let intents = served.path().join("intents");
    std::fs::create_dir_all(&intents).unwrap();
    std::fs::write(intents.join("0a.json"), "{").unwrap();
    nights.holds(&(rows(0..50) + &row_of(9)));
    nights.run(&["--once", "--day", "2018-01-09"]).succeeded();
    assert!(served.current().starts_with("2018-01-09"));
    let alert: serde_json::Value = serde_json::from_str(&alerts.try_recv().unwrap()).unwrap();
    assert_eq!(
        (&alert["alert"], &alert["day"]),
        (&"reclaim".into(), &"2018-01-09".into())
    );
    assert!(
        alert["text"].as_str().unwrap().contains("intents/0a.json"),
        "{alert}"
    );
}
