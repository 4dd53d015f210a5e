//! What a generation contains, by its manifest.

use std::{collections::BTreeMap, fmt::Write};

use indicatif::{HumanBytes, HumanCount};
use nightshard_format::manifest::{Input, InputRole, Manifest, Packed, Rows, ShardEntry};
use serde::Serialize;

use super::Shown;
use crate::output::{Column, Table};

/// The facts of a manifest.
#[derive(Debug, Serialize)]
pub(super) struct GenerationFacts<'a> {
    generation: &'a str,
    format_version: u32,
    as_of: &'a str,
    #[serde(flatten)]
    transactions: Option<TransactionFacts<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    packed: BTreeMap<&'a str, &'a Packed>,
    inputs: &'a [Input],
    configuration: &'a BTreeMap<String, serde_json::Value>,
    bytes: u64,
    spans: Vec<SpanFacts<'a>>,
}

/// What a manifest says of transactions.
#[derive(Debug, Serialize)]
struct TransactionFacts<'a> {
    days: &'a [String; 2],
    currency: &'a str,
    currency_exponent: u8,
    stores: u64,
    rows: &'a Rows,
    card_key: &'a str,
    bytes_per_store: Option<f64>,
    bytes_per_row: Option<f64>,
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
        let is_shown = |name: &str| dataset.is_none_or(|dataset| name == dataset);
        let packed = manifest.packed.iter().filter(|(name, _)| is_shown(name));
        let packed: BTreeMap<&str, &Packed> = packed
            .map(|(name, packed)| (name.as_str(), packed))
            .collect();
        let of_transactions = shards.iter();
        let of_transactions = of_transactions
            .filter(|entry| !manifest.packed.contains_key(&entry.dataset))
            .map(|entry| entry.size_bytes);
        let transactions = TransactionFacts::of(manifest, of_transactions.sum());
        let spans = shards
            .chunk_by(|left, right| (&left.dataset, &left.span) == (&right.dataset, &right.span))
            .map(SpanFacts::of);
        Self {
            generation: manifest.id.as_str(),
            format_version: manifest.format_version,
            as_of: &manifest.as_of,
            transactions,
            packed,
            inputs: &manifest.inputs,
            configuration: &manifest.configuration,
            bytes,
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

impl<'a> TransactionFacts<'a> {
    /// Gathers the facts of a manifest's transactions, whose shards have so many bytes.
    fn of(manifest: &'a Manifest, bytes: u64) -> Option<Self> {
        let transactions = manifest.transactions.as_ref()?;
        Some(Self {
            days: &transactions.days,
            currency: &transactions.currency,
            currency_exponent: transactions.currency_exponent,
            stores: transactions.stores,
            rows: &transactions.rows,
            card_key: &transactions.card_key,
            bytes_per_store: ratio(bytes, transactions.stores),
            bytes_per_row: ratio(bytes, transactions.rows.used),
        })
    }

    fn lines(&self) -> [(&'static str, String); 6] {
        let (per_store, per_row) = (decimal(self.bytes_per_store), decimal(self.bytes_per_row));
        [
            ("days", format!("{} to {}", self.days[0], self.days[1])),
            (
                "currency",
                format!("{}, {} decimals", self.currency, self.currency_exponent),
            ),
            ("stores", HumanCount(self.stores).to_string()),
            ("rows", rows_text(self.rows)),
            ("card key", self.card_key.to_owned()),
            (
                "their size",
                format!("{per_store} bytes a store, {per_row} a transaction"),
            ),
        ]
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
        let mut lines = vec![
            ("generation", self.generation.to_owned()),
            ("format", format!("version {}", self.format_version)),
            ("as of", self.as_of.to_owned()),
        ];
        let transactions = self.transactions.iter();
        lines.extend(transactions.flat_map(TransactionFacts::lines));
        let packed = self.packed.iter();
        lines.extend(packed.map(|(name, packed)| ("packed", packed_text(name, packed))));
        lines.push(("inputs", inputs_text(self.inputs)));
        let (size, shards) = (HumanBytes(self.bytes), HumanCount(shards));
        lines.push(("size", format!("{size} in {shards} shards")));
        let mut text = super::shard::labelled(&lines);
        for (name, value) in self.configuration {
            let _infallible = writeln!(text, "{:<12}{name} = {value}", "");
        }
        text.push('\n');
        text + &self.table().to_text()
    }
}

fn packed_text(name: &str, packed: &Packed) -> String {
    let values = match &packed.values[..] {
        [] => "all columns".to_owned(),
        values => values.join(", "),
    };
    let (key, media_type) = (&packed.key, &packed.media_type);
    let rows = rows_text(&packed.rows);
    format!("{name}: {key} to {values} as {media_type}; {rows}")
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
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for input in inputs {
        if let Input::File { size_bytes, .. } = input {
            files += 1;
            bytes = bytes.saturating_add(*size_bytes);
        }
    }
    let len_of = |wanted: InputRole| {
        let inputs = inputs.iter();
        inputs.filter(|input| input.role() == Some(wanted)).count()
    };
    let mut known = String::new();
    if len_of(InputRole::Stores) > 0 {
        known += ", one of them about stores";
    }
    if len_of(InputRole::Regions) > 0 {
        known += ", one about regions";
    }
    if len_of(InputRole::Customers) > 0 {
        known += ", one about customers";
    }
    match len_of(InputRole::Series) {
        0 => {}
        series => known += &format!(", {series} of side series"),
    }
    let kept = match inputs.iter().any(Input::is_atoms) {
        true => "; atoms of an earlier generation",
        false => "",
    };
    let (files, bytes) = (HumanCount(files), HumanBytes(bytes));
    format!("{files} files{known}, {bytes}{kept}")
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people is a double")]
fn ratio(dividend: u64, divisor: u64) -> Option<f64> {
    (divisor > 0).then(|| dividend as f64 / divisor as f64)
}

fn decimal(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}
