//! The stores whose totals changed most, as text and as JSON.

use nightshard_deploy::{Mover, TableDiff};
use nightshard_format::manifest::Manifest;
use serde_json::{Map, Value, json};

use super::{put, write_escaped};
use crate::output::{Column, Table};

/// Returns how many movers can be told of two generations, at most `max`: none where sums are of
/// different currencies, or where there are no stores.
pub(super) fn comparable(from: &Manifest, to: &Manifest, max: usize) -> usize {
    let currency = |manifest: &Manifest| {
        let transactions = manifest.transactions.as_ref();
        transactions.map(|it| (it.currency.clone(), it.currency_exponent))
    };
    match currency(from) == currency(to) {
        true => max,
        false => 0,
    }
}

fn movers(tables: &[TableDiff]) -> impl Iterator<Item = &Mover> {
    tables.iter().flat_map(|table| table.movers.as_slice())
}

pub(super) fn to_json(tables: &[TableDiff]) -> Vec<Value> {
    let movers = movers(tables).map(|mover| {
        let mut line = Map::new();
        put(&mut line, "store", &mover.store);
        line.insert("rows".into(), json!(mover.rows));
        line.insert("sums".into(), json!(mover.sums));
        Value::Object(line)
    });
    movers.collect()
}

pub(super) fn to_text(tables: &[TableDiff]) -> anyhow::Result<String> {
    let mut table = Table::new(&[
        Column::Text("most changed store"),
        Column::Number("rows"),
        Column::Number("to"),
        Column::Number("sum"),
        Column::Number("to"),
        Column::Number("change"),
    ]);
    for mover in movers(tables) {
        let mut store = Vec::new();
        write_escaped(&mut store, &mover.store)?;
        let ([rows, rows_after], [sum, sum_after]) = (mover.rows, mover.sums);
        table.row([
            String::from_utf8_lossy(&store).into_owned(),
            rows.to_string(),
            rows_after.to_string(),
            sum.to_string(),
            sum_after.to_string(),
            format!("{:+}", sum_after.saturating_sub(sum)),
        ]);
    }
    match movers(tables).next() {
        Some(_) => Ok(table.to_text()),
        None => Ok(String::new()),
    }
}
