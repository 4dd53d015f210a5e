//! The table of the share that stores have of what their cards spend, by month.

use nightshard_format::{Result, calendar::Period, record::SpendShare, shard::Span};

use super::{
    key_rows::PERIOD,
    record_tables::{Found, RecordTable},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional},
};

/// The column behind those of a period.
const SHARE: [Field; 1] = [optional("share", Kind::Double)];

/// The tables.
pub(super) const TABLES: [RecordTable; 1] = [RecordTable {
    part: "spend_shares",
    fields: [&PERIOD, &SHARE],
    add,
}];

fn add(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let Span::Month(month) = found.span else {
        return Ok(());
    };
    let share = SpendShare::parse(found.value)?.share(found.privacy);
    let label = month.to_string();
    let head = found.head(Period::Month(month), &label)?;
    rows.push(head.chain([Cell::optional_double(share)]));
    Ok(())
}
