//! `nightshard inspect`: what a generation, a shard or one record contains.

mod atoms;
mod benchmark;
mod customer;
mod demographics;
mod elsewhere;
mod generation;
mod leaves;
mod loyalty;
mod mixes;
mod month;
mod patterns;
mod record;
mod region;
mod settlements;
mod shard;

use std::{path::Path, process::ExitCode};

use anyhow::{Context, anyhow};
use nightshard_deploy::Error;
use nightshard_format::{
    key,
    manifest::{GenerationId, Manifest},
    record::STORES,
    shard::{Mapped, Shard, Span},
};
use nightshard_storage::Location;
use serde::Serialize;

use self::{generation::GenerationFacts, record::RecordFacts, shard::ShardFacts};
use crate::{
    exit::UsageError,
    output::{print, print_json},
    repository::RepositoryArgs,
};

/// Show what a generation, a shard file or one record contains.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// A repository, or a shard file.
    #[arg(value_name = "URI")]
    uri: String,
    /// The generation [default: the current one].
    #[arg(value_name = "GENERATION")]
    generation: Option<GenerationId>,
    /// Decode the record of this key, such as a store's id.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The key is given in hexadecimal.
    #[arg(long, requires = "key")]
    hex: bool,
    /// Only this dataset [default for --key: stores].
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// The record's span: current or a month (YYYY-MM) [default: current].
    #[arg(long, value_name = "SPAN", requires = "key")]
    span: Option<Span>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// What can be shown.
trait Shown: Serialize {
    /// Returns the lines for people.
    fn to_text(&self) -> String;
}

/// Inspects, and prints what is found.
pub(crate) fn run(args: InspectArgs) -> anyhow::Result<ExitCode> {
    match Location::parse(&args.uri).map_err(Error::from)? {
        Location::Local(path) if path.is_file() => inspect_file(&args, &path)?,
        _ => inspect_repository(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect_file(args: &InspectArgs, path: &Path) -> anyhow::Result<()> {
    if args.generation.is_some() || args.dataset.is_some() || args.span.is_some() {
        let problem = "is a shard file, which has a dataset and a span of its own";
        return Err(UsageError(format!("{} {problem}", args.uri)).into());
    }
    let named = || path.display().to_string();
    let shard = Mapped::open(path).and_then(Shard::open);
    let shard = shard.with_context(named)?;
    match &args.key {
        None => show(args, &ShardFacts::of(&shard)),
        Some(key) => {
            shard.verify().with_context(named)?;
            show_record(args, &shard, &key_bytes(args, key)?)
        }
    }
}

fn inspect_repository(args: &InspectArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let repository = runtime.block_on(args.repository.open(&args.uri))?;
    let manifest = runtime.block_on(async {
        let id = match &args.generation {
            Some(id) => id.clone(),
            None => repository.current_generation().await?,
        };
        repository.manifest(&id).await
    })?;
    if let Some(dataset) = &args.dataset {
        check_dataset(&manifest, dataset)?;
    }
    let Some(key) = &args.key else {
        return show(
            args,
            &GenerationFacts::of(&manifest, args.dataset.as_deref()),
        );
    };
    let key = key_bytes(args, key)?;
    let dataset = args.dataset.as_deref().unwrap_or(STORES);
    let span = args.span.unwrap_or(Span::Current).to_string();
    let partition = key::partition_of(key::hash(&key));
    let entry = manifest.shards.iter().find(|entry| {
        let partitions = entry.first_partition..entry.end_partition;
        entry.dataset == dataset && entry.span == span && partitions.contains(&partition)
    });
    let entry = entry.ok_or_else(|| absent(&key, &format!("{dataset} {span}")))?;
    let shard = runtime.block_on(repository.open_shard(entry))?;
    show_record(args, &shard, &key)
}

fn check_dataset(manifest: &Manifest, dataset: &str) -> Result<(), UsageError> {
    let mut datasets: Vec<&str> = manifest
        .shards
        .iter()
        .map(|entry| entry.dataset.as_str())
        .collect();
    datasets.dedup();
    if datasets.contains(&dataset) {
        return Ok(());
    }
    let known = datasets.join(", ");
    Err(UsageError(format!(
        "--dataset {dataset}: the generation has {known}"
    )))
}

fn show_record(args: &InspectArgs, shard: &Shard<Mapped>, key: &[u8]) -> anyhow::Result<()> {
    let identity = shard.identity();
    let value = shard
        .get(key)?
        .ok_or_else(|| absent(key, &format!("{} {}", identity.dataset, identity.span)))?;
    show(args, &RecordFacts::decode(identity, key, &value.read()?)?)
}

fn show(args: &InspectArgs, facts: &impl Shown) -> anyhow::Result<()> {
    if args.json {
        print_json(facts)
    } else {
        print(&facts.to_text())
    }
}

fn absent(key: &[u8], place: &str) -> anyhow::Error {
    anyhow!("no key {:?} in {place}", String::from_utf8_lossy(key))
}

fn key_bytes(args: &InspectArgs, key: &str) -> Result<Vec<u8>, UsageError> {
    if !args.hex {
        return Ok(key.as_bytes().to_vec());
    }
    let wrong = || UsageError(format!("--key {key:?} is not hexadecimal"));
    if !key.len().is_multiple_of(2) || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    (0..key.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&key[at..at + 2], 16).map_err(|_bad| wrong()))
        .collect()
}
