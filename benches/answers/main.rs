//! What a finished generation weighs, by dataset and section, and how fast each resource answers at half of what the
//! server can do.
//!
//! Payments of five years, which say when they settle, are generated, built where nothing is hidden and where answers
//! are protected, and served. Of each resource the capacity is measured first, by clients that ask as fast as they are
//! answered; then half of that is offered at a steady rate, and latency counts from when a request was due, so that
//! nothing that waits is left out. The clients are threads of this process: on two processors they take a good part of
//! what the server could have. Beside what a generation weighs stands what it may weigh, and behind the resources
//! whether statistics of any days are as fast as they are to be. `--test` only shows that it works, and
//! `NIGHTSHARD_BENCH_ROWS`, `_STORES` and `_CARDS` make it larger or smaller.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and may fail"
)]

mod dice;
mod load;
mod resources;
mod size;
#[path = "../support/mod.rs"]
mod support;

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Instant};

use dice::Dice;
use resources::{AIM_MS, Told, World};
use support::{Server, print_machine, program};
use tempfile::TempDir;

const FIRST: &str = "2014-01-01";
const LAST: &str = "2018-12-31";

/// How much is generated.
struct Plan {
    rows: u64,
    stores: u64,
    cards: u64,
    is_test: bool,
}

impl Plan {
    fn new() -> Self {
        let is_test = std::env::args().any(|argument| argument == "--test");
        let [rows, stores, cards] = match is_test {
            true => [20_000, 100, 2_000],
            false => [20_000_000, 20_000, 2_000_000],
        };
        let given = |name: &str, default| {
            let given = std::env::var(format!("NIGHTSHARD_BENCH_{name}"));
            given.map_or(default, |text| text.parse().unwrap())
        };
        Self {
            rows: given("ROWS", rows),
            stores: given("STORES", stores),
            cards: given("CARDS", cards),
            is_test,
        }
    }
}

fn main() {
    let plan = Plan::new();
    let folder = TempDir::new().unwrap();
    let payments = folder.path().join("payments.csv.zst");
    generate(&plan, &payments);
    write_series(&folder.path().join("series.csv"));
    write_regions(folder.path());
    print_machine();
    println!(
        "{} rows of {} stores and {} cards, {FIRST} to {LAST}",
        plan.rows, plan.stores, plan.cards
    );
    for k in [10, 1] {
        println!("\nprivacy.k = {k}");
        let repository = folder.path().join(format!("repository-{k}"));
        build(folder.path(), &payments, &repository, k);
        let input_bytes = fs::metadata(&payments).unwrap().len();
        size::print(&repository, input_bytes, plan.rows, plan.stores);
        let server = serve(&repository);
        let told = if k == 1 {
            Told::Exactly
        } else {
            Told::Protected
        };
        let world = World::ask(&server, told);
        let mut dice = Dice::new(2018);
        load::print_header();
        let mut aimed = Vec::new();
        for resource in resources::of(told) {
            let p99_ms = load::measure(&server, resource, &world, &mut dice, plan.is_test);
            aimed.extend(resource.is_aimed.then_some((resource.name, p99_ms)));
        }
        for (name, p99_ms) in aimed {
            let is_met = if p99_ms < AIM_MS {
                "under"
            } else {
                "NOT under"
            };
            println!("p99 of {name}: {p99_ms:.3} ms, {is_met} {AIM_MS} ms");
        }
    }
}

fn generate(plan: &Plan, payments: &Path) {
    let [rows, stores, cards] = [plan.rows, plan.stores, plan.cards].map(|it| it.to_string());
    let mut command = program();
    command.args([
        "generate",
        "--quiet",
        "--settlements",
        "--from",
        FIRST,
        "--to",
        LAST,
    ]);
    command.args([
        "--transactions",
        &rows,
        "--stores",
        &stores,
        "--cards",
        &cards,
    ]);
    succeed(command.arg("--output").arg(payments));
}

/// Writes a side series with a value a month.
fn write_series(path: &Path) {
    let months = (2014..2019).flat_map(|year| (1..13).map(move |month| (year, month)));
    let rows = months.map(|(year, month)| format!("index,{year}-{month:02}-01,{}\n", year + month));
    fs::write(
        path,
        format!("name,date,value\n{}", rows.collect::<String>()),
    )
    .unwrap();
}

/// Writes the tree of regions: provinces, of which the regions of stores, `Province/District`, are parts.
fn write_regions(folder: &Path) {
    let stores = fs::read_to_string(folder.join("payments.stores.csv")).unwrap();
    let mut regions = BTreeSet::new();
    for store in stores.lines().skip(1) {
        // Latitude and longitude come last.
        let region = store.rsplit(',').nth(2).unwrap();
        if let Some((province, _)) = region.split_once('/') {
            regions.insert(format!("{region},{province}\n"));
            regions.insert(format!("{province},\n"));
        }
    }
    let regions: String = regions.into_iter().collect();
    fs::write(
        folder.join("regions.csv"),
        format!("region,parent\n{regions}"),
    )
    .unwrap();
}

fn build(folder: &Path, payments: &Path, repository: &Path, k: u32) {
    let config = folder.join("nightshard.toml");
    fs::write(&config, format!("[privacy]\nk = {k}\n")).unwrap();
    let mut command = program();
    command.args(["build", "--quiet", "--input"]).arg(payments);
    command
        .arg("--stores")
        .arg(folder.join("payments.stores.csv"));
    command.arg("--regions").arg(folder.join("regions.csv"));
    command.arg("--series").arg(folder.join("series.csv"));
    command
        .arg("--config")
        .arg(&config)
        .arg("--output")
        .arg(repository);
    let started = Instant::now();
    succeed(&mut command);
    println!("built in {:.1} s", started.elapsed().as_secs_f64());
}

fn serve(repository: &Path) -> Server {
    let mut command = program();
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--from"])
        .arg(repository);
    let mut server = Server::start(command);
    server.wait_for("serving generation ");
    server
}

fn succeed(command: &mut Command) {
    assert!(
        command
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap()
            .success()
    );
}
