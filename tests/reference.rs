//! Real payments against facts that others computed: DuckDB, and plain Python again.
//!
//! The reference files say how each fact is defined; every integer has to be equal, every mean
//! and deviation to be within one part in 10^12.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod support;

use std::path::{Path, PathBuf};

use nightshard_deploy::{Repository, StorageConfig, VerifiedBlobs};
use nightshard_format::{
    generation::Generation,
    histogram::{Cell, FineHistogram},
    record::STORES,
    shard::Mapped,
};
use serde_json::Value;
use support::{client::Client, data, repository::TestRepository, server::TestServer};

/// How far a mean or a deviation may be from the reference's, as a share of it.
const TOLERANCE: f64 = 1e-12;

#[test]
fn card_payments_of_birmingham_equal_their_reference() {
    let Some(folder) = data::folder() else { return };
    let folder = folder.join("birmingham");
    let stores = folder.join("birmingham_dev.stores.csv.gz");
    let options = ["--stores", stores.to_str().unwrap()];
    let checked = Checked::build(
        &folder.join("birmingham_dev.csv.gz"),
        &options,
        &folder.join("reference.json"),
    );
    checked.check();
}

#[test]
fn grocery_baskets_equal_their_reference() {
    let Some(folder) = data::folder() else { return };
    let folder = folder.join("completejourney");
    let checked = Checked::build(
        &folder.join("completejourney_baskets.csv.gz"),
        &[],
        &folder.join("completejourney_baskets.json"),
    );
    checked.check();
}

#[test]
fn card_payments_as_published_month_by_month_equal_the_reference() {
    let Some(folder) = data::folder() else { return };
    let folder = folder.join("birmingham");
    let repository = TestRepository::new();
    let layout = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/birmingham_raw.toml");
    let options = ["--layout", layout.to_str().unwrap()];
    let built = repository.build_json(monthly_files(&folder.join("raw")), &options);
    let reference = read_json(&folder.join("reference.json"));

    // A header that stands among the rows, and a row without merchant and card.
    assert_eq!(
        repository.quarantine(built["generation"].as_str().unwrap()),
        [
            "2016-04.csv.gz,2,store_id,missing",
            "2018-09.csv.gz,3618,record,repeated header",
        ]
    );
    let rows = &built["rows"];
    assert_eq!(rows["used"], reference["rows_used"]);
    assert_eq!(
        rows["excluded"]["other_currency"],
        reference["rows_other_currency"]
    );
    assert_eq!(
        integer(&rows["read"]),
        integer(&reference["rows_canonical"]) + 2
    );

    let server = TestServer::start(&repository.path());
    let mut client = server.connect();
    check_totals(&mut client, "/v1/markets/all", &reference["all"]);
    check_months(&mut client, "/v1/markets/all", &reference["monthly"]);
}

/// Every file but the month that was published a second time under another name.
fn monthly_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(".csv.gz"))
        .filter(|path| !path.ends_with("2014-05_published_again.csv.gz"))
        .collect();
    files.sort();
    assert_eq!(files.len(), 54);
    files
}

/// A built data set and what is known of it.
struct Checked {
    repository: TestRepository,
    built: Value,
    reference: Value,
}

impl Checked {
    fn build(input: &Path, options: &[&str], reference: &Path) -> Self {
        let repository = TestRepository::new();
        let built = repository.build_json([input], options);
        Self {
            repository,
            built,
            reference: read_json(reference),
        }
    }

    fn check(&self) {
        let server = TestServer::start(&self.repository.path());
        let mut client = server.connect();
        let reference = &self.reference;
        self.check_rows();
        check_totals(&mut client, "/v1/markets/all", &reference["all"]);
        check_months(&mut client, "/v1/markets/all", &reference["monthly"]);
        let total = client.data("/v1/stores?limit=1")["total"].take();
        assert_eq!(total, reference["all"]["distinct_stores"]);
        let generation = self.open();
        self.check_stores_of_months(&generation);
        let stores = reference["stores"].as_array().unwrap();
        assert_eq!(stores.len(), 3);
        for store in stores {
            let id = store["store_id"].as_str().unwrap();
            let path = format!("/v1/stores/{id}");
            check_totals(&mut client, &path, store);
            check_months(&mut client, &path, &store["monthly"]);
            assert_eq!(client.data(&path)["name"], store["store_name"], "{id}");
            check_fixed_edges(&generation, id, &store["amount_histogram"]);
            check_histograms(&mut client, &path, store, zeros_of(&generation, id));
        }
    }

    fn check_rows(&self) {
        let rows = &self.built["rows"];
        assert_eq!(rows["read"], self.reference["rows_canonical"]);
        assert_eq!(rows["used"], self.reference["rows_used"]);
        let other = rows["excluded"]["other_currency"].as_i64().unwrap_or(0);
        assert_eq!(other, integer(&self.reference["rows_other_currency"]));
        assert_eq!(rows["rejected"], serde_json::json!({}));
    }

    /// A store has a record in each month in which it has rows.
    fn check_stores_of_months(&self, generation: &Generation<Mapped>) {
        let months = self.reference["monthly"].as_object().unwrap();
        for (month, facts) in months {
            let shards = generation.table(STORES, month.parse().unwrap()).shards();
            let stores: u64 = shards.iter().map(|shard| shard.len()).sum();
            assert_eq!(stores, facts["stores"], "{month}");
        }
    }

    fn open(&self) -> Generation<Mapped> {
        let id = self.built["generation"].as_str().unwrap().parse().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let folder = self.repository.path();
        let uri = folder.to_str().unwrap();
        let config = StorageConfig::default();
        let repository = runtime.block_on(Repository::open(uri, &config)).unwrap();
        let mut verified = VerifiedBlobs::new();
        runtime
            .block_on(repository.open_generation(&id, &mut verified))
            .unwrap()
    }
}

/// Compares the figures of everything together.
#[track_caller]
fn check_totals(client: &mut Client, path: &str, reference: &Value) {
    let answer = client.data(&format!("{path}/statistics?group_by=all"));
    let [row] = answer["rows"].as_array().unwrap().as_slice() else {
        panic!("{answer}")
    };
    assert_eq!(row["period"], "all");
    for (ours, theirs) in [
        ("count", "n"),
        ("sum", "sum"),
        ("min", "min"),
        ("max", "max"),
        ("cards", "distinct_cards"),
        ("refund_count", "refund_n"),
        ("refund_sum", "refund_sum"),
    ] {
        assert_eq!(
            integer(&row[ours]),
            integer(&reference[theirs]),
            "{path} {ours}"
        );
    }
    for (ours, theirs) in [("mean", "mean"), ("std", "std_pop")] {
        let (ours, theirs) = (
            row[ours].as_f64().unwrap(),
            reference[theirs].as_f64().unwrap(),
        );
        assert!(
            (ours - theirs).abs() <= TOLERANCE * theirs.abs(),
            "{path}: {ours} {theirs}"
        );
    }
    let profile = client.data(path);
    for (ours, theirs) in [("first_date", "first"), ("last_date", "last")] {
        let (ours, theirs) = (
            profile[ours].as_str().unwrap(),
            reference[theirs].as_str().unwrap(),
        );
        assert_eq!(ours, &theirs[..10], "{path}");
    }
    for (ours, theirs) in [("count", "n"), ("sum", "sum"), ("cards", "distinct_cards")] {
        assert_eq!(
            integer(&profile[ours]),
            integer(&reference[theirs]),
            "{path} {ours}"
        );
    }
}

/// Compares every month, of which there must be no other.
#[track_caller]
fn check_months(client: &mut Client, path: &str, reference: &Value) {
    let answer = client.data(&format!("{path}/statistics?group_by=month"));
    let rows = answer["rows"].as_array().unwrap();
    let months = reference.as_object().unwrap();
    let labels: Vec<&str> = rows
        .iter()
        .map(|row| row["period"].as_str().unwrap())
        .collect();
    let mut expected: Vec<&str> = months.keys().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(labels, expected, "{path}");
    for (row, label) in rows.iter().zip(labels) {
        for (ours, theirs) in [("count", "n"), ("sum", "sum"), ("cards", "cards")] {
            let (ours_value, theirs_value) = (&row[ours], &months[label][theirs]);
            assert_eq!(
                integer(ours_value),
                integer(theirs_value),
                "{path} {label} {ours}"
            );
        }
    }
}

/// Compares counts between given amounts with sums of fine bins.
fn check_fixed_edges(generation: &Generation<Mapped>, id: &str, reference: &Value) {
    let fine = fine_histogram(generation, id);
    let edges: Vec<i64> = array(&reference["edges_minor"]).map(integer).collect();
    for &edge in &edges {
        assert_eq!(
            Cell::of(edge).low(),
            edge,
            "{edge} is not where a cell begins"
        );
    }
    let between = |low: i64, high: i64| -> i64 {
        let cells = fine
            .iter()
            .filter(|(cell, _)| low <= cell.low() && cell.high() <= high);
        cells.map(|(_, count)| count.cast_signed()).sum()
    };
    let (first, last) = (edges[0], edges[edges.len() - 1]);
    assert_eq!(
        between(i64::MIN, first),
        integer(&reference["below_first"]),
        "{id}"
    );
    assert_eq!(
        between(last, i64::MAX),
        integer(&reference["at_or_above_last"]),
        "{id}"
    );
    let counts = edges.windows(2).map(|pair| between(pair[0], pair[1]));
    assert!(counts.eq(array(&reference["bins"]).map(integer)), "{id}");
}

fn fine_histogram(generation: &Generation<Mapped>, id: &str) -> FineHistogram {
    let summary = generation.summary(STORES, id.as_bytes()).unwrap().unwrap();
    let mut fine = FineHistogram::new();
    for totals in &summary.months {
        let month = generation
            .month(STORES, id.as_bytes(), totals.month)
            .unwrap()
            .unwrap();
        month.add_bins(totals.month.days(), &mut fine).unwrap();
    }
    fine
}

/// Returns how many amounts of a store are zero, which have a cell of their own.
fn zeros_of(generation: &Generation<Mapped>, id: &str) -> i64 {
    let fine = fine_histogram(generation, id);
    let cell = fine.iter().find(|(cell, _)| *cell == Cell::of(0));
    cell.map_or(0, |(_, count)| count.cast_signed())
}

/// Checks that bins touch in order, and that their counts add up to the rows counted.
fn check_histograms(client: &mut Client, path: &str, reference: &Value, zeros: i64) {
    let (all, refunds) = (integer(&reference["n"]), integer(&reference["refund_n"]));
    for bins in [2, 8, 64] {
        let mut counted = |of: &str| {
            let answer = client.data(&format!("{path}/histogram?bins={bins}&of={of}"));
            let rows = answer["rows"].as_array().unwrap();
            assert!(rows.len() <= bins, "{path} {of}");
            let touching = |pair: &[Value]| {
                integer(&pair[0]["low"]) < integer(&pair[0]["high"])
                    && integer(&pair[0]["high"]) == integer(&pair[1]["low"])
            };
            assert!(rows.windows(2).all(touching), "{path} {of}: {answer}");
            rows.iter().map(|row| integer(&row["count"])).sum::<i64>()
        };
        assert_eq!(counted("all"), all, "{path}");
        assert_eq!(counted("refunds"), refunds, "{path}");
        // Only amounts of zero are neither.
        assert_eq!(counted("sales"), all - refunds - zeros, "{path}");
    }
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[track_caller]
fn integer(value: &Value) -> i64 {
    value
        .as_i64()
        .unwrap_or_else(|| panic!("{value} is no integer"))
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}
