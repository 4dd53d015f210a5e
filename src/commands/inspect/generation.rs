//! What a generation contains, by its manifest.

use std::{collections::BTreeMap, fmt::Write};

use indicatif::{HumanBytes, HumanCount};
use nightshard_format::manifest::{Input, InputRole, Manifest, Rows, ShardEntry};
use serde::Serialize;

use super::Shown;
use crate::output::{Column, Table};

/// The facts of a manifest.
#[derive(Debug, Serialize)]
pub(super) struct GenerationFacts<'a> {
    generation: &'a str,
    format_version: u32,
    as_of: &'a str,
    days: &'a [String; 2],
    currency: &'a str,
    currency_exponent: u8,
    stores: u64,
    rows: &'a Rows,
    inputs: &'a [Input],
    configuration: &'a BTreeMap<String, serde_json::Value>,
    card_key: &'a str,
    bytes: u64,
    bytes_per_store: Option<f64>,
    bytes_per_row: Option<f64>,
    spans: Vec<SpanFacts<'a>>,
}

/// The shards of one dataset and span.
#[derive(Debug, Serialize)]
struct SpanFacts<'a> {
    dataset: &'a str,
    span: &'a str,
    shards: u64,
    records: u64,
    bytes: u64,
}

impl<'a> GenerationFacts<'a> {
    /// Gathers the facts of a manifest; of one dataset's shards only, where one is named.
    pub(super) fn of(manifest: &'a Manifest, dataset: Option<&str>) -> Self {
        let shards: Vec<&ShardEntry> = manifest
            .shards
            .iter()
            .filter(|entry| dataset.is_none_or(|dataset| entry.dataset == dataset))
            .collect();
        let bytes = shards.iter().map(|entry| entry.size_bytes).sum();
        let spans = shards
            .chunk_by(|left, right| (&left.dataset, &left.span) == (&right.dataset, &right.span))
            .map(SpanFacts::of);
        Self {
            generation: manifest.id.as_str(),
            format_version: manifest.format_version,
            as_of: &manifest.as_of,
            days: &manifest.days,
            currency: &manifest.currency,
            currency_exponent: manifest.currency_exponent,
            stores: manifest.stores,
            rows: &manifest.rows,
            inputs: &manifest.inputs,
            configuration: &manifest.configuration,
            card_key: &manifest.card_key,
            bytes,
            bytes_per_store: ratio(bytes, manifest.stores),
            bytes_per_row: ratio(bytes, manifest.rows.used),
            spans: spans.collect(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&[
            Column::Text("dataset"),
            Column::Text("span"),
            Column::Number("shards"),
            Column::Number("records"),
            Column::Number("size"),
            Column::Number("bytes/record"),
        ]);
        for span in &self.spans {
            table.row([
                span.dataset.to_owned(),
                span.span.to_owned(),
                HumanCount(span.shards).to_string(),
                HumanCount(span.records).to_string(),
                HumanBytes(span.bytes).to_string(),
                decimal(ratio(span.bytes, span.records)),
            ]);
        }
        table
    }
}

impl<'a> SpanFacts<'a> {
    /// Gathers the facts of shards of one dataset and span, at least one.
    fn of(shards: &[&'a ShardEntry]) -> Self {
        Self {
            dataset: &shards[0].dataset,
            span: &shards[0].span,
            shards: shards.len() as u64,
            records: shards.iter().map(|entry| entry.records).sum(),
            bytes: shards.iter().map(|entry| entry.size_bytes).sum(),
        }
    }
}

impl Shown for GenerationFacts<'_> {
    fn to_text(&self) -> String {
        let shards = self.spans.iter().map(|span| span.shards).sum();
        let lines = [
            ("generation", self.generation.to_owned()),
            ("format", format!("version {}", self.format_version)),
            ("as of", self.as_of.to_owned()),
            ("days", format!("{} to {}", self.days[0], self.days[1])),
            (
                "currency",
                format!("{}, {} decimals", self.currency, self.currency_exponent),
            ),
            ("stores", HumanCount(self.stores).to_string()),
            ("rows", rows_text(self.rows)),
            ("inputs", inputs_text(self.inputs)),
            ("card key", self.card_key.to_owned()),
            (
                "size",
                format!(
                    "{} in {} shards; {} bytes a store, {} a transaction",
                    HumanBytes(self.bytes),
                    HumanCount(shards),
                    decimal(self.bytes_per_store),
                    decimal(self.bytes_per_row),
                ),
            ),
        ];
        let mut text = super::shard::labelled(&lines);
        for (name, value) in self.configuration {
            let _infallible = writeln!(text, "{:<12}{name} = {value}", "");
        }
        text.push('\n');
        text + &self.table().to_text()
    }
}

fn rows_text(rows: &Rows) -> String {
    let reasons = |counts: &BTreeMap<String, u64>| {
        let total = HumanCount(counts.values().sum());
        let named = counts
            .iter()
            .map(|(name, count)| format!("{name} {}", HumanCount(*count)));
        match named.collect::<Vec<_>>().join(", ") {
            named if named.is_empty() => total.to_string(),
            named => format!("{total} ({named})"),
        }
    };
    format!(
        "{} read = {} used + {} rejected + {} excluded",
        HumanCount(rows.read),
        HumanCount(rows.used),
        reasons(&rows.rejected),
        reasons(&rows.excluded),
    )
}

fn inputs_text(inputs: &[Input]) -> String {
    let bytes = inputs
        .iter()
        .map(|Input::File { size_bytes, .. }| size_bytes);
    let of_stores = |input: &&Input| {
        matches!(
            input,
            Input::File {
                role: InputRole::Stores,
                ..
            }
        )
    };
    let known = match inputs.iter().any(|input| of_stores(&input)) {
        true => ", one of them about stores",
        false => "",
    };
    format!(
        "{} files{known}, {}",
        HumanCount(inputs.len() as u64),
        HumanBytes(bytes.sum())
    )
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people is a double")]
fn ratio(dividend: u64, divisor: u64) -> Option<f64> {
    (divisor > 0).then(|| dividend as f64 / divisor as f64)
}

fn decimal(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}
