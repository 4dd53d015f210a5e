//! Generations that are damaged, listed, and selected by two at once.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use serde_json::json;

use crate::listener::listen;
use crate::serving::{HEADER, Serving, row, rows};
use crate::support::repository::TestRepository;

#[test]
fn damage_is_found_and_named_with_exit_code_1() {
    let serving = Serving::start();
    let manifest = serving.repository.manifest(&serving.generation);
    // Atoms are read by a build, which does without any other shard.
    let mut shards = manifest["shards"].as_array().unwrap().iter();
    let shard = shards.find(|shard| shard["dataset"] == "stores").unwrap();
    let blob = shard["blob"].as_str().unwrap();
    let path = serving.repository.path().join("blobs").join(blob);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // Another file in its place: a blob is never written to.
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let outcome = serving.repository.run("verify", &["--quiet"]);
    outcome.failed(1, &[blob]);
    let outcome = serving.repository.run("verify", &["--json"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.json()["damage"].as_array().unwrap().len(), 1);

    // Building the same rows again puts the blob right, and says so.
    let build = serving.repository.build([&serving.good], &[]).succeeded();
    assert!(build.stderr.starts_with("mended: "), "{build:?}");
    assert!(build.stderr.contains(blob), "{build:?}");
    serving.repository.run("verify", &["--quiet"]).succeeded();
}

#[test]
fn generations_show_selections_and_what_is_wrong_with_the_highest() {
    let repository = TestRepository::new();
    for rows in [rows(0..50), rows(0..60)] {
        let input = repository.write("input.csv", HEADER.to_owned() + &rows);
        repository.build([&input], &[]).succeeded();
    }
    let list = || repository.run("generations", &[]).succeeded().stdout;
    let lines = list();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[1].ends_with("  1           previous"), "{lines:?}");
    assert!(lines[2].ends_with("  2           current"), "{lines:?}");

    let third = repository
        .path()
        .join("selections/00000000000000000003.json");
    let missing = json!({
        "number": 3, "generation": "2018-01-01-0123456789ab", "nonce": "", "at": "", "by": "",
    });
    for (content, problem) in [
        (
            "{".to_owned(),
            "cannot use selections/00000000000000000003.json",
        ),
        (
            missing.to_string(),
            "selection 3 names generation 2018-01-01-0123456789ab, which is not here",
        ),
    ] {
        fs::write(&third, content).unwrap();
        let listed = list();
        let last = listed.lines().last().unwrap();
        assert!(last.starts_with(problem), "{listed}");
        assert!(last.contains("select a generation"), "{listed}");
        assert_eq!(listed.matches("previous").count(), 1, "{listed}");
        let json = repository.run("generations", &["--json"]).succeeded();
        let json = json.json();
        assert!(json["problem"].as_str().unwrap().starts_with(problem));
    }
}

#[test]
fn a_diff_names_the_stores_whose_sums_changed_most() {
    let repository = TestRepository::new();
    let days = |store, days: std::ops::Range<usize>, amount: &str| {
        let day = |day| row(day, store, &format!("2018-01-{:02}", day + 1), amount);
        days.map(day).collect::<String>()
    };
    // Of both the same, more of one, none of another, and one that is new.
    let before =
        days("same", 0..20, "100") + &days("more", 0..10, "100") + &days("gone", 0..3, "900");
    let after =
        days("same", 0..20, "100") + &days("more", 0..12, "100") + &days("new", 0..1, "-50");
    for rows in [before, after] {
        let input = repository.write("input.csv", HEADER.to_owned() + &rows);
        repository.build([&input], &["--no-gate"]).succeeded();
    }
    let text = repository.run("diff", &[]).succeeded().stdout;
    let expected = "
most changed store  rows  to   sum    to  change
gone                   3   0  2700     0   -2700
more                  10  12  1000  1200    +200
new                    0   1     0   -50     -50
";
    assert!(text.ends_with(&expected[1..]), "{text}");
    let json = repository
        .run("diff", &["--movers", "1", "--json"])
        .succeeded()
        .json();
    let expected = json!([{"store": "gone", "rows": [3, 0], "sums": [2_700, 0]}]);
    assert_eq!(json["movers"], expected);
    // What is in another currency is not compared.
    let other = repository.write(
        "input.csv",
        HEADER.to_owned() + &rows(0..9).replace("GBP", "EUR"),
    );
    repository.build([&other], &["--no-gate"]).succeeded();
    let json = repository.run("diff", &["--json"]).succeeded().json();
    assert_eq!(json["movers"], json!([]));
}

#[test]
fn a_server_that_forgot_what_to_prepare_is_asked_again() {
    let repository = TestRepository::new();
    let input = repository.write("input.csv", HEADER.to_owned() + &rows(0..50));
    repository.build([&input], &[]).succeeded();
    let id = repository.current();
    // It says nothing of what it was asked for, as one that started again, until it was asked twice.
    let asked = Arc::new(AtomicUsize::new(0));
    let (times, served) = (Arc::clone(&asked), id.clone());
    let (server, _) = listen(move |path| {
        if path == "/v1/prepare" {
            times.fetch_add(1, Relaxed);
        }
        let is_ready = times.load(Relaxed) > 1;
        let prepared = if is_ready {
            &*served
        } else {
            "2018-01-01-0123456789ab"
        };
        let serving = format!(r#"{{"selection": 2, "generation": "{served}"}}"#);
        let serving = if is_ready { &serving } else { "null" };
        format!(r#"{{"serving": {serving}, "failed": null, "prepared": ["{prepared}"]}}"#)
    });
    let server = format!("http://{server}");
    repository
        .run("select", &[&id, "--servers", &server])
        .succeeded();
    assert_eq!(asked.load(Relaxed), 2);
}

#[test]
fn who_selects_at_the_same_time_as_another_loses_and_is_told_with_exit_code_4() {
    let repository = TestRepository::new();
    let ours = repository.write("ours.csv", HEADER.to_owned() + &rows(0..60));
    let theirs = repository.write("theirs.csv", HEADER.to_owned() + &rows(0..50));
    let options = ["--no-select"];
    let ours = repository.build_json([&ours], &options)["generation"].take();
    let theirs = repository.build_json([&theirs], &options)["generation"].take();
    let ours = ours.as_str().unwrap();

    // The other writer comes once ours has said what it intends, has looked for the last selection
    // and has its own aside, and before that gets its name, or else we try again.
    let intents = repository.path().join("intents");
    let intends = || fs::read_dir(&intents).is_ok_and(|mut entries| entries.next().is_some());
    let selections = repository.path().join("selections");
    fs::create_dir(&selections).unwrap();
    let next = selections.join("00000000000000000001.json");
    let record = json!({
        "number": 1, "generation": theirs, "nonce": "", "at": "", "by": "somebody else",
    });
    let record = repository.write("theirs.json", record.to_string());
    for _attempt in 0..1_000 {
        let has_ended = AtomicBool::new(false);
        let (was_first, outcome) = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let is_writing = || intends() && !repository.litter().is_empty();
                while !is_writing() && !has_ended.load(Relaxed) {
                    std::hint::spin_loop();
                }
                fs::hard_link(&record, &next).is_ok()
            });
            let outcome = repository.run("select", &[ours]);
            has_ended.store(true, Relaxed);
            (other.join().unwrap(), outcome)
        });
        if was_first && outcome.code != Some(0) {
            outcome.failed(
                4,
                &["selection 1 was written by somebody else", "run it again"],
            );
            assert_eq!(repository.current(), theirs.as_str().unwrap());
            assert_eq!(repository.litter(), Vec::<PathBuf>::new());
            return;
        }
        outcome.succeeded();
        if was_first {
            // Where files are renamed by links, what ours intends is aside, too, for a moment: the
            // other one came before ours had looked, and is followed.
            assert_eq!(fs::read(&next).unwrap(), fs::read(&record).unwrap());
        }
        fs::remove_dir_all(&selections).unwrap();
        fs::create_dir(&selections).unwrap();
    }
    panic!("the other writer always came too late");
}
