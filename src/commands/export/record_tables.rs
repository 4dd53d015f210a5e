//! Tables of what one record after the other says, span by span.
//!
//! Records of a span are in the order of their shards, so that nothing depends on threads; rows are written in
//! batches.

use std::collections::BTreeSet;

use nightshard_format::{
    Result as FormatResult,
    calendar::{DayRange, Period},
    generation::Generation,
    privacy::Privacy,
    shard::{Mapped, Span},
};

use super::{
    error::{Error, Result, corrupt},
    folder::Written,
    key_rows::{Source, period_cells},
    rows::{Cell, Rows},
    schema::{Field, TableSchema},
    subjects::{KeyCells, Subjects},
    writer::{TableWriter, Target},
};

/// Rows that are written at a time.
const BATCH_ROWS: usize = 1 << 13;

/// A table to which each record of a dataset adds rows.
pub(super) struct RecordTable {
    /// What it is of those that the dataset is of: the end of its name.
    pub(super) part: &'static str,
    /// Its columns, behind those of the key.
    pub(super) fields: [&'static [Field]; 2],
    /// Adds the rows of a record, which may be none.
    pub(super) add: fn(&Found<'_>, &mut Rows) -> FormatResult<()>,
}

impl RecordTable {
    /// Returns the schema of what it is of a dataset.
    pub(super) fn schema(&self, dataset: &str) -> TableSchema {
        let subjects = Subjects::of(dataset);
        let [fields, more] = self.fields;
        TableSchema::new(subjects.table(self.part), &[subjects.fields, fields, more])
    }
}

/// A record.
pub(super) struct Found<'a> {
    /// The span of its shard.
    pub(super) span: Span,
    /// Its key.
    key: &'a [u8],
    /// What keys name.
    subjects: Subjects,
    /// Its value.
    pub(super) value: &'a [u8],
    /// How many cards hide one another in what is told.
    pub(super) privacy: Privacy,
    /// The days of the data, which cut periods.
    data: DayRange,
}

impl<'a> Found<'a> {
    /// Returns the cells that say of whom a row is.
    ///
    /// # Errors
    /// [`nightshard_format::Error::Corrupt`] if the key is none of the dataset.
    pub(super) fn key(&self) -> FormatResult<KeyCells<'a>> {
        self.subjects.cells(self.key)
    }

    /// Returns the cells that say of whom and of which period a row is; `label` is the period's.
    ///
    /// # Shape
    /// Those of the key, then of the columns [`super::key_rows::PERIOD`]. Everything has the days of the data.
    ///
    /// # Errors
    /// As [`Self::key`].
    pub(super) fn head<'l>(
        &self,
        period: Period,
        label: &'l str,
    ) -> FormatResult<impl Iterator<Item = Cell<'l>> + use<'a, 'l>>
    where
        'a: 'l,
    {
        let key: KeyCells<'l> = self.key()?;
        Ok(key
            .into_iter()
            .chain(period_cells(period, label, self.data)))
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
    let subjects = Subjects::of(dataset);
    let writers = tables
        .iter()
        .map(|table| TableWriter::create(target, table.schema(dataset)));
    let mut writers: Vec<TableWriter<'_>> = writers.collect::<Result<_>>()?;
    let mut rows: Vec<Rows> = writers.iter().map(TableWriter::no_rows).collect();
    for span in spans_of(generation, dataset).map_err(Error::of(dataset))? {
        let shards = generation.table(dataset, span).shards();
        for record in shards.iter().flat_map(|shard| shard.iter()) {
            let record = record.map_err(Error::of(dataset))?;
            let at = Error::of_record(dataset, record.key);
            let found = Found {
                span,
                key: record.key,
                subjects,
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

#[cfg(test)]
mod tests {
    use nightshard_format::{
        calendar::Month,
        record::{Label, PLACE_DEMOGRAPHICS, PlaceCell, PlaceDemographics},
    };

    use super::*;
    use crate::commands::export::demographics::PLACE_TABLES;

    /// How many rows a month of two cells has, of which so many rows are in the first one.
    fn rows_of(first: u64, second: u64, k: u64) -> usize {
        let unknown = Label::Unknown;
        let cell = |label, count| PlaceCell {
            labels: [label, unknown, unknown],
            count,
        };
        let record = PlaceDemographics {
            count: first + second,
            cells: vec![cell(unknown, first), cell(Label::Text(b"20s"), second)],
        };
        let mut value = Vec::new();
        record.encode(&mut value);
        let month = Month::new(2018, 3).unwrap();
        let found = Found {
            span: Span::Month(month),
            key: b"regions\0leeds",
            subjects: Subjects::of(PLACE_DEMOGRAPHICS),
            value: &value,
            privacy: Privacy::new(k).unwrap(),
            data: month.days(),
        };
        let [table] = PLACE_TABLES;
        let mut rows = Rows::new(&table.schema(PLACE_DEMOGRAPHICS).fields);
        (table.add)(&found, &mut rows).unwrap();
        rows.len()
    }

    #[test]
    fn shares_of_places_are_exported_where_they_are_told() {
        assert_eq!(rows_of(400, 600, 1), 2);
        assert_eq!(rows_of(4_000, 6_000, 10), 2);
        // Of 1,000 rows whole percents say the number to within ten.
        assert_eq!(rows_of(400, 600, 10), 0);
    }
}
