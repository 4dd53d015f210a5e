//! The table of who pays at stores, by month.

use nightshard_format::{
    Result,
    calendar::Period,
    record::{DemographicsRecord, Label},
    shard::Span,
};

use super::{
    key_rows::PERIOD,
    record_tables::{Found, RecordTable, text},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::integer,
};

/// Columns behind those of a period.
const CELL: [Field; 7] = [
    optional("age_band", Kind::Text),
    optional("gender", Kind::Text),
    optional("segment", Kind::Text),
    required("merged", Kind::Integer),
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
    required("cards", Kind::Integer),
];

/// The tables.
pub(super) const TABLES: [RecordTable; 1] = [RecordTable {
    name: "store_demographics",
    fields: [&PERIOD, &CELL],
    add,
}];

fn add(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    // What all stores together have is told in whole percents alone, beside a store's.
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    for cell in DemographicsRecord::parse(found.value)?.cells {
        let labels = cell.labels.map(label_cell);
        let [age_band, gender, segment] = labels;
        let merged = cell.labels.iter().filter(|it| **it == Label::Merged);
        let figures = [
            age_band?,
            gender?,
            segment?,
            integer(merged.count() as u64)?,
            integer(cell.count)?,
            Cell::Decimal(cell.sum),
            integer(cell.cards)?,
        ];
        let head = found.head(Period::Month(month), &label);
        rows.push(head.into_iter().chain(figures));
    }
    Ok(())
}

fn label_cell(label: Label<&[u8]>) -> Result<Cell<'_>> {
    match label {
        Label::Merged | Label::Unknown => Ok(Cell::Missing),
        Label::Text(value) => text(value).map(Cell::Text),
    }
}
