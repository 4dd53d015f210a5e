//! The tables of who pays at stores and places, by month.

use std::iter;

use nightshard_format::{
    Result,
    calendar::Period,
    record::{DemographicsRecord, Label, Labels, PlaceDemographics},
    shard::Span,
};

use super::{
    key_rows::PERIOD,
    record_tables::{Found, RecordTable, text},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::integer,
};

/// Columns of what a cell tells of its cards.
const LABELS: [Field; 4] = [
    optional("age_band", Kind::Text),
    optional("gender", Kind::Text),
    optional("segment", Kind::Text),
    required("merged", Kind::Integer),
];

/// Columns behind those of a period.
const CELL: [Field; 7] = {
    let [age_band, gender, segment, merged] = LABELS;
    [
        age_band,
        gender,
        segment,
        merged,
        required("count", Kind::Integer),
        required("sum", Kind::Decimal),
        required("cards", Kind::Integer),
    ]
};

/// Likewise of places.
const PLACE_CELL: [Field; 6] = {
    let [age_band, gender, segment, merged] = LABELS;
    [
        age_band,
        gender,
        segment,
        merged,
        optional("count", Kind::Integer),
        required("count_share", Kind::Double),
    ]
};

/// The table of stores.
pub(super) const TABLES: [RecordTable; 1] = [RecordTable {
    part: "demographics",
    fields: [&PERIOD, &CELL],
    add,
}];

/// The table of places and the market.
pub(super) const PLACE_TABLES: [RecordTable; 1] = [RecordTable {
    part: "demographics",
    fields: [&PERIOD, &PLACE_CELL],
    add: add_place,
}];

fn add(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    for cell in DemographicsRecord::parse(found.value)?.cells {
        let figures = [
            integer(cell.count)?,
            Cell::Decimal(cell.sum),
            integer(cell.cards)?,
        ];
        let head = found.head(Period::Month(month), &label)?;
        rows.push(head.chain(label_cells(cell.labels)?).chain(figures));
    }
    Ok(())
}

fn add_place(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    let record = PlaceDemographics::parse(found.value)?;
    if !PlaceDemographics::may_be_told(iter::once(&record), found.privacy) {
        return Ok(());
    }
    for cell in &record.cells {
        let count = match found.privacy.is_protecting() {
            true => Cell::Missing,
            false => integer(cell.count)?,
        };
        let share = found.privacy.share(cell.count, record.count);
        let figures = [count, Cell::optional_double(share)];
        let head = found.head(Period::Month(month), &label)?;
        rows.push(head.chain(label_cells(cell.labels)?).chain(figures));
    }
    Ok(())
}

/// Returns the cells of [`LABELS`].
fn label_cells(labels: Labels<&[u8]>) -> Result<[Cell<'_>; 4]> {
    let [age_band, gender, segment] = labels.map(label_cell);
    let merged = labels.iter().filter(|it| **it == Label::Merged);
    Ok([
        age_band?,
        gender?,
        segment?,
        integer(merged.count() as u64)?,
    ])
}

fn label_cell(label: Label<&[u8]>) -> Result<Cell<'_>> {
    match label {
        Label::Merged | Label::Unknown => Ok(Cell::Missing),
        Label::Text(value) => text(value).map(Cell::Text),
    }
}
