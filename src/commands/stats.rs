//! `nightshard stats`: what the shards of a generation consist of.

use std::{collections::BTreeMap, process::ExitCode};

use indicatif::{HumanBytes, HumanCount};
use nightshard_format::{
    manifest::GenerationId,
    shard::{Mapped, Shard},
};
use serde::Serialize;
use serde_json::json;
use tokio::runtime::Runtime;

use super::get::{check_dataset, manifest_of};
use crate::{
    output::{Column, Table, print, print_json},
    repository::RepositoryArgs,
};

/// Show what datasets consist of: records, bytes by section, and how full their indexes are.
#[derive(Debug, clap::Args)]
pub(crate) struct StatsArgs {
    /// The repository.
    #[arg(value_name = "URI")]
    uri: String,
    /// Only this dataset.
    #[arg(value_name = "DATASET")]
    dataset: Option<String>,
    /// The generation [default: the current one].
    #[arg(long, value_name = "ID")]
    generation: Option<GenerationId>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// The shards of one dataset, of all spans together.
#[derive(Debug, Default, Serialize)]
struct Facts {
    shards: u64,
    records: u64,
    bytes: u64,
    shards_compressed: u64,
    section_bytes: BTreeMap<&'static str, u64>,
    point_index_bytes_per_key: Option<f64>,
    lines: u64,
    line_records_max: u64,
    lines_crowded: u64,
    records_without_entry: u64,
    share_without_entry: Option<f64>,
}

/// Counts, and prints what there is.
pub(crate) fn run(args: StatsArgs) -> anyhow::Result<ExitCode> {
    let (generation, facts) = Runtime::new()?.block_on(async {
        let repository = args.repository.open(&args.uri).await?;
        let manifest = manifest_of(&repository, args.generation.as_ref()).await?;
        if let Some(dataset) = &args.dataset {
            check_dataset(&manifest, dataset)?;
        }
        let mut facts = BTreeMap::<String, Facts>::new();
        for entry in &manifest.shards {
            let is_asked = args.dataset.as_ref().is_none_or(|it| *it == entry.dataset);
            if is_asked {
                let shard = repository.open_shard(entry).await?;
                facts
                    .entry(entry.dataset.clone())
                    .or_default()
                    .add(&shard)?;
            }
        }
        facts.values_mut().for_each(Facts::finish);
        anyhow::Ok((manifest.id, facts))
    })?;
    if args.json {
        print_json(&json!({ "generation": generation, "datasets": facts }))?;
    } else {
        print(&table(&facts).to_text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Facts {
    fn add(&mut self, shard: &Shard<Mapped>) -> nightshard_format::Result<()> {
        self.shards += 1;
        self.records += shard.len();
        self.shards_compressed += u64::from(shard.is_compressed());
        self.bytes += shard.bytes().as_ref().len() as u64;
        for (name, bytes, _items) in shard.section_sizes() {
            *self.section_bytes.entry(name).or_default() += bytes;
        }
        let density = shard.density()?;
        self.lines += density.lines;
        self.line_records_max = self.line_records_max.max(density.records_max);
        self.lines_crowded += density.lines_crowded;
        self.records_without_entry += shard.len().saturating_sub(density.entries);
        Ok(())
    }

    fn finish(&mut self) {
        let index = self.section("point_index");
        self.point_index_bytes_per_key = ratio(index, self.records);
        self.share_without_entry = ratio(self.records_without_entry, self.records);
    }

    fn section(&self, name: &str) -> u64 {
        self.section_bytes.get(name).copied().unwrap_or_default()
    }
}

fn table(facts: &BTreeMap<String, Facts>) -> Table {
    let mut table = Table::new(&[
        Column::Text("dataset"),
        Column::Number("shards"),
        Column::Number("records"),
        Column::Number("size"),
        Column::Number("values and keys"),
        Column::Number("compressed"),
        Column::Number("point index"),
        Column::Number("bytes/key"),
        Column::Number("ordered index"),
        Column::Number("most in a line"),
        Column::Number("without entry"),
    ]);
    for (dataset, facts) in facts {
        let bytes = |name| HumanBytes(facts.section(name)).to_string();
        let per_key = facts.point_index_bytes_per_key;
        let share = facts.share_without_entry.map(|share| share * 100.0);
        table.row([
            dataset.clone(),
            HumanCount(facts.shards).to_string(),
            HumanCount(facts.records).to_string(),
            HumanBytes(facts.bytes).to_string(),
            bytes("records"),
            format!("{} of {}", facts.shards_compressed, facts.shards),
            bytes("point_index"),
            per_key.map_or_else(|| "-".into(), |bytes| format!("{bytes:.2}")),
            bytes("ordered_index"),
            HumanCount(facts.line_records_max).to_string(),
            share.map_or_else(|| "-".into(), |share| format!("{share:.2}%")),
        ]);
    }
    table
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people is a double")]
fn ratio(dividend: u64, divisor: u64) -> Option<f64> {
    (divisor > 0).then(|| dividend as f64 / divisor as f64)
}
