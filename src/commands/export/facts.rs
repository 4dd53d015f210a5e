//! The table of one row that says what was exported, and the same in the metadata of Parquet files.

use nightshard_format::{Result as FormatResult, manifest::Manifest};

use super::{
    error::{Error, Result},
    folder::Written,
    rows::Cell,
    schema::{Field, Kind, TableSchema, optional, required},
    statistics::integer,
    writer::{TableWriter, Target},
};

/// The name of the table.
pub(super) const TABLE: &str = "generation";

/// What is about transactions is missing where there are none.
const FIELDS: [Field; 11] = [
    required("id", Kind::Text),
    required("as_of", Kind::Date),
    optional("first_date", Kind::Date),
    optional("last_date", Kind::Date),
    optional("currency", Kind::Text),
    optional("currency_exponent", Kind::Integer),
    optional("stores", Kind::Integer),
    optional("rows_read", Kind::Integer),
    optional("rows_used", Kind::Integer),
    optional("rows_rejected", Kind::Integer),
    optional("rows_excluded", Kind::Integer),
];

/// Writes the table.
pub(super) fn export(manifest: &Manifest, target: Target<'_>) -> Result<Vec<Written>> {
    let mut table = TableWriter::create(target, TableSchema::new(TABLE, &[&FIELDS]))?;
    let mut rows = table.no_rows();
    rows.push(cells(manifest).map_err(Error::of("the manifest"))?);
    table.write(&rows)?;
    table.finish()
}

fn cells(manifest: &Manifest) -> FormatResult<[Cell<'_>; 11]> {
    let mut cells = [Cell::Missing; 11];
    cells[0] = Cell::Text(manifest.id.as_str());
    cells[1] = Cell::Date(manifest.as_of.parse()?);
    if let Some(transactions) = &manifest.transactions {
        let days = transactions.day_range()?;
        let rows = &transactions.rows;
        // No overflow: together with the rows used they add up to the rows read.
        let (rejected, excluded) = (rows.rejected.values().sum(), rows.excluded.values().sum());
        cells[2] = Cell::Date(days.first);
        cells[3] = Cell::Date(days.last);
        cells[4] = Cell::Text(&transactions.currency);
        cells[5] = integer(transactions.currency_exponent.into())?;
        cells[6] = integer(transactions.stores)?;
        cells[7] = integer(rows.read)?;
        cells[8] = integer(rows.used)?;
        cells[9] = integer(rejected)?;
        cells[10] = integer(excluded)?;
    }
    Ok(cells)
}

/// Returns what every file that has room for it says of itself.
pub(super) fn metadata(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("nightshard.generation", manifest.id.to_string()),
        ("nightshard.as_of", manifest.as_of.clone()),
    ];
    if let Some(transactions) = &manifest.transactions {
        let exponent = transactions.currency_exponent.to_string();
        facts.push(("nightshard.currency", transactions.currency.clone()));
        facts.push(("nightshard.currency_exponent", exponent));
    }
    facts
}
