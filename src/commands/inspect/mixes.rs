//! How the rows of a month were paid.

use nightshard_format::record::{MixRow, MixValue, MonthRecord};
use serde::Serialize;
use serde_json::Value;

use crate::output::{Column, Table};

/// The rows of one value of a dimension, money in minor units.
#[derive(Debug, Serialize)]
pub(super) struct MixFacts {
    dimension: &'static str,
    /// Null where rows do not say.
    value: Value,
    count: u64,
    sum: i128,
}

impl MixFacts {
    fn of(row: &MixRow<'_>) -> Self {
        Self {
            dimension: row.dimension.as_str(),
            value: match row.value {
                MixValue::Flag(flag) => flag.into(),
                MixValue::Months(months) => months.into(),
                MixValue::Text(text) => String::from_utf8_lossy(text).into(),
                MixValue::Unknown => Value::Null,
            },
            count: row.count,
            sum: row.sum,
        }
    }
}

/// Decodes the mixes of a record, which may have none.
pub(super) fn mixes(record: &MonthRecord<'_>) -> nightshard_format::Result<Vec<MixFacts>> {
    let mut facts = Vec::new();
    record.visit_mixes(|row| facts.push(MixFacts::of(&row)))?;
    Ok(facts)
}

/// Shows mixes to people; nothing if there are none.
pub(super) fn mixes_text(mixes: &[MixFacts]) -> String {
    if mixes.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        Column::Text("dimension"),
        Column::Text("value"),
        Column::Number("count"),
        Column::Number("sum"),
    ]);
    for row in mixes {
        table.row([
            row.dimension.to_owned(),
            match &row.value {
                Value::Null => "(not said)".to_owned(),
                Value::String(text) => text.escape_debug().to_string(),
                value => value.to_string(),
            },
            row.count.to_string(),
            row.sum.to_string(),
        ]);
    }
    format!("\n{}", table.to_text())
}
