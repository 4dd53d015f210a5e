//! How the rows of a month were paid, of a store or of a place whose answers are protected.

use std::fmt::Write;

use nightshard_format::record::{
    Dimension, MixRow, MixValue, MonthRecord, PatternCell, PlaceMixes,
};
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
            value: value_of(row.value),
            count: row.count,
            sum: row.sum,
        }
    }
}

fn value_of(value: MixValue<&[u8]>) -> Value {
    match value {
        MixValue::Flag(flag) => flag.into(),
        MixValue::Months(months) => months.into(),
        MixValue::Text(text) => String::from_utf8_lossy(text).into(),
        MixValue::Unknown => Value::Null,
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => "(not said)".to_owned(),
        Value::String(text) => text.escape_debug().to_string(),
        value => value.to_string(),
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
            value_text(&row.value),
            row.count.to_string(),
            row.sum.to_string(),
        ]);
    }
    format!("\n{}", table.to_text())
}

/// How the rows of a place in a month were paid.
#[derive(Debug, Serialize)]
pub(super) struct PlaceMixFacts {
    count: u64,
    values: Vec<SharedFacts>,
}

/// The rows of one value of a dimension, or of all that are not kept by themselves, and whose they are.
#[derive(Debug, Serialize)]
struct SharedFacts {
    dimension: &'static str,
    /// Null where rows do not say, and of all others.
    value: Value,
    is_others: bool,
    count: u64,
    largest: u64,
    second: u64,
    merchants: u64,
}

impl SharedFacts {
    fn of(dimension: Dimension, value: Option<MixValue<&[u8]>>, cell: &PatternCell) -> Self {
        Self {
            dimension: dimension.as_str(),
            value: value.map_or(Value::Null, value_of),
            is_others: value.is_none(),
            count: cell.count,
            largest: cell.largest,
            second: cell.second,
            merchants: cell.merchants,
        }
    }
}

impl PlaceMixFacts {
    /// Decodes the record of a place.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let mixes = PlaceMixes::parse(value)?;
        let mut values = Vec::new();
        for (dimension, mix) in &mixes.dimensions {
            for (value, cell) in &mix.values {
                values.push(SharedFacts::of(*dimension, Some(value.as_deref()), cell));
            }
            if mix.others.count > 0 {
                values.push(SharedFacts::of(*dimension, None, &mix.others));
            }
        }
        Ok(Self {
            count: mixes.all.count,
            values,
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let mut table = Table::new(&[
            Column::Text("dimension"),
            Column::Text("value"),
            Column::Number("count"),
            Column::Number("largest"),
            Column::Number("second"),
            Column::Number("merchants"),
        ]);
        for row in &self.values {
            table.row([
                row.dimension.to_owned(),
                match row.is_others {
                    true => "(others)".to_owned(),
                    false => value_text(&row.value),
                },
                row.count.to_string(),
                row.largest.to_string(),
                row.second.to_string(),
                row.merchants.to_string(),
            ]);
        }
        let _infallible = write!(text, "\n{} rows\n\n{}", self.count, table.to_text());
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::PlaceMix;

    use super::*;

    #[test]
    fn mixes_of_a_place_are_shown_by_value_with_the_others() {
        let text = MixValue::Text(b"amber".to_vec());
        let values = [
            (text, PatternCell::of([4, 2])),
            (MixValue::Unknown, PatternCell::of([3])),
        ];
        let mix = PlaceMix {
            values: values.into(),
            others: PatternCell::of([5]),
        };
        let mixes = PlaceMixes {
            all: PatternCell::of([9, 5]),
            dimensions: [(Dimension::CardCompany, mix)].into(),
        };
        let mut value = Vec::new();
        mixes.encode(&mut value).unwrap();
        let facts = PlaceMixFacts::of(&value).unwrap();
        let mut text = String::new();
        facts.write(&mut text);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert!(rows.contains(&vec!["14", "rows"]), "{text}");
        for row in [
            &["card_company", "amber", "6", "4", "2", "2"][..],
            &["card_company", "(not", "said)", "3", "3", "0", "1"],
            &["card_company", "(others)", "5", "5", "0", "1"],
        ] {
            assert!(rows.iter().any(|it| it == row), "{text}");
        }
        let shown = serde_json::to_value(&facts).unwrap();
        assert_eq!(shown["values"][2]["is_others"], true);
        assert_eq!(shown["values"][0]["value"], "amber");
    }
}
