//! Rows of Parquet files: flat columns, row group by row group, page by page.
//!
//! The reading thread looks at the end of a file and passes its row groups on; workers read the
//! columns that are wanted of one group each, a batch of rows at a time.

mod cells;
mod guard;
mod kind;
mod text;

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use parquet::{
    errors::ParquetError,
    file::{
        metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData},
        reader::{ChunkReader, Length},
        serialized_reader::SerializedPageReader,
    },
    schema::types::SchemaDescriptor,
};

use self::{cells::Cells, guard::guarded, kind::Kind, text::Form};
use super::{
    PackPlan,
    blocks::{Block, ROW_LEN_MAX, Table},
    columns::{Columns, Value},
    read::{LINE_BITS, RowError},
};
use crate::{
    Error, Result,
    source::{Error as SourceError, InputSummary, Stream},
};

/// What a Parquet file begins with.
const MAGIC: [u8; 4] = *b"PAR1";
/// The most rows that are read at a time.
const BATCH_ROWS_MAX: usize = 128;
/// About what a batch of rows takes at most, if rows are as long as they are on average.
const BATCH_LEN: usize = 256 << 10;

/// One row group of a file.
#[derive(Debug, Clone)]
pub(super) struct RowGroup {
    file: Arc<ParquetFile>,
    number: usize,
}

/// A file, and what is wanted of it.
#[derive(Debug)]
struct ParquetFile {
    path: PathBuf,
    bytes: Arc<Stored>,
    metadata: ParquetMetaData,
    /// The columns read: where each stands among those of the file, and what it holds.
    wanted: Vec<(usize, Kind)>,
    /// Where the key stands among the columns read.
    key: usize,
    /// The values, of the columns read.
    value: Value,
}

/// Looks at a file, and passes its row groups on until `take` wants no more.
pub(super) fn read_file(
    plan: &PackPlan,
    (file, path): (u32, &Path),
    take: &mut dyn FnMut(Block) -> bool,
) -> Result<Option<InputSummary>> {
    let parquet = Arc::new(ParquetFile::open(plan, path)?);
    let mut row = 1;
    for (number, group) in parquet.metadata.row_groups().iter().enumerate() {
        let block = Block {
            file,
            first_line: row,
            is_first: number == 0,
            bytes: Vec::new(),
            table: Table::Parquet(RowGroup {
                file: Arc::clone(&parquet),
                number,
            }),
        };
        row += u64::try_from(group.num_rows()).expect("it was checked");
        if !take(block) {
            return Ok(None);
        }
    }
    let (digest, size_bytes) = digest(path)?;
    Ok(Some(InputSummary {
        path: path.to_owned(),
        digest,
        size_bytes,
        is_open_ended: false,
    }))
}

fn digest(path: &Path) -> Result<(blake3::Hash, u64)> {
    let mut stream = Stream::open(path)?;
    let mut bytes = vec![0; 1 << 20];
    while stream.fill(path, &mut bytes)? == bytes.len() {}
    Ok(stream.finish(path)?)
}

impl ParquetFile {
    fn open(plan: &PackPlan, path: &Path) -> Result<Self> {
        let bytes = Stored::open(path)?;
        let read = || ParquetMetaDataReader::new().parse_and_finish(&bytes);
        let metadata = guarded(read).map_err(|problem| damaged(path, problem))?;
        let schema = metadata.file_metadata().schema_descr();
        check_rows(&metadata).map_err(|problem| damaged(path, problem))?;
        let fields = schema.root_schema().get_fields();
        let names: Vec<String> = fields.iter().map(|field| field.name().into()).collect();
        let columns = Columns::find(plan, path, &names)?;
        let mut wanted: Vec<(usize, Kind)> = Vec::new();
        let mut want = |option, field: usize| -> Result<usize> {
            let (leaf, kind) = flat_column(schema, field).map_err(|problem| {
                let path = path.display();
                Error::option(
                    option,
                    format!("{path}: column {:?} {problem}", names[field]),
                )
            })?;
            let known = wanted.iter().position(|(known, _)| *known == leaf);
            Ok(known.unwrap_or_else(|| {
                wanted.push((leaf, kind));
                wanted.len() - 1
            }))
        };
        let key = want("--key", columns.key)?;
        let value = match columns.value {
            Value::Text(field) => Value::Text(want("--value", field)?),
            Value::Object(members) => {
                let members = members.into_iter();
                let members = members.map(|(field, before)| Ok((want("--value", field)?, before)));
                Value::Object(members.collect::<Result<_>>()?)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            bytes: Arc::new(bytes),
            metadata,
            wanted,
            key,
            value,
        })
    }

    fn cells(&self, group: &RowGroupMetaData) -> Result<Vec<Cells>, String> {
        let open = |(leaf, _): &(usize, Kind)| {
            let column = group.column(*leaf);
            let rows = usize::try_from(group.num_rows())?;
            let bytes = Arc::clone(&self.bytes);
            let pages = SerializedPageReader::new(bytes, column, rows, None)?;
            Ok(Cells::new(column.column_descr_ptr(), Box::new(pages)))
        };
        guarded(|| self.wanted.iter().map(open).collect())
    }
}

/// Finds a column without any below it: where it stands among such, and what it holds.
fn flat_column(schema: &SchemaDescriptor, field: usize) -> Result<(usize, Kind), String> {
    let leaves = 0..schema.num_columns();
    let mut leaves = leaves.filter(|leaf| schema.get_column_root_idx(*leaf) == field);
    let advice = "name other columns with --key and --value";
    let leaf = leaves.next().ok_or("holds nothing")?;
    let column = schema.column(leaf);
    let is_group = schema.root_schema().get_fields()[field].is_group();
    if is_group || column.max_rep_level() > 0 {
        return Err(format!("is nested, which cannot be packed: {advice}"));
    }
    let kind = Kind::of(&column).ok_or_else(|| {
        let described = kind::describe(&column);
        format!("is of type {described}, which cannot be packed: {advice}")
    })?;
    Ok((leaf, kind))
}

/// Checks that rows of all groups can be numbered.
fn check_rows(metadata: &ParquetMetaData) -> Result<(), String> {
    let mut rows = 0_u64;
    for group in metadata.row_groups() {
        let of_group = u64::try_from(group.num_rows()).ok();
        let sum = of_group.and_then(|of_group| rows.checked_add(of_group));
        rows = sum
            .filter(|rows| rows >> LINE_BITS == 0)
            .ok_or("a row group has an impossible number of rows")?;
    }
    match u64::try_from(metadata.file_metadata().num_rows()) {
        Ok(all) if all == rows => Ok(()),
        _ => Err("its row groups have not the rows that the file has".into()),
    }
}

impl RowGroup {
    /// Reads the rows of the group, and passes number, key and value of each on.
    pub(super) fn parse(
        &self,
        first_row: u64,
        mut take: impl FnMut(u64, &[u8], &[u8]) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let file = &*self.file;
        let group = file.metadata.row_group(self.number);
        let broken = |problem| RowError::Other(damaged(&file.path, problem));
        let mut cells = file.cells(group).map_err(broken)?;
        let rows = usize::try_from(group.num_rows()).expect("it was checked");
        let batch_rows = batch_rows(file, group, rows);
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < rows {
            let batch = batch_rows.min(rows - done);
            fill(&mut cells, batch).map_err(broken)?;
            for row in 0..batch {
                let line = first_row + (done + row) as u64;
                let wrong = |problem| RowError::Row { line, problem };
                key.clear();
                file.put_key(&cells, row, &mut key).map_err(wrong)?;
                value.clear();
                file.put_value(&cells, row, &mut value).map_err(wrong)?;
                if value.len() > ROW_LEN_MAX {
                    return Err(wrong("the row exceeds 64 MiB".into()));
                }
                take(line, &key, &value)?;
            }
            done += batch;
        }
        end(&mut cells).map_err(broken)
    }
}

/// Returns how many rows are read at a time.
fn batch_rows(file: &ParquetFile, group: &RowGroupMetaData, rows: usize) -> usize {
    let lengths = file.wanted.iter().map(|(leaf, _)| {
        let len = group.column(*leaf).uncompressed_size();
        u64::try_from(len).unwrap_or_default()
    });
    let len = lengths.fold(0, u64::saturating_add);
    let row_len = usize::try_from(len / rows.max(1) as u64).unwrap_or(usize::MAX);
    (BATCH_LEN / row_len.max(1)).clamp(1, BATCH_ROWS_MAX)
}

/// Reads the next rows of all columns.
fn fill(cells: &mut [Cells], rows: usize) -> Result<(), String> {
    let read = guarded(|| {
        let mut fewest = rows;
        for cells in &mut *cells {
            fewest = fewest.min(cells.fill(rows)?);
        }
        Ok(fewest)
    })?;
    match read == rows {
        true => Ok(()),
        false => Err("a column ends before its row group".into()),
    }
}

/// Checks that no column goes on.
fn end(cells: &mut [Cells]) -> Result<(), String> {
    let goes_on = guarded(|| {
        let mut goes_on = false;
        for cells in &mut *cells {
            goes_on |= cells.fill(1)? > 0;
        }
        Ok(goes_on)
    })?;
    match goes_on {
        true => Err("a column goes on after its row group".into()),
        false => Ok(()),
    }
}

impl ParquetFile {
    fn put_key(&self, cells: &[Cells], row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let cells = &cells[self.key];
        if cells.is_null(row) {
            return Err("the key is null".into());
        }
        cells.put(row, self.wanted[self.key].1, Form::Key, out)
    }

    fn put_value(&self, cells: &[Cells], row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        match &self.value {
            Value::Text(at) => cells[*at].put(row, self.wanted[*at].1, Form::Alone, out),
            Value::Object(members) => {
                for (at, before) in members {
                    out.extend_from_slice(before);
                    let put = cells[*at].put(row, self.wanted[*at].1, Form::Json, out);
                    put.map_err(|problem| {
                        let (leaf, _) = self.wanted[*at];
                        let schema = self.metadata.file_metadata().schema_descr();
                        format!("column {:?} {problem}", schema.column(leaf).name())
                    })?;
                }
                out.push(b'}');
                Ok(())
            }
        }
    }
}

fn damaged(path: &Path, problem: impl Into<String>) -> Error {
    let (path, problem) = (path.to_owned(), problem.into());
    SourceError::Parquet { path, problem }.into()
}

/// The bytes of a file, for several readers at once, each where it is.
#[derive(Debug)]
struct Stored {
    file: File,
    len: u64,
}

impl Stored {
    fn open(path: &Path) -> Result<Self> {
        let open = || {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            Ok(Self { file, len })
        };
        let fault = |source| SourceError::Read {
            path: path.to_owned(),
            source,
        };
        let stored = open().map_err(fault)?;
        let mut magic = [0; MAGIC.len()];
        if stored.len >= MAGIC.len() as u64 {
            stored.file.read_exact_at(&mut magic, 0).map_err(fault)?;
        }
        match magic {
            MAGIC => Ok(stored),
            _ => Err(damaged(path, "it does not begin with PAR1")),
        }
    }
}

impl Length for Stored {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Stored {
    type T = std::io::BufReader<From>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let file = self.file.try_clone()?;
        Ok(std::io::BufReader::with_capacity(
            HEADER_LEN,
            From { file, start },
        ))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(ParquetError::EOF(format!(
                "{length} bytes at {start} are not there"
            )));
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// The header of a page is about as long.
const HEADER_LEN: usize = 512;

/// A file from some byte on.
struct From {
    file: File,
    start: u64,
}

impl std::io::Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.file.read_at(buffer, self.start)?;
        self.start += len as u64;
        Ok(len)
    }
}
