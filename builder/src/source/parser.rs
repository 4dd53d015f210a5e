//! Blocks to canonical transactions.

use encoding_rs::Encoding;

use super::columns::Columns;
use super::fields::{Margins, Splitter};
use super::json::JsonReader;
use super::lines::LineIndex;
use super::reader::Block;
use super::record::{Line, Records, Text};
use super::row::{Doubt, RowReader};
use crate::layout::{Field, Layout};
use crate::row_outcome::{Location, Reason, RowSink, Rule};

/// How many rows there were, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowsRead {
    /// Rows handed on as transactions.
    pub transactions: u64,
    /// Rows rejected.
    pub rejected: u64,
    /// Rows excluded by a rule.
    pub excluded: u64,
}

impl RowsRead {
    /// Returns the number of all rows.
    #[must_use]
    pub fn total(self) -> u64 {
        self.transactions + self.rejected + self.excluded
    }

    /// Counts a row, and tells the sink if it is none.
    #[inline]
    fn note<S: RowSink>(&mut self, outcome: Outcome, at: Location, sink: &mut S) {
        match outcome {
            Outcome::Transaction => self.transactions += 1,
            Outcome::Excluded(rule) => {
                self.excluded += 1;
                sink.excluded(at, rule);
            }
            Outcome::Rejected(field, reason) => {
                self.rejected += 1;
                sink.rejected(at, field, reason);
            }
        }
    }
}

/// What a row turned out to be.
pub(super) enum Outcome {
    Transaction,
    Excluded(Rule),
    Rejected(Field, Reason),
}

/// So much is indexed at once: it stays in a core's nearest cache with its index.
const INDEXED_BYTES: usize = 16 << 10;

/// Parses blocks; each thread has its own.
pub struct Parser {
    encoding: &'static Encoding,
    is_utf8: bool,
    splitter: Splitter,
    index: LineIndex,
    json: JsonReader,
    rows: RowReader,
}

impl Parser {
    /// Makes a parser for `layout`; `seed` seeds the digests of content, which are equal only
    /// between parsers of one seed and layout.
    #[must_use]
    pub fn new(layout: &Layout, seed: u64) -> Self {
        Self {
            encoding: layout.encoding(),
            is_utf8: layout.is_utf8(),
            splitter: Splitter::new(layout.delimiter(), Margins::Trimmed),
            index: LineIndex::new(layout.delimiter()),
            json: JsonReader::default(),
            rows: RowReader::new(layout, seed),
        }
    }

    /// Hands every row of `block` to `sink`, in order.
    ///
    /// # Errors
    /// The sink's; a row that cannot be read is not an error but rejected.
    pub fn parse<S: RowSink>(&mut self, block: &Block, sink: &mut S) -> Result<RowsRead, S::Error> {
        let mut read = RowsRead::default();
        let (columns, dialect) = (&*block.columns, block.dialect);
        let mut records = dialect.records(block.bytes(), block.first_line());
        let converts = columns.is_json || !self.is_utf8;
        // A blank line has one field.
        let is_indexed = !converts && columns.len() > 1;
        let mut is_sound = None;
        loop {
            if is_indexed && self.plain_lines(&mut records, block, &mut read, sink)? {
                continue;
            }
            let Some(record) = records.next() else {
                return Ok(read);
            };
            let at = block.at(record.line);
            // One look at the block spares one at each field.
            let is_sound = is_sound
                .get_or_insert_with(|| self.is_utf8 && std::str::from_utf8(block.bytes()).is_ok());
            self.rows.doubt = if *is_sound { Doubt::None } else { Doubt::Utf8 };
            self.rows.may_hold_controls = true;
            let outcome = match record.text {
                Ok(text) if converts => self.converted(text, columns, at, sink)?,
                Ok(text) => self.csv(text, columns, at, sink)?,
                Err(reason) => Outcome::Rejected(Field::Record, reason),
            };
            read.note(outcome, at, sink);
        }
    }

    /// Reads the lines before the next quote, some of them; returns whether there were any.
    fn plain_lines<S: RowSink>(
        &mut self,
        records: &mut Records<'_>,
        block: &Block,
        read: &mut RowsRead,
        sink: &mut S,
    ) -> Result<bool, S::Error> {
        let Some((text, len, first_line)) = records.plain_lines(INDEXED_BYTES) else {
            return Ok(false);
        };
        self.index.read(text, len);
        records.pass_lines(self.index.len());
        let is_sound = self.index.is_ascii || std::str::from_utf8(&text[..len]).is_ok();
        self.rows.doubt = if is_sound { Doubt::None } else { Doubt::Utf8 };
        self.rows.may_hold_controls = self.index.holds_controls;
        let columns = &*block.columns;
        for (line, number) in self.index.lines(text, columns.len()).zip(first_line..) {
            let at = block.at(number);
            let outcome = match line.fields {
                Some(fields) if line.len <= block.dialect.record_bytes_max => {
                    self.rows.read(fields, columns, at, sink)?
                }
                _ => match block.dialect.plain(&text[line.start..], line.len) {
                    Some(Ok(text)) => {
                        let fields = self.splitter.split(text, columns.len());
                        self.rows.read_if_any(fields, columns, at, sink)?
                    }
                    Some(Err(reason)) => Outcome::Rejected(Field::Record, reason),
                    None => continue,
                },
            };
            read.note(outcome, at, sink);
        }
        Ok(true)
    }

    #[inline]
    fn csv<S: RowSink>(
        &mut self,
        text: Text<'_>,
        columns: &Columns,
        at: Location,
        sink: &mut S,
    ) -> Result<Outcome, S::Error> {
        let fields = self.splitter.split(text, columns.len());
        self.rows.read_if_any(fields, columns, at, sink)
    }

    /// Reads a record of another encoding or format.
    fn converted<S: RowSink>(
        &mut self,
        text: Text<'_>,
        columns: &Columns,
        at: Location,
        sink: &mut S,
    ) -> Result<Outcome, S::Error> {
        if self.is_utf8 {
            return self.json(text.as_bytes(), columns, at, sink);
        }
        let (decoded, is_damaged) = self.encoding.decode_without_bom_handling(text.as_bytes());
        self.rows.doubt = if is_damaged {
            Doubt::Replaced
        } else {
            Doubt::None
        };
        let (bytes, len) = (decoded.as_bytes(), decoded.len());
        match text {
            _ if columns.is_json => self.json(bytes, columns, at, sink),
            Text::Plain(_) => self.csv(Text::Plain(Line { bytes, len }), columns, at, sink),
            Text::Quoted(_) => self.csv(Text::Quoted(bytes), columns, at, sink),
        }
    }

    fn json<S: RowSink>(
        &mut self,
        line: &[u8],
        columns: &Columns,
        at: Location,
        sink: &mut S,
    ) -> Result<Outcome, S::Error> {
        if let Some(fields) = self.json.read(line, columns) {
            return self.rows.read(fields, columns, at, sink);
        }
        let is_utf8 = std::str::from_utf8(line).is_ok();
        let reason = if is_utf8 {
            Reason::MalformedJson
        } else {
            Reason::InvalidEncoding
        };
        Ok(Outcome::Rejected(Field::Record, reason))
    }
}
