//! The table of how months of stores, merchants, places and the market were paid.

use nightshard_format::{
    Result,
    calendar::Period,
    record::{MixRow, MixValue, MonthRecord},
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
const MIX: [Field; 4] = [
    required("dimension", Kind::Text),
    optional("value", Kind::Text),
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
];

/// The tables.
pub(super) const TABLES: [RecordTable; 1] = [RecordTable {
    part: "mixes",
    fields: [&PERIOD, &MIX],
    add,
}];

fn add(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let label = month.to_string();
    let mut mixes: Vec<MixRow<'_>> = Vec::new();
    MonthRecord::parse(month, found.value)?.visit_mixes(|row| mixes.push(row))?;
    for row in mixes {
        let months;
        let value = match row.value {
            MixValue::Unknown => Cell::Missing,
            MixValue::Flag(flag) => Cell::Text(if flag { "true" } else { "false" }),
            MixValue::Text(value) => Cell::Text(text(value)?),
            MixValue::Months(number) => {
                months = number.to_string();
                Cell::Text(&months)
            }
        };
        let figures = [
            Cell::Text(row.dimension.as_str()),
            value,
            integer(row.count)?,
            Cell::Decimal(row.sum),
        ];
        let head = found.head(Period::Month(month), &label)?;
        rows.push(head.chain(figures));
    }
    Ok(())
}
