//! The table of a packed dataset.
//!
//! Keys and values are any bytes; texts are columns that every program reads. So each has two
//! columns, as in `nightshard scan --json`: its text, or in base64 what is no text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use nightshard_format::{
    generation::Generation,
    shard::{Mapped, Record, Span},
};

use super::{
    error::{Error, Result},
    folder::Written,
    rows::{Cell, Rows},
    schema::{Field, Kind, TableSchema, optional},
    writer::{TableWriter, Target},
};

const FIELDS: [Field; 4] = [
    optional("key", Kind::Text),
    optional("key_base64", Kind::Text),
    optional("value", Kind::Text),
    optional("value_base64", Kind::Text),
];

/// Rows are written when there are so many.
const BATCH_ROWS: usize = 1 << 13;
/// Rows are written when they have so much text.
const BATCH_TEXT_BYTES: usize = 8 << 20;

/// Returns the name of a dataset's table, which none of the others has.
pub(super) fn table_name(dataset: &str) -> String {
    format!("packed_{dataset}")
}

/// Writes the table of a dataset, in the order of its shards; `advance` is told of rows written.
pub(super) fn export(
    generation: &Generation<Mapped>,
    dataset: &str,
    target: Target<'_>,
    advance: impl Fn(u64),
) -> Result<Vec<Written>> {
    let schema = TableSchema::new(table_name(dataset), &[&FIELDS]);
    let mut table = TableWriter::create(target, schema)?;
    let mut rows = table.no_rows();
    let shards = generation.table(dataset, Span::Current).shards();
    for record in shards.iter().flat_map(|shard| shard.iter()) {
        let record = record.map_err(Error::of(dataset))?;
        add_row(record, &mut rows).map_err(Error::of_record(dataset, record.key))?;
        if rows.len() >= BATCH_ROWS || rows.text_bytes() >= BATCH_TEXT_BYTES {
            table.write(&rows)?;
            advance(rows.len() as u64);
            rows.clear();
        }
    }
    table.write(&rows)?;
    advance(rows.len() as u64);
    table.finish()
}

fn add_row(record: Record<'_>, rows: &mut Rows) -> nightshard_format::Result<()> {
    let value = record.value.read()?;
    let (mut key_base64, mut value_base64) = (String::new(), String::new());
    let [key, key_encoded] = text_or_base64(record.key, &mut key_base64);
    let [value, value_encoded] = text_or_base64(&value, &mut value_base64);
    rows.push([key, key_encoded, value, value_encoded]);
    Ok(())
}

fn text_or_base64<'a>(bytes: &'a [u8], base64: &'a mut String) -> [Cell<'a>; 2] {
    match std::str::from_utf8(bytes) {
        Ok(text) => [Cell::Text(text), Cell::Missing],
        Err(_no_text) => {
            STANDARD.encode_string(bytes, base64);
            [Cell::Missing, Cell::Text(base64)]
        }
    }
}
