//! The tables of regions and categories.

use nightshard_format::{
    Result as FormatResult,
    generation::Generation,
    record::{CATALOG, RANKINGS, RankBy, Ranking, ranking_key},
    shard::{Mapped, Span},
};

use super::{
    error::{Error, Result, corrupt},
    folder::Written,
    rows::{Cell, Rows},
    schema::{Field, Kind, TableSchema, required},
    statistics::integer,
    writer::{TableWriter, Target},
};

/// The names of the tables, which are the keys of their records.
pub(super) const TABLES: [&str; 2] = ["regions", "categories"];

const FIELDS: [Field; 2] = [
    required("id", Kind::Text),
    required("stores", Kind::Integer),
];

/// Rows that are written at a time.
const BATCH_ROWS: usize = 1 << 13;

/// Writes both tables.
pub(super) fn export(generation: &Generation<Mapped>, target: Target<'_>) -> Result<Vec<Written>> {
    let mut written = Vec::new();
    for name in TABLES {
        let mut table = TableWriter::create(target, TableSchema::new(name, &[&FIELDS]))?;
        let mut rows = table.no_rows();
        let ids = find(generation, CATALOG, name.as_bytes());
        let ids = ids.map_err(Error::of_record(CATALOG, name.as_bytes()))?;
        for position in 0..ids.map_or(0, |ids| ids.len()) {
            let id = ids.and_then(|ids| ids.get(position)).unwrap_or_default();
            let added = add_row(generation, name, id, &mut rows);
            added.map_err(Error::of_record(name, id))?;
            if rows.len() == BATCH_ROWS {
                table.write(&rows)?;
                rows.clear();
            }
        }
        table.write(&rows)?;
        written.extend(table.finish()?);
    }
    Ok(written)
}

/// Adds a region or category with the number of its stores.
fn add_row(
    generation: &Generation<Mapped>,
    table: &str,
    id: &[u8],
    rows: &mut Rows,
) -> FormatResult<()> {
    let id = std::str::from_utf8(id).map_err(|_bad| corrupt("key", "it is not UTF-8"))?;
    let (region, category) = match table {
        "regions" => (Some(id), None),
        _ => (None, Some(id)),
    };
    let key = ranking_key(RankBy::Transactions, region, category);
    let stores = find(generation, RANKINGS, &key)?;
    let stores = stores.ok_or_else(|| corrupt("catalog", "it names what no store is of"))?;
    rows.push([Cell::Text(id), integer(stores.len() as u64)?]);
    Ok(())
}

fn find<'a>(
    generation: &'a Generation<Mapped>,
    dataset: &str,
    key: &[u8],
) -> FormatResult<Option<Ranking<'a>>> {
    let found = generation.get(dataset, Span::Current, key)?;
    let ranking = found.map(|found| Ranking::parse(found.in_place()?));
    ranking.transpose()
}
