//! The fields of one record.

use std::ops::Range;

use wide::u8x32;

use super::Padded;
use super::record::{Line, State, Text};

/// A record whose fields are found.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'r> {
    text: &'r [u8],
    /// Where each column's field begins.
    starts: &'r [u32],
    /// So many bytes behind the end of each.
    ends: &'r [u32],
    gap: u32,
}

impl<'r> Fields<'r> {
    /// Fields of `text` that begin at `starts` and end `gap` bytes before `ends`; anything may
    /// follow them in `text`.
    #[inline(always)]
    pub(crate) fn new(text: &'r [u8], starts: &'r [u32], ends: &'r [u32], gap: u32) -> Self {
        Self {
            text,
            starts,
            ends,
            gap,
        }
    }

    /// The text of a column, without surrounding ASCII white space unless [`Margins::Kept`]; empty for
    /// a column that the file lacks.
    #[inline(always)]
    pub(crate) fn get(&self, column: usize) -> &'r [u8] {
        self.padded(column).as_bytes()
    }

    /// The same, with what stands behind it.
    #[inline(always)]
    pub(crate) fn padded(&self, column: usize) -> Padded<'r> {
        let (Some(start), Some(end)) = (self.starts.get(column), self.ends.get(column)) else {
            return Padded::EMPTY;
        };
        let len = end.wrapping_sub(self.gap).wrapping_sub(*start) as usize;
        match self.text.get(*start as usize..) {
            Some(bytes) => Padded::new(bytes, len),
            None => Padded::EMPTY,
        }
    }
}

/// What becomes of the ASCII white space around a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Margins {
    /// It is no part of the field.
    #[default]
    Trimmed,
    /// It is.
    Kept,
}

/// Fields that stand anywhere in a text.
#[derive(Default)]
pub(super) struct Spans {
    margins: Margins,
    starts: Vec<u32>,
    ends: Vec<u32>,
}

impl Spans {
    pub(super) fn clear(&mut self) {
        self.starts.clear();
        self.ends.clear();
    }

    /// Adds a field.
    #[inline]
    pub(super) fn push(&mut self, text: &[u8], field: Range<usize>) {
        let is_blank =
            |at: &usize| self.margins == Margins::Trimmed && text[*at].is_ascii_whitespace();
        let start = field.clone().find(|at| !is_blank(at));
        let start = start.unwrap_or(field.end);
        let end = (start..field.end).rfind(|at| !is_blank(at));
        self.starts.push(position(start));
        self.ends.push(position(end.map_or(start, |last| last + 1)));
    }

    pub(super) fn fields<'r>(&'r self, text: &'r [u8]) -> Fields<'r> {
        Fields::new(text, &self.starts, &self.ends, 0)
    }
}

/// Finds the fields of CSV records.
pub(crate) struct Splitter {
    delimiter: u8,
    /// Where fields begin, with room to write some that are none.
    starts: Vec<u32>,
    /// Text of a quoted record, without its quotes.
    unquoted: Vec<u8>,
    /// Ends of the fields in `unquoted`.
    ends: Vec<usize>,
    spans: Spans,
}

impl Splitter {
    pub(crate) fn new(delimiter: u8, margins: Margins) -> Self {
        Self {
            delimiter,
            starts: Vec::new(),
            unquoted: Vec::new(),
            ends: Vec::new(),
            spans: Spans {
                margins,
                ..Spans::default()
            },
        }
    }

    /// Splits a record into `columns` fields; `None` unless there are so many. Empty ones may
    /// follow.
    #[inline]
    pub(crate) fn split<'r>(&'r mut self, text: Text<'r>, columns: usize) -> Option<Fields<'r>> {
        match text {
            Text::Plain(line) => self.split_plain(line, columns),
            Text::Quoted(text) => self.split_quoted(text, columns),
        }
    }

    /// All fields of a header.
    pub(crate) fn names(&mut self, text: &[u8]) -> Vec<String> {
        let count = self.unquote(text);
        let mut start = 0;
        let mut names = Vec::with_capacity(count);
        for end in &self.ends[..count] {
            names.push(String::from_utf8_lossy(&self.unquoted[start..*end]).into_owned());
            start = *end;
        }
        names
    }

    #[inline]
    fn split_plain<'r>(&'r mut self, line: Line<'r>, columns: usize) -> Option<Fields<'r>> {
        if self.starts.len() < columns + ROOM {
            self.starts.resize(columns + ROOM, 0);
        }
        // The first field begins at 0, every other one behind a delimiter.
        let mut found = 1;
        self.starts[0] = 0;
        for base in (0..line.len).step_by(LANES) {
            let mut delimiters = positions(&line.bytes[base..], self.delimiter);
            if line.len - base < LANES {
                delimiters &= (1 << (line.len - base)) - 1;
            }
            let count = delimiters.count_ones() as usize;
            let mut written = 0;
            // Nearly always one round, and the same work however many bits there are: a loop
            // over the bits would be mispredicted.
            while written < count {
                let starts = self.starts[found + written..].first_chunk_mut::<STEP>()?;
                for start in starts {
                    *start = position(base) + delimiters.trailing_zeros() + 1;
                    delimiters &= delimiters.wrapping_sub(1);
                }
                written += STEP;
            }
            found += count;
            if found > columns {
                break;
            }
        }
        if found < columns {
            return None;
        }
        let text = &line.bytes[..line.len];
        if found > columns {
            let padding = self.starts[columns] as usize;
            if !self.is_padding(&text[padding..]) {
                return None;
            }
        } else {
            self.starts[columns] = position(line.len) + 1;
        }
        self.spans.clear();
        for pair in self.starts[..=columns].array_windows() {
            let [start, next] = pair.map(|it| it as usize);
            self.spans.push(text, start..next - 1);
        }
        Some(self.spans.fields(line.bytes))
    }

    /// Whether there are only empty fields.
    #[cold]
    fn is_padding(&self, text: &[u8]) -> bool {
        text.iter()
            .all(|byte| *byte == self.delimiter || byte.is_ascii_whitespace())
    }

    /// Takes the quotes off a record; returns the number of its fields.
    fn unquote(&mut self, text: &[u8]) -> usize {
        self.unquoted.clear();
        self.ends.clear();
        let mut state = State::FieldStart;
        for byte in text {
            let before = state;
            state = match before.after(*byte, self.delimiter) {
                // Of a header alone: such a record is rejected before it is split.
                State::Faulty | State::Returned => State::Data,
                state => state,
            };
            match (before, state) {
                (_, State::FieldStart) => self.ends.push(self.unquoted.len()),
                (State::FieldStart, State::Quoted) | (_, State::Closed) => {}
                _ => self.unquoted.push(*byte),
            }
        }
        self.ends.push(self.unquoted.len());
        self.ends.len()
    }

    fn split_quoted(&mut self, text: &[u8], columns: usize) -> Option<Fields<'_>> {
        let count = self.unquote(text);
        let mut start = 0;
        self.spans.clear();
        for end in &self.ends[..count] {
            self.spans.push(&self.unquoted, start..*end);
            start = *end;
        }
        let all = self.spans.fields(&self.unquoted);
        let is_padded =
            count >= columns && (columns..count).all(|it| all.get(it).trim_ascii().is_empty());
        is_padded.then_some(all)
    }
}

/// How many bytes are compared together.
const LANES: usize = 32;

/// How many positions are written together.
const STEP: usize = 8;

/// Room for the positions of one comparison behind those of all columns.
const ROOM: usize = LANES + STEP + 1;

/// A position within a record, which [`super::ReaderOptions`] keep below 2^32.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "records are shorter than 2^32 bytes"
)]
pub(super) const fn position(position: usize) -> u32 {
    position as u32
}

/// The positions of `wanted` in the first [`LANES`] bytes, one bit each.
#[inline]
fn positions(bytes: &[u8], wanted: u8) -> u32 {
    match bytes.first_chunk() {
        Some(lanes) => u8x32::new(*lanes)
            .simd_eq(u8x32::splat(wanted))
            .to_bitmask(),
        None => positions_at_end(bytes, wanted),
    }
}

/// As [`positions`], where fewer bytes are left.
#[cold]
#[inline(never)]
fn positions_at_end(bytes: &[u8], wanted: u8) -> u32 {
    let bits = bytes.iter().map(|byte| u32::from(*byte == wanted));
    bits.rev().fold(0, |mask, bit| mask << 1 | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with something else behind it.
    fn plain(text: &[u8]) -> Text<'_> {
        let bytes = [text, b"\n,x,\n".as_slice()].concat().leak();
        Text::Plain(Line {
            bytes,
            len: text.len(),
        })
    }

    fn with_quotes(text: &[u8]) -> Text<'_> {
        Text::Quoted(text)
    }

    fn split(text: Text<'_>, columns: usize) -> Option<Vec<String>> {
        let mut splitter = Splitter::new(b',', Margins::Trimmed);
        let fields = splitter.split(text, columns)?;
        let text = |column| String::from_utf8(fields.get(column).to_vec()).unwrap();
        Some((0..=columns).map(text).collect())
    }

    #[test]
    fn every_position_of_a_delimiter_is_found() {
        for len in 0..200 {
            for at in 0..len {
                let mut text = vec![b'x'; len];
                text[at] = b',';
                let fields = split(plain(&text), 2).unwrap();
                assert_eq!((fields[0].len(), fields[1].len()), (at, len - at - 1));
            }
        }
    }

    #[test]
    fn only_empty_fields_may_be_too_many() {
        for quoted in [plain, with_quotes] {
            assert_eq!(split(quoted(b"a, b "), 2).unwrap(), ["a", "b", ""]);
            assert_eq!(split(quoted(b"a,b,, ,"), 2).unwrap(), ["a", "b", ""]);
            assert!(split(quoted(b"a,b,,c"), 2).is_none());
            assert!(split(quoted(b"a,b,c"), 2).is_none());
            assert!(split(quoted(b"a"), 2).is_none());
            assert_eq!(split(quoted(b"a"), 1).unwrap(), ["a", ""]);
        }
    }

    #[test]
    fn margins_are_kept_or_not() {
        for quoted in [plain, with_quotes] {
            let mut splitter = Splitter::new(b',', Margins::Kept);
            let fields = splitter.split(quoted(b" a ,\tb,  , "), 3).unwrap();
            assert_eq!(
                [0, 1, 2].map(|it| fields.get(it)),
                [&b" a "[..], b"\tb", b"  "]
            );
            assert_eq!(
                split(quoted(b" a ,\tb,  , "), 3).unwrap()[..3],
                ["a", "b", ""]
            );
        }
    }

    #[test]
    fn quotes_are_taken_off() {
        let fields = split(Text::Quoted(b"\"a,\"\"b\",c\"d,\"e\nf\""), 3).unwrap();
        assert_eq!(fields, ["a,\"b", "c\"d", "e\nf", ""]);
    }
}
