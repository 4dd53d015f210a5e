//! `nightshard diff`: what changed between two generations.

mod movers;

use std::{collections::BTreeMap, process::ExitCode};

use anyhow::anyhow;
use indicatif::HumanCount;
use nightshard_deploy::{DiffOptions, Repository, Side, TableDiff, diff};
use nightshard_format::{
    diff::Change,
    manifest::{GenerationId, Manifest},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{
    get::manifest_of,
    scan::{put, write_escaped},
};
use crate::{
    exit::UsageError,
    output::{Column, Table, print, print_json},
    repository::RepositoryArgs,
};

/// Members of a manifest that are compared by other means than their text.
const SHARDS: [&str; 2] = ["id", "shards"];

/// Show what changed between two generations: records of every dataset, and what is said of them.
///
/// Of one repository, the previous and the current generation are compared, of two the current one
/// of each, unless others are named. The exit code is 0 whether or not there are changes.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// Another repository, that of the later generation.
    #[arg(value_name = "URI")]
    to_uri: Option<String>,
    /// The earlier generation.
    #[arg(long, value_name = "ID")]
    from: Option<GenerationId>,
    /// The later generation.
    #[arg(long, value_name = "ID")]
    to: Option<GenerationId>,
    /// Only this dataset.
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Name the keys that are not the same, in the order of their hashes.
    #[arg(long)]
    keys: bool,
    /// At most so many keys of each dataset and span.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    /// Name so many of the stores whose sums changed most.
    #[arg(long, value_name = "N", default_value_t = 10)]
    movers: usize,
    /// Print it as JSON; keys that are not UTF-8 are in base64 under key_base64.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// Compares, and prints what is not the same.
pub(crate) fn run(args: DiffArgs) -> anyhow::Result<ExitCode> {
    let (from, to, found) = Runtime::new()?.block_on(async {
        let (from, to) = args.sides().await?;
        let manifests = (from.manifest.clone(), to.manifest.clone());
        let has = |manifest: &Manifest, dataset| manifest.shards_of(dataset).next().is_some();
        if let Some(dataset) = &args.dataset
            && !has(&from.manifest, dataset)
            && !has(&to.manifest, dataset)
        {
            let problem = format!("--dataset {dataset:?}: neither generation has it");
            return Err(UsageError(problem).into());
        }
        let options = DiffOptions {
            dataset: args.dataset.clone(),
            keys_max: if args.keys { args.limit } else { 0 },
            movers_max: movers::comparable(&from.manifest, &to.manifest, args.movers),
        };
        let tables = diff(from, to, options).await?;
        anyhow::Ok((manifests.0, manifests.1, tables))
    })?;
    let members = members(&from, &to)?;
    if args.json {
        let tables: Vec<Value> = found.iter().map(to_json).collect();
        print_json(&json!({
            "from": from.id,
            "to": to.id,
            "members": members,
            "tables": tables,
            "movers": movers::to_json(&found),
        }))?;
    } else {
        print(&to_text(&from, &to, &members, &found)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl DiffArgs {
    async fn sides(&self) -> anyhow::Result<(Side, Side)> {
        let repository = self.repository.open(&self.uri).await?;
        let other = match &self.to_uri {
            Some(uri) => Some(self.repository.open(uri).await?),
            None => None,
        };
        let from = match (&self.from, &other) {
            (None, None) => Some(previous(&repository).await?),
            (from, _) => from.clone(),
        };
        let later = other.unwrap_or_else(|| repository.clone());
        let from = Side {
            manifest: manifest_of(&repository, from.as_ref()).await?,
            repository,
        };
        let to = Side {
            manifest: manifest_of(&later, self.to.as_ref()).await?,
            repository: later,
        };
        Ok((from, to))
    }
}

/// Returns the generation that was current before.
async fn previous(repository: &Repository) -> anyhow::Result<GenerationId> {
    let listed = repository.generations().await?;
    let previous = listed.into_iter().find(|listed| listed.is_previous);
    let location = repository.location();
    let none = || anyhow!("no generation was current before in {location}: name one by --from");
    previous.map(|listed| listed.id).ok_or_else(none)
}

/// What two manifests say, by dotted name, where it is not the same.
type Members = BTreeMap<String, [Value; 2]>;

fn members(from: &Manifest, to: &Manifest) -> anyhow::Result<Members> {
    let mut members = Members::new();
    let [mut from, mut to] = [serde_json::to_value(from)?, serde_json::to_value(to)?];
    for manifest in [&mut from, &mut to] {
        for name in SHARDS {
            manifest.as_object_mut().and_then(|all| all.remove(name));
        }
    }
    compare_members("", &from, &to, &mut members);
    Ok(members)
}

fn compare_members(name: &str, from: &Value, to: &Value, members: &mut Members) {
    match (from, to) {
        (Value::Object(old), Value::Object(new)) => {
            let names = old
                .keys()
                .chain(new.keys().filter(|name| !old.contains_key(*name)));
            for member in names {
                let value = |all: &serde_json::Map<String, Value>| {
                    all.get(member).cloned().unwrap_or_default()
                };
                let dotted = match name {
                    "" => member.clone(),
                    _ => format!("{name}.{member}"),
                };
                compare_members(&dotted, &value(old), &value(new), members);
            }
        }
        _ if from != to => {
            members.insert(name.to_owned(), [from.clone(), to.clone()]);
        }
        _ => {}
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    }
}

fn to_json(table: &TableDiff) -> Value {
    let keys = table.keys.iter().map(|(change, key)| {
        let mut line = serde_json::Map::new();
        line.insert("change".into(), word(*change).into());
        put(&mut line, "key", key);
        Value::Object(line)
    });
    json!({
        "dataset": table.dataset,
        "span": table.span,
        "added": table.changes.added,
        "removed": table.changes.removed,
        "changed": table.changes.changed,
        "unchanged": table.changes.unchanged,
        "shards_equal": table.shards_equal,
        "shards_read": table.shards_read,
        "keys": keys.collect::<Vec<_>>(),
    })
}

fn to_text(
    from: &Manifest,
    to: &Manifest,
    members: &Members,
    tables: &[TableDiff],
) -> anyhow::Result<String> {
    let mut text = format!("{} to {}\n", from.id, to.id);
    for (name, [old, new]) in members {
        text.push_str(&match (old.as_array(), new.as_array()) {
            // Inputs are long; packed values and days are few.
            (Some(old), Some(new)) if name == "inputs" => {
                let only = |some: &[Value], of: &[Value]| {
                    some.iter().filter(|input| !of.contains(input)).count()
                };
                let (gone, come) = (only(old, new), only(new, old));
                format!("inputs: {come} added, {gone} removed\n")
            }
            _ => format!("{name}: {old} to {new}\n"),
        });
    }
    let mut table = Table::new(&[
        Column::Text("dataset"),
        Column::Text("span"),
        Column::Number("added"),
        Column::Number("removed"),
        Column::Number("changed"),
        Column::Number("unchanged"),
    ]);
    let changed: Vec<_> = tables
        .iter()
        .filter(|table| !table.changes.is_empty())
        .collect();
    for found in &changed {
        let count = |number| HumanCount(number).to_string();
        table.row([
            found.dataset.clone(),
            found.span.clone(),
            count(found.changes.added),
            count(found.changes.removed),
            count(found.changes.changed),
            count(found.changes.unchanged),
        ]);
    }
    if changed.is_empty() {
        text.push_str("every record is the same");
        match tables.iter().map(|table| table.shards_read).sum() {
            0_u64 => text.push_str(", in the same files\n"),
            read => text.push_str(&format!(", in other files: {read} of both were read\n")),
        }
    } else {
        text.push_str(&table.to_text());
    }
    text.push_str(&movers::to_text(tables)?);
    let mut keys = Vec::new();
    for found in changed {
        for (change, key) in &found.keys {
            keys.extend(format!("{}\t{}\t{}\t", word(*change), found.dataset, found.span).bytes());
            write_escaped(&mut keys, key)?;
            keys.push(b'\n');
        }
    }
    text.push_str(&String::from_utf8_lossy(&keys));
    Ok(text)
}
