//! The fields of one record.

use wide::u8x32;

use super::Padded;
use super::record::{Line, State, Text};

/// A record whose fields are found.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'r> {
    text: &'r [u8],
    /// Where each column's field begins, and where one after the last would.
    starts: &'r [u32],
    /// How many bytes separate one field from the next.
    gap: u32,
}

impl<'r> Fields<'r> {
    /// Fields that are `gap` bytes apart in `text` and begin at `starts`; more may follow in `text`.
    pub(crate) fn new(text: &'r [u8], starts: &'r [u32], gap: u32) -> Self {
        Self { text, starts, gap }
    }

    /// The text of a column without surrounding ASCII white space; empty for a column that the
    /// file lacks.
    #[inline(always)]
    pub(crate) fn get(&self, column: usize) -> &'r [u8] {
        self.padded(column).as_bytes()
    }

    /// The text of a column that the file has, with any white space around it.
    #[inline]
    pub(crate) fn untrimmed(&self, column: usize) -> &'r [u8] {
        let end = self.starts[column + 1].wrapping_sub(self.gap);
        &self.text[self.starts[column] as usize..end as usize]
    }

    /// The same, with what stands behind it.
    #[inline(always)]
    pub(crate) fn padded(&self, column: usize) -> Padded<'r> {
        let (Some(start), Some(next)) = (self.starts.get(column), self.starts.get(column + 1))
        else {
            return Padded::exact(&[]);
        };
        let end = next.wrapping_sub(self.gap);
        let len = end.wrapping_sub(*start) as usize;
        match self.text.get(*start as usize..).unwrap_or_default() {
            _ if len == 0 => Padded::exact(&[]),
            bytes @ [first, ..] if *first > b' ' && bytes[len - 1] > b' ' => {
                Padded::new(bytes, len)
            }
            bytes => trimmed(bytes, len),
        }
    }
}

#[cold]
fn trimmed(bytes: &[u8], len: usize) -> Padded<'_> {
    let text = bytes[..len].trim_ascii_start();
    let bytes = &bytes[len - text.len()..];
    Padded::new(bytes, text.trim_ascii_end().len())
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
}

impl Splitter {
    pub(crate) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            starts: Vec::new(),
            unquoted: Vec::new(),
            ends: Vec::new(),
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
        Some(Fields::new(line.bytes, &self.starts[..=columns], 1))
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
        let ends = self.ends.get(..count)?;
        let starts = ends.iter().map(|end| position(*end));
        self.starts.clear();
        self.starts.push(0);
        self.starts.extend(starts);
        let all = Fields::new(&self.unquoted, &self.starts, 0);
        if count < columns || (columns..count).any(|column| !all.get(column).is_empty()) {
            return None;
        }
        Some(Fields::new(&self.unquoted, &self.starts[..=columns], 0))
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
        let mut splitter = Splitter::new(b',');
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
    fn quotes_are_taken_off() {
        let fields = split(Text::Quoted(b"\"a,\"\"b\",c\"d,\"e\nf\""), 3).unwrap();
        assert_eq!(fields, ["a,\"b", "c\"d", "e\nf", ""]);
    }
}
