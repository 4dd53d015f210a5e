//! Who paid at a store in a month (docs/format.md, "Demographics").

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed_i128, put_varint},
    privacy::{Privacy, leaves_open},
};

const STRUCTURE: &str = "demographics";

/// What is known of who pays.
///
/// # Shape
/// The order is that of a cell's labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// How old.
    AgeBand,
    /// Of which sex.
    Gender,
    /// In which group of the source's own making.
    Segment,
}

/// How many there are.
pub const ATTRIBUTES: usize = Attribute::ALL.len();

impl Attribute {
    /// All, in order.
    pub const ALL: [Self; 3] = [Self::AgeBand, Self::Gender, Self::Segment];

    /// Returns the name of the canonical field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgeBand => "age_band",
            Self::Gender => "gender",
            Self::Segment => "segment",
        }
    }
}

/// What a cell says of an attribute.
///
/// # Shape
/// Texts are ordered by their bytes, behind what is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label<T> {
    /// Nothing: its cards may have any value, known or not.
    Merged,
    /// That of none of its cards it is known.
    Unknown,
    /// The value: UTF-8, not empty.
    Text(T),
}

/// What a cell says of each attribute; what lies behind a merged one is merged, too.
pub type Labels<T> = [Label<T>; ATTRIBUTES];

/// The rows of the cards of some attributes. No card is in two cells of a month.
///
/// # Units
/// `sum` in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemographicCell<'a> {
    /// Who they are.
    pub labels: Labels<&'a [u8]>,
    /// Rows, at least 1.
    pub count: u64,
    /// Net sum of their amounts.
    pub sum: i128,
    /// Distinct cards.
    pub cards: u64,
}

/// The cells of a store's month: all its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemographicsRecord<'a> {
    /// Ascending by their labels, at least one.
    pub cells: Vec<DemographicCell<'a>>,
}

/// Appends the record of a month.
///
/// # Shape
/// Cells ascend by their labels, each once.
pub fn encode_demographics(cells: &[DemographicCell<'_>], out: &mut Vec<u8>) {
    debug_assert!(cells.is_sorted_by(|a, b| a.labels < b.labels));
    let texts = texts_of(cells.iter().map(|cell| &cell.labels));
    put_texts(out, &texts);
    put_varint(out, cells.len() as u64);
    for cell in cells {
        put_labels(out, &cell.labels, &texts);
        put_varint(out, cell.count - 1);
        put_signed_i128(out, cell.sum);
        put_varint(out, cell.cards);
    }
}

impl<'a> DemographicsRecord<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let mut texts = Texts::read(&mut bytes)?;
        let cells = read_cells(&mut bytes, |bytes| {
            let labels = texts.read_labels(bytes)?;
            let count = read_count(bytes)?;
            let (sum, cards) = (bytes.signed_i128()?, bytes.varint()?);
            if cards > count {
                return Err(corrupt("a cell has more cards than rows"));
            }
            Ok(DemographicCell {
                labels,
                count,
                sum,
                cards,
            })
        })?;
        texts.finish(&bytes)?;
        if cells.is_empty() {
            return Err(corrupt("it has no cell"));
        }
        Ok(Self { cells })
    }
}

/// The rows of some attributes at all stores of a place or the market together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceCell<'a> {
    /// Who paid: none is merged, or all are, where it has all rows that no other cell has.
    pub labels: Labels<&'a [u8]>,
    /// Rows, at least 1.
    pub count: u64,
}

/// A month of all stores of a place or the market together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceDemographics<'a> {
    /// All rows of its stores of which some row says an attribute, at least 1.
    pub count: u64,
    /// What may be told of them, ascending by labels.
    pub cells: Vec<PlaceCell<'a>>,
}

impl<'a> PlaceDemographics<'a> {
    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(self.cells.is_sorted_by(|a, b| a.labels < b.labels));
        put_varint(out, self.count - 1);
        let texts = texts_of(self.cells.iter().map(|cell| &cell.labels));
        put_texts(out, &texts);
        put_varint(out, self.cells.len() as u64);
        for cell in &self.cells {
            put_labels(out, &cell.labels, &texts);
            put_varint(out, cell.count - 1);
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let count = read_count(&mut bytes)?;
        let mut texts = Texts::read(&mut bytes)?;
        let cells = read_cells(&mut bytes, |bytes| {
            let labels = texts.read_labels(bytes)?;
            let count = read_count(bytes)?;
            Ok(PlaceCell { labels, count })
        })?;
        texts.finish(&bytes)?;
        let record = Self { count, cells };
        record.check_merged()?;
        Ok(record)
    }

    /// Returns how many rows some labels have, if that is told.
    #[must_use]
    pub fn count_of(&self, labels: &Labels<&[u8]>) -> Option<u64> {
        let found = self.cells.binary_search_by(|it| it.labels.cmp(labels));
        found.ok().map(|at| self.cells[at].count)
    }

    /// Returns whether anything may be told of the rows of some months: unless something is hidden, which a cell is that
    /// not each month tells, and whole percents would say how much.
    pub fn may_be_told<'m>(mut months: impl Iterator<Item = &'m Self>, privacy: Privacy) -> bool
    where
        'a: 'm,
    {
        let Some(first) = months.next().filter(|_| privacy.is_protecting()) else {
            return true;
        };
        let cells = first.cells.iter().map(|cell| (cell.labels, cell.count));
        let (mut cells, mut all): (Vec<_>, u64) = (cells.collect(), first.count);
        for month in months {
            all = all.saturating_add(month.count);
            let mut of_month = month.cells.iter().peekable();
            cells.retain_mut(|(labels, count)| {
                while of_month.next_if(|cell| cell.labels < *labels).is_some() {}
                let same = of_month.next_if(|cell| cell.labels == *labels);
                *count = count.saturating_add(same.map_or(0, |cell| cell.count));
                same.is_some()
            });
        }
        // Whoever has rows of its own among the rest learns no more: those of others may be none, or are as open.
        let told = cells.iter().map(|(_, count)| *count);
        let rest = told.clone().fold(all, u64::saturating_sub);
        let parts = told.chain((rest > 0).then_some(rest));
        let parts: Vec<(u64, u64)> = parts.map(|count| (count, 0)).collect();
        leaves_open(&parts, privacy.k())
    }

    /// Checks that cells have no more rows than there are, and that a merged one has all that the others have not.
    fn check_merged(&self) -> Result<()> {
        let mut counts = self.cells.iter().map(|cell| cell.count);
        let told = counts.try_fold(0_u64, u64::checked_add);
        let Some(told) = told.filter(|told| *told <= self.count) else {
            return Err(corrupt("its cells have more rows than there are"));
        };
        let merged = |labels: &Labels<&[u8]>| {
            let merged = labels.iter().filter(|label| **label == Label::Merged);
            merged.count()
        };
        let is_partly = |cell: &PlaceCell<'_>| ![0, ATTRIBUTES].contains(&merged(&cell.labels));
        if self.cells.iter().any(is_partly) {
            return Err(corrupt("a cell of many stores is merged in part"));
        }
        // Merged cells come first.
        let rest = self.cells.first();
        if rest.is_none_or(|cell| merged(&cell.labels) == 0) {
            return Ok(());
        }
        match told == self.count && self.cells.len() > 1 {
            true => Ok(()),
            false => Err(corrupt("its merged cell is not the rest of its rows")),
        }
    }
}

/// Returns the texts of labels in order, each once.
fn texts_of<'a: 'b, 'b>(labels: impl Iterator<Item = &'b Labels<&'a [u8]>>) -> Vec<&'a [u8]> {
    let texts = labels.flatten().filter_map(|label| match label {
        Label::Text(text) => Some(*text),
        _ => None,
    });
    let mut texts: Vec<&[u8]> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn put_texts(out: &mut Vec<u8>, texts: &[&[u8]]) {
    put_varint(out, texts.len() as u64);
    for text in texts {
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text);
    }
}

fn put_labels(out: &mut Vec<u8>, labels: &Labels<&[u8]>, texts: &[&[u8]]) {
    for label in labels {
        put_varint(
            out,
            match label {
                Label::Merged => 0,
                Label::Unknown => 1,
                Label::Text(text) => 2 + texts.partition_point(|it| it < text) as u64,
            },
        );
    }
}

/// The texts of a record while its cells are read, and what of them has been met.
///
/// What is true of cells whatever they tell is checked by numbers: texts ascend, so labels are in order as theirs are.
struct Texts<'a> {
    texts: Vec<&'a [u8]>,
    /// Whether a cell uses each.
    used: Vec<bool>,
    /// The labels of the last cell.
    last: Option<[u64; ATTRIBUTES]>,
}

impl<'a> Texts<'a> {
    fn read(bytes: &mut Bytes<'a>) -> Result<Self> {
        let mut texts: Vec<&[u8]> = Vec::new();
        for _ in 0..bytes.varint()? {
            let text = bytes.take_prefixed()?;
            // Nothing is less than an empty text, so the first is none either.
            if texts.last().copied().unwrap_or_default() >= text {
                return Err(corrupt("its texts do not ascend, or one is empty"));
            }
            if std::str::from_utf8(text).is_err() {
                return Err(corrupt("a text is not UTF-8"));
            }
            texts.push(text);
        }
        Ok(Self {
            used: vec![false; texts.len()],
            texts,
            last: None,
        })
    }

    /// Reads the labels of the next cell, which come behind those of the one before.
    fn read_labels(&mut self, bytes: &mut Bytes<'_>) -> Result<Labels<&'a [u8]>> {
        let (mut numbers, mut labels) = ([0; ATTRIBUTES], [Label::Merged; ATTRIBUTES]);
        for (number, label) in numbers.iter_mut().zip(&mut labels) {
            *number = bytes.varint()?;
            *label = self.label(*number)?;
        }
        let mut merged = numbers.iter().skip_while(|number| **number != 0);
        if !merged.all(|number| *number == 0) {
            return Err(corrupt("a label is told behind one that is merged"));
        }
        if self.last.is_some_and(|last| last >= numbers) {
            return Err(corrupt("its cells do not ascend"));
        }
        self.last = Some(numbers);
        Ok(labels)
    }

    fn label(&mut self, number: u64) -> Result<Label<&'a [u8]>> {
        let at = match number {
            0 => return Ok(Label::Merged),
            1 => return Ok(Label::Unknown),
            _ => usize::try_from(number - 2).ok(),
        };
        let text = at.and_then(|at| self.texts.get(at).zip(self.used.get_mut(at)));
        let (text, is_used) = text.ok_or_else(|| corrupt("a label is none of its texts"))?;
        *is_used = true;
        Ok(Label::Text(*text))
    }

    /// Checks that nothing follows the cells, and that each text is one of theirs.
    fn finish(&self, bytes: &Bytes<'_>) -> Result<()> {
        if !bytes.is_empty() {
            return Err(corrupt("bytes are left over"));
        }
        match self.used.iter().all(|is_used| *is_used) {
            true => Ok(()),
            false => Err(corrupt("it has a text that no cell uses")),
        }
    }
}

fn read_cells<'a, T>(
    bytes: &mut Bytes<'a>,
    mut read: impl FnMut(&mut Bytes<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    // Not reserved for: a number may be anything, and what it counts ends with the bytes.
    let mut cells = Vec::new();
    for _ in 0..bytes.varint()? {
        cells.push(read(bytes)?);
    }
    Ok(cells)
}

fn read_count(bytes: &mut Bytes<'_>) -> Result<u64> {
    let count = bytes.varint()?.checked_add(1);
    count.ok_or_else(|| corrupt("a cell has too many rows"))
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    type Given = BTreeMap<Labels<Vec<u8>>, (u64, i128, u64)>;

    fn label() -> impl Strategy<Value = Label<Vec<u8>>> {
        prop_oneof![
            Just(Label::Merged),
            Just(Label::Unknown),
            "[a-cé]{1,2}".prop_map(|text| Label::Text(text.into_bytes())),
        ]
    }

    /// Labels, of which those behind a merged one are merged.
    fn labels() -> impl Strategy<Value = Labels<Vec<u8>>> {
        prop::array::uniform3(label()).prop_map(|mut labels| {
            if let Some(first) = labels.iter().position(|label| *label == Label::Merged) {
                labels[first..].fill(Label::Merged);
            }
            labels
        })
    }

    fn given() -> impl Strategy<Value = Given> {
        let figures = (1..=u64::MAX, any::<i128>(), any::<u64>());
        let figures = figures.prop_map(|(count, sum, cards)| (count, sum, cards % count));
        prop::collection::btree_map(labels(), figures, 1..9)
    }

    fn borrowed(labels: &Labels<Vec<u8>>) -> Labels<&[u8]> {
        let mut borrowed = [Label::Merged; ATTRIBUTES];
        for (to, from) in borrowed.iter_mut().zip(labels) {
            *to = match from {
                Label::Merged => Label::Merged,
                Label::Unknown => Label::Unknown,
                Label::Text(text) => Label::Text(text.as_slice()),
            };
        }
        borrowed
    }

    fn cells(given: &Given) -> Vec<DemographicCell<'_>> {
        let cells = given
            .iter()
            .map(|(labels, (count, sum, cards))| DemographicCell {
                labels: borrowed(labels),
                count: *count,
                sum: *sum,
                cards: *cards,
            });
        cells.collect()
    }

    fn encoded(given: &Given) -> Vec<u8> {
        let mut out = Vec::new();
        encode_demographics(&cells(given), &mut out);
        out
    }

    proptest! {
        #[test]
        fn records_read_back_whole_and_cut_ones_are_errors(given in given()) {
            let mut out = encoded(&given);
            prop_assert_eq!(DemographicsRecord::parse(&out).unwrap().cells, cells(&given));
            for len in 0..out.len() {
                prop_assert!(DemographicsRecord::parse(&out[..len]).is_err(), "{}", len);
            }
            out.push(0);
            prop_assert!(DemographicsRecord::parse(&out).is_err());
        }

        #[test]
        fn a_record_of_other_bytes_is_one_that_is_written_so_or_none(
            given in given(), at in any::<prop::sample::Index>(), other in any::<u8>(),
        ) {
            let mut out = encoded(&given);
            let at = at.index(out.len());
            out[at] = other;
            if let Ok(record) = DemographicsRecord::parse(&out) {
                let mut again = Vec::new();
                encode_demographics(&record.cells, &mut again);
                // A number may be written longer than it has to be.
                let read = DemographicsRecord::parse(&again).unwrap();
                prop_assert_eq!(read, record);
            }
        }

        #[test]
        fn months_of_many_stores_read_back_whole_and_cut_ones_are_errors(
            given in given(), more in 0_u64..9,
        ) {
            let told = given.iter().map(|(labels, (count, ..))| PlaceCell {
                labels: borrowed(labels),
                count: count % 1_000 + 1,
            });
            let mut told: Vec<_> = told.filter(|it| !it.labels.contains(&Label::Merged)).collect();
            let count = told.iter().map(|cell| cell.count).sum::<u64>() + more + 1;
            if more > 3 && !told.is_empty() {
                let rest = PlaceCell { labels: [Label::Merged; ATTRIBUTES], count: more + 1 };
                told.insert(0, rest);
            }
            let place = PlaceDemographics { count, cells: told };
            let mut out = Vec::new();
            place.encode(&mut out);
            let read = PlaceDemographics::parse(&out).unwrap();
            for labels in given.keys().map(borrowed).chain([[Label::Merged; ATTRIBUTES]]) {
                let told = place.cells.iter().find(|cell| cell.labels == labels);
                prop_assert_eq!(read.count_of(&labels), told.map(|cell| cell.count));
            }
            prop_assert_eq!(read, place);
            for len in 0..out.len() {
                prop_assert!(PlaceDemographics::parse(&out[..len]).is_err(), "{}", len);
            }
            out.push(0);
            prop_assert!(PlaceDemographics::parse(&out).is_err());
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let right = [1, 1, b'f', 2, 1, 1, 1, 0, 0, 0, 1, 1, 2, 0, 0, 1];
        assert!(DemographicsRecord::parse(&right).is_ok());
        for (problem, value) in [
            ("no cell", &[0, 0][..]),
            ("no text of this number", &[1, 1, b'f', 1, 1, 1, 3, 0, 0, 0]),
            (
                "a text that no cell uses",
                &[1, 1, b'f', 1, 1, 1, 1, 0, 0, 0],
            ),
            ("an empty text", &[1, 0, 1, 1, 1, 2, 0, 0, 0]),
            (
                "texts out of order",
                &[2, 1, b'g', 1, b'f', 1, 2, 3, 1, 0, 0, 0],
            ),
            ("a text that is no UTF-8", &[1, 1, 255, 1, 1, 1, 2, 0, 0, 0]),
            ("a label behind a merged one", &[0, 1, 0, 1, 0, 0, 0, 0]),
            (
                "labels out of order",
                &[1, 1, b'f', 2, 2, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0],
            ),
            (
                "a label repeated",
                &[0, 2, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0],
            ),
            ("more cards than rows", &[0, 1, 1, 1, 1, 0, 0, 2]),
        ] {
            assert!(DemographicsRecord::parse(value).is_err(), "{problem}");
        }
        let place = |value: &[u8]| PlaceDemographics::parse(value).is_ok();
        assert!(place(&[2, 0, 1, 1, 1, 1, 2]));
        assert!(place(&[0, 0, 0]), "nothing is told");
        assert!(!place(&[1, 0, 1, 1, 1, 1, 2]), "more rows than there are");
        // Two rows of which nothing is known, and one of the rest.
        assert!(place(&[2, 0, 2, 0, 0, 0, 0, 1, 1, 1, 1]));
        assert!(
            !place(&[3, 0, 2, 0, 0, 0, 0, 1, 1, 1, 1]),
            "not all of the rest"
        );
        assert!(!place(&[0, 0, 1, 0, 0, 0, 0]), "nothing but the rest");
        assert!(!place(&[2, 0, 1, 1, 1, 0, 2]), "a cell merged in part");
    }
}
