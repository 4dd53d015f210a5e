//! `nightshard verify`: the full walk of a generation or of one shard file.

use std::{
    io::{IsTerminal, Write},
    path::Path,
    process::ExitCode,
};

use anyhow::Context;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use nightshard_deploy::{Error, Verification, VerifyProgress, verify_shard};
use nightshard_format::{
    manifest::GenerationId,
    shard::{Mapped, Shard},
};
use nightshard_storage::Location;
use serde_json::json;

use crate::{
    exit::UsageError,
    output::{print, print_json},
    repository::RepositoryArgs,
};

/// Read every byte and every record of a generation, or of one shard file, and check them.
///
/// The exit code is 0 only if all is right.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// A repository, or a shard file.
    #[arg(value_name = "URI")]
    uri: String,
    /// The generation [default: the current one].
    #[arg(value_name = "GENERATION")]
    generation: Option<GenerationId>,
    /// Show no progress and no summary.
    #[arg(long, short)]
    quiet: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// Verifies, and says what is wrong.
pub(crate) fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    match Location::parse(&args.uri).map_err(Error::from)? {
        Location::Local(path) if path.is_file() => verify_file(&args, &path),
        _ => verify_generation(&args),
    }
}

fn verify_file(args: &VerifyArgs, path: &Path) -> anyhow::Result<ExitCode> {
    if args.generation.is_some() {
        return Err(UsageError(format!("{} is a file and has no generations", args.uri)).into());
    }
    let walk = || {
        let shard = Shard::open(Mapped::open(path)?)?;
        verify_shard(&shard)?;
        Ok::<_, nightshard_format::Error>(shard)
    };
    let shard = walk().with_context(|| path.display().to_string())?;
    let (records, bytes) = (shard.len(), shard.bytes().as_ref().len() as u64);
    if args.json {
        print_json(&json!({
            "shard": shard.identity().to_string(),
            "records": records,
            "bytes": bytes,
        }))?;
    } else if !args.quiet {
        print(&format!(
            "shard {} is right: {} records, {}\n",
            shard.identity(),
            HumanCount(records),
            HumanBytes(bytes),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn verify_generation(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let bar = progress_bar(args.quiet);
    let show = {
        let (bar, plain) = (bar.clone(), !args.quiet && !std::io::stderr().is_terminal());
        move |progress| show_progress(&bar, plain, progress)
    };
    let verification = tokio::runtime::Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        let id = match &args.generation {
            Some(id) => id.clone(),
            None => repository.current_generation().await?,
        };
        anyhow::Ok(repository.verify(&id, show).await?)
    })?;
    bar.finish_and_clear();
    report(args, &verification)?;
    let is_right = verification.damage.is_empty();
    Ok(if is_right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report(args: &VerifyArgs, verification: &Verification) -> anyhow::Result<()> {
    for damage in &verification.damage {
        // Nobody is left to tell if standard error is closed.
        let _closed = writeln!(std::io::stderr(), "nightshard: {}", damage.problem);
    }
    if args.json {
        return print_json(verification);
    }
    if args.quiet {
        return Ok(());
    }
    let Verification {
        generation,
        shards,
        records,
        bytes,
        damage,
    } = verification;
    let verdict = match damage.len() {
        0 => "is right".to_owned(),
        1 => "is damaged in 1 place; right are".to_owned(),
        places => format!("is damaged in {places} places; right are"),
    };
    let right = shards.saturating_sub(damage.len() as u64);
    print(&format!(
        "generation {generation} {verdict}: {} shards, {} records, {}\n",
        HumanCount(right),
        HumanCount(*records),
        HumanBytes(*bytes),
    ))
}

/// A bar on a terminal, nothing elsewhere.
fn progress_bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "verify  {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}";
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Moves the bar, or says so in a line at every tenth of the shards.
fn show_progress(bar: &ProgressBar, plain: bool, progress: VerifyProgress) {
    let VerifyProgress {
        shards_done,
        shards,
        bytes_done,
        bytes,
    } = progress;
    bar.set_length(bytes);
    bar.set_position(bytes_done);
    let tenths = |done: u64| done * 10 / shards;
    if plain && tenths(shards_done) > tenths(shards_done - 1) {
        let line = format!("verified {shards_done} of {shards} shards");
        let _closed = writeln!(std::io::stderr(), "{line}");
    }
}
