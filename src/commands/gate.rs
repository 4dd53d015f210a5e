//! `nightshard gate`: whether a generation is like the last good one.

use std::process::ExitCode;

use anyhow::Context;
use nightshard_deploy::{
    Repository,
    gate::{GateReport, Verdict},
};
use nightshard_format::manifest::GenerationId;

use crate::{
    config::Config,
    exit,
    output::{Column, Table, print, print_json},
};

/// Judge a published generation beside the current one, store the report and show it.
///
/// The exit code is 3 if a check refuses the generation. What is selected stays so.
#[derive(Debug, clap::Args)]
pub(crate) struct GateArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// The generation.
    #[arg(value_name = "GENERATION")]
    generation: GenerationId,
    /// The generation to compare with [default: the current one, if that is another].
    #[arg(long, value_name = "GENERATION", conflicts_with = "last")]
    against: Option<GenerationId>,
    /// Show the report that is already there, the newest if there are several.
    #[arg(long)]
    last: bool,
    /// Configuration file, of which the tables `gate` and `storage` count here.
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Judges, or looks up what was judged, and shows it.
pub(crate) fn run(args: GateArgs) -> anyhow::Result<ExitCode> {
    let config = Config::read(args.config.as_deref())?;
    let report = tokio::runtime::Runtime::new()?.block_on(async {
        let repository = Repository::open(&args.uri, &config.storage).await?;
        if args.last {
            let report = repository.last_gate_report(&args.generation).await?;
            return report.with_context(|| {
                let (id, uri) = (&args.generation, &args.uri);
                format!("generation {id} has no gate report in {uri}: leave out --last to make one")
            });
        }
        let candidate = repository.manifest(&args.generation).await?;
        let good = match &args.against {
            Some(against) => Some(repository.manifest(against).await?),
            None => {
                let current = repository.base().await?.manifest?;
                current.filter(|current| current.id != candidate.id)
            }
        };
        let gate = repository.gate(&candidate, good.as_ref(), &config.gate);
        Ok(gate.await?)
    })?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&to_text(&report))?;
    }
    Ok(match report.is_passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(exit::REFUSED),
    })
}

fn to_text(report: &GateReport) -> String {
    let GateReport {
        generation,
        against,
        is_passed,
        ..
    } = report;
    let verdict = if *is_passed { "passed" } else { "refused" };
    let against = match against {
        Some(against) => format!("compared with {against}"),
        None => "nothing to compare with".to_owned(),
    };
    let mut table = Table::new(&[
        Column::Text("check"),
        Column::Text("verdict"),
        Column::Text("found"),
    ]);
    for check in &report.checks {
        let verdict = match check.verdict {
            Verdict::Passed => "passed",
            Verdict::Refused => "REFUSED",
            Verdict::Warned => "WARNED",
            Verdict::Skipped => "skipped",
        };
        table.row([check.name.clone(), verdict.to_owned(), check.line.clone()]);
    }
    let (name, at) = (report.name(), &report.at);
    format!(
        "generation {generation} {verdict}, {against}\n{}{name}, {at}\n",
        table.to_text()
    )
}
