//! The tables of who pays at stores and places, by month.

use nightshard_format::{
    Result,
    calendar::Period,
    record::{
        CATEGORIES, DemographicsRecord, Label, Labels, PlaceDemographics, REGION_CATEGORIES,
        REGIONS, split_atoms_key,
    },
    shard::Span,
};

use super::{
    error::corrupt,
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

/// Columns that say which place it is, and which month.
pub(super) const PLACE_PERIOD: [Field; 7] = {
    let [_id, period, first_date, last_date, partial] = PERIOD;
    [
        required("dataset", Kind::Text),
        optional("region", Kind::Text),
        optional("category", Kind::Text),
        period,
        first_date,
        last_date,
        partial,
    ]
};

/// Columns behind these.
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
    name: "store_demographics",
    fields: [&PERIOD, &CELL],
    add,
}];

/// The table of places and the market.
pub(super) const PLACE_TABLES: [RecordTable; 1] = [RecordTable {
    name: "place_demographics",
    fields: [&PLACE_PERIOD, &PLACE_CELL],
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
        let head = found.head(Period::Month(month), &label).into_iter();
        rows.push(head.chain(label_cells(cell.labels)?).chain(figures));
    }
    Ok(())
}

fn add_place(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    let place = place_cells(found.id)?;
    let record = PlaceDemographics::parse(found.value)?;
    for cell in &record.cells {
        let count = match found.privacy.is_protecting() {
            true => Cell::Missing,
            false => integer(cell.count)?,
        };
        let share = found.privacy.share(cell.count, record.count);
        let figures = [count, Cell::optional_double(share)];
        let [_id, period @ ..] = found.head(Period::Month(month), &label);
        let head = place.into_iter().chain(period);
        rows.push(head.chain(label_cells(cell.labels)?).chain(figures));
    }
    Ok(())
}

/// Returns the dataset, the region and the category of a key.
pub(super) fn place_cells(key: &str) -> Result<[Cell<'_>; 3]> {
    let split = split_atoms_key(key.as_bytes());
    let (dataset, key) = split.ok_or_else(|| corrupt("key", "it is of no market or place"))?;
    let key = text(key)?;
    let [region, category] = match dataset {
        REGIONS => [Some(key), None],
        REGION_CATEGORIES => {
            let (region, category) = key.split_once('\0').unwrap_or((key, ""));
            [Some(region), Some(category)]
        }
        CATEGORIES => [None, Some(key)],
        _ => [None; 2],
    };
    Ok([
        Cell::Text(dataset),
        Cell::optional_text(region),
        Cell::optional_text(category),
    ])
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
