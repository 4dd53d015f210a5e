//! The tables of what the cards of stores' months do elsewhere: where they come from, and where they buy before and
//! after.

use nightshard_format::{
    Result,
    calendar::Period,
    record::{BESIDE_LISTS, BesideRecord, Label, OriginsRecord},
    shard::Span,
    statistics::nearest_quotient,
};

use super::{
    key_rows::PERIOD,
    record_tables::{Found, RecordTable, text},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::integer,
};

/// Columns behind those of a period.
const ORIGIN: [Field; 4] = [
    optional("region", Kind::Text),
    required("merged", Kind::Boolean),
    required("cards", Kind::Integer),
    optional("share", Kind::Double),
];

/// Likewise.
const BESIDE: [Field; 5] = [
    required("direction", Kind::Text),
    required("dimension", Kind::Text),
    optional("value", Kind::Text),
    required("merged", Kind::Boolean),
    optional("share", Kind::Double),
];

/// The direction and the dimension of the lists of a record, in their order.
const LISTS: [[&str; 2]; BESIDE_LISTS] = [
    ["before", "region"],
    ["before", "category"],
    ["after", "region"],
    ["after", "category"],
];

/// The table of origins.
pub(super) const ORIGIN_TABLES: [RecordTable; 1] = [RecordTable {
    part: "origins",
    fields: [&PERIOD, &ORIGIN],
    add: add_origins,
}];

/// The table of what is before and after.
pub(super) const BESIDE_TABLES: [RecordTable; 1] = [RecordTable {
    part: "before_after",
    fields: [&PERIOD, &BESIDE],
    add: add_beside,
}];

fn add_origins(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    let record = OriginsRecord::parse(found.value)?;
    let all = record.cards();
    for cell in &record.cells {
        let [region, merged] = label_cells(cell.label)?;
        let figures = [
            region,
            merged,
            integer(cell.cards)?,
            Cell::optional_double(nearest_quotient(cell.cards.into(), all)),
        ];
        rows.push(found.head(Period::Month(month), &label)?.chain(figures));
    }
    Ok(())
}

fn add_beside(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    let record = BesideRecord::parse(found.value)?;
    for ((of_list, list), all) in LISTS.iter().zip(&record.lists).zip(record.cards()) {
        let [direction, dimension] = of_list.map(Cell::Text);
        for cell in list {
            let [value, merged] = label_cells(cell.label)?;
            let share = Cell::optional_double(found.privacy.share(cell.cards, all));
            let figures = [direction, dimension, value, merged, share];
            rows.push(found.head(Period::Month(month), &label)?.chain(figures));
        }
    }
    Ok(())
}

/// Returns the id of a region or category, and whether it is missing because it may be any.
fn label_cells(label: Label<&[u8]>) -> Result<[Cell<'_>; 2]> {
    let id = match label {
        Label::Text(id) => Cell::Text(text(id)?),
        Label::Unknown | Label::Merged => Cell::Missing,
    };
    Ok([id, Cell::Boolean(label == Label::Merged)])
}
