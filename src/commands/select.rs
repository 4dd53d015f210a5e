//! `nightshard select`: which generation is current.

use std::process::ExitCode;

use nightshard_deploy::Selected;
use nightshard_format::manifest::GenerationId;
use serde_json::json;

use crate::{
    cluster::{ClusterArgs, to_text},
    output::ResultArgs,
    repository::RepositoryArgs,
};

/// Make a generation the current one, once it is there whole.
///
/// With --servers, these have it ready first, and are told; if too few have, nothing is selected. The
/// exit code is 4 if another writer selected another generation at the same time.
#[derive(Debug, clap::Args)]
pub(crate) struct SelectArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// The generation.
    #[arg(value_name = "GENERATION")]
    generation: GenerationId,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    result: ResultArgs,
}

/// Selects, and says under which number.
pub(crate) fn run(args: SelectArgs) -> anyhow::Result<ExitCode> {
    let selected = tokio::runtime::Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        let cluster = args.cluster.find().await?;
        cluster.prepare(&args.generation).await?;
        let selected = repository.select(&args.generation).await?;
        let switched = cluster.tell(&selected.selection).await;
        anyhow::Ok((selected, switched))
    });
    let (Selected { selection, is_new }, switched) = selected?;
    let result = json!({
        "selection": selection,
        "is_new": is_new,
        "servers": switched,
    });
    args.result.show(&result, || {
        let done = match is_new {
            true => "selected",
            false => "already current",
        };
        let (generation, number) = (&selection.generation, selection.number);
        let servers = to_text(&switched);
        format!("generation {generation} {done}, selection {number}\n{servers}")
    })?;
    Ok(ExitCode::SUCCESS)
}
