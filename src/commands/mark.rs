//! `nightshard mark`: what is known of a generation beside its content.

use std::process::ExitCode;

use clap::ValueEnum;
use nightshard_deploy::Verdict;
use nightshard_format::manifest::GenerationId;

use crate::{output::ResultArgs, repository::RepositoryArgs};

/// Mark a generation good, so that a rollback may choose it, or bad, so that none does.
#[derive(Debug, clap::Args)]
pub(crate) struct MarkArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// The generation.
    #[arg(value_name = "GENERATION")]
    generation: GenerationId,
    /// What it is.
    #[arg(value_name = "MARK")]
    mark: Given,
    /// Why, for those who read the mark.
    #[arg(long, value_name = "TEXT", default_value = "marked by hand")]
    why: String,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    result: ResultArgs,
}

/// A mark that people give.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Given {
    /// It proved right.
    Good,
    /// It is never chosen unless named.
    Bad,
}

/// Marks, and says so.
pub(crate) fn run(args: MarkArgs) -> anyhow::Result<ExitCode> {
    let (verdict, name) = match args.mark {
        Given::Good => (Verdict::Good, "good"),
        Given::Bad => (Verdict::Bad, "bad"),
    };
    let mark = tokio::runtime::Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        anyhow::Ok(
            repository
                .mark(&args.generation, verdict, &args.why)
                .await?,
        )
    })?;
    let id = &mark.generation;
    args.result
        .show(&mark, || format!("generation {id} marked {name}\n"))?;
    Ok(ExitCode::SUCCESS)
}
