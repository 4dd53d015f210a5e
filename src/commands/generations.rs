//! `nightshard generations`: what a repository has.

use std::process::ExitCode;

use indicatif::{HumanBytes, HumanCount};
use nightshard_deploy::{Error, Listed, Mark, Repository, SelectionNumber, Verdict};
use nightshard_format::manifest::{GenerationId, Manifest};
use serde::Serialize;

use crate::{
    output::{Column, Table, print, print_json},
    repository::RepositoryArgs,
};

/// List the generations of a repository, oldest first, with the selections that made them current.
///
/// To go back, see `rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerationsArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// One generation of the list.
#[derive(Debug, Serialize)]
struct Row {
    generation: GenerationId,
    is_current: bool,
    is_previous: bool,
    mark: Option<Mark>,
    selections: Vec<SelectionNumber>,
    #[serde(flatten)]
    facts: Option<Facts>,
    /// Why the manifest cannot be used.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct Facts {
    as_of: String,
    /// Stores and rows of the transactions, where there are any.
    stores: Option<u64>,
    rows: Option<u64>,
    /// Names of the packed datasets.
    packed: Vec<String>,
    shards: u64,
    bytes: u64,
}

/// Lists the generations.
pub(crate) fn run(args: GenerationsArgs) -> anyhow::Result<ExitCode> {
    let (listed, problem, location) = tokio::runtime::Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        let listed = repository.generations().await?;
        let problem = selection_problem(&repository, &listed).await?;
        anyhow::Ok((listed, problem, repository.location().to_owned()))
    })?;
    let rows: Vec<Row> = listed.into_iter().map(row).collect();
    if args.json {
        print_json(&serde_json::json!({ "generations": rows, "problem": problem }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = match rows.is_empty() {
        true => format!("no generations in {location}\n"),
        false => table(&rows).to_text(),
    };
    if let Some(problem) = problem {
        text.push_str(&format!(
            "{problem}: servers keep what they serve; select a generation to go on\n"
        ));
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns why the highest selection makes nothing current that is here, if so.
async fn selection_problem(
    repository: &Repository,
    listed: &[Listed],
) -> anyhow::Result<Option<String>> {
    match repository.current().await {
        Err(error @ Error::Storage(_)) => Err(error.into()),
        Err(error) => Ok(Some(format!("{error}: {}", cause(&error)))),
        Ok(Some(selection)) if !listed.iter().any(|listed| listed.is_current) => {
            let (number, id) = (selection.number, selection.generation);
            let problem = format!("selection {number} names generation {id}, which is not here");
            Ok(Some(problem))
        }
        Ok(_) => Ok(None),
    }
}

fn row(listed: Listed) -> Row {
    let (facts, problem) = match &listed.manifest {
        Ok(manifest) => (Some(facts(manifest)), None),
        Err(error) => (None, Some(cause(error))),
    };
    Row {
        generation: listed.id,
        is_current: listed.is_current,
        is_previous: listed.is_previous,
        mark: listed.mark,
        selections: listed.selections,
        facts,
        problem,
    }
}

fn facts(manifest: &Manifest) -> Facts {
    let transactions = manifest.transactions.as_ref();
    Facts {
        as_of: manifest.as_of.clone(),
        stores: transactions.map(|transactions| transactions.stores),
        rows: transactions.map(|transactions| transactions.rows.used),
        packed: manifest.packed.keys().cloned().collect(),
        shards: manifest.shards.len() as u64,
        bytes: manifest.shards.iter().map(|entry| entry.size_bytes).sum(),
    }
}

fn count_or_dash(count: Option<u64>) -> String {
    count.map_or_else(|| "-".into(), |count| HumanCount(count).to_string())
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
        Column::Text("packed"),
        Column::Number("shards"),
        Column::Number("size"),
        Column::Text("selections"),
        Column::Text(""),
    ]);
    for row in rows {
        let fact = |show: fn(&Facts) -> String| row.facts.as_ref().map(show).unwrap_or_default();
        let role = match (row.is_current, row.is_previous) {
            (true, _) => Some("current".to_owned()),
            (false, true) => Some("previous".to_owned()),
            (false, false) => None,
        };
        let mark = row.mark.as_ref().and_then(|mark| match mark.mark {
            Verdict::Good => Some("good".to_owned()),
            Verdict::Bad => Some(format!("bad: {}", mark.why)),
            _ => None,
        });
        let problem = row.problem.as_ref();
        let problem = problem.map(|problem| format!("unusable: {problem}"));
        let state: Vec<String> = role.into_iter().chain(mark).chain(problem).collect();
        let selections = row.selections.iter().map(ToString::to_string);
        table.row([
            row.generation.to_string(),
            fact(|facts| count_or_dash(facts.stores)),
            fact(|facts| count_or_dash(facts.rows)),
            fact(|facts| facts.packed.join(",")),
            fact(|facts| HumanCount(facts.shards).to_string()),
            fact(|facts| HumanBytes(facts.bytes).to_string()),
            selections.collect::<Vec<_>>().join(","),
            state.join(", "),
        ]);
    }
    table
}
