//! Where records begin and end.
//!
//! One rule serves the reader, which cuts blocks, and the parser, which splits them, so that
//! they cannot disagree: whether a record is whole depends on the bytes from its start up to the
//! limit and on nothing else. A record that has no end within the limit, or goes on behind a
//! closing quote, loses its first physical line; reading resumes at the next.

use memchr::{memchr, memchr_iter, memrchr};

use crate::row_outcome::Reason;

/// How the bytes of a file are divided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// What separates fields.
    pub(crate) delimiter: u8,
    /// Whether a field may be quoted and then hold line breaks; not so in JSON lines.
    pub(crate) quoted: bool,
    /// Longest record, in bytes without its line break.
    pub(crate) record_bytes_max: usize,
}

/// The quote, as RFC 4180 has it.
pub(crate) const QUOTE: u8 = b'"';

/// The end of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The record ends before this position: the line break's, or the end of the bytes.
    Whole(usize),
    /// There is no sound record here; its first physical line ends before this position.
    Faulty(usize, Reason),
    /// The bytes stop before anything can be said.
    Unknown,
}

impl Dialect {
    /// Finds the end of the record that begins at `start`; `last` says that no bytes follow.
    ///
    /// `seen` is what searches from earlier lines of the same bytes left behind.
    pub(crate) fn end_of_record(
        &self,
        bytes: &[u8],
        start: usize,
        last: bool,
        seen: &mut Seen,
    ) -> End {
        let window_end = bytes.len().min(start + self.record_bytes_max + 1);
        let is_known = last || window_end - start > self.record_bytes_max;
        let found = self.line_break(&bytes[..window_end], start, seen);
        match found {
            Found::LineBreak(end) => return End::Whole(end),
            Found::Nothing if last && window_end - start <= self.record_bytes_max => {
                return End::Whole(bytes.len());
            }
            Found::Nothing | Found::OpenQuote if !is_known => return End::Unknown,
            _ => {}
        }
        let line_end = match memchr(b'\n', &bytes[start..]) {
            Some(len) => start + len,
            None if last => bytes.len(),
            None => return End::Unknown,
        };
        // Told by the line alone, since a block may end anywhere behind it. A quote that is closed
        // on a later line, and text after it, is rather the next one's opening.
        let is_long = line_end - start > self.record_bytes_max;
        let reason = match found {
            _ if is_long => Reason::RecordTooLong,
            Found::TextAfterQuote(position) if position < line_end => Reason::TextAfterQuote,
            _ => Reason::QuoteNeverClosed,
        };
        End::Faulty(line_end, reason)
    }

    /// Finds the first line break outside quotes from `start` on.
    fn line_break(&self, window: &[u8], start: usize, seen: &mut Seen) -> Found {
        if !self.quoted {
            let len = memchr(b'\n', &window[start..]);
            return len.map_or(Found::Nothing, |len| Found::LineBreak(start + len));
        }
        // Byte by byte: between the quotes of a row there is rarely enough to search.
        let (mut position, mut state) = (start, State::FieldStart);
        while let Some(byte) = window.get(position)
            && state != State::Faulty
        {
            match (state, *byte) {
                (State::Quoted, b'\n') if position < seen.end => {
                    (position, state) = (seen.end, seen.state);
                    continue;
                }
                (State::Quoted, b'\n') => {}
                (_, b'\n') => return Found::LineBreak(position),
                (_, byte) => state = state.after(byte, self.delimiter),
            }
            position += 1;
        }
        *seen = Seen {
            end: position,
            state,
        };
        match state {
            State::Quoted => Found::OpenQuote,
            State::Faulty => Found::TextAfterQuote(position - 1),
            _ => Found::Nothing,
        }
    }

    /// Returns how many of `bytes` are whole records, counted from their start.
    ///
    /// Records without a quote need no look: where the next quote is far, the last line break
    /// before it ends a record.
    pub(crate) fn whole_records(&self, bytes: &[u8]) -> usize {
        let (mut start, mut seen) = (0, Seen::default());
        loop {
            let quote = if self.quoted {
                memchr(QUOTE, &bytes[start..])
            } else {
                None
            };
            let plain = &bytes[start..quote.map_or(bytes.len(), |len| start + len)];
            start += memrchr(b'\n', plain).map_or(0, |len| len + 1);
            if quote.is_none() {
                return start;
            }
            match self.end_of_record(bytes, start, false, &mut seen) {
                End::Whole(end) | End::Faulty(end, _) => start = end + 1,
                End::Unknown => return start,
            }
        }
    }

    /// Returns the record that is the first `len` of `bytes`, a line without a quote; `None` for a
    /// blank one.
    #[inline]
    pub(crate) fn plain<'b>(
        &self,
        bytes: &'b [u8],
        len: usize,
    ) -> Option<Result<Text<'b>, Reason>> {
        let text = without_carriage_return(&bytes[..len]);
        if is_blank(text) {
            return None;
        }
        let fits = len <= self.record_bytes_max;
        let len = text.len();
        let text = Text::Plain(Line { bytes, len });
        Some(fits.then_some(text).ok_or(Reason::RecordTooLong))
    }

    /// Iterates over the records of `bytes`, of which the first begins on `line`.
    pub(crate) fn records<'b>(&self, bytes: &'b [u8], line: u64) -> Records<'b> {
        let next_quote = if self.quoted {
            next_quote(bytes, 0)
        } else {
            usize::MAX
        };
        Records {
            dialect: *self,
            bytes,
            position: 0,
            line,
            next_quote,
            seen: Seen::default(),
        }
    }
}

/// What a search for the end of a record found.
#[derive(Clone, Copy)]
enum Found {
    /// A line break outside quotes, at this position.
    LineBreak(usize),
    /// Neither it nor a fault.
    Nothing,
    /// A quote without its partner.
    OpenQuote,
    /// A field that goes on behind its closing quote, at this position.
    TextAfterQuote(usize),
}

/// How far an earlier search went, so that no byte is searched from every line before it.
///
/// Whoever searches over many lines sees each of their breaks inside quotes. So another search
/// that is inside quotes at one of these breaks goes on as that one did.
#[derive(Default)]
pub(crate) struct Seen {
    end: usize,
    /// At `end`.
    state: State,
}

/// Where the next byte stands: the rule that both cutting and splitting follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    FieldStart,
    /// Where quotes and everything but delimiters and line breaks are data.
    Data,
    Quoted,
    /// Behind a quote that closes the field unless another follows.
    Closed,
    /// Behind a closed field and the carriage return of a line's end.
    Returned,
    /// Behind text that follows a closed field.
    Faulty,
}

impl State {
    /// Where one stands after `byte`, which is not a line break outside quotes.
    #[inline]
    pub(crate) fn after(self, byte: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, QUOTE) => Self::Closed,
            (Self::Quoted, _) => Self::Quoted,
            (Self::Returned | Self::Faulty, _) => Self::Faulty,
            // A quote opens only where a field begins, and two in a row stand for one.
            (Self::FieldStart | Self::Closed, QUOTE) => Self::Quoted,
            (_, byte) if byte == delimiter => Self::FieldStart,
            (Self::Closed, b'\r') => Self::Returned,
            (Self::Closed, _) => Self::Faulty,
            (Self::FieldStart | Self::Data, _) => Self::Data,
        }
    }
}

fn next_quote(bytes: &[u8], from: usize) -> usize {
    memchr(QUOTE, &bytes[from..]).map_or(usize::MAX, |len| from + len)
}

/// The records of a block in order; blank lines are left out.
pub(crate) struct Records<'b> {
    dialect: Dialect,
    bytes: &'b [u8],
    position: usize,
    line: u64,
    next_quote: usize,
    seen: Seen,
}

/// One record, or a physical line that begins none.
pub(crate) struct Record<'b> {
    /// Physical line on which it begins.
    pub(crate) line: u64,
    /// Its text, without the line break.
    pub(crate) text: Result<Text<'b>, Reason>,
}

/// The text of a record.
#[derive(Clone, Copy)]
pub(crate) enum Text<'b> {
    /// No quote in it: every delimiter separates.
    Plain(Line<'b>),
    /// Quotes in it.
    Quoted(&'b [u8]),
}

/// A line, with what stands behind it in memory: reading on beyond its end spares a copy where
/// many bytes are looked at together.
#[derive(Clone, Copy)]
pub(crate) struct Line<'b> {
    /// The bytes from the line's beginning on.
    pub(crate) bytes: &'b [u8],
    /// How many of them are the line.
    pub(crate) len: usize,
}

impl<'b> Text<'b> {
    /// The bytes of the record and no more.
    pub(crate) fn as_bytes(self) -> &'b [u8] {
        match self {
            Self::Plain(line) => &line.bytes[..line.len],
            Self::Quoted(text) => text,
        }
    }
}

impl<'b> Iterator for Records<'b> {
    type Item = Record<'b>;

    #[inline]
    fn next(&mut self) -> Option<Record<'b>> {
        loop {
            let rest = self.bytes.get(self.position..)?;
            let len = memchr(b'\n', rest).unwrap_or(rest.len());
            if self.next_quote < self.position + len {
                return Some(self.quoted_record());
            }
            let line = self.line;
            self.position += len + 1;
            self.line += 1;
            if let Some(text) = self.dialect.plain(rest, len) {
                return Some(Record { line, text });
            }
            if self.position >= self.bytes.len() {
                return None;
            }
        }
    }
}

impl Records<'_> {
    /// Where the next record begins, and on which line.
    pub(crate) fn position(&self) -> (usize, u64) {
        (self.position.min(self.bytes.len()), self.line)
    }
}

impl<'b> Records<'b> {
    /// Takes the next whole lines without a quote, of `bytes_max` bytes or less, unless there are
    /// none; returns them with what stands behind them, how long they are, and the first's number.
    ///
    /// Blank lines are not left out. Whoever takes them tells how many there were by
    /// [`Self::pass_lines`].
    pub(crate) fn plain_lines(&mut self, bytes_max: usize) -> Option<(&'b [u8], usize, u64)> {
        let start = self.position;
        let end = self.bytes.len().min(start.saturating_add(bytes_max));
        let lines = self.bytes.get(start..end.min(self.next_quote))?;
        let len = memrchr(b'\n', lines)? + 1;
        self.position += len;
        Some((&self.bytes[start..], len, self.line))
    }

    /// Counts lines that were taken.
    pub(crate) fn pass_lines(&mut self, lines: usize) {
        self.line += lines as u64;
    }

    #[cold]
    fn quoted_record(&mut self) -> Record<'b> {
        let (start, line) = (self.position, self.line);
        let end = self
            .dialect
            .end_of_record(self.bytes, start, true, &mut self.seen);
        let (end, text) = match end {
            End::Whole(end) => (
                end,
                Ok(Text::Quoted(without_carriage_return(
                    &self.bytes[start..end],
                ))),
            ),
            End::Faulty(end, reason) => (end, Err(reason)),
            End::Unknown => unreachable!("all bytes are there"),
        };
        self.line += 1 + memchr_iter(b'\n', &self.bytes[start..end]).count() as u64;
        self.position = end + 1;
        self.next_quote = next_quote(self.bytes, end);
        Record { line, text }
    }
}

fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a line holds nothing but spaces.
#[inline]
fn is_blank(line: &[u8]) -> bool {
    match line.first() {
        None => true,
        Some(b' ') => line.iter().all(|byte| *byte == b' '),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIALECT: Dialect = Dialect {
        delimiter: b',',
        quoted: true,
        record_bytes_max: 8,
    };

    fn end_of_record(bytes: &[u8], start: usize, last: bool) -> End {
        DIALECT.end_of_record(bytes, start, last, &mut Seen::default())
    }

    #[test]
    fn line_breaks_inside_quotes_do_not_end_a_record() {
        assert_eq!(end_of_record(b"\"a\nb\"\nc", 0, false), End::Whole(5));
        assert_eq!(end_of_record(b"a,\"\n\"\n", 0, false), End::Whole(5));
        assert_eq!(end_of_record(b"\"\"\"\n\"\n", 0, false), End::Whole(5));
    }

    #[test]
    fn a_quote_inside_a_field_is_data() {
        assert_eq!(end_of_record(b"a\"\nb", 0, false), End::Whole(2));
    }

    #[test]
    fn a_fault_costs_one_physical_line_whether_or_not_more_bytes_are_known() {
        let bytes = b"a,\"b\nccc\nddd\n";
        let fault = End::Faulty(4, Reason::QuoteNeverClosed);
        assert_eq!(end_of_record(&bytes[..6], 0, false), End::Unknown);
        assert_eq!(end_of_record(&bytes[..9], 0, false), fault);
        assert_eq!(end_of_record(bytes, 0, true), fault);
        let fault = End::Faulty(9, Reason::RecordTooLong);
        assert_eq!(end_of_record(b"123456789\n", 0, true), fault);
        assert_eq!(end_of_record(b"12345678\n", 0, true), End::Whole(8));
    }

    #[test]
    fn whole_records_end_at_a_line_break_outside_quotes() {
        assert_eq!(DIALECT.whole_records(b"a\nb\nc"), 4);
        assert_eq!(DIALECT.whole_records(b"a\n\"b\nc"), 2);
        assert_eq!(DIALECT.whole_records(b"a\n\"b\nc\"\n"), 8);
        assert_eq!(DIALECT.whole_records(b"abc"), 0);
    }

    #[test]
    fn behind_a_closing_quote_a_field_ends_or_the_line_is_lost() {
        let fault = |end, reason| End::Faulty(end, reason);
        for (bytes, end) in [
            (&b"\"a\"\r\n"[..], End::Whole(4)),
            (b"\"a\"\r", End::Whole(4)),
            (b"\"a\",\"\"\n", End::Whole(6)),
            (b"\"a\"b\n", fault(4, Reason::TextAfterQuote)),
            (b"\"a\" ,\n", fault(5, Reason::TextAfterQuote)),
            (b"\"a\"\r\r\n", fault(5, Reason::TextAfterQuote)),
            (b"\"a\"\rb\n", fault(5, Reason::TextAfterQuote)),
            (b"\"a\n\"b\"\n", fault(2, Reason::QuoteNeverClosed)),
        ] {
            assert_eq!(end_of_record(bytes, 0, true), end, "{bytes:?}");
        }
        assert_eq!(end_of_record(b"\"a\"\r", 0, false), End::Unknown);
        assert_eq!(end_of_record(b"\"a\"b", 0, false), End::Unknown);
    }

    proptest! {
        #[test]
        fn what_earlier_searches_saw_changes_no_end(
            bytes in proptest::collection::vec(
                proptest::sample::select(b"\"\"\",\n\nx\r".to_vec()), 0..60),
            last in any::<bool>(),
        ) {
            let (mut seen, mut start) = (Seen::default(), 0);
            while start < bytes.len() {
                let end = DIALECT.end_of_record(&bytes, start, last, &mut seen);
                prop_assert_eq!(end, end_of_record(&bytes, start, last));
                match end {
                    End::Whole(end) | End::Faulty(end, _) => start = end + 1,
                    End::Unknown => break,
                }
            }
        }
    }

    #[test]
    fn quotes_open_on_every_line_cost_no_search_each() {
        // Inside quotes and outside, each line ends inside quotes: searched to the limit from
        // every line, this would take minutes.
        let bytes = b"x\",\"\n".repeat(200_000);
        let dialect = Dialect {
            record_bytes_max: 1 << 20,
            ..DIALECT
        };
        let faults = dialect
            .records(&bytes, 1)
            .filter(|record| record.text.err() == Some(Reason::QuoteNeverClosed));
        assert_eq!(faults.count(), 200_000);
        // What the limit does not reach is not known yet.
        let twice = bytes.repeat(2);
        let known = twice.len() - dialect.record_bytes_max;
        assert_eq!(dialect.whole_records(&twice), known.next_multiple_of(5));
    }
}
