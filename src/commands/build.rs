//! `nightshard build`: the nightly build, into a repository.

use std::{
    io::Write,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use nightshard_builder::{
    build::{AtomsReport, BuildPlan, Built, SeriesReport, ToldBefore},
    emit::CustomersReport,
    engine,
    kernel::row::DAYS,
    layout::Layout,
    series::SeriesTable,
    source::Inputs,
    stores::StoreTable,
};
use nightshard_deploy::{Base, Cache, Published, Repository, Selected, Staged};
use nightshard_format::{
    calendar::Day,
    manifest::{GenerationId, Manifest},
    quality::QualityReport,
};
use nightshard_storage::Location;
use serde_json::json;

use crate::{
    card_key,
    config::Config,
    customers, data_tests,
    exit::UsageError,
    progress::Shown,
    publication::{Then, publish},
    regions, size,
    staging::StagingFolder,
    told,
};

/// Build a generation from transactions, publish it into a repository and select it there.
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// Files or folders: CSV or JSON lines, plain, .gz or .zst. May be repeated.
    #[arg(long, value_name = "URI", num_args = 1.., required = true)]
    pub(crate) input: Vec<String>,
    /// canonical, funda, payments or a TOML file.
    #[arg(long, value_name = "LAYOUT", default_value = "canonical")]
    pub(crate) layout: String,
    /// What is known of stores: store_id, store_name, merchant_id, category, region, lat, lon,
    /// day_cutoff, zone.
    #[arg(long, value_name = "FILE")]
    pub(crate) stores: Option<PathBuf>,
    /// The tree of regions: region, name, parent, lat, lon [default: that of the configuration].
    #[arg(long, value_name = "FILE")]
    pub(crate) regions: Option<PathBuf>,
    /// Daily series beside sales: date, name, value [default: those of the configuration]. May be
    /// repeated.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) series: Vec<PathBuf>,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Memory that the build may use; more rows than fit go through scratch files.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "4GiB")]
    pub(crate) memory: u64,
    /// Number of threads [default: one per processor].
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Who runs the work.
    #[arg(long, value_enum, default_value_t = Engine::Local)]
    pub(crate) engine: Engine,
    /// The repository, made where it is not yet there.
    #[arg(long, value_name = "URI")]
    pub(crate) output: String,
    /// Publish only: what is current stays so.
    #[arg(long)]
    pub(crate) no_select: bool,
    /// Select even what differs much from the current generation.
    #[arg(long)]
    pub(crate) no_gate: bool,
    /// Keep the protected atoms that the current generation of another repository tells, from which servers
    /// take theirs [default: those of --output].
    #[arg(long, value_name = "URI", conflicts_with = "fresh_atoms")]
    pub(crate) atoms_from: Option<String>,
    /// Keep no atoms of an earlier generation: what both tell of the same days can be subtracted then.
    #[arg(long)]
    pub(crate) fresh_atoms: bool,
    /// Note beside the generation, once it is published, that the run of this name made it.
    #[arg(long, value_name = "NAME")]
    pub(crate) run: Option<String>,
    /// Base currency (ISO 4217) [default: that of most rows].
    #[arg(long, value_name = "CODE", value_parser = parse_currency)]
    pub(crate) currency: Option<String>,
    /// Last business day; later rows are left out [default: the last in the data].
    #[arg(long, value_name = "DATE", value_parser = parse_as_of)]
    pub(crate) as_of: Option<Day>,
    /// The secret of card pseudonyms, 64 hexadecimal digits [default: NIGHTSHARD_CARD_KEY, else
    /// a file in your configuration folder].
    #[arg(long, value_name = "FILE")]
    pub(crate) card_key_file: Option<PathBuf>,
    /// Folder for rows that do not fit in memory [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Show no progress and no summary.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who runs the work of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Engine {
    /// The threads of this process.
    Local,
}

fn parse_currency(text: &str) -> Result<String, &'static str> {
    let valid = text.len() == 3 && text.bytes().all(|letter| letter.is_ascii_alphabetic());
    if valid {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a currency is three letters")
    }
}

/// Reads a day that a row may have.
fn parse_as_of(text: &str) -> Result<Day, String> {
    let day: Day = text.parse().map_err(|error| format!("{error}"))?;
    if DAYS.contains(&day.0) {
        Ok(day)
    } else {
        let (first, last) = (Day(*DAYS.start()), Day(*DAYS.end()));
        Err(format!("business days are {first} to {last}"))
    }
}

/// Builds, publishes, selects, and says so.
pub(crate) fn run(args: &BuildArgs) -> anyhow::Result<()> {
    let shown = Shown::new(args.quiet);
    let outcome = build_and_publish(args, &shown);
    drop(shown);
    let outcome = outcome.inspect_err(|error| {
        // Nothing is published, so that they can be seen nowhere else.
        data_tests::show_refused(error, args.json, args.quiet);
    })?;
    let out = std::io::stdout();
    if args.json {
        writeln!(out.lock(), "{}", outcome.to_json())?;
    } else if !args.quiet {
        writeln!(out.lock(), "{}", outcome.to_text())?;
    }
    Ok(())
}

/// What became of a build.
pub(crate) struct Outcome {
    manifest: Manifest,
    published: Published,
    selected: Option<Selected>,
    quality: QualityReport,
    atoms: Option<AtomsReport>,
    customers: Option<CustomersReport>,
    repository: String,
    seconds: f64,
}

impl Outcome {
    /// Returns the generation.
    pub(crate) fn generation(&self) -> &GenerationId {
        &self.manifest.id
    }

    fn to_json(&self) -> serde_json::Value {
        let Self {
            manifest,
            published,
            selected,
            ..
        } = self;
        let transactions = manifest.transactions.as_ref();
        json!({
            "generation": manifest.id,
            "rows": transactions.map(|transactions| &transactions.rows),
            "stores": transactions.map(|transactions| transactions.stores),
            "blobs_new": published.blobs_new,
            "blobs_present": published.blobs_present,
            "blobs_mended": published.mended.len(),
            "bytes_new": published.bytes_new,
            "bytes_present": published.bytes_present,
            "selection": selected.as_ref().map(|selected| selected.selection.number),
            "flagged": self.quality.flagged,
            "data_tests": self.quality.tests,
            "atoms": self.atoms,
            "customers": self.customers,
            "seconds": self.seconds,
        })
    }

    fn to_text(&self) -> String {
        let Self {
            manifest,
            published,
            ..
        } = self;
        let transactions = manifest.transactions.as_ref();
        let (rows, stores) = transactions
            .map(|transactions| (transactions.rows.clone(), transactions.stores))
            .unwrap_or_default();
        let count = |counts: &std::collections::BTreeMap<String, u64>| counts.values().sum::<u64>();
        let selected = match &self.selected {
            Some(selected) if selected.is_new => "selected",
            Some(_) => "already current",
            None => "published, not selected",
        };
        format!(
            "generation {} {selected} in {}\n{} rows read: {} used, {} rejected, {} excluded; \
             {} stores; {} blobs written ({} KiB), {} already there; {:.1} s",
            manifest.id,
            self.repository,
            rows.read,
            rows.used,
            count(&rows.rejected),
            count(&rows.excluded),
            stores,
            published.blobs_new,
            published.bytes_new >> 10,
            published.blobs_present,
            self.seconds,
        ) + &customers::to_text(self.customers)
            + &data_tests::to_text(&self.quality)
    }
}

/// Builds and publishes, showing progress.
pub(crate) fn build_and_publish(args: &BuildArgs, shown: &Shown) -> anyhow::Result<Outcome> {
    let started = std::time::Instant::now();
    let Engine::Local = args.engine;
    let config = Config::read(args.config.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let opening = Repository::open_or_create(&args.output, &config.storage);
    let repository = runtime.block_on(opening)?;
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let output = match Location::parse(&args.output)? {
        Location::Local(root) => Some(root),
        _ => None,
    };
    let inputs = Inputs::resolve_beside(&args.input, output.as_deref())?;
    let layout = Layout::named_or_file(&args.layout)?;
    let stores = args
        .stores
        .as_deref()
        .map(StoreTable::read)
        .transpose()?
        .unwrap_or_default();
    let card_key = card_key::find(args.card_key_file.as_deref())?;
    let data_tests = data_tests::compile(&config, args.config.as_deref(), &layout, &card_key)?;
    let customers = customers::read(&config, args.config.as_deref(), &layout, &card_key)?;
    let threads = args
        .threads
        .map_or_else(std::thread::available_parallelism, Ok);
    let threads = threads.map_err(|_unknown| {
        UsageError("--threads is needed: the system does not say how many it has".into())
    })?;
    let base = runtime.block_on(repository.base())?;
    let staging = StagingFolder::create(&args.output, &scratch)?;
    let before = told_before(args, &config, (&repository, &base), &staging);
    let (manifest_before, told) = runtime.block_on(before)?.unzip();
    let plan = BuildPlan {
        inputs,
        layout: Arc::new(layout),
        stores,
        regions: regions::read(args.regions.as_deref().or(config.regions.file.as_deref()))?,
        series: SeriesTable::read(match &args.series[..] {
            [] => &config.series.files,
            given => given,
        })?,
        series_stale_after_days: config.series.stale_after_days,
        data_tests,
        card_key,
        currency: args.currency.clone(),
        as_of: args.as_of,
        histogram_method: config.histogram.method,
        regular: config.loyalty.regular()?,
        returning: config.loyalty.returning()?,
        privacy_k: config.privacy.k,
        told,
        sensitive_categories: config.privacy.sensitive_categories.clone(),
        customers,
        runs: config.shards.runs,
        memory_bytes: args.memory,
        threads: threads.get(),
        scratch,
        staging: staging.create_inner()?,
    };
    let built = engine::build(&plan, shown).map_err(data_tests::explain)?;
    warn_of_cut_rows(&built.report.without_line_end, shown);
    regions::warn(built.report.regions.as_ref(), shown);
    warn_of_unknown_categories(&built.report.unknown_sensitive_categories, shown);
    warn_of_series(&built.report.series, &built.manifest.as_of, shown);
    let transactions = built.manifest.transactions.as_ref();
    if let Some(transactions) = transactions {
        warn_of_late_end(args.as_of, &transactions.days[1], shown);
    }
    let atoms = built.report.atoms.clone();
    if let Some(atoms) = &atoms {
        shown.say(&told::describe(atoms));
    }
    let customers = built.report.customers;
    let quality = built.report.quality.clone();
    let quality_json = serde_json::to_vec_pretty(&quality).context("the quality report")?;
    let mut staged = stage(built)?;
    let (published, selected) = runtime.block_on(async {
        carry_packed(&base, &mut staged.manifest)?;
        if let Some(before) = &manifest_before {
            staged.manifest.repeat(before)?;
        }
        let report = stage_quality(&repository, &staged, quality_json, &plan.staging);
        staged.reports.push(report.await?);
        let then = Then::of(args.no_select, args.no_gate, &config.gate);
        let done = publish(&repository, base, &mut staged, then).await?;
        if let Some(run) = &args.run {
            repository.note_run(&staged.manifest.id, run).await?;
        }
        anyhow::Ok(done)
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let repository = repository.location().to_owned();
    Ok(Outcome {
        manifest: staged.manifest,
        published,
        selected,
        quality,
        atoms,
        customers,
        repository,
        seconds,
    })
}

/// Reads what a build keeps of the generation before, and the manifest of that. What is not in local files is fetched
/// into the staging folder.
async fn told_before(
    args: &BuildArgs,
    config: &Config,
    (repository, base): (&Repository, &Base),
    staging: &StagingFolder,
) -> anyhow::Result<Option<(Manifest, ToldBefore)>> {
    if config.privacy.k.get() == 1 || args.fresh_atoms {
        return Ok(None);
    }
    let cache = Cache::open(&staging.path_of("told"), config.fetch.clone())?;
    let Some(uri) = &args.atoms_from else {
        return told::read(&repository.clone().with_cache(cache), base).await;
    };
    let other = Repository::open_or_create(uri, &config.storage).await?;
    let base = other.base().await?;
    told::read(&other.with_cache(cache), &base).await
}

/// Writes the quality report that is to be published with a generation; returns its name there and
/// its path.
pub(super) async fn stage_quality(
    repository: &Repository,
    staged: &Staged,
    json: Vec<u8>,
    folder: &Path,
) -> anyhow::Result<(String, PathBuf)> {
    let name = repository.quality_name(&staged.manifest.id, &json).await?;
    let path = folder.join(&name);
    std::fs::write(&path, json).with_context(|| path.display().to_string())?;
    Ok((name, path))
}

/// Takes over the packed datasets of the repository's current generation: a night's build is of
/// transactions alone and takes nothing else away.
fn carry_packed(base: &Base, manifest: &mut Manifest) -> anyhow::Result<()> {
    match &base.manifest {
        Ok(Some(current)) => {
            manifest.carry_packed(current);
            manifest.id = manifest.compute_id()?;
        }
        Ok(None) => {}
        Err(error) => {
            // Said however quiet a build is asked to be: what is current goes unserved.
            let _closed = writeln!(
                std::io::stderr(),
                "warning: packed datasets of the current generation are left out: {error}"
            );
        }
    }
    Ok(())
}

/// Says where a row may be wrong that nothing else tells from a right one.
pub(super) fn warn_of_cut_rows(without_line_end: &[PathBuf], shown: &Shown) {
    if let [first, more @ ..] = without_line_end {
        let more = match more.len() {
            0 => String::new(),
            more => format!(" (and {more} more, named in build.json)"),
        };
        shown.say(&format!(
            "warning: {}{more}: ends without a line break; its last row may be cut",
            first.display(),
        ));
    }
}

/// Says which sensitive categories no store has: they are compared letter by letter.
fn warn_of_unknown_categories(unknown_categories: &[String], shown: &Shown) {
    if !unknown_categories.is_empty() {
        shown.say(&format!(
            "warning: privacy.sensitive_categories: no store has {unknown_categories:?}, so nothing is left out for them"
        ));
    }
}

/// Says which series are stale, or have nothing that could be known yet.
fn warn_of_series(series: &[SeriesReport], as_of: &str, shown: &Shown) {
    for series in series {
        let name = &series.name;
        match (&series.last_date, series.days_behind) {
            (Some(last), Some(days)) if series.is_stale => shown.say(&format!(
                "warning: series {name} is stale: it ends on {last}, {days} days before {as_of}"
            )),
            (None, _) => shown.say(&format!(
                "warning: series {name} is left out: it has no value up to {as_of}"
            )),
            _ => {}
        }
    }
}

/// How far `--as-of` may lie after the last row before it looks like a slip.
const AS_OF_DAYS_MAX: i32 = 366;

/// Says where the generation ends long after its rows do, as a wrong year makes it.
fn warn_of_late_end(as_of: Option<Day>, last: &str, shown: &Shown) {
    let Some((as_of, last)) = as_of.zip(last.parse::<Day>().ok()) else {
        return;
    };
    let days = as_of.0 - last.0;
    if days > AS_OF_DAYS_MAX {
        shown.say(&format!(
            "warning: --as-of {as_of} lies {days} days after the last row's, {last}"
        ));
    }
}

fn stage(built: Built) -> anyhow::Result<Staged> {
    Ok(Staged {
        manifest: built.manifest,
        shards: built
            .shards
            .into_iter()
            .map(|shard| (shard.path, shard.entry.blob))
            .collect(),
        build_json: serde_json::to_vec_pretty(&built.report).context("build.json")?,
        reports: vec![("quarantine.csv".into(), built.quarantine)],
    })
}
