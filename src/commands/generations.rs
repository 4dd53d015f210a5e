//! `nightshard generations`: what a repository has.

use std::process::ExitCode;

use indicatif::{HumanBytes, HumanCount};
use nightshard_deploy::{Listed, Repository};
use nightshard_format::manifest::{GenerationId, Manifest};
use serde::Serialize;

use crate::output::{Column, Table, print, print_json};

/// List the generations of a repository, oldest first, and which of them is current.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerationsArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
}

/// One generation of the list.
#[derive(Debug, Serialize)]
struct Row {
    generation: GenerationId,
    is_current: bool,
    #[serde(flatten)]
    facts: Option<Facts>,
    /// Why the manifest cannot be used.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Facts {
    as_of: String,
    stores: u64,
    rows: u64,
    shards: u64,
    bytes: u64,
}

/// Lists the generations.
pub(crate) fn run(args: GenerationsArgs) -> anyhow::Result<ExitCode> {
    let repository = Repository::open(&args.uri)?;
    let listed = tokio::runtime::Runtime::new()?.block_on(repository.generations())?;
    let rows: Vec<Row> = listed.into_iter().map(row).collect();
    if args.json {
        print_json(&serde_json::json!({ "generations": rows }))?;
    } else if rows.is_empty() {
        print(&format!("no generations in {}\n", repository.location()))?;
    } else {
        print(&table(&rows).to_text())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(listed: Listed) -> Row {
    let (facts, problem) = match &listed.manifest {
        Ok(manifest) => (Some(facts(manifest)), None),
        Err(error) => (None, Some(cause(error))),
    };
    Row {
        generation: listed.id,
        is_current: listed.is_current,
        facts,
        problem,
    }
}

fn facts(manifest: &Manifest) -> Facts {
    Facts {
        as_of: manifest.as_of.clone(),
        stores: manifest.stores,
        rows: manifest.rows.used,
        shards: manifest.shards.len() as u64,
        bytes: manifest.shards.iter().map(|entry| entry.size_bytes).sum(),
    }
}

/// Returns what is wrong, without the name of the generation, which the row has.
fn cause(error: &dyn std::error::Error) -> String {
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&[
        Column::Text("generation"),
        Column::Number("stores"),
        Column::Number("rows"),
        Column::Number("shards"),
        Column::Number("size"),
        Column::Text(""),
    ]);
    for row in rows {
        let fact = |show: fn(&Facts) -> String| row.facts.as_ref().map(show).unwrap_or_default();
        let state = match (&row.problem, row.is_current) {
            (None, true) => "current".to_owned(),
            (None, false) => String::new(),
            (Some(problem), true) => format!("current, unusable: {problem}"),
            (Some(problem), false) => format!("unusable: {problem}"),
        };
        table.row([
            row.generation.to_string(),
            fact(|facts| HumanCount(facts.stores).to_string()),
            fact(|facts| HumanCount(facts.rows).to_string()),
            fact(|facts| HumanCount(facts.shards).to_string()),
            fact(|facts| HumanBytes(facts.bytes).to_string()),
            state,
        ]);
    }
    table
}
