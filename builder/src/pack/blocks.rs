//! Files to blocks of whole rows.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use memchr::{memchr, memchr_iter};

#[cfg(feature = "parquet")]
use super::parquet::{self, RowGroup};
use super::{PackPlan, columns::Columns, format::TableFormat};
use crate::{
    Error, Result,
    source::{
        BYTE_ORDER_MARK, Dialect, Error as SourceError, InputSummary, Margins, Splitter, Stream,
    },
};

/// The longest row.
///
/// # Units
/// Bytes, without the line break. A quote that is never closed is looked for no longer.
pub(super) const ROW_LEN_MAX: usize = 64 << 20;
/// The longest memory of a block that is kept for another, in bytes.
const SPARE_LEN_MAX: usize = 4 << 20;

/// Rows of one file.
#[derive(Debug)]
pub(super) struct Block {
    /// The number of the file.
    pub(super) file: u32,
    /// The line on which the first row begins.
    pub(super) first_line: u64,
    /// Whether no row of the file comes before.
    pub(super) is_first: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) table: Table,
}

/// How the rows of a block are divided and read.
#[derive(Debug, Clone)]
pub(super) enum Table {
    Delimited(Dialect, Arc<Columns>),
    JsonLines(Dialect),
    /// What is read when the block is parsed: there are no bytes.
    #[cfg(feature = "parquet")]
    Parquet(RowGroup),
}

/// The memory of blocks that were parsed, for those to come.
#[derive(Debug, Default)]
pub(super) struct Spare(Mutex<Vec<Vec<u8>>>);

impl Spare {
    /// Keeps the memory of a block; that of a long row is given back.
    pub(super) fn keep(&self, mut bytes: Vec<u8>) {
        if bytes.capacity() <= SPARE_LEN_MAX {
            bytes.clear();
            self.lock().push(bytes);
        }
    }

    fn take(&self) -> Vec<u8> {
        self.lock().pop().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a file, and passes its blocks on until `take` wants no more.
pub(super) fn read_file(
    plan: &PackPlan,
    (file, path): (u32, &Path),
    (block_len, spare): (usize, &Spare),
    take: &mut dyn FnMut(Block) -> bool,
) -> Result<Option<InputSummary>> {
    let format = plan.format.map_or_else(|| TableFormat::of_file(path), Ok)?;
    let (delimiter, is_quoted) = match format {
        TableFormat::Csv => (Some(b','), true),
        TableFormat::Tsv => (Some(b'\t'), false),
        TableFormat::JsonLines => (None, false),
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => return parquet::read_file(plan, (file, path), take),
        #[cfg(not(feature = "parquet"))]
        TableFormat::Parquet => {
            let problem = format!("{}: this program was built without Parquet", path.display());
            return Err(Error::option("--format", problem));
        }
    };
    let dialect = Dialect {
        delimiter: delimiter.unwrap_or(b','),
        quoted: is_quoted,
        record_bytes_max: ROW_LEN_MAX,
    };
    let mut reader = FileReader::open(delimiter.is_some(), dialect, file, path)?;
    let mut carried = Vec::new();
    let mut is_open_ended = false;
    loop {
        let (bytes, is_last) = reader.whole_rows(&mut carried, block_len, spare.take())?;
        let mut block = reader.block(plan, bytes)?;
        // A row of JSON that is cut is none: nothing else tells a cut row of fields from a whole.
        is_open_ended |= is_last
            && matches!(block.table, Table::Delimited(..))
            && block.bytes.last().is_some_and(|byte| *byte != b'\n');
        reader.line += memchr_iter(b'\n', &block.bytes).count() as u64;
        block.is_first = std::mem::take(&mut reader.is_first);
        if !block.bytes.is_empty() && !take(block) {
            return Ok(None);
        }
        if is_last {
            break;
        }
    }
    let (digest, size_bytes) = reader.stream.finish(path)?;
    Ok(Some(InputSummary {
        path: path.to_owned(),
        digest,
        size_bytes,
        is_open_ended,
    }))
}

struct FileReader<'a> {
    path: &'a Path,
    file: u32,
    stream: Stream,
    /// Whether the first row names the fields of others.
    has_header: bool,
    dialect: Dialect,
    /// Told by the header, where there is one.
    table: Option<Table>,
    /// The line on which the next block begins.
    line: u64,
    is_first: bool,
}

impl<'a> FileReader<'a> {
    fn open(has_header: bool, dialect: Dialect, file: u32, path: &'a Path) -> Result<Self> {
        Ok(Self {
            path,
            file,
            stream: Stream::open(path)?,
            has_header,
            dialect,
            table: None,
            line: 1,
            is_first: true,
        })
    }

    /// Reads whole rows into `bytes`, about as long as a block should be, and whether they are the last; what
    /// follows them is carried to the next.
    fn whole_rows(
        &mut self,
        carried: &mut Vec<u8>,
        block_len: usize,
        mut bytes: Vec<u8>,
    ) -> Result<(Vec<u8>, bool)> {
        bytes.append(carried);
        loop {
            // Twice as much each time, so that a long row is not looked through from its
            // beginning too often.
            let filled = bytes.len();
            let target = filled + block_len.max(filled);
            bytes.resize(target, 0);
            let read = self.stream.fill(self.path, &mut bytes[filled..])?;
            bytes.truncate(filled + read);
            if filled + read < target {
                return Ok((bytes, true));
            }
            let end = self.dialect.whole_records(&bytes);
            if end > 0 {
                carried.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                return Ok((bytes, false));
            }
            if bytes.len() > ROW_LEN_MAX {
                return Err(self.row_error(self.line, "the row exceeds 64 MiB"));
            }
        }
    }

    fn row_error(&self, line: u64, problem: &str) -> Error {
        Error::Row {
            path: self.path.to_owned(),
            line,
            problem: problem.into(),
        }
    }

    /// Makes a block of whole rows, without the header.
    fn block(&mut self, plan: &PackPlan, mut bytes: Vec<u8>) -> Result<Block> {
        if self.line == 1 && bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        let table = match (&self.table, self.has_header) {
            (Some(table), _) => table.clone(),
            (None, false) => Table::JsonLines(self.dialect),
            (None, true) => {
                let (columns, rows) = self.header(plan, &bytes)?;
                bytes.drain(..rows);
                Table::Delimited(self.dialect, Arc::new(columns))
            }
        };
        self.table = Some(table.clone());
        Ok(Block {
            file: self.file,
            first_line: self.line,
            is_first: false,
            bytes,
            table,
        })
    }

    /// Reads the header; returns where the rows begin, too.
    fn header(&mut self, plan: &PackPlan, bytes: &[u8]) -> Result<(Columns, usize)> {
        let path = || self.path.to_owned();
        let mut records = self.dialect.records(bytes, 1);
        let Some(header) = records.next() else {
            return Err(SourceError::Empty { path: path() }.into());
        };
        let text = header.text.map_err(|reason| {
            let problem = format!("the header: {}", reason.as_str());
            self.row_error(header.line, &problem)
        })?;
        let text = text.as_bytes();
        if memchr(0, text).is_some() {
            return Err(SourceError::Binary { path: path() }.into());
        }
        if memchr(b'\r', text).is_some() {
            return Err(SourceError::CarriageReturns { path: path() }.into());
        }
        if std::str::from_utf8(text).is_err() {
            return Err(self.row_error(header.line, "the header is not UTF-8"));
        }
        let names = Splitter::new(self.dialect.delimiter, Margins::Trimmed).names(text);
        let columns = Columns::find(plan, self.path, &names)?;
        let (rows, line) = records.position();
        self.line = line;
        Ok((columns, rows))
    }
}
