//! `nightshard get`: one value of a dataset.

use std::{io::Write, process::ExitCode};

use anyhow::anyhow;
use nightshard_deploy::Repository;
use nightshard_format::{
    key,
    manifest::{GenerationId, Manifest},
    shard::{Mapped, Shard, Span},
};
use tokio::runtime::Runtime;

use crate::{exit::UsageError, repository::RepositoryArgs};

/// Write the value of a key to standard output, byte by byte.
///
/// The exit code is 1 when there is none. The shard that has the key is verified first.
#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// The dataset.
    #[arg(value_name = "DATASET")]
    dataset: String,
    /// The key.
    #[arg(value_name = "KEY")]
    key: std::ffi::OsString,
    /// The generation [default: the current one].
    #[arg(long, value_name = "ID")]
    generation: Option<GenerationId>,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// Finds the value, and writes it.
pub(crate) fn run(args: GetArgs) -> anyhow::Result<ExitCode> {
    let runtime = Runtime::new()?;
    let repository = runtime.block_on(args.repository.open(&args.uri))?;
    let manifest = runtime.block_on(manifest_of(&repository, args.generation.as_ref()))?;
    check_dataset(&manifest, &args.dataset)?;
    let key = args.key.as_encoded_bytes();
    let absent = || {
        let (key, dataset) = (String::from_utf8_lossy(key), &args.dataset);
        anyhow!("no key {key:?} in {dataset}")
    };
    let partition = key::partition_of(key::hash(key));
    let current = Span::Current.to_string();
    let mut shards = manifest.shards_of(&args.dataset);
    let entry = shards.find(|entry| {
        let partitions = entry.first_partition..entry.end_partition;
        entry.span == current && partitions.contains(&partition)
    });
    let entry = entry.ok_or_else(absent)?;
    let shard = runtime.block_on(repository.open_shard(entry))?;
    let value = shard.get(key)?.ok_or_else(absent)?;
    let mut out = std::io::stdout().lock();
    match out.write_all(&value.read()?).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Returns the manifest of a generation, the current one where none is named.
pub(super) async fn manifest_of(
    repository: &Repository,
    generation: Option<&GenerationId>,
) -> anyhow::Result<Manifest> {
    let id = match generation {
        Some(id) => id.clone(),
        None => repository.current_generation().await?,
    };
    Ok(repository.manifest(&id).await?)
}

/// Opens the shards of a dataset's current span, which are by partition, that is by hash.
pub(super) async fn open_current(
    repository: &Repository,
    manifest: &Manifest,
    dataset: &str,
) -> anyhow::Result<Vec<Shard<Mapped>>> {
    let current = Span::Current.to_string();
    let mut shards = Vec::new();
    for entry in manifest.shards_of(dataset) {
        if entry.span == current {
            shards.push(repository.open_shard(entry).await?);
        }
    }
    Ok(shards)
}

/// Checks that a generation has a dataset.
pub(super) fn check_dataset(manifest: &Manifest, dataset: &str) -> Result<(), UsageError> {
    if manifest.shards_of(dataset).next().is_some() {
        return Ok(());
    }
    let shards = manifest.shards.iter();
    let mut known: Vec<&str> = shards.map(|entry| entry.dataset.as_str()).collect();
    known.dedup();
    Err(UsageError(format!(
        "no dataset {dataset:?}: the generation has {}",
        known.join(", ")
    )))
}
