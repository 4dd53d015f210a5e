//! The table of which regions are parts of which.

use nightshard_format::{Result, record::RegionRecord};

use super::{
    key_rows::{LOCATION, location_cells},
    record_tables::{Found, RecordTable},
    rows::{Cell, Rows},
    schema::{Field, Kind, optional},
};

/// Columns behind that of the region, before those of where it is.
const REGION: [Field; 2] = [optional("parent", Kind::Text), optional("name", Kind::Text)];

/// The tables.
pub(super) const TABLES: [RecordTable; 1] = [RecordTable {
    part: "tree",
    fields: [&REGION, &LOCATION],
    add,
}];

fn add(found: &Found<'_>, rows: &mut Rows) -> Result<()> {
    let region = RegionRecord::parse(found.value)?;
    let said = [&region.parent, &region.name].map(|text| Cell::optional_text(text.as_deref()));
    let cells = said.into_iter().chain(location_cells(region.location));
    rows.push(found.key()?.into_iter().chain(cells));
    Ok(())
}
