//! The local engine: kernels on the threads of this process.

mod atoms;
mod benchmarks;
mod cards;
mod currency;
mod customers;
mod demographics;
mod elsewhere;
mod freezing;
mod laps;
mod merchants;
mod place_loyalty;
mod place_mixes;
mod reading;
mod reducing;
mod shares;
mod spend_shares;
mod telling;
mod told;

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use nightshard_format::{
    key::PARTITIONS,
    quality::{self, QualityReport},
    staleness::Staleness,
};
use rayon::ThreadPool;

use self::{
    laps::Laps,
    reading::Scanned,
    shares::Shares,
    telling::{AllTold, Days, regions_of},
};
use crate::{
    Error, Result,
    accounting::{account, describe_nothing, flagged},
    build::{
        BuildPlan, BuildReport, Built, MEMORY_MIN, Progress, RegionsReport, SeriesReport, Stage,
    },
    emit::{self, Facts, Staging, StoreFacts, StoreShards},
    exchange::Scratch,
    quality::Quarantine,
};

/// Builds a generation into the plan's staging folder.
///
/// # Errors
/// [`Error`], naming the file or option at fault. Nothing but the staging folder is touched.
pub fn build(plan: &BuildPlan, progress: &dyn Progress) -> Result<Built> {
    if plan.memory_bytes < MEMORY_MIN {
        let least = MEMORY_MIN >> 20;
        return Err(Error::option(
            "--memory",
            format!("at least {least}MiB are needed"),
        ));
    }
    if !(1..=PARTITIONS).contains(&plan.runs) {
        let problem = format!("{} is not 1 to {PARTITIONS}", plan.runs);
        return Err(Error::option("shards.runs", problem));
    }
    if !plan.scratch.is_dir() {
        let problem = format!("{} is no folder", plan.scratch.display());
        return Err(Error::option("--scratch", problem));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(plan.threads)
        .build()
        .map_err(|error| Error::option("--threads", error.to_string()))?;
    let engine = Engine {
        plan,
        progress,
        shares: Shares::of(plan.memory_bytes, plan.threads.max(1)),
        pool,
        staging: Staging::new(&plan.staging, plan.runs)?,
        scratch: Scratch::new(&plan.scratch),
    };
    engine.run()
}

struct Engine<'a> {
    plan: &'a BuildPlan,
    progress: &'a dyn Progress,
    shares: Shares,
    pool: ThreadPool,
    staging: Staging,
    scratch: Scratch,
}

impl Engine<'_> {
    fn run(&self) -> Result<Built> {
        let plan = self.plan;
        let mut laps = Laps::new();
        let quarantine =
            Quarantine::create(&plan.staging.join("quarantine.csv"), plan.inputs.files())?;
        let scanned = self.scan(&quarantine)?;
        laps.end(Stage::Read);
        scanned.tested.check()?;
        let currency = self.base_currency(&scanned)?;
        let Scanned {
            rows,
            names,
            counts,
            inputs,
            tested,
        } = scanned;
        let mut spilled_bytes = rows.spilled_bytes() + names.spilled_bytes() + tested.spilled_bytes;
        let mut stores = StoreShards::new(&self.staging);
        let reduced = self.reduce_stores(rows, &currency, &mut stores)?;
        spilled_bytes += reduced.spilled_bytes();
        self.name_conflicts(&quarantine, &inputs, &stores)?;
        let rows = account(&counts, &stores)?;
        if rows.used == 0 {
            return Err(Error::NoRows(describe_nothing(&rows)));
        }
        laps.end(Stage::Stores);
        let dates = reduced.market.days();
        let dates = dates.ok_or_else(|| Error::NoRows("no day".into()))?;
        let as_of = plan.as_of.unwrap_or(dates.last);
        let days = Days { dates, as_of };
        let told = self.tell(reduced, names, &mut stores, (days, &currency), &mut laps)?;
        let facts = Facts {
            rows,
            currency: &currency,
            inputs: &inputs,
            days: dates,
            as_of,
            stores: stores.facts.len(),
            told: told.kept,
        };
        let manifest = emit::manifest(plan, facts, &told.shards)?;
        let quality = QualityReport {
            inputs: quality::inputs_digest(&manifest),
            flagged: flagged(&counts, &plan.stores, &plan.regions),
            tests: tested.results,
        };
        laps.end(Stage::Finish);
        let files = inputs.iter().chain(plan.series.files());
        let open_ended = files.filter(|input| input.is_open_ended);
        let report = BuildReport {
            without_line_end: open_ended.map(|input| input.path.clone()).collect(),
            spilled_bytes,
            quality,
            seconds: laps.seconds,
            ..self.report(&stores.facts, &told, days)
        };
        drop(stores);
        Ok(Built {
            manifest,
            shards: told.shards,
            quarantine: quarantine.finish()?,
            report,
        })
    }

    /// Returns what is reported of the plan, and of what was told.
    fn report(&self, stores: &[StoreFacts], told: &AllTold<'_>, days: Days) -> BuildReport {
        let plan = self.plan;
        let rule = Staleness::new(days.as_of, plan.series_stale_after_days);
        let series = plan.series.as_of(days.as_of);
        BuildReport {
            release: env!("CARGO_PKG_VERSION").into(),
            inputs: plan.inputs.files().to_vec(),
            ignored: plan.inputs.ignored().to_vec(),
            regions: RegionsReport::of(&plan.regions, regions_of(stores)),
            series: series
                .iter()
                .map(|series| SeriesReport::of(series, rule))
                .collect(),
            atoms: told.atoms.clone(),
            customers: told.customers,
            unknown_sensitive_categories: unknown_categories(&plan.sensitive_categories, stores),
            threads: plan.threads,
            memory_bytes: plan.memory_bytes,
            ..BuildReport::default()
        }
    }

    /// Runs `work` once on every thread, and returns all results or the first error.
    fn on_all_threads<T: Send>(&self, work: impl Fn() -> Result<T> + Sync) -> Result<Vec<T>> {
        self.pool.broadcast(|_thread| work()).into_iter().collect()
    }
}

/// Returns the sensitive categories that no store has.
fn unknown_categories(sensitive: &BTreeSet<String>, stores: &[StoreFacts]) -> Vec<String> {
    let known = stores.iter().filter_map(|store| store.category.as_ref());
    let known: BTreeSet<&String> = known.collect();
    let unknown = sensitive
        .iter()
        .filter(|category| !known.contains(category));
    unknown.cloned().collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
