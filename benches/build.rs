//! Throughput of the build, stage by stage.
//!
//! `cargo bench --bench build` builds 2 M generated rows five times and prints medians;
//! `-- --test` builds a few once.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and may fail"
)]

mod support;

use std::{collections::BTreeSet, num::NonZeroUsize, path::Path, sync::Arc};

use nightshard_builder::{
    build::{BuildPlan, Quiet, RUNS_DEFAULT, Stage},
    data_tests::DataTests,
    engine,
    generate::{self, OutputLayout, Plan},
    layout::Layout,
    pseudonym::CardKey,
    regions::RegionTable,
    series::SeriesTable,
    source::Inputs,
    stores::StoreTable,
};
use nightshard_format::{
    histogram::Method, privacy::PRIVACY_K_DEFAULT, regular::RegularRule, returning::ReturnRule,
    staleness::STALE_AFTER_DAYS_DEFAULT,
};

const STAGES: [Stage; 7] = [
    Stage::Read,
    Stage::Stores,
    Stage::Cards,
    Stage::Elsewhere,
    Stage::Spend,
    Stage::Places,
    Stage::Finish,
];

fn main() {
    let is_smoke = std::env::args().any(|argument| argument == "--test");
    let (rows, runs) = if is_smoke {
        (20_000, 1)
    } else {
        (2_000_000, 5)
    };
    let threads = std::thread::available_parallelism().unwrap();
    let folder = tempfile::tempdir().unwrap();
    support::print_machine();
    for layout in [OutputLayout::Canonical, OutputLayout::Funda] {
        let input = folder.path().join(format!("{layout:?}.csv"));
        let plan = Plan::new(layout, 20_000, 200_000, rows);
        let size = generate::write(&plan, &input, threads, &|_rows| ())
            .unwrap()
            .size_bytes;
        let name = format!("{layout:?}").to_lowercase();
        measure(&name, &input, rows, size, runs, threads);
    }
}

/// Builds a file several times and prints the median of each stage.
fn measure(layout: &str, input: &Path, rows: u64, size: u64, runs: usize, threads: NonZeroUsize) {
    let mut seconds = vec![Vec::new(); STAGES.len()];
    for _ in 0..runs {
        let staging = tempfile::tempdir().unwrap();
        let report = engine::build(&plan(layout, input, staging.path(), threads), &Quiet).unwrap();
        for (stage, seconds) in STAGES.iter().zip(&mut seconds) {
            // A build that keeps no customers has none of that stage.
            let taken = report.report.seconds.get(stage.as_str());
            seconds.push(taken.copied().unwrap_or_default());
        }
    }
    println!("{layout}: {rows} rows, {size} bytes, {threads} threads, median of {runs}");
    println!(
        "{:10}{:>10}{:>14}{:>12}",
        "stage", "seconds", "rows/s", "ns/row"
    );
    let medians: Vec<f64> = seconds
        .iter()
        .map(|seconds| support::median(seconds))
        .collect();
    let total = ("total", medians.iter().sum());
    for (name, seconds) in STAGES
        .iter()
        .map(|stage| stage.as_str())
        .zip(medians)
        .chain([total])
    {
        #[expect(clippy::cast_precision_loss, reason = "a rate is a double")]
        let rows = rows as f64;
        println!(
            "{name:10}{seconds:>10.3}{:>14.0}{:>12.1}",
            rows / seconds,
            seconds * 1e9 / rows
        );
    }
}

fn plan(layout: &str, input: &Path, staging: &Path, threads: NonZeroUsize) -> BuildPlan {
    BuildPlan {
        inputs: Inputs::resolve(&[input.display().to_string()]).unwrap(),
        layout: Arc::new(Layout::builtin(layout).unwrap()),
        stores: StoreTable::default(),
        regions: RegionTable::default(),
        series: SeriesTable::default(),
        series_stale_after_days: STALE_AFTER_DAYS_DEFAULT,
        data_tests: DataTests::default(),
        card_key: CardKey::parse(&"5a".repeat(32), "--card-key-file").unwrap(),
        currency: None,
        as_of: None,
        histogram_method: Method::Exact,
        regular: RegularRule::default(),
        returning: ReturnRule::default(),
        privacy_k: PRIVACY_K_DEFAULT,
        told: None,
        sensitive_categories: BTreeSet::new(),
        customers: None,
        runs: RUNS_DEFAULT,
        memory_bytes: 1 << 30,
        threads: threads.get(),
        scratch: staging.to_owned(),
        staging: staging.to_owned(),
    }
}
