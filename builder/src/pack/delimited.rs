//! Rows of values with a delimiter between.

use super::{blocks::Block, columns::Columns, read::RowError};
use crate::source::{Dialect, Margins, Splitter};

/// Parses the rows of a block, and passes line, key and value of each on.
pub(super) fn parse(
    (dialect, columns): (Dialect, &Columns),
    block: &Block,
    mut take: impl FnMut(u64, &[u8], &[u8]) -> Result<(), RowError>,
) -> Result<(), RowError> {
    let mut splitter = Splitter::new(dialect.delimiter, Margins::Kept);
    let mut value = Vec::new();
    for record in dialect.records(&block.bytes, block.first_line) {
        let line = record.line;
        let wrong = |problem: String| RowError::Row { line, problem };
        let text = record.text.map_err(|why| wrong(why.as_str().into()))?;
        let fields = splitter.split(text, columns.count).ok_or_else(|| {
            let count = columns.count;
            wrong(format!("the row has not {count} fields, as the header has"))
        })?;
        value.clear();
        columns.put_value(fields, &mut value).map_err(wrong)?;
        take(line, fields.get(columns.key), &value)?;
    }
    Ok(())
}
