//! `nightshard publish`: a generation of one repository in another.

use std::{io::Write, process::ExitCode};

use indicatif::HumanBytes;
use nightshard_deploy::{Published, Selected, Switched};
use nightshard_format::manifest::GenerationId;
use serde_json::json;

use crate::{
    cluster::{self, ClusterArgs},
    output::ResultArgs,
    repository::RepositoryArgs,
};

/// Publish a generation of one repository in another, and make it the current one there.
///
/// Only blobs that are not there travel. What is there already is said so, and is no error. The
/// exit code is 4 if another writer selected another generation at the same time.
#[derive(Debug, clap::Args)]
pub(crate) struct PublishArgs {
    /// The repository that has the generation.
    #[arg(value_name = "FROM")]
    from: String,
    /// The repository that is to have it, made where it is not yet there.
    #[arg(value_name = "TO")]
    to: String,
    /// The generation [default: the current one of FROM].
    #[arg(value_name = "GENERATION")]
    generation: Option<GenerationId>,
    /// Publish only: what is current there stays so.
    #[arg(long)]
    no_select: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    result: ResultArgs,
}

/// Publishes, selects, and says so.
pub(crate) fn run(args: PublishArgs) -> anyhow::Result<ExitCode> {
    let (published, selected, switched) =
        tokio::runtime::Runtime::new()?.block_on(publish(&args))?;
    for damage in &published.mended {
        // Nobody is left to tell if standard error is closed.
        let _closed = writeln!(std::io::stderr(), "mended: {damage}");
    }
    let result = json!({
        "generation": published.generation,
        "is_new": published.is_new,
        "blobs_new": published.blobs_new,
        "bytes_new": published.bytes_new,
        "blobs_present": published.blobs_present,
        "bytes_present": published.bytes_present,
        "mended": published.mended,
        "selection": selected.as_ref().map(|selected| selected.selection.number),
        "servers": switched,
    });
    args.result.show(&result, || {
        to_text(&args.to, &published, selected.as_ref()) + &cluster::to_text(&switched)
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn publish(
    args: &PublishArgs,
) -> anyhow::Result<(Published, Option<Selected>, Vec<Switched>)> {
    let from = args.repository.open(&args.from).await?;
    let to = args.repository.open_or_create(&args.to).await?;
    let id = match &args.generation {
        Some(id) => id.clone(),
        None => from.current_generation().await?,
    };
    let base = to.base().await?;
    let published = to.publish_of(&from, &id).await?;
    if args.no_select {
        return Ok((published, None, Vec::new()));
    }
    let cluster = args.cluster.find().await?;
    cluster.prepare(&id).await?;
    let selected = to.select_after(&published, &base).await?;
    let switched = cluster.tell(&selected.selection).await;
    Ok((published, Some(selected), switched))
}

fn to_text(to: &str, published: &Published, selected: Option<&Selected>) -> String {
    let was_there = match published.is_new {
        true => "",
        false => ", was there already",
    };
    let done = match selected {
        Some(selected) if selected.is_new => {
            format!(", selected as number {}", selected.selection.number)
        }
        Some(_) => ", already current".to_owned(),
        None => ", not selected".to_owned(),
    };
    format!(
        "generation {} published in {to}{was_there}{done}\n\
         {} blobs stored ({}), {} already there ({})\n",
        published.generation,
        published.blobs_new,
        HumanBytes(published.bytes_new),
        published.blobs_present,
        HumanBytes(published.bytes_present),
    )
}
