//! What a record of a customer says.

use std::{collections::BTreeMap, fmt::Write};

use nightshard_format::record::{CustomerFigures, CustomerRecord};
use serde::Serialize;

use super::shard::labelled;

/// What a customer paid, money in minor units.
#[derive(Debug, Serialize)]
pub(super) struct CustomerFacts {
    count: u64,
    sum: i128,
    mean: Option<f64>,
    min: i64,
    max: i64,
    first_day: String,
    last_day: String,
    foreign: Option<u64>,
    flagged: Option<u64>,
    attributes: BTreeMap<String, String>,
}

impl CustomerFacts {
    /// Decodes a record.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let record = CustomerRecord::parse(value)?;
        let mean = record.figures.mean();
        let CustomerFigures {
            count,
            sum,
            min,
            max,
            days,
            foreign,
            flagged,
        } = record.figures;
        let attributes = record.attributes.into_iter();
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self {
            count,
            sum,
            mean,
            min,
            max,
            first_day: days.first.to_string(),
            last_day: days.last.to_string(),
            foreign,
            flagged,
            attributes: attributes.collect(),
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let part = |part: Option<u64>| part.map_or("not known".into(), |rows| rows.to_string());
        *text += &labelled(&[
            ("rows", self.count.to_string()),
            ("sum", self.sum.to_string()),
            ("amounts", format!("{} to {}", self.min, self.max)),
            ("days", format!("{} to {}", self.first_day, self.last_day)),
            ("foreign", part(self.foreign)),
            ("flagged", part(self.flagged)),
        ]);
        for (name, value) in &self.attributes {
            let _infallible = writeln!(text, "{name}: {value}");
        }
    }
}
