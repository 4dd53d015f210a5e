//! Blocks to canonical transactions.

use encoding_rs::Encoding;

use super::columns::Columns;
use super::fields::Splitter;
use super::json::JsonReader;
use super::reader::Block;
use super::record::{self, Line, Text};
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
}

/// What a row turned out to be.
pub(super) enum Outcome {
    Transaction,
    Excluded(Rule),
    Rejected(Field, Reason),
}

/// Parses blocks; each thread has its own.
pub struct Parser {
    encoding: &'static Encoding,
    is_utf8: bool,
    splitter: Splitter,
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
            splitter: Splitter::new(layout.delimiter()),
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
        // One look at the block spares one at each field.
        let is_sound = self.is_utf8 && std::str::from_utf8(block.bytes()).is_ok();
        self.rows.doubt = if is_sound { Doubt::None } else { Doubt::Utf8 };
        let delimiter = block.dialect.delimiter;
        let holds_controls = record::holds_controls(block.bytes(), delimiter);
        let columns = &*block.columns;
        let converts = columns.is_json || !self.is_utf8;
        for record in block.dialect.records(block.bytes(), block.first_line()) {
            let at = Location {
                file: block.file(),
                line: record.line,
            };
            // A look at the block does not see what quotes and the escapes of JSON hide.
            let is_plain = !columns.is_json && matches!(record.text, Ok(Text::Plain(_)));
            self.rows.may_hold_controls = holds_controls || !is_plain;
            let outcome = match record.text {
                Ok(text) if converts => self.converted(text, columns, at, sink)?,
                Ok(text) => self.csv(text, columns, at, sink)?,
                Err(reason) => Outcome::Rejected(Field::Record, reason),
            };
            match outcome {
                Outcome::Transaction => read.transactions += 1,
                Outcome::Excluded(rule) => {
                    read.excluded += 1;
                    sink.excluded(at, rule);
                }
                Outcome::Rejected(field, reason) => {
                    read.rejected += 1;
                    sink.rejected(at, field, reason);
                }
            }
        }
        Ok(read)
    }

    #[inline]
    fn csv<S: RowSink>(
        &mut self,
        text: Text<'_>,
        columns: &Columns,
        at: Location,
        sink: &mut S,
    ) -> Result<Outcome, S::Error> {
        match self.splitter.split(text, columns.len()) {
            Some(fields) => self.rows.read(fields, columns, at, sink),
            None => Ok(Outcome::Rejected(
                Field::Record,
                Reason::WrongNumberOfFields,
            )),
        }
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
