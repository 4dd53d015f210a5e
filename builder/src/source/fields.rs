//! The fields of one record.

use memchr::memchr_iter;

use super::record::{QUOTE, Text};

/// Where a field begins and ends in the record's text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bound {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// A record whose fields are found.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'r> {
    /// What the bounds point into.
    pub(crate) text: &'r [u8],
    /// One for each column, and an empty one after them for columns that the file lacks.
    pub(crate) bounds: &'r [Bound],
}

impl<'r> Fields<'r> {
    /// The text of a column without surrounding ASCII white space.
    #[inline]
    pub(crate) fn get(self, column: usize) -> &'r [u8] {
        let Bound { start, end } = self.bounds[column];
        let text = &self.text[start..end];
        match text {
            [] => text,
            [only] if *only > b' ' => text,
            [first, .., last] if *first > b' ' && *last > b' ' => text,
            _ => text.trim_ascii(),
        }
    }
}

/// Finds the fields of CSV records.
pub(crate) struct Splitter {
    delimiter: u8,
    bounds: Vec<Bound>,
    unquoter: csv_core::Reader,
    /// Text of a quoted record, without its quotes.
    unquoted: Vec<u8>,
    /// Ends of the fields in `unquoted`.
    ends: Vec<usize>,
}

/// The record has another number of fields than the header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WrongNumber;

impl Splitter {
    pub(crate) fn new(delimiter: u8) -> Self {
        let unquoter = csv_core::ReaderBuilder::new()
            .delimiter(delimiter)
            .quote(QUOTE)
            .terminator(csv_core::Terminator::Any(b'\n'))
            .build();
        Self {
            delimiter,
            bounds: Vec::new(),
            unquoter,
            unquoted: Vec::new(),
            ends: Vec::new(),
        }
    }

    /// Splits a record into `columns` fields.
    ///
    /// # Errors
    /// [`WrongNumber`] unless there are so many; empty ones may follow.
    #[inline]
    pub(crate) fn split<'r>(
        &'r mut self,
        text: Text<'r>,
        columns: usize,
    ) -> Result<Fields<'r>, WrongNumber> {
        match text {
            Text::Plain(text) => self.split_plain(text, columns),
            Text::Quoted(text) => {
                let count = self.unquote(text);
                self.bounds_of_unquoted(count, columns)
            }
        }
    }

    /// All fields of a header.
    pub(crate) fn names(&mut self, text: Text<'_>) -> Vec<String> {
        let (Text::Plain(text) | Text::Quoted(text)) = text;
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
    fn split_plain<'r>(
        &'r mut self,
        text: &'r [u8],
        columns: usize,
    ) -> Result<Fields<'r>, WrongNumber> {
        self.bounds.resize(columns + 1, Bound::default());
        let (mut found, mut start, mut base) = (0, 0, 0);
        'text: for chunk in text.chunks(LANES) {
            let mut delimiters = positions(chunk, self.delimiter);
            while delimiters != 0 {
                let end = base + delimiters.trailing_zeros() as usize;
                let Some(bound) = self.bounds.get_mut(found) else {
                    break 'text;
                };
                *bound = Bound { start, end };
                (start, found) = (end + 1, found + 1);
                delimiters &= delimiters - 1;
            }
            base += LANES;
        }
        if found < columns {
            self.bounds[found] = Bound {
                start,
                end: text.len(),
            };
            if found + 1 < columns {
                return Err(WrongNumber);
            }
        } else if !self.is_padding(&text[self.bounds[columns - 1].end..]) {
            return Err(WrongNumber);
        }
        self.bounds[columns] = Bound::default();
        Ok(Fields {
            text,
            bounds: &self.bounds,
        })
    }

    /// Whether there are only empty fields.
    #[cold]
    fn is_padding(&self, text: &[u8]) -> bool {
        text.iter()
            .all(|byte| *byte == self.delimiter || byte.is_ascii_whitespace())
    }

    /// Takes the quotes off a record; returns the number of its fields.
    fn unquote(&mut self, text: &[u8]) -> usize {
        let fields_max = memchr_iter(self.delimiter, text).count() + 1;
        self.ends.resize(fields_max.max(self.ends.len()), 0);
        self.unquoted.resize(text.len().max(self.unquoted.len()), 0);
        self.unquoter.reset();
        // The second call, without input, says that the record is over.
        let (_, _, written, fields) =
            self.unquoter
                .read_record(text, &mut self.unquoted, &mut self.ends);
        let (_, _, _, rest) =
            self.unquoter
                .read_record(&[], &mut self.unquoted[written..], &mut self.ends[fields..]);
        fields + rest
    }

    fn bounds_of_unquoted(
        &mut self,
        count: usize,
        columns: usize,
    ) -> Result<Fields<'_>, WrongNumber> {
        self.bounds.clear();
        let mut start = 0;
        for end in self.ends[..count].iter().copied() {
            self.bounds.push(Bound { start, end });
            start = end;
        }
        let all = Fields {
            text: &self.unquoted,
            bounds: &self.bounds,
        };
        if count < columns || (columns..count).any(|column| !all.get(column).is_empty()) {
            return Err(WrongNumber);
        }
        self.bounds.truncate(columns);
        self.bounds.push(Bound::default());
        Ok(Fields {
            text: &self.unquoted,
            bounds: &self.bounds,
        })
    }
}

/// How many bytes are compared together.
const LANES: usize = 64;

/// The positions of `wanted` in at most [`LANES`] bytes, one bit each.
#[inline]
fn positions(chunk: &[u8], wanted: u8) -> u64 {
    if let Ok(lanes) = <&[u8; LANES]>::try_from(chunk) {
        return lane_mask(lanes, wanted);
    }
    // Padding with anything but `wanted`.
    let mut lanes = [!wanted; LANES];
    lanes[..chunk.len()].copy_from_slice(chunk);
    lane_mask(&lanes, wanted)
}

/// Compares all lanes with vector instructions, then gathers each eight results, bytes of 0 or
/// 1, into a byte: the product moves byte i's bit to bit 56 + i.
#[inline]
fn lane_mask(lanes: &[u8; LANES], wanted: u8) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let equal = lanes.map(|lane| u8::from(lane == wanted));
    let (words, _) = equal.as_chunks::<8>();
    let mut mask = 0;
    for (index, word) in words.iter().enumerate() {
        mask |= (u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56) << (8 * index);
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: Text<'_>, columns: usize) -> Option<Vec<String>> {
        let mut splitter = Splitter::new(b',');
        let fields = splitter.split(text, columns).ok()?;
        let text = |column| String::from_utf8(fields.get(column).to_vec()).unwrap();
        Some((0..=columns).map(text).collect())
    }

    #[test]
    fn every_position_of_a_delimiter_is_found() {
        for len in 0..200 {
            for at in 0..len {
                let mut text = vec![b'x'; len];
                text[at] = b',';
                let fields = split(Text::Plain(&text), 2).unwrap();
                assert_eq!((fields[0].len(), fields[1].len()), (at, len - at - 1));
            }
        }
    }

    #[test]
    fn only_empty_fields_may_be_too_many() {
        for quoted in [Text::Plain, Text::Quoted] {
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
