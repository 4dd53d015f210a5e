//! `nightshard reclaim`: deleting what nobody needs any more.

use std::{process::ExitCode, time::Duration};

use indicatif::HumanBytes;
use nightshard_deploy::{Reclaim, Reclaimed};

use crate::{output::ResultArgs, repository::RepositoryArgs};

/// Delete generations and blobs that nobody needs any more.
///
/// The current generation, the one before it, what a rollback would go back to, and what a publisher
/// is about to reference always stay.
#[derive(Debug, clap::Args)]
pub(crate) struct ReclaimArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// So many of the newest generations stay, too.
    #[arg(long, value_name = "N", default_value_t = 3)]
    keep: usize,
    /// Nothing younger goes.
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    floor_days: u64,
    /// Delete nothing; say what would go.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
    #[command(flatten)]
    result: ResultArgs,
}

/// Reclaims, and says what.
pub(crate) fn run(args: ReclaimArgs) -> anyhow::Result<ExitCode> {
    let rules = Reclaim {
        keep: args.keep,
        floor: Duration::from_secs(args.floor_days.saturating_mul(24 * 60 * 60)),
        is_dry_run: args.dry_run,
        ..Reclaim::default()
    };
    let reclaimed = tokio::runtime::Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        anyhow::Ok(repository.reclaim(&rules).await?)
    })?;
    args.result.show(&reclaimed, || to_text(&reclaimed))?;
    Ok(ExitCode::SUCCESS)
}

fn to_text(reclaimed: &Reclaimed) -> String {
    let done = match reclaimed.is_dry_run {
        true => "would be reclaimed",
        false => "reclaimed",
    };
    let mut text = String::new();
    for id in &reclaimed.generations {
        text.push_str(&format!("generation {id} {done}\n"));
    }
    text.push_str(&format!(
        "{} generations, {} blobs ({}) and {} left-over objects {done}\n",
        reclaimed.generations.len(),
        reclaimed.blobs,
        HumanBytes(reclaimed.bytes),
        reclaimed.litter,
    ));
    if reclaimed.spared > 0 {
        text.push_str(&format!(
            "{} spared: somebody needs them now\n",
            reclaimed.spared
        ));
    }
    text
}
