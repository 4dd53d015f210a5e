//! The table of daily numbers that were loaded beside transactions.

use nightshard_format::{Result, record::SideSeries};

use super::{
    record_tables::{Found, RecordTable},
    rows::{Cell, Rows},
    schema::{Field, Kind, required},
};

/// Columns behind that of the name.
const VALUE: [Field; 2] = [
    required("date", Kind::Date),
    required("value", Kind::Double),
];

/// The tables.
pub(super) const TABLES: [RecordTable; 1] = [RecordTable {
    part: "series",
    fields: [&VALUE, &[]],
    add,
}];

fn add(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let key = found.key()?;
    SideSeries::parse(found.value)?.visit(|day, value| {
        let cells = [Cell::Date(day), Cell::Double(value)];
        rows.push(key.into_iter().chain(cells));
    })
}
