//! What tells rows with one tx_id apart: the canonical text that each of them stands for.
//!
//! The first canonical columns, but for the coordinates, are hashed as two pieces of a line, from
//! tx_id to region and from installments to segment, each value spelled in its one way. Nearly all
//! rows of a canonical file are written so already, and are hashed where they stand; for others a
//! piece is put together first. All other fields are hashed one by one.

use nightshard_format::calendar::Day;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::columns::{Columns, Other};
use super::fields::Fields;
use super::spelling::{self, Kind};
use super::time::DATE_LEN;
use super::{Padded, amount};
use crate::field_hash::{FieldKeys, RowHash};
use crate::layout::{Field, Layout, TimePrecision};
use crate::transaction::Transaction;

const CONTEXT: &str = "nightshard 2026 row content";

/// The fields of the first piece, in its order.
pub(super) const FRONT: [Field; 8] = [
    Field::TxId,
    Field::StoreId,
    Field::CardId,
    Field::Ts,
    Field::AmountMinor,
    Field::Currency,
    Field::Category,
    Field::Region,
];
// Where those of them stand that a row may spell in several ways.
const TS: usize = 3;
const AMOUNT: usize = 4;
const CURRENCY: usize = 5;

/// The fields of the second piece, in its order.
pub(super) const BACK: [Field; 6] = [
    Field::Installments,
    Field::CardCompany,
    Field::Channel,
    Field::AgeBand,
    Field::Gender,
    Field::Segment,
];

// Numbers of what is hashed: both pieces, whether points were used, what the layout carries, and
// all other fields by their own numbers.
const PIECES: usize = 0;
const POINTS_USED: usize = 1;
const CARRIED: usize = 2;

/// Hashes the content of one row after the other.
pub(super) struct ContentHasher {
    seed: u64,
    keys: FieldKeys,
    delimiter: u8,
    /// Whether times, amounts and terms mean what they would in the canonical layout.
    is_canonical: bool,
    /// Whether a time of day means something.
    has_times: bool,
    /// Memory for a piece that is put together.
    piece: Vec<u8>,
}

impl ContentHasher {
    /// Makes a hasher; hashes of one seed and layout can be compared.
    pub(super) fn new(layout: &Layout, seed: u64) -> Self {
        let definition = layout.definition();
        let fields = CARRIED + definition.carry.len() + Field::Record as usize;
        let is_iso = layout.date().is_none_or(|date| date.formats.is_empty());
        let terms = layout.field(Field::Installments);
        let has_points = terms.is_some_and(|column| column.points_from.is_some());
        Self {
            seed,
            keys: FieldKeys::new(CONTEXT, seed, fields),
            delimiter: layout.delimiter(),
            is_canonical: is_iso && !has_points && layout.amount().factor == Some(1),
            has_times: definition.time_precision != TimePrecision::Date,
            piece: Vec::new(),
        }
    }

    /// Returns the hash of everything that the layout maps.
    #[inline]
    pub(super) fn hash(
        &mut self,
        row: &Transaction<'_>,
        fields: Fields<'_>,
        columns: &Columns,
    ) -> u64 {
        let front = match self.written_front(row, fields, columns) {
            Some(front) => xxh3_64_with_seed(front, self.seed),
            None => self.hash_spelled(|hasher, piece| hasher.spell_front(piece, row)),
        };
        let back = match self.written_back(fields, columns) {
            Some(back) => xxh3_64_with_seed(back, self.seed),
            None => self.hash_spelled(|hasher, piece| {
                hasher.spell_back(piece, row, fields, &columns.in_back);
            }),
        };
        let mut hash = self.keys.row();
        hash.numbers(PIECES, [front, back]);
        if row.points_used {
            hash.numbers(POINTS_USED, [1, 0]);
        }
        for (field, column) in (CARRIED..).zip(&columns.carried) {
            hash.text(field, fields.padded(*column));
        }
        let others = CARRIED + columns.carried.len();
        for other in &columns.others {
            let text = other.slot.padded(fields);
            if text.len() > 0 {
                add_value(&mut hash, others + other.field as usize, other.kind, text);
            }
        }
        hash.finish()
    }

    /// Returns the first piece where it stands, if it was written as it would be spelled.
    #[inline(always)]
    fn written_front<'r>(
        &self,
        row: &Transaction<'_>,
        fields: Fields<'r>,
        columns: &Columns,
    ) -> Option<&'r [u8]> {
        let first = columns.front?;
        let column = |ordinal| fields.padded(first + ordinal);
        let is_as_spelled = self.is_canonical
            & self.is_time(column(TS).as_bytes())
            & amount::is_spelled(column(AMOUNT))
            & (column(CURRENCY).as_bytes().as_array::<3>() == row.currency.as_array());
        let piece = first..first + FRONT.len();
        fields.written(piece).filter(|_| is_as_spelled)
    }

    /// Returns the second piece where it stands, if it was written as it would be spelled.
    #[inline(always)]
    fn written_back<'r>(&self, fields: Fields<'r>, columns: &Columns) -> Option<&'r [u8]> {
        let first = columns.back?;
        let is_as_spelled = self.is_canonical & is_term(fields.get(first));
        let piece = first..first + BACK.len();
        fields.written(piece).filter(|_| is_as_spelled)
    }

    /// Whether a text that was read as a time is spelled as [`put_time`] does.
    #[inline(always)]
    fn is_time(&self, text: &[u8]) -> bool {
        match text.as_array::<TIME_LEN>() {
            // A leap second is spelled as the second before.
            Some(time) => self.has_times & (time[DATE_LEN] == b'T') & (time[TIME_LEN - 2] != b'6'),
            None => text.len() == DATE_LEN,
        }
    }

    #[inline(never)]
    fn hash_spelled(&mut self, spell: impl FnOnce(&Self, &mut Vec<u8>)) -> u64 {
        let mut piece = std::mem::take(&mut self.piece);
        piece.clear();
        spell(self, &mut piece);
        let hash = xxh3_64_with_seed(&piece, self.seed);
        self.piece = piece;
        hash
    }

    fn spell_front(&self, piece: &mut Vec<u8>, row: &Transaction<'_>) {
        for id in [row.tx_id, row.store_id, row.card_id] {
            self.put_text(piece, id);
        }
        put_time(piece, row);
        piece.push(self.delimiter);
        put_number(piece, row.amount_minor);
        piece.push(self.delimiter);
        for text in [row.currency, row.category, row.region] {
            self.put_text(piece, text);
        }
        piece.pop();
    }

    fn spell_back(
        &self,
        piece: &mut Vec<u8>,
        row: &Transaction<'_>,
        fields: Fields<'_>,
        texts: &[Other],
    ) {
        if let Some(months) = row.installments {
            put_number(piece, months.into());
        }
        piece.push(self.delimiter);
        for other in texts {
            self.put_text(piece, other.slot.text(fields));
        }
        piece.pop();
    }

    /// Appends a text and a delimiter, quoted (RFC 4180) where it could be mistaken for several.
    fn put_text(&self, piece: &mut Vec<u8>, text: &[u8]) {
        let is_odd = |byte: &u8| *byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r');
        if text.iter().any(is_odd) {
            piece.push(b'"');
            for byte in text {
                piece.extend(std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'"')));
            }
            piece.push(b'"');
        } else {
            piece.extend_from_slice(text);
        }
        piece.push(self.delimiter);
    }
}

/// Adds a value, however it is spelled.
#[inline(always)]
fn add_value(hash: &mut RowHash<'_>, field: usize, kind: Kind, text: Padded<'_>) {
    match kind {
        Kind::Text => hash.text(field, text),
        Kind::Number if let Some(len) = spelling::spelled_len(text) => {
            hash.text(field, text.cut(len));
        }
        kind => add_respelled(hash, field, kind, text),
    }
}

#[inline(never)]
fn add_respelled(hash: &mut RowHash<'_>, field: usize, kind: Kind, text: Padded<'_>) {
    match kind.respelled(text.as_bytes()) {
        None => hash.text(field, text),
        Some(text) => hash.text(field, Padded::exact(&text)),
    }
}

/// Length of a date with a time of day.
const TIME_LEN: usize = DATE_LEN + "T00:00:00".len();

fn put_time(piece: &mut Vec<u8>, row: &Transaction<'_>) {
    let (year, month, day) = Day(row.day).to_civil();
    let year = year.unsigned_abs();
    for (before, pair) in [("", year / 100), ("", year % 100), ("-", month), ("-", day)] {
        put_pair(piece, before, pair);
    }
    if let Some(second) = row.second_of_day {
        for (before, pair) in [
            ("T", second / 3600),
            (":", second / 60 % 60),
            (":", second % 60),
        ] {
            put_pair(piece, before, pair);
        }
    }
}

/// Appends a number below 100 as two digits.
fn put_pair(piece: &mut Vec<u8>, before: &str, number: u32) {
    let digit = |digit: u32| char::from_digit(digit % 10, 10).unwrap_or('0') as u8;
    piece.extend_from_slice(before.as_bytes());
    piece.extend([digit(number / 10), digit(number)]);
}

fn put_number(piece: &mut Vec<u8>, number: i64) {
    piece.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Whether a text is nothing, or a term of few months in its one spelling.
#[inline(always)]
fn is_term(text: &[u8]) -> bool {
    matches!(text, [] | [b'0'..=b'9'] | [b'1'..=b'9', b'0'..=b'9'])
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::row_outcome::{Location, Reason, RowSink, Rule};
    use crate::source::fields::{Margins, Splitter};
    use crate::source::lines::LineIndex;
    use crate::source::record::Text;
    use crate::source::row::{Doubt, RowReader};

    const HEADER: &str = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,lat,lon,\
                          installments,card_company,channel,age_band,gender,segment";

    fn columns(layout: &Layout, header: &str) -> Columns {
        let names: Vec<String> = header.split(',').map(str::to_owned).collect();
        Columns::of_header(layout, &names).unwrap()
    }

    /// Keeps what `look` makes of the last row.
    struct Sink<F, T>(F, Option<T>);

    impl<F: FnMut(&Transaction<'_>) -> T, T> RowSink for Sink<F, T> {
        type Error = Infallible;

        fn transaction(&mut self, _at: Location, row: &Transaction<'_>) -> Result<(), Infallible> {
            self.1 = Some(self.0(row));
            Ok(())
        }

        fn rejected(&mut self, _at: Location, _field: Field, _reason: Reason) {}

        fn excluded(&mut self, _at: Location, _rule: Rule) {}
    }

    /// What `look` makes of the row of these fields.
    fn look<T>(
        fields: Fields<'_>,
        columns: &Columns,
        look: impl FnMut(&Transaction<'_>) -> T,
    ) -> Option<T> {
        let mut reader = RowReader::new(&Layout::builtin("canonical").unwrap(), 1);
        (reader.doubt, reader.may_hold_controls) = (Doubt::None, false);
        let mut sink = Sink(look, None);
        let at = Location { file: 0, line: 1 };
        let Ok(_outcome) = reader.read(fields, columns, at, &mut sink);
        sink.1
    }

    /// The content of a row, split field by field.
    fn content_of_fields(header: &str, row: &str) -> Option<u64> {
        let columns = columns(&Layout::builtin("canonical").unwrap(), header);
        let mut splitter = Splitter::new(b',', Margins::Trimmed);
        let fields = splitter.split(Text::Quoted(row.as_bytes()), columns.len())?;
        look(fields, &columns, |row| row.content)
    }

    /// The content of a row of an indexed line.
    fn content_of_line(header: &str, row: &str) -> Option<u64> {
        let columns = columns(&Layout::builtin("canonical").unwrap(), header);
        let mut index = LineIndex::new(b',');
        let text = format!("{row}\n");
        index.read(text.as_bytes(), text.len());
        let line = index.lines(text.as_bytes(), columns.len()).next()?;
        look(line.fields?, &columns, |row| row.content)
    }

    /// Of an indexed line, each piece where it stands, and how it is spelled.
    fn pieces(row: &str) -> [(Option<String>, String); 2] {
        let layout = Layout::builtin("canonical").unwrap();
        let hasher = ContentHasher::new(&layout, 1);
        let columns = columns(&layout, &format!("x,{HEADER},y"));
        let text = format!("1,{row},2\n");
        let mut index = LineIndex::new(b',');
        index.read(text.as_bytes(), text.len());
        let line = index.lines(text.as_bytes(), columns.len()).next().unwrap();
        let fields = line.fields.unwrap();
        let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        look(fields, &columns, |row| {
            let (mut front, mut back) = (Vec::new(), Vec::new());
            hasher.spell_front(&mut front, row);
            hasher.spell_back(&mut back, row, fields, &columns.in_back);
            [
                (hasher.written_front(row, fields, &columns), front),
                (hasher.written_back(fields, &columns), back),
            ]
            .map(|(written, spelled)| (written.map(string), string(&spelled)))
        })
        .unwrap()
    }

    #[test]
    fn what_is_written_as_it_would_be_spelled_is_taken_as_it_stands() {
        let fronts = [
            ("t,s,c,2018-03-05T07:08:59,9800,KRW,food,a/b", true),
            ("t,s,,2018-03-05,0,USD,,", true),
            ("t,s,c,2018-03-05 07:08:59,9800,KRW,food,a/b", false),
            ("t,s,c,2018-03-05T07:08:60,9800,KRW,food,a/b", false),
            ("t,s,c,2018-03-05T07:08,9800,KRW,food,a/b", false),
            ("t,s,c,2018-03-05T07:08:59,1e2,KRW,food,a/b", false),
            ("t,s,c,2018-03-05T07:08:59,098,KRW,food,a/b", false),
            ("t,s,c,2018-03-05T07:08:59,9800,krw,food,a/b", false),
        ];
        let backs = [
            ("", true),
            ("7", true),
            ("12", true),
            ("02", false),
            ("3.0", false),
        ];
        for (front, is_front_written) in fronts {
            for (term, is_back_written) in backs {
                let back = format!("{term},a,b,,d,e");
                for place in ["36.8", "36.80", ""] {
                    let found = pieces(&format!("{front},{place},,{back}"));
                    let expected = [(front, is_front_written), (&*back, is_back_written)];
                    for ((written, spelled), (text, is_written)) in found.into_iter().zip(expected)
                    {
                        assert_eq!(written.as_deref(), is_written.then_some(text));
                        assert_eq!(spelled == text, is_written, "{text} {spelled}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_field_that_holds_delimiters_is_not_taken_for_several() {
        let content = |row: &str| content_of_fields(HEADER, row).unwrap();
        let row = |fields: &str| format!("t,s,c,2018-03-05,5,KRW,{fields},,,,,,,,");
        assert_ne!(content(&row("\"a,b\",c")), content(&row("a,\"b,c\"")));
        assert_ne!(content(&row("\"\"\"a\",b")), content(&row("a,b")));
        assert_eq!(content(&row("\"a\",b")), content(&row("a,b")));
    }

    fn row() -> impl Strategy<Value = Vec<&'static str>> {
        (
            select(vec!["t", "t1"]),
            select(vec![
                "2018-03-05",
                "2018-03-05T00:00:00",
                "2018-03-05T23:59:60",
                "2018-03-05 00:00",
            ]),
            select(vec![
                "0",
                "5",
                "05",
                "1e2",
                "100",
                "-5",
                "12345678",
                "123456789",
                "5.0",
            ]),
            select(vec!["KRW", "krw"]),
            select(vec!["", "a", "a/b"]),
            select(vec![
                "",
                "0",
                "1",
                "1.0",
                "-1.5",
                "36.80334",
                "36.80330",
                "1234567890.1234567",
            ]),
            select(vec!["", "0", "7", "07", "12", "120", "3.0"]),
            select(vec!["", "x", "x x"]),
            select(vec!["", "y"]),
        )
            .prop_map(
                |(tx, ts, amount, currency, region, lon, term, channel, segment)| {
                    vec![
                        tx, "s", "c", ts, amount, currency, "food", region, "1", lon, term, "k",
                        channel, "", "m", segment,
                    ]
                },
            )
    }

    proptest! {
        #[test]
        fn content_is_the_same_however_a_row_is_split_and_its_columns_are_ordered(row in row()) {
            let line = row.join(",");
            let content = content_of_line(HEADER, &line);
            prop_assert!(content.is_some());
            prop_assert_eq!(content_of_fields(HEADER, &line), content);
            let reversed = |text: &str| text.split(',').rev().collect::<Vec<_>>().join(",");
            prop_assert_eq!(content_of_line(&reversed(HEADER), &reversed(&line)), content);
        }

        #[test]
        fn rows_whose_canonical_lines_differ_differ_in_content(a in row(), b in row()) {
            let canonical = |row: &[&str]| {
                let ts = match row[3] {
                    "2018-03-05 00:00" => "2018-03-05T00:00:00",
                    "2018-03-05T23:59:60" => "2018-03-05T23:59:59",
                    ts => ts,
                };
                let amount: f64 = row[4].parse().unwrap();
                let number = |text: &str| text.parse::<f64>().ok().map(f64::to_bits);
                let texts = [row[0], ts, row[7], row[12], row[15]].map(str::to_owned);
                (texts, amount.to_bits(), number(row[9]), number(row[10]))
            };
            let content = |row: &[&str]| content_of_line(HEADER, &row.join(","));
            prop_assert_eq!(canonical(&a) == canonical(&b), content(&a) == content(&b));
        }
    }
}
