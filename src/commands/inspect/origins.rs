//! What records of where cards come from say.

use nightshard_format::record::{Label, OriginCell, OriginsRecord};
use serde::Serialize;

use crate::output::{Column, Table};

/// The cards that come from one region.
#[derive(Debug, Serialize)]
pub(super) struct OriginFacts {
    /// Null where it is not known, or merged.
    region: Option<String>,
    merged: bool,
    cards: u64,
}

/// Decodes the record of a store.
pub(super) fn origins(value: &[u8]) -> nightshard_format::Result<Vec<OriginFacts>> {
    let record = OriginsRecord::parse(value)?;
    let cell = |cell: &OriginCell<'_>| OriginFacts {
        region: match cell.region {
            Label::Text(id) => Some(String::from_utf8_lossy(id).into_owned()),
            Label::Unknown | Label::Merged => None,
        },
        merged: cell.region == Label::Merged,
        cards: cell.cards,
    };
    Ok(record.cells.iter().map(cell).collect())
}

/// Shows the cells of a store to people.
pub(super) fn origins_text(cells: &[OriginFacts]) -> String {
    let mut table = Table::new(&[Column::Text("region"), Column::Number("cards")]);
    for cell in cells {
        let region = match &cell.region {
            Some(id) => id.escape_debug().to_string(),
            None if cell.merged => "(merged)".into(),
            None => "(unknown)".into(),
        };
        table.row([region, cell.cards.to_string()]);
    }
    format!("\n{}", table.to_text())
}
