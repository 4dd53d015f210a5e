//! Files to blocks of whole records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use super::columns::Columns;
use super::fields::{Margins, Splitter};
use super::record::{Dialect, End, Seen};
use super::stream::Stream;
use super::{Error, Inputs, Result};
use crate::layout::Layout;
use crate::row_outcome::Location;

/// What a block and a record may measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Usual size of a block, in bytes of decompressed text.
    pub block_bytes: usize,
    /// Longest record, in bytes without its line break; a longer one is rejected. A block grows
    /// beyond its usual size only for a record that needs it.
    pub record_bytes_max: usize,
}

impl ReaderOptions {
    /// The longest record where nothing else is said.
    pub(crate) const RECORD_BYTES_MAX_DEFAULT: usize = 1 << 20;
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self {
            block_bytes: 1 << 20,
            record_bytes_max: Self::RECORD_BYTES_MAX_DEFAULT,
        }
    }
}

/// Whole records of one file, ready to be parsed anywhere.
pub struct Block {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    file: u32,
    first_line: u64,
    pub(crate) columns: Arc<Columns>,
    pub(crate) dialect: Dialect,
}

impl Block {
    /// Returns the ordinal of the block's file among the inputs.
    #[must_use]
    pub fn file(&self) -> u32 {
        self.file
    }

    /// Returns the physical line on which the block begins, from 1.
    #[must_use]
    pub fn first_line(&self) -> u64 {
        self.first_line
    }

    /// Returns the records as they stand in the file, in its encoding.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// A line of the block's file.
    pub(crate) fn at(&self, line: u64) -> Location {
        let file = self.file;
        Location { file, line }
    }

    /// Gives the memory back, for [`Reader::next_block`].
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }
}

/// A file that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSummary {
    /// The file as it was named.
    pub path: PathBuf,
    /// BLAKE3 of the file as stored, compressed or not.
    pub digest: blake3::Hash,
    /// Size as stored, in bytes.
    pub size_bytes: u64,
    /// Whether the last row of a CSV file lacks its line break: a cut there may have made a wrong
    /// row of it, which cannot be told from a right one.
    pub is_open_ended: bool,
}

/// Reads the inputs in order, block by block; what takes time is left to [`super::Parser`].
pub struct Reader {
    layout: Arc<Layout>,
    options: ReaderOptions,
    files: std::vec::IntoIter<PathBuf>,
    open: Option<OpenFile>,
    finished: Vec<InputSummary>,
}

/// The file that is being read.
struct OpenFile {
    path: PathBuf,
    stream: Stream,
    ordinal: u32,
    /// Bytes that were read but belong to the next block.
    carried: Vec<u8>,
    /// Line on which the next block begins.
    line: u64,
    /// Whether the rest of an overlong line is to be passed over.
    is_skipping: bool,
    is_open_ended: bool,
    format: Option<Format>,
}

/// What the beginning of a file tells.
#[derive(Clone)]
struct Format {
    columns: Arc<Columns>,
    dialect: Dialect,
}

impl Reader {
    /// Makes a reader of `inputs` with the columns that `layout` names.
    #[must_use]
    pub fn new(inputs: &Inputs, layout: Arc<Layout>, options: ReaderOptions) -> Self {
        let options = ReaderOptions {
            block_bytes: options.block_bytes.max(1),
            record_bytes_max: options.record_bytes_max.clamp(1, RECORD_BYTES_MAX),
        };
        let files = inputs.files().to_vec().into_iter();
        Self {
            layout,
            options,
            files,
            open: None,
            finished: Vec::new(),
        }
    }

    /// Reads the next block into `recycled`, whose content means nothing; `None` at the end.
    ///
    /// # Shape
    /// Records whole and in order; a block belongs to one file. How a file is divided into blocks
    /// changes neither its records nor their lines.
    /// # Errors
    /// Those of [`Error`] that concern one file; the reader is of no use afterwards.
    pub fn next_block(&mut self, recycled: Vec<u8>) -> Result<Option<Block>> {
        let mut buffer = recycled;
        loop {
            let Some(open) = &mut self.open else {
                let Some(path) = self.files.next() else {
                    return Ok(None);
                };
                self.open = Some(OpenFile::open(path, self.finished.len())?);
                continue;
            };
            match open.next_block(buffer, &self.layout, self.options)? {
                Step::Block(block) => return Ok(Some(block)),
                Step::End(unused) => {
                    buffer = unused;
                    self.finished
                        .extend(self.open.take().map(OpenFile::finish).transpose()?);
                }
            }
        }
    }

    /// Returns the files that were read to their end, in order: all of them once
    /// [`Reader::next_block`] has returned `None`.
    #[must_use]
    pub fn finish(self) -> Vec<InputSummary> {
        self.finished
    }
}

/// What a file yields.
enum Step {
    Block(Block),
    /// Nothing more; the buffer comes back.
    End(Vec<u8>),
}

impl OpenFile {
    fn open(path: PathBuf, ordinal: usize) -> Result<Self> {
        Ok(Self {
            stream: Stream::open(&path)?,
            path,
            ordinal: u32::try_from(ordinal).map_err(|_| Error::TooManyFiles)?,
            carried: Vec::new(),
            line: 1,
            is_skipping: false,
            is_open_ended: false,
            format: None,
        })
    }

    fn finish(self) -> Result<InputSummary> {
        let (digest, size_bytes) = self.stream.finish(&self.path)?;
        Ok(InputSummary {
            path: self.path,
            digest,
            size_bytes,
            is_open_ended: self.is_open_ended,
        })
    }

    fn next_block(
        &mut self,
        mut buffer: Vec<u8>,
        layout: &Layout,
        options: ReaderOptions,
    ) -> Result<Step> {
        if self.is_skipping {
            self.skip_line(&mut buffer, options.block_bytes)?;
        }
        let mut filled = self.carried.len();
        let mut target = filled + options.block_bytes;
        resize(&mut buffer, target);
        buffer[..filled].copy_from_slice(&self.carried);
        let mut start = 0;
        loop {
            filled += self.stream.fill(&self.path, &mut buffer[filled..target])?;
            let is_last = filled < target;
            let bytes = &buffer[..filled];
            if self.format.is_none() {
                start = self
                    .read_header(bytes, is_last, layout, options)?
                    .unwrap_or(0);
            }
            if let Some(format) = self.format.clone() {
                let end = if is_last {
                    filled
                } else {
                    self.cut(bytes, start, format.dialect)
                };
                if end > start {
                    self.is_open_ended =
                        format.dialect.quoted && !last_line(&bytes[..end]).trim_ascii().is_empty();
                    return Ok(Step::Block(self.block(buffer, start..end, filled, format)));
                }
            }
            if is_last {
                return Ok(Step::End(buffer));
            }
            target += options.block_bytes;
            resize(&mut buffer, target);
        }
    }

    /// Where the whole records end; `start` when not one is known to be whole.
    fn cut(&mut self, bytes: &[u8], start: usize, dialect: Dialect) -> usize {
        let end = start + dialect.whole_records(&bytes[start..]);
        if end > start || bytes.len() - start <= dialect.record_bytes_max {
            return end;
        }
        // The first record is too long and its line has no end yet. So many bytes of it are
        // enough for the parser to reject it; the rest of the line is passed over.
        self.is_skipping = true;
        start + dialect.record_bytes_max + 1
    }

    fn block(
        &mut self,
        buffer: Vec<u8>,
        range: std::ops::Range<usize>,
        filled: usize,
        format: Format,
    ) -> Block {
        self.carried.clear();
        if !self.is_skipping {
            self.carried.extend_from_slice(&buffer[range.end..filled]);
        }
        let first_line = self.line;
        self.line += memchr_iter(b'\n', &buffer[range.clone()]).count() as u64;
        Block {
            buffer,
            start: range.start,
            end: range.end,
            file: self.ordinal,
            first_line,
            columns: format.columns,
            dialect: format.dialect,
        }
    }

    /// Passes over the rest of a line.
    fn skip_line(&mut self, buffer: &mut Vec<u8>, block_bytes: usize) -> Result<()> {
        resize(buffer, block_bytes);
        while self.is_skipping {
            let filled = self.stream.fill(&self.path, &mut buffer[..block_bytes])?;
            if let Some(len) = memchr(b'\n', &buffer[..filled]) {
                self.carried.extend_from_slice(&buffer[len + 1..filled]);
                self.line += 1;
                self.is_skipping = false;
            } else if filled < block_bytes {
                self.is_skipping = false;
            }
        }
        Ok(())
    }

    /// Settles the file's format; returns where the rows begin, or `None` when more bytes are
    /// needed to tell.
    fn read_header(
        &mut self,
        bytes: &[u8],
        is_last: bool,
        layout: &Layout,
        options: ReaderOptions,
    ) -> Result<Option<usize>> {
        let begin = if bytes.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len()
        } else {
            0
        };
        let Some(blank) = bytes[begin..]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())
        else {
            return if is_last && !is_json_path(&self.path) {
                Err(Error::Empty {
                    path: self.path.clone(),
                })
            } else {
                Ok(None)
            };
        };
        let dialect = Dialect {
            delimiter: layout.delimiter(),
            quoted: true,
            record_bytes_max: options.record_bytes_max,
        };
        if bytes[begin + blank] == b'{' && bytes.get(begin + blank + 1) != Some(&0) {
            let columns = Arc::new(Columns::of_json(layout));
            self.format = Some(Format {
                columns,
                dialect: Dialect {
                    quoted: false,
                    ..dialect
                },
            });
            return Ok(Some(begin));
        }
        if is_json_path(&self.path) {
            let path = self.path.clone();
            return Err(self.no_header(bytes, Error::NotJsonLines { path }));
        }
        // Blank lines before the header are passed over, but a first column may have no name.
        let begin = begin + after_last_line_break(&bytes[begin..begin + blank]);
        let end = match dialect.end_of_record(bytes, begin, is_last, &mut Seen::default()) {
            End::Whole(end) | End::Faulty(end, _) => end,
            End::Unknown if bytes.len() - begin > options.record_bytes_max => bytes.len(),
            End::Unknown => return Ok(None),
        };
        let columns = self
            .columns(&bytes[begin..end], layout)
            .map_err(|missing| self.no_header(bytes, missing));
        let columns = Arc::new(columns?);
        self.line += memchr_iter(b'\n', &bytes[..end]).count() as u64;
        let rows = bytes.len().min(end + 1);
        self.line += u64::from(rows > end);
        self.format = Some(Format { columns, dialect });
        Ok(Some(rows))
    }

    /// Matches the header with the layout.
    fn columns(&self, header: &[u8], layout: &Layout) -> Result<Columns> {
        let (header, _) = layout.encoding().decode_without_bom_handling(header);
        let header = header.trim_end_matches('\r').as_bytes();
        if holds_lone_return(header) {
            let path = self.path.clone();
            return Err(Error::CarriageReturns { path });
        }
        let names = Splitter::new(layout.delimiter(), Margins::Trimmed).names(header);
        Columns::of_header(layout, &names).map_err(|columns| Error::MissingColumns {
            path: self.path.clone(),
            columns,
            delimiter: char::from(layout.delimiter()),
        })
    }

    /// The error of a file that does not begin as it should. A file with a header is a text, and a
    /// row of it that holds bytes which no text has may be rejected.
    fn no_header(&self, bytes: &[u8], error: Error) -> Error {
        if memchr(0, bytes).is_some() {
            let path = self.path.clone();
            Error::Binary { path }
        } else {
            error
        }
    }
}

/// Whether there is a carriage return that no line feed follows: the line end of old systems, by
/// which the whole file is one line.
fn holds_lone_return(header: &[u8]) -> bool {
    let mut returns = memchr_iter(b'\r', header);
    returns.any(|position| header.get(position + 1) != Some(&b'\n'))
}

/// Positions within a record have 32 bits, also once an encoding was widened threefold.
const RECORD_BYTES_MAX: usize = 1 << 30;

/// What a text file may begin with.
pub(crate) const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Makes the buffer at least so long; what was in it stays, so that it is not zeroed again.
fn resize(buffer: &mut Vec<u8>, len: usize) {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
}

/// What stands behind the last line break.
fn last_line(bytes: &[u8]) -> &[u8] {
    &bytes[after_last_line_break(bytes)..]
}

fn after_last_line_break(blank: &[u8]) -> usize {
    memchr::memrchr(b'\n', blank).map_or(0, |position| position + 1)
}

/// Whether the name says JSON, compressed or not.
fn is_json_path(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let plain = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    [".json", ".jsonl", ".ndjson"]
        .iter()
        .any(|extension| plain.ends_with(extension))
}
