//! The tables of stores and markets.
//!
//! Keys are read in the order of their shards and cut into batches by what their summaries say of
//! their rows, so that memory is bounded and nothing depends on threads. While one batch is made of
//! shards, the batch before is written.

use nightshard_format::{
    histogram::FineHistogram,
    record::Summary,
    shard::{Record, Span},
};
use rayon::prelude::*;

use super::{
    error::{Error, Result},
    folder::Written,
    key_rows::{PARTS, SeriesRows, Source, TABLES},
    schema::TableSchema,
    writer::{TableWriter, Target},
};

/// A batch ends with the key that brings its rows to this.
const BATCH_ROWS: u64 = 1 << 16;
/// Keys that a thread makes rows of at a time.
const KEYS_AT_A_TIME: usize = 16;
/// The cells of the grid: a month's histogram has no more rows.
const CELLS: u64 = 2_540;
/// The half hours of a week.
const HALF_HOURS: u64 = 7 * 48;

/// Returns the schemas of the tables of stores or markets.
pub(super) fn schemas(dataset: &str) -> [TableSchema; TABLES] {
    let singular = dataset.trim_end_matches('s');
    PARTS.map(|(part, fields)| {
        let name = match part {
            "" => dataset.to_owned(),
            part => format!("{singular}_{part}"),
        };
        TableSchema::new(name, &fields)
    })
}

/// A key with its summary.
type Key<'a> = (&'a [u8], Summary);

/// Writes the tables of a dataset; `advance` is told of keys that are done.
pub(super) fn export(
    source: Source<'_>,
    target: Target<'_>,
    advance: impl Fn(u64) + Sync,
) -> Result<Vec<Written>> {
    let schemas = schemas(source.dataset).into_iter();
    let tables = schemas.map(|schema| TableWriter::create(target, schema));
    let mut tables: Vec<TableWriter<'_>> = tables.collect::<Result<_>>()?;
    let shards = source
        .generation
        .table(source.dataset, Span::Current)
        .shards();
    let mut records = shards.iter().flat_map(|shard| shard.iter());
    let none = SeriesRows::new(std::array::from_fn(|at| tables[at].no_rows()));
    let mut made: Option<SeriesRows> = None;
    loop {
        let batch = next_batch(source.dataset, &mut records)?;
        let (written, next) = rayon::join(
            || write(&mut tables, made.as_ref()),
            || rows_of(source, &batch, &none),
        );
        written?;
        if batch.is_empty() {
            break;
        }
        advance(batch.len() as u64);
        made = Some(next?);
    }
    let finished: Vec<Result<Vec<Written>>> =
        tables.into_par_iter().map(TableWriter::finish).collect();
    let finished: Vec<Vec<Written>> = finished.into_iter().collect::<Result<_>>()?;
    Ok(finished.concat())
}

/// Reads the keys of the next batch; none at the end.
fn next_batch<'a>(
    dataset: &str,
    records: &mut impl Iterator<Item = nightshard_format::Result<Record<'a>>>,
) -> Result<Vec<Key<'a>>> {
    let mut batch = Vec::new();
    let mut rows = 0;
    while rows < BATCH_ROWS {
        let Some(record) = records.next() else { break };
        let record = record.map_err(Error::of(dataset))?;
        let summary = record.value.in_place().and_then(Summary::parse);
        let summary = summary.map_err(Error::of_record(dataset, record.key))?;
        rows += rows_at_most(&summary);
        batch.push((record.key, summary));
    }
    Ok(batch)
}

/// Returns how many rows a key has at most, in all tables together.
fn rows_at_most(summary: &Summary) -> u64 {
    let months = summary.months.iter().map(|totals| {
        let days = totals.statistics.count.min(31);
        let count = totals.statistics.count;
        // A week for each day, a month, a quarter, a year; cells; half hours.
        2 * days + 3 + count.min(CELLS) + count.min(HALF_HOURS)
    });
    1 + months.sum::<u64>()
}

/// Makes the rows of a batch, on all threads, in the order of its keys.
fn rows_of(source: Source<'_>, batch: &[Key<'_>], none: &SeriesRows) -> Result<SeriesRows> {
    let parts = batch.par_chunks(KEYS_AT_A_TIME).map(|keys| {
        let mut rows = none.clone();
        let mut bins = FineHistogram::new();
        for (key, summary) in keys {
            let added = source.add_rows(key, summary, &mut bins, &mut rows);
            added.map_err(Error::of_record(source.dataset, key))?;
        }
        Ok(rows)
    });
    // Collected first: which error rayon would stop at depends on the threads.
    let parts: Vec<Result<SeriesRows>> = parts.collect();
    let mut rows = none.clone();
    for part in parts {
        rows.append(&part?);
    }
    Ok(rows)
}

fn write(tables: &mut [TableWriter<'_>], rows: Option<&SeriesRows>) -> Result<()> {
    let Some(rows) = rows else { return Ok(()) };
    let tables = tables.par_iter_mut().zip(rows.all());
    let written: Vec<Result<()>> = tables.map(|(table, rows)| table.write(rows)).collect();
    written.into_iter().collect()
}
