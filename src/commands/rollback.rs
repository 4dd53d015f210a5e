//! `nightshard rollback`: back to a generation that proved right.

use std::process::ExitCode;

use nightshard_format::manifest::GenerationId;
use serde_json::json;

use crate::{
    cluster::{ClusterArgs, to_text},
    output::ResultArgs,
    repository::RepositoryArgs,
};

/// Go back to an earlier generation, and mark the one that is left as bad.
///
/// Without a name that is the newest one before the current one that is marked good. Going forward
/// again is `select`.
#[derive(Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// The generation to go back to [default: the newest good one before the current one].
    #[arg(value_name = "GENERATION")]
    generation: Option<GenerationId>,
    /// Go back only if this generation is current: exit code 4 if it is not.
    #[arg(long, value_name = "GENERATION")]
    from: Option<GenerationId>,
    /// Why, for those who read the mark.
    #[arg(long, value_name = "TEXT", default_value = "rolled back")]
    why: String,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    result: ResultArgs,
}

/// Goes back, and says to what.
pub(crate) fn run(args: RollbackArgs) -> anyhow::Result<ExitCode> {
    let (done, switched) = tokio::runtime::Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        let cluster = args.cluster.find().await?;
        let target = match &args.generation {
            Some(id) => id.clone(),
            None => repository.rollback_target().await?,
        };
        cluster.prepare(&target).await?;
        let done = match &args.from {
            Some(from) => repository.rollback_from(from, &target, &args.why).await?,
            None => repository.rollback_to(&target, &args.why).await?,
        };
        let switched = cluster.tell(&done.selected.selection).await;
        anyhow::Ok((done, switched))
    })?;
    let (from, selection) = (&done.from, &done.selected.selection);
    let result = json!({ "from": from, "selection": selection, "servers": switched });
    args.result.show(&result, || {
        let (generation, number) = (&selection.generation, selection.number);
        let text = match from == generation {
            true => format!("generation {generation} is current already\n"),
            false => {
                format!("generation {generation} selected as number {number}; {from} marked bad\n")
            }
        };
        text + &to_text(&switched)
    })?;
    Ok(ExitCode::SUCCESS)
}
