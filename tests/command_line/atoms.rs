//! Protected atoms from night to night: kept, declared where that matters, and afresh only where that is said.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    program::{self, Outcome},
    repository::TestRepository,
};

/// Enough stores that one day makes an atom of three cards.
const STORES: u32 = 12;

/// Returns the rows of days of 2018, by month and day; on each a card of its own buys at each store.
fn rows(days: impl IntoIterator<Item = (u32, u32)>) -> String {
    let mut rows = String::new();
    for (month, day) in days {
        for store in 0..STORES {
            rows += &row(&format!("{month}-{day}-{store}"), store, (month, day));
        }
    }
    rows
}

fn row(id: &str, store: u32, (month, day): (u32, u32)) -> String {
    format!("{id},s{store},c{store},2018-{month:02}-{day:02}T12:00:00,1000,EUR,food,north\n")
}

/// From the first of January to a day of February.
fn until(day: u32) -> impl Iterator<Item = (u32, u32)> {
    let january = (1..32).map(|day| (1, day));
    january.chain((1..=day).map(|day| (2, day)))
}

struct Nights {
    repository: TestRepository,
    config: PathBuf,
}

impl Nights {
    fn new() -> Self {
        let repository = TestRepository::new();
        let config = repository.write("nightshard.toml", "[privacy]\nk = 3\n");
        Self { repository, config }
    }

    fn input(&self, rows: &str) -> PathBuf {
        let header = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region\n";
        self.repository.write("input.csv", header.to_owned() + rows)
    }

    fn options<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let config = ["--config", self.config.to_str().unwrap(), "--no-gate"];
        [&config, more].concat()
    }

    fn build(&self, rows: &str, more: &[&str]) -> Outcome {
        self.repository
            .build([self.input(rows)], &self.options(more))
    }

    fn build_json(&self, rows: &str, more: &[&str]) -> Value {
        let input = self.input(rows);
        self.repository.build_json([input], &self.options(more))
    }

    /// Builds, and returns what is said of atoms to whoever does not ask for quiet.
    fn said(&self, rows: &str) -> Vec<String> {
        let arguments = self
            .repository
            .build_arguments([self.input(rows)], &self.options(&[]));
        let outcome = program::run(arguments).succeeded();
        let lines = outcome
            .stderr
            .lines()
            .filter(|line| line.contains("atoms of"));
        lines.map(str::to_owned).collect()
    }

    /// Returns the blob of the atoms of a span in the current generation.
    fn blob(&self, span: &str) -> String {
        self.blob_of("atoms", span).unwrap()
    }

    /// Returns the blob of a span of a dataset in the current generation, if there is one.
    fn blob_of(&self, dataset: &str, span: &str) -> Option<String> {
        let manifest = self.repository.manifest(&self.repository.current());
        let mut shards = manifest["shards"].as_array().unwrap().iter();
        let shard = shards.find(|it| it["dataset"] == dataset && it["span"] == span);
        shard.map(|shard| shard["blob"].as_str().unwrap().to_owned())
    }

    /// Returns the atoms of the market in a month.
    fn market(&self, span: &str) -> Value {
        self.told(span)["groups"].take()
    }

    /// Returns what is told of the market in a month.
    fn told(&self, span: &str) -> Value {
        let key = "6d61726b65747300616c6c";
        let record = [
            "--dataset",
            "atoms",
            "--hex",
            "--key",
            key,
            "--json",
            "--span",
            span,
        ];
        let mut shown = self.repository.run("inspect", &record).succeeded().json();
        shown["value"]["atoms"].take()
    }
}

fn kept(generation: &Value, are_input: bool) -> Value {
    json!({"generation": generation, "changed": null, "are_input": are_input})
}

fn declared(manifest: &Value) -> usize {
    let inputs = manifest["inputs"].as_array().unwrap().iter();
    inputs.filter(|input| input["kind"] == "atoms").count()
}

#[test]
fn nights_without_late_rows_are_those_of_a_build_from_nothing() {
    let nights = Nights::new();
    let first = nights.build_json(&rows(until(5)), &[]);
    assert_eq!(first["atoms"], kept(&Value::Null, false));
    let second = nights.build_json(&rows(until(8)), &[]);
    assert_eq!(second["atoms"], kept(&first["generation"], false));
    let alone = Nights::new();
    let of_nothing = alone.build_json(&rows(until(8)), &[]);
    assert_eq!(of_nothing["generation"], second["generation"]);
    let again = nights.build_json(&rows(until(8)), &[]);
    assert_eq!(again["generation"], second["generation"]);
    let earlier = nights.build_json(&rows(until(8)), &["--as-of", "2018-02-05"]);
    assert_eq!(
        declared(
            &nights
                .repository
                .manifest(earlier["generation"].as_str().unwrap())
        ),
        1
    );
    nights.repository.run("verify", &["--quiet"]).succeeded();
}

#[test]
fn late_rows_change_no_atom_that_was_told_and_the_manifest_says_what_was_kept() {
    let nights = Nights::new();
    let first = nights.build_json(&rows(until(5)), &[]);
    let (january, february) = (nights.blob("2018-01"), nights.market("2018-02"));
    assert_eq!(february.as_array().unwrap().len(), 4);

    let late = row("late-1", 3, (1, 30)) + &row("late-2", 3, (2, 2)) + &row("late-3", 3, (2, 6));
    let changed = rows(until(8)) + &late;
    let second = nights.build_json(&changed, &[]);
    assert_eq!(second["atoms"], kept(&first["generation"], true));
    assert_eq!(nights.blob("2018-01"), january);
    let now = nights.market("2018-02");
    let now = now.as_array().unwrap();
    assert_eq!(now[..4], february.as_array().unwrap()[..]);
    let counts: Vec<&Value> = now.iter().map(|group| &group["count"]).collect();
    assert_eq!(counts, [12, 12, 12, 12, 12, 13, 12]);
    assert_eq!(
        declared(&nights.repository.manifest(&nights.repository.current())),
        1
    );
    nights.repository.run("verify", &["--quiet"]).succeeded();

    // The same night once more, and one that ends the month.
    let again = nights.build_json(&changed, &[]);
    assert_eq!(again["generation"], second["generation"]);
    let ended = changed + &rows((9..29).map(|day| (2, day)));
    nights.build_json(&ended, &[]);
    assert_eq!(nights.market("2018-02").as_array().unwrap()[..7], now[..]);
    nights.repository.run("verify", &["--quiet"]).succeeded();
}

#[test]
fn the_hours_of_a_month_that_had_ended_stay_though_rows_get_other_times() {
    let nights = Nights::new();
    nights.build_json(&rows(until(5)), &[]);
    let january = nights.blob_of("patterns", "2018-01");
    assert!(january.is_some());
    assert_eq!(nights.blob_of("patterns", "2018-02"), None);
    let changed = rows(until(5)).replacen("2018-01-30T12", "2018-01-30T20", 3);
    let second = nights.build_json(&changed, &[]);
    assert_eq!(nights.blob_of("patterns", "2018-01"), january);
    // The atoms are those of the rows, and the hours are not.
    assert_eq!(second["atoms"]["are_input"], true);
    nights.repository.run("verify", &["--quiet"]).succeeded();
    let alone = Nights::new();
    alone.build_json(&changed, &[]);
    assert_eq!(alone.blob("2018-01"), nights.blob("2018-01"));
    assert_ne!(alone.blob_of("patterns", "2018-01"), january);
}

#[test]
fn a_new_card_on_days_that_were_told_is_no_card_of_theirs() {
    let nights = Nights::new();
    nights.build_json(&rows(until(5)), &[]);
    let cards = nights.told("2018-02")["cards"].take();
    let late = row("late", 40, (2, 2)).replace(",s40,", ",s3,");
    let second = nights.build_json(&(rows(until(5)) + &late), &[]);
    assert_eq!(second["atoms"]["are_input"], true);
    assert_eq!(nights.told("2018-02")["cards"], cards);
    // Where it buys on days that were not told, too, it is a card of these no more than before.
    let again = row("again", 40, (2, 7)).replace(",s40,", ",s3,");
    nights.build_json(&(rows(until(8)) + &late + &again), &[]);
    assert_eq!(nights.told("2018-02")["cards"], cards);
    nights.repository.run("verify", &["--quiet"]).succeeded();
    // Without what came late it is one of the new atom.
    let fresh = Nights::new();
    fresh.build_json(&rows(until(5)), &[]);
    fresh.build_json(&(rows(until(8)) + &again), &[]);
    assert_ne!(fresh.told("2018-02")["cards"], cards);
}

#[test]
fn months_that_had_ended_are_not_forgotten() {
    let nights = Nights::new();
    for last in [28, 3] {
        let january = until(0).chain((1..=last).map(|day| (2, day)));
        nights.build_json(&rows(january), &["--fresh-atoms"]);
        let current = nights.repository.current();
        let back = ["--as-of", "2018-01-20"];
        let outcome = nights.build(&rows(until(3)), &back);
        outcome.failed(
            2,
            &[
                "--as-of: 2018-01-20 is before 2018-02",
                &current,
                "--fresh-atoms",
            ],
        );
        assert_eq!(nights.repository.current(), current);
    }
    // Of a month that has just ended no atom is left to go on from.
    nights.build_json(&rows(until(28)), &["--fresh-atoms"]);
    let outcome = nights.build(&rows(until(28)), &["--as-of", "2018-02-20"]);
    outcome.failed(2, &["--as-of: 2018-02-20 is before 2018-02-28"]);
    nights.build_json(
        &rows(until(28)),
        &["--as-of", "2018-02-20", "--fresh-atoms"],
    );
    let earlier = nights.build_json(&rows(until(28)), &["--as-of", "2018-02-10"]);
    assert_eq!(earlier["atoms"]["changed"], Value::Null);
}

#[test]
fn a_build_says_whose_atoms_it_keeps_or_why_none() {
    let nights = Nights::new();
    let afresh = "protected answers start afresh";
    let rows = rows(until(5));
    assert_eq!(
        nights.said(&rows),
        [format!("no generation to keep atoms of: {afresh}")]
    );
    let first = nights.repository.current();
    assert_eq!(
        nights.said(&rows),
        [format!("atoms of generation {first} are kept")]
    );
    std::fs::write(&nights.config, "[privacy]\nk = 4\n").unwrap();
    let changed = "are not kept, since privacy.k is another";
    assert_eq!(
        nights.said(&rows),
        [format!("atoms of generation {first} {changed}: {afresh}")]
    );
    std::fs::write(&nights.config, "[privacy]\nk = 1\n").unwrap();
    assert_eq!(nights.said(&rows), [""; 0]);
}

#[test]
fn atoms_that_cannot_be_read_stop_a_build_that_does_not_start_afresh() {
    let nights = Nights::new();
    let rows = rows(until(5));
    nights.build(&rows, &[]).succeeded();
    let generation = nights.repository.current();
    let blob = blob_path(&nights.repository.path(), &nights.blob("2018-01"));
    std::fs::remove_file(blob).unwrap();
    nights
        .build(&rows, &[])
        .failed(1, &["atoms of the current generation", "--fresh-atoms"]);
    nights.build(&rows, &["--fresh-atoms"]).succeeded();
    assert_eq!(nights.repository.current(), generation);
    nights.build(&rows, &[]).succeeded();
}

fn blob_path(repository: &Path, digest: &str) -> PathBuf {
    let files = crate::support::repository::files_below(&repository.join("blobs"));
    let mut files = files.into_iter();
    files
        .find(|path| path.to_string_lossy().contains(digest))
        .unwrap()
}

#[test]
fn atoms_are_kept_from_where_servers_look() {
    let (nights, served) = (Nights::new(), TestRepository::new());
    let built = nights.build_json(&rows(until(5)), &["--no-select"]);
    let published =
        [nights.repository.path(), served.path()].map(|path| path.display().to_string());
    let generation = built["generation"].as_str().unwrap();
    program::run(["publish", &published[0], &published[1], generation]).succeeded();
    let late = rows(until(8)) + &row("late", 3, (1, 30));
    let from = ["--no-select", "--atoms-from", &published[1]];
    let second = nights.build_json(&late, &from);
    assert_eq!(second["atoms"], kept(&built["generation"], true));
    assert_eq!(
        nights.build_json(&late, &["--no-select"])["atoms"],
        kept(&Value::Null, false)
    );
}
