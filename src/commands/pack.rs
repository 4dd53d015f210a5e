//! `nightshard pack`: any table into a dataset of a repository.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, time::UNIX_EPOCH};

use nightshard_builder::{
    pack::{Compression, PackPlan, PackedTable, TableFormat, pack},
    source::Inputs,
};
use nightshard_deploy::{
    Base, Environment, Published, Repository, Selected, Staged, SystemEnvironment,
};
use nightshard_format::{
    calendar::Day,
    manifest::{GenerationId, MANIFEST_VERSION, Manifest, OnDuplicate, Packed, check_media_type},
};
use nightshard_storage::Location;
use serde_json::json;

use super::build::{stage_quality, warn_of_cut_rows};
use crate::{
    config::Config,
    exit::UsageError,
    output::print,
    progress::Shown,
    publication::{Then, publish},
    size,
    staging::StagingFolder,
};

/// Pack a table into a dataset, by one of its columns, and select the generation that has it.
///
/// Whatever else the repository's current generation has stays in it.
#[derive(Debug, clap::Args)]
pub(crate) struct PackArgs {
    /// Files or folders: CSV, TSV or JSON lines, plain, .gz or .zst; Parquet. May be repeated.
    #[arg(long, value_name = "URI", num_args = 1.., required = true)]
    input: Vec<String>,
    /// The dataset: 1 to 32 of a-z, 0-9, _ and -.
    #[arg(long, value_name = "NAME")]
    dataset: String,
    /// The column of keys.
    #[arg(long, value_name = "COLUMN")]
    key: String,
    /// A column of values. One: its text alone, of JSON lines "null" where there is none. Several:
    /// a JSON object of them. None: of all.
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    value: Vec<String>,
    /// Which of several rows with one key counts.
    #[arg(long, value_enum, default_value_t = Rule::Error)]
    on_duplicate: Rule,
    /// Let keys be found by what they begin with, and in their order.
    #[arg(long)]
    ordered: bool,
    /// How values are stored. Whatever it is, they are read alike.
    #[arg(long, value_enum, default_value_t = Stored::None)]
    compression: Stored,
    /// csv, tsv, jsonl or parquet [default: what the names of the files say].
    #[arg(long, value_name = "FORMAT", value_parser = parse_format)]
    format: Option<TableFormat>,
    /// What values are [default: text/plain; charset=utf-8 for one column, else application/json].
    #[arg(long, value_name = "TYPE", value_parser = parse_media_type)]
    media_type: Option<String>,
    /// The day that the generation is of, where transactions do not tell [default: today, in UTC].
    #[arg(long, value_name = "DATE")]
    as_of: Option<Day>,
    /// Shards that the dataset is cut into.
    #[arg(long, value_name = "N", default_value_t = nightshard_builder::build::RUNS_DEFAULT)]
    shards: u16,
    /// Memory for rows; more than fit go through scratch files.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "1GiB")]
    memory: u64,
    /// Number of threads [default: one per processor].
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Folder for rows that do not fit in memory [default: the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// The configuration file; its tables `gate` and `storage` count here.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The repository, made where it is not yet there.
    #[arg(long, value_name = "URI")]
    output: String,
    /// Publish only: what is current stays so.
    #[arg(long)]
    no_select: bool,
    /// Add to this generation in the place of the current one.
    #[arg(long, value_name = "GENERATION", requires = "no_select")]
    onto: Option<GenerationId>,
    /// Note beside the generation, once it is published, that the run of this name made it.
    #[arg(long, value_name = "NAME")]
    run: Option<String>,
    /// Select even what differs much from the current generation.
    #[arg(long)]
    no_gate: bool,
    /// Show no progress and no summary.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Which of several rows with one key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Rule {
    /// None: it is an error.
    Error,
    /// The first, in the order of the inputs as given.
    First,
    /// The last.
    Last,
}

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stored {
    /// As they are: the fastest to read.
    None,
    /// By zstd with a dictionary for each shard, where that makes values shorter by a fifth.
    Zstd,
}

fn parse_format(name: &str) -> Result<TableFormat, &'static str> {
    TableFormat::named(name).ok_or("formats are csv, tsv, jsonl and parquet")
}

fn parse_media_type(text: &str) -> Result<String, String> {
    let checked = check_media_type(text).map_err(|error| error.to_string());
    checked.map(|()| text.to_owned())
}

/// Packs, publishes, selects, and says so.
pub(crate) fn run(args: &PackArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let config = Config::read(args.config.as_deref())?;
    let opening = Repository::open_or_create(&args.output, &config.storage);
    let repository = runtime.block_on(opening)?;
    let base = runtime.block_on(repository.base())?;
    let current = match &args.onto {
        Some(id) => Some(runtime.block_on(repository.manifest(id))?),
        None => base.manifest?,
    };
    let manifest = match current.clone() {
        Some(manifest) => args.manifest_after(manifest)?,
        None => args.first_manifest()?,
    };
    let base = Base {
        manifest: Ok(current),
        ..base
    };
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let staging = StagingFolder::create(&args.output, &scratch)?;
    let plan = args.plan(scratch, staging.create_inner()?)?;
    let shown = Shown::new(args.quiet);
    let table = pack(&plan, &shown)?;
    warn_of_cut_rows(&table.report.without_line_end, &shown);
    drop(shown);
    let packed = table.packed.clone();
    let mut staged = stage(manifest, &args.dataset, table)?;
    let then = Then::of(args.no_select, args.no_gate, &config.gate);
    let (published, selected) = runtime.block_on(async {
        // Its transactions are those of the generation that it is made from, and so is what is known
        // of their rows. A report that cannot be read is no reason not to pack.
        if let Some(from) = base.usable()
            && let Ok(Some(quality)) = repository.quality(from).await
        {
            let json = serde_json::to_vec_pretty(&quality)?;
            let report = stage_quality(&repository, &staged, json, &plan.staging);
            staged.reports.push(report.await?);
        }
        let done = publish(&repository, base, &mut staged, then).await?;
        if let Some(run) = &args.run {
            repository.note_run(&done.0.generation, run).await?;
        }
        anyhow::Ok(done)
    })?;
    args.tell(&packed, &published, selected.as_ref())
}

impl PackArgs {
    /// Returns the manifest of the generation to be added to, of the day that this is of:
    /// transactions have a last business day of their own.
    fn manifest_after(&self, current: Manifest) -> Result<Manifest, UsageError> {
        let as_of = self.as_of.map(|as_of| as_of.to_string());
        match as_of {
            Some(as_of) if current.transactions.is_some() && as_of != current.as_of => {
                let (id, day) = (&current.id, &current.as_of);
                let problem = format!("--as-of {as_of}: the current generation {id} is of {day}");
                Err(UsageError(problem))
            }
            _ if current.transactions.is_some() => Ok(current),
            as_of => Ok(Manifest {
                as_of: as_of.unwrap_or_else(|| today().to_string().max(current.as_of)),
                ..current
            }),
        }
    }

    /// Returns a manifest of nothing, for a repository without a generation.
    fn first_manifest(&self) -> anyhow::Result<Manifest> {
        let as_of = self.as_of.unwrap_or_else(today).to_string();
        Ok(Manifest {
            format_version: MANIFEST_VERSION,
            // Replaced later: the id is a digest of the rest.
            id: format!("{as_of}-{:012}", 0).parse()?,
            as_of,
            transactions: None,
            packed: BTreeMap::new(),
            inputs: Vec::new(),
            configuration: BTreeMap::new(),
            shards: Vec::new(),
        })
    }

    fn plan(&self, scratch: PathBuf, staging: PathBuf) -> anyhow::Result<PackPlan> {
        let output = match Location::parse(&self.output)? {
            Location::Local(root) => Some(root),
            _ => None,
        };
        // All together, for what is wrong with them; one by one, for the order as given.
        Inputs::resolve_tables(&self.input, output.as_deref())?;
        let mut files = Vec::new();
        for input in &self.input {
            let inputs = Inputs::resolve_tables(&[input], output.as_deref())?;
            files.extend_from_slice(inputs.files());
        }
        let threads = self
            .threads
            .map_or_else(std::thread::available_parallelism, Ok);
        let threads = threads.map_err(|_unknown| {
            UsageError("--threads is needed: the system does not say how many it has".into())
        })?;
        Ok(PackPlan {
            files,
            format: self.format,
            dataset: self.dataset.clone(),
            key: self.key.clone(),
            values: self.value.clone(),
            on_duplicate: match self.on_duplicate {
                Rule::Error => OnDuplicate::Error,
                Rule::First => OnDuplicate::First,
                Rule::Last => OnDuplicate::Last,
            },
            is_ordered: self.ordered,
            compression: match self.compression {
                Stored::None => Compression::None,
                Stored::Zstd => Compression::Zstd,
            },
            media_type: self.media_type.clone(),
            runs: self.shards,
            memory_bytes: self.memory,
            threads: threads.get(),
            scratch,
            staging,
        })
    }

    fn tell(
        &self,
        packed: &Packed,
        published: &Published,
        selected: Option<&Selected>,
    ) -> anyhow::Result<()> {
        let (generation, rows) = (&published.generation, &packed.rows);
        if self.json {
            let told = json!({
                "generation": generation,
                "dataset": self.dataset,
                "rows": rows,
                "blobs_new": published.blobs_new,
                "blobs_present": published.blobs_present,
                "bytes_new": published.bytes_new,
                "selection": selected.map(|selected| selected.selection.number),
            });
            return print(&format!("{told}\n"));
        }
        if self.quiet {
            return Ok(());
        }
        let done = match selected {
            Some(selected) if selected.is_new => "selected",
            Some(_) => "already current",
            None => "published, not selected",
        };
        print(&format!(
            "generation {generation} {done} in {}\n{}: {} rows read, {} used; \
             {} blobs written ({} KiB), {} already there\n",
            self.output,
            self.dataset,
            rows.read,
            rows.used,
            published.blobs_new,
            published.bytes_new >> 10,
            published.blobs_present,
        ))
    }
}

/// Puts a table into a generation beside whatever else that has.
fn stage(mut manifest: Manifest, dataset: &str, table: PackedTable) -> anyhow::Result<Staged> {
    let shards = table.shards.iter().map(|shard| shard.entry.clone());
    manifest.put_packed(dataset, table.packed, table.inputs, shards);
    manifest.id = manifest.compute_id()?;
    let shards = table.shards.into_iter();
    Ok(Staged {
        manifest,
        shards: shards.map(|shard| (shard.path, shard.entry.blob)).collect(),
        build_json: serde_json::to_vec_pretty(&table.report)?,
        reports: Vec::new(),
    })
}

/// Returns today's date in UTC.
fn today() -> Day {
    let since = SystemEnvironment.now().duration_since(UNIX_EPOCH);
    let days = since.unwrap_or_default().as_secs() / 86_400;
    Day(i32::try_from(days).unwrap_or_default())
}
