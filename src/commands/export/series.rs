//! Tables of what each store, place or market has rows of.
//!
//! Keys are read in the order of their shards and cut into batches by what their summaries say of
//! their rows, so that memory is bounded and nothing depends on threads. While one batch is made of
//! shards, the batch before is written.

use nightshard_format::{
    Result as FormatResult,
    record::Summary,
    shard::{Record, Span},
};
use rayon::prelude::*;

use super::{
    error::{Error, Result},
    folder::Written,
    key_rows::Source,
    rows::Rows,
    schema::TableSchema,
    writer::{TableWriter, Target},
};

/// A batch ends with the key that brings its rows to this.
const BATCH_ROWS: u64 = 1 << 16;
/// Keys that a thread makes rows of at a time.
const KEYS_AT_A_TIME: usize = 16;

/// Tables that each key of a dataset of series adds rows to.
pub(super) struct SeriesTables<const N: usize> {
    /// Returns their schemas for a dataset.
    pub(super) schemas: fn(&str) -> [TableSchema; N],
    /// Returns how many rows a key has at most, in all of them together.
    pub(super) rows_at_most: fn(&Summary) -> u64,
    /// Adds the rows of a key.
    pub(super) add: fn(&Source<'_>, &[u8], &Summary, &mut [Rows; N]) -> FormatResult<()>,
}

/// A key with its summary.
type Key<'a> = (&'a [u8], Summary);

/// Writes the tables of a dataset; `advance` is told of keys that are done.
pub(super) fn export<const N: usize>(
    source: Source<'_>,
    tables: &SeriesTables<N>,
    target: Target<'_>,
    advance: impl Fn(u64) + Sync,
) -> Result<Vec<Written>> {
    let schemas = (tables.schemas)(source.dataset).into_iter();
    let writers = schemas.map(|schema| TableWriter::create(target, schema));
    let mut writers: Vec<TableWriter<'_>> = writers.collect::<Result<_>>()?;
    let shards = source
        .generation
        .table(source.dataset, Span::Current)
        .shards();
    let mut records = shards.iter().flat_map(|shard| shard.iter());
    let none: [Rows; N] = std::array::from_fn(|at| writers[at].no_rows());
    let mut made: Option<[Rows; N]> = None;
    loop {
        let batch = next_batch(source.dataset, tables.rows_at_most, &mut records)?;
        let (written, next) = rayon::join(
            || write(&mut writers, made.as_ref()),
            || rows_of(source, tables, &batch, &none),
        );
        written?;
        if batch.is_empty() {
            break;
        }
        advance(batch.len() as u64);
        made = Some(next?);
    }
    let finished: Vec<Result<Vec<Written>>> =
        writers.into_par_iter().map(TableWriter::finish).collect();
    let finished: Vec<Vec<Written>> = finished.into_iter().collect::<Result<_>>()?;
    Ok(finished.concat())
}

/// Reads the keys of the next batch; none at the end.
fn next_batch<'a>(
    dataset: &str,
    rows_at_most: fn(&Summary) -> u64,
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

/// Makes the rows of a batch, on all threads, in the order of its keys.
fn rows_of<const N: usize>(
    source: Source<'_>,
    tables: &SeriesTables<N>,
    batch: &[Key<'_>],
    none: &[Rows; N],
) -> Result<[Rows; N]> {
    let parts = batch.par_chunks(KEYS_AT_A_TIME).map(|keys| {
        let mut rows = none.clone();
        for (key, summary) in keys {
            let added = (tables.add)(&source, key, summary, &mut rows);
            added.map_err(Error::of_record(source.dataset, key))?;
        }
        Ok(rows)
    });
    // Collected first: which error rayon would stop at depends on the threads.
    let parts: Vec<Result<[Rows; N]>> = parts.collect();
    let mut rows = none.clone();
    for part in parts {
        for (rows, more) in rows.iter_mut().zip(&part?) {
            rows.append(more);
        }
    }
    Ok(rows)
}

fn write<const N: usize>(tables: &mut [TableWriter<'_>], rows: Option<&[Rows; N]>) -> Result<()> {
    let Some(rows) = rows else { return Ok(()) };
    let tables = tables.par_iter_mut().zip(rows);
    let written: Vec<Result<()>> = tables.map(|(table, rows)| table.write(rows)).collect();
    written.into_iter().collect()
}
