//! What a shard file contains.

use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use nightshard_format::shard::{Mapped, Shard};
use serde::Serialize;

use super::Shown;
use crate::output::{Column, Table};

/// The facts of a shard's header and section table.
#[derive(Debug, Serialize)]
pub(super) struct ShardFacts {
    dataset: String,
    span: String,
    first_partition: u16,
    end_partition: u16,
    records: u64,
    bytes: u64,
    is_compressed: bool,
    sections: Vec<SectionFacts>,
}

#[derive(Debug, Serialize)]
struct SectionFacts {
    name: &'static str,
    items: u64,
    bytes: u64,
}

impl ShardFacts {
    /// Gathers the facts of a shard.
    pub(super) fn of(shard: &Shard<Mapped>) -> Self {
        let identity = shard.identity();
        let sections = shard.section_sizes();
        Self {
            dataset: identity.dataset.clone(),
            span: identity.span.to_string(),
            first_partition: identity.run.first,
            end_partition: identity.run.end,
            records: shard.len(),
            bytes: shard.bytes().as_ref().len() as u64,
            is_compressed: shard.is_compressed(),
            sections: sections
                .map(|(name, bytes, items)| SectionFacts { name, items, bytes })
                .collect(),
        }
    }
}

impl Shown for ShardFacts {
    fn to_text(&self) -> String {
        let mut text = labelled(&[
            ("dataset", self.dataset.clone()),
            ("span", self.span.clone()),
            (
                "partitions",
                format!("{}..{}", self.first_partition, self.end_partition),
            ),
            ("records", HumanCount(self.records).to_string()),
            ("size", HumanBytes(self.bytes).to_string()),
            (
                "values",
                match self.is_compressed {
                    true => "compressed".into(),
                    false => "as they are".into(),
                },
            ),
        ]);
        let mut table = Table::new(&[
            Column::Text("section"),
            Column::Number("items"),
            Column::Number("bytes"),
        ]);
        for section in &self.sections {
            table.row([
                section.name.to_owned(),
                HumanCount(section.items).to_string(),
                HumanCount(section.bytes).to_string(),
            ]);
        }
        text.push('\n');
        text + &table.to_text()
    }
}

/// Returns a line for each label and value.
pub(super) fn labelled(lines: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (label, value) in lines {
        let _infallible = writeln!(text, "{label:<12}{value}");
    }
    text
}
