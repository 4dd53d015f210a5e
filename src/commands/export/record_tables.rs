//! Tables of what one record after the other says, span by span.
//!
//! Records of a span are in the order of their shards, so that nothing depends on threads; rows are written in
//! batches.

use std::collections::BTreeSet;

use nightshard_format::{
    Result as FormatResult,
    calendar::{Day, DayRange, Period},
    generation::Generation,
    privacy::Privacy,
    shard::{Mapped, Span},
};

use super::{
    error::{Error, Result, corrupt},
    folder::Written,
    key_rows::Source,
    rows::{Cell, Rows},
    schema::{Field, TableSchema},
    writer::{TableWriter, Target},
};

/// Rows that are written at a time.
const BATCH_ROWS: usize = 1 << 13;

/// A table to which each record of a dataset adds rows.
pub(super) struct RecordTable {
    /// Its name.
    pub(super) name: &'static str,
    /// Its columns.
    pub(super) fields: [&'static [Field]; 2],
    /// Adds the rows of a record, which may be none.
    pub(super) add: fn(&Found<'_>, &mut Rows) -> FormatResult<()>,
}

/// A record.
pub(super) struct Found<'a> {
    /// The span of its shard.
    pub(super) span: Span,
    /// Its key, as text.
    pub(super) id: &'a str,
    /// Its value.
    pub(super) value: &'a [u8],
    /// How many cards hide one another in what is told.
    pub(super) privacy: Privacy,
    /// The days of the data, which cut periods.
    data: DayRange,
}

impl<'a> Found<'a> {
    /// Returns the cells that say of whom and of which period a row is; `label` is the period's.
    ///
    /// # Shape
    /// Those of the columns [`super::key_rows::PERIOD`]. Everything has the days of the data.
    pub(super) fn head<'l>(&self, period: Period, label: &'l str) -> [Cell<'l>; 5]
    where
        'a: 'l,
    {
        let days = period.days().unwrap_or(self.data);
        [
            Cell::Text(self.id),
            Cell::Text(label),
            Cell::Date(days.first),
            Cell::Date(days.last),
            Cell::Boolean(!self.data.covers(days)),
        ]
    }

    /// Returns the last day of a period that the data has.
    pub(super) fn last_day_of(&self, period: Period) -> Day {
        let days = period.days().unwrap_or(self.data);
        days.last.min(self.data.last)
    }
}

/// Returns how many records the shards of a dataset have, in all spans.
pub(super) fn records_of(generation: &Generation<Mapped>, dataset: &str) -> u64 {
    let entries = generation.manifest().shards_of(dataset);
    entries.map(|entry| entry.records).sum()
}

/// Writes tables of the records of a dataset; `advance` is told of records that are done.
pub(super) fn export(
    source: Source<'_>,
    tables: &[RecordTable],
    target: Target<'_>,
    advance: impl Fn(u64),
) -> Result<Vec<Written>> {
    let Source {
        generation,
        dataset,
        data,
    } = source;
    let privacy = Privacy::of(generation.manifest()).map_err(Error::of("the manifest"))?;
    let writers = tables.iter().map(|table| {
        let schema = TableSchema::new(table.name, &table.fields);
        TableWriter::create(target, schema)
    });
    let mut writers: Vec<TableWriter<'_>> = writers.collect::<Result<_>>()?;
    let mut rows: Vec<Rows> = writers.iter().map(TableWriter::no_rows).collect();
    for span in spans_of(generation, dataset).map_err(Error::of(dataset))? {
        let shards = generation.table(dataset, span).shards();
        for record in shards.iter().flat_map(|shard| shard.iter()) {
            let record = record.map_err(Error::of(dataset))?;
            let at = Error::of_record(dataset, record.key);
            let found = Found {
                span,
                id: text(record.key).map_err(&at)?,
                value: record.value.in_place().map_err(&at)?,
                privacy,
                data,
            };
            for ((table, writer), rows) in tables.iter().zip(&mut writers).zip(&mut rows) {
                (table.add)(&found, rows).map_err(&at)?;
                if rows.len() >= BATCH_ROWS {
                    writer.write(rows)?;
                    rows.clear();
                }
            }
            advance(1);
        }
    }
    let mut written = Vec::new();
    for (mut writer, rows) in writers.into_iter().zip(&rows) {
        writer.write(rows)?;
        written.extend(writer.finish()?);
    }
    Ok(written)
}

/// Returns the spans of which a dataset has shards: everything, then months in order.
fn spans_of(generation: &Generation<Mapped>, dataset: &str) -> FormatResult<BTreeSet<Span>> {
    let entries = generation.manifest().shards_of(dataset);
    entries.map(|entry| entry.span.parse()).collect()
}

/// Returns bytes of a record as the text that they are.
pub(super) fn text(bytes: &[u8]) -> FormatResult<&str> {
    std::str::from_utf8(bytes).map_err(|_bad| corrupt("record", "a text in it is not UTF-8"))
}
