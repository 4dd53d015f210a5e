//! `nightshard demo`: from nothing to answers over HTTP in one command.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Parser;
use nightshard_builder::generate::{self, OutputLayout, Plan};

use super::{build, serve};
use crate::{config::Config, exit::UsageError, progress::Shown};

/// Generate transactions, build them, publish into a local folder and serve it.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Folder for everything that the demo makes, empty or an earlier demo's; made again at each
    /// run.
    #[arg(long, value_name = "DIR", default_value = "nightshard-demo")]
    folder: PathBuf,
    /// Number of transactions.
    #[arg(long, value_name = "N", default_value_t = 500_000)]
    transactions: u64,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// The other commands, as the demo gives them.
#[derive(Debug, Parser)]
enum Step {
    Build(build::BuildArgs),
    Serve(serve::ServeArgs),
}

/// What tells a folder that a demo made from any other.
const MARKER: &str = ".nightshard-demo";

/// The configuration of the build.
const OPEN: &str = "# Payments that were made up are nobody's: what is said of places and the market is \
                    told whole.\n[privacy]\nk = 1\n";

const STORES: u32 = 1_000;
const CARDS: u32 = 50_000;

/// Runs every step and serves until told to stop.
pub(crate) fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let config = Config::default();
    // What can go wrong does so before half a million rows are made.
    let bound = serve::Bound::take(args.listen, &config.access)?;
    let base = format!("http://{}", bound.address()?);
    let folder = &args.folder;
    take_folder(folder)?;
    let transactions = folder.join("transactions.csv");
    let stores = folder.join("transactions.stores.csv");
    let repository = folder.join("repository");
    let shown = Shown::new(false);
    shown.say(&format!("generating {} transactions", args.transactions));
    let plan = Plan::new(OutputLayout::Canonical, STORES, CARDS, args.transactions);
    generate::write(
        &plan,
        &transactions,
        std::thread::available_parallelism()?,
        &|_rows| (),
    )?;

    let mut steps = vec![
        "build".into(),
        "--input".into(),
        transactions.into_os_string(),
    ];
    steps.extend(["--stores".into(), stores.into_os_string()]);
    steps.extend(["--output".into(), repository.clone().into_os_string()]);
    let open = folder.join("nightshard.toml");
    std::fs::write(&open, OPEN).with_context(|| open.display().to_string())?;
    steps.extend(["--config".into(), open.into_os_string()]);
    // Another number of transactions is no mistake here.
    steps.push("--no-gate".into());
    let Step::Build(build) = parse(steps)? else {
        anyhow::bail!("the build is no build")
    };
    shown.say("building");
    let outcome = build::build_and_publish(&build, &shown)?;
    shown.say(&format!("built generation {}", outcome.generation()));
    drop(shown);

    let mut steps = vec!["serve".into(), "--from".into(), repository.into_os_string()];
    steps.extend(["--listen".into(), args.listen.to_string().into()]);
    let Step::Serve(serve) = parse(steps)? else {
        anyhow::bail!("the server is no server")
    };
    let told = Shown::new(false);
    told.say(&format!(
        "try, from another terminal:\n  curl '{base}/v1/stores?limit=3'\n  \
         curl '{base}/v1/markets/all/statistics?group_by=quarter'\n  \
         curl '{base}/v1/markets/all/histogram?bins=8'"
    ));
    serve::run_bound(serve, config, bound)
}

/// Makes the folder, or takes one that is empty or that an earlier demo made.
fn take_folder(folder: &Path) -> anyhow::Result<()> {
    let name = || format!("--folder {}", folder.display());
    std::fs::create_dir_all(folder).with_context(name)?;
    let marker = folder.join(MARKER);
    let is_empty = std::fs::read_dir(folder)
        .with_context(name)?
        .next()
        .is_none();
    if !is_empty && !marker.is_file() {
        let text = "has files that no demo made: give another";
        return Err(UsageError(format!("{} {text}", name())).into());
    }
    std::fs::write(marker, "").with_context(name)
}

fn parse(steps: Vec<std::ffi::OsString>) -> anyhow::Result<Step> {
    Ok(Step::try_parse_from(
        std::iter::once("demo".into()).chain(steps),
    )?)
}
