//! What records of settlements say.

use std::fmt::Write;

use nightshard_format::record::{Settled, SettlementMonth, SettlementSummary, Stated};
use serde::Serialize;

use crate::output::{Column, Table};

/// The rows that settle on a day, money in minor units.
#[derive(Debug, Serialize)]
pub(super) struct SettledFacts {
    /// Null where rows do not say it.
    settles_on: Option<String>,
    count: u64,
    sum: i128,
    fee_count: u64,
    fees: i128,
    deposit_count: u64,
    deposits: i128,
}

/// All rows of a month.
#[derive(Debug, Serialize)]
pub(super) struct SettlementFacts {
    rows: Vec<SettledFacts>,
    points_count: u64,
    points: i128,
}

/// What is said of a month.
#[derive(Debug, Serialize)]
pub(super) struct SettlementTotalsFacts {
    month: String,
    /// From the first to the last day on which its rows settle.
    days: Option<[String; 2]>,
    count: u64,
    sum: i128,
    undated_count: u64,
    undated_sum: i128,
}

impl SettledFacts {
    fn new(settles_on: Option<String>, settled: &Settled) -> Self {
        Self {
            settles_on,
            count: settled.rows.count,
            sum: settled.rows.sum,
            fee_count: settled.fees.count,
            fees: settled.fees.sum,
            deposit_count: settled.deposits.count,
            deposits: settled.deposits.sum,
        }
    }
}

impl SettlementFacts {
    /// Decodes the record of a month.
    pub(super) fn of(value: &[u8]) -> nightshard_format::Result<Self> {
        let record = SettlementMonth::parse(value)?;
        let has_undated = record.undated.rows.count > 0;
        let undated = has_undated.then(|| SettledFacts::new(None, &record.undated));
        let dated = record.days.iter();
        let dated = dated.map(|(day, it)| SettledFacts::new(Some(day.to_string()), it));
        Ok(Self {
            rows: undated.into_iter().chain(dated).collect(),
            points_count: record.points.count,
            points: record.points.sum,
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let mut table = Table::new(&[
            Column::Text("settles on"),
            Column::Number("count"),
            Column::Number("sum"),
            Column::Number("with fee"),
            Column::Number("fees"),
            Column::Number("with deposit"),
            Column::Number("deposits"),
        ]);
        for row in &self.rows {
            let day = row.settles_on.clone();
            table.row([
                day.unwrap_or_else(|| "(unknown)".into()),
                row.count.to_string(),
                row.sum.to_string(),
                row.fee_count.to_string(),
                row.fees.to_string(),
                row.deposit_count.to_string(),
                row.deposits.to_string(),
            ]);
        }
        let table = table.to_text();
        let (points, count) = (self.points, self.points_count);
        let _infallible = writeln!(text, "\n{table}\n{points} points in {count} rows");
    }
}

/// Decodes what is said of the months of a store.
pub(super) fn settlement_totals(
    value: &[u8],
) -> nightshard_format::Result<Vec<SettlementTotalsFacts>> {
    let summary = SettlementSummary::parse(value)?;
    let totals = summary.months.iter().map(|totals| {
        let dated = totals.dated;
        let Stated { count, sum } = dated.map_or_else(Stated::default, |it| it.rows);
        SettlementTotalsFacts {
            month: totals.month.to_string(),
            days: dated.map(|it| [it.days.first, it.days.last].map(|day| day.to_string())),
            count,
            sum,
            undated_count: totals.undated.count,
            undated_sum: totals.undated.sum,
        }
    });
    Ok(totals.collect())
}

/// Shows to people what is said of the months of a store.
pub(super) fn settlement_totals_text(months: &[SettlementTotalsFacts]) -> String {
    let mut table = Table::new(&[
        Column::Text("month"),
        Column::Text("first"),
        Column::Text("last"),
        Column::Number("count"),
        Column::Number("sum"),
        Column::Number("undated"),
        Column::Number("undated sum"),
    ]);
    for month in months {
        let [first, last] = month.days.clone().unwrap_or_default();
        table.row([
            month.month.clone(),
            first,
            last,
            month.count.to_string(),
            month.sum.to_string(),
            month.undated_count.to_string(),
            month.undated_sum.to_string(),
        ]);
    }
    format!("\n{}", table.to_text())
}
