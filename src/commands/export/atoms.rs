//! The table of what is told of places and the market (docs/privacy.md).

use nightshard_format::{
    Result as FormatResult,
    calendar::Month,
    generation::Generation,
    record::{ATOMS, AtomGroup, AtomMonth, AtomSummary},
    shard::{Mapped, Span},
};

use super::{
    error::{Error, Result, corrupt},
    folder::Written,
    rows::{Cell, Rows},
    schema::{Field, Kind, TableSchema, optional, required},
    statistics::integer,
    writer::{TableWriter, Target},
};

/// The name of the table.
pub(super) const TABLE: &str = "atoms";

const FIELDS: [Field; 9] = [
    required("dataset", Kind::Text),
    optional("region", Kind::Text),
    optional("category", Kind::Text),
    required("min_date", Kind::Date),
    required("max_date", Kind::Date),
    required("atoms", Kind::Integer),
    optional("cards", Kind::Integer),
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
];

/// Rows that are written at a time.
const BATCH_ROWS: usize = 1 << 13;

/// Writes the table; `advance` is told of keys that are done.
pub(super) fn export(
    generation: &Generation<Mapped>,
    target: Target<'_>,
    advance: impl Fn(u64),
) -> Result<Vec<Written>> {
    let mut table = TableWriter::create(target, TableSchema::new(TABLE, &[&FIELDS]))?;
    let mut rows = table.no_rows();
    let shards = generation.table(ATOMS, Span::Current).shards();
    for record in shards.iter().flat_map(|shard| shard.iter()) {
        let record = record.map_err(Error::of(ATOMS))?;
        let summary = record.value.in_place().and_then(AtomSummary::parse);
        let summary = summary.map_err(Error::of_record(ATOMS, record.key))?;
        for totals in &summary.months {
            let added = add_month(generation, record.key, &summary, totals.month, &mut rows);
            added.map_err(Error::of_record(ATOMS, record.key))?;
            if rows.len() >= BATCH_ROWS {
                table.write(&rows)?;
                rows.clear();
            }
        }
        advance(1);
    }
    table.write(&rows)?;
    table.finish()
}

/// Adds the groups of a key's month.
fn add_month(
    generation: &Generation<Mapped>,
    key: &[u8],
    summary: &AtomSummary,
    month: Month,
    rows: &mut Rows,
) -> FormatResult<()> {
    let found = generation.get(ATOMS, Span::Month(month), key)?;
    let found = found.ok_or_else(|| corrupt("atoms", "a month of its summary is not there"))?;
    let atoms = AtomMonth::parse(month, found.in_place()?)?;
    let mut groups = atoms.groups.iter();
    groups.try_for_each(|group| add_group(key, summary, group, rows))
}

fn add_group(
    key: &[u8],
    summary: &AtomSummary,
    group: &AtomGroup,
    rows: &mut Rows,
) -> FormatResult<()> {
    let dataset = key.split(|byte| *byte == 0).next().unwrap_or_default();
    let dataset = std::str::from_utf8(dataset).map_err(|_bad| corrupt("key", "it is not UTF-8"))?;
    let cards = group.cards.map(integer).transpose()?;
    rows.push([
        Cell::Text(dataset),
        Cell::optional_text(summary.profile.region.as_deref()),
        Cell::optional_text(summary.profile.category.as_deref()),
        Cell::Date(group.days.first),
        Cell::Date(group.days.last),
        integer(group.atoms)?,
        cards.unwrap_or(Cell::Missing),
        integer(group.count)?,
        Cell::Decimal(group.sum),
    ]);
    Ok(())
}
