//! How the rows of a month were paid (docs/format.md, "Month record").

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed_i128, put_varint},
};

/// What rows are divided by.
///
/// # Shape
/// The order is that of a record's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Who issued the card.
    CardCompany,
    /// How the card met the store.
    Channel,
    /// What was paid with.
    PaymentMethod,
    /// Whether the card comes from elsewhere.
    IsForeign,
    /// Months of instalment; a lump sum is 1.
    Installments,
    /// Whether loyalty points paid a part; what does not say so had none.
    PointsUsed,
    /// Where the card comes from.
    Country,
    /// What the payment was drawn by.
    Campaign,
    /// What was paid for.
    Product,
}

/// How many there are.
pub const DIMENSIONS: usize = Dimension::ALL.len();

impl Dimension {
    /// All, in order.
    pub const ALL: [Self; 9] = [
        Self::CardCompany,
        Self::Channel,
        Self::PaymentMethod,
        Self::IsForeign,
        Self::Installments,
        Self::PointsUsed,
        Self::Country,
        Self::Campaign,
        Self::Product,
    ];

    /// Returns the name of the canonical field.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CardCompany => "card_company",
            Self::Channel => "channel",
            Self::PaymentMethod => "payment_method",
            Self::IsForeign => "is_foreign",
            Self::Installments => "installments",
            Self::PointsUsed => "points_used",
            Self::Country => "country",
            Self::Campaign => "campaign",
            Self::Product => "product",
        }
    }

    /// Returns the value of a row that says nothing.
    #[must_use]
    pub fn unsaid<T>(self) -> MixValue<T> {
        match self {
            Self::PointsUsed => MixValue::Flag(false),
            _ => MixValue::Unknown,
        }
    }
}

/// A value of a [`Dimension`].
///
/// # Shape
/// Texts are ordered by their bytes, and what is unknown comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MixValue<T> {
    /// No or yes.
    Flag(bool),
    /// Months, at least 1.
    Months(u16),
    /// UTF-8, not empty.
    Text(T),
    /// Rows do not say.
    Unknown,
}

impl<T: AsRef<[u8]>> MixValue<T> {
    /// Borrows the text.
    #[must_use]
    pub fn as_deref(&self) -> MixValue<&[u8]> {
        match self {
            Self::Flag(flag) => MixValue::Flag(*flag),
            Self::Months(months) => MixValue::Months(*months),
            Self::Text(text) => MixValue::Text(text.as_ref()),
            Self::Unknown => MixValue::Unknown,
        }
    }
}

impl MixValue<&[u8]> {
    /// Copies the text.
    #[must_use]
    pub fn into_owned(self) -> MixValue<Vec<u8>> {
        match self {
            Self::Flag(flag) => MixValue::Flag(flag),
            Self::Months(months) => MixValue::Months(months),
            Self::Text(text) => MixValue::Text(text.to_vec()),
            Self::Unknown => MixValue::Unknown,
        }
    }
}

/// The rows of one value of a dimension.
///
/// # Units
/// `sum` in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MixRow<'a> {
    /// Of which dimension.
    pub dimension: Dimension,
    /// Which value.
    pub value: MixValue<&'a [u8]>,
    /// Rows, at least 1.
    pub count: u64,
    /// Net sum of their amounts.
    pub sum: i128,
}

/// The mixes of a month as its record has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodedMixes(Vec<u8>);

impl EncodedMixes {
    /// Encodes the rows of a month, leaving out dimensions of which no row says anything.
    ///
    /// # Shape
    /// Rows ascend by dimension, then value, each once; those of each dimension are all rows of
    /// the month.
    #[must_use]
    pub fn new(rows: &[MixRow<'_>]) -> Self {
        let is_sorted =
            |a: &MixRow<'_>, b: &MixRow<'_>| (a.dimension, a.value) < (b.dimension, b.value);
        debug_assert!(rows.is_sorted_by(is_sorted));
        let said: Vec<&[MixRow<'_>]> = rows
            .chunk_by(|a, b| a.dimension == b.dimension)
            .filter(|rows| rows.iter().any(is_said))
            .collect();
        let mut out = Vec::new();
        if said.is_empty() {
            return Self(out);
        }
        let texts = texts_of(&said);
        put_varint(&mut out, texts.len() as u64);
        for text in &texts {
            put_varint(&mut out, text.len() as u64);
            out.extend_from_slice(text);
        }
        let bits = said.iter().map(|rows| bit_of(rows[0].dimension));
        out.extend_from_slice(&bits.sum::<u16>().to_le_bytes());
        said.iter()
            .for_each(|rows| encode_dimension(rows, &texts, &mut out));
        Self(out)
    }

    /// Returns whether no row says anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the mixes after their length.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
    }
}

fn is_said(row: &MixRow<'_>) -> bool {
    row.value != row.dimension.unsaid()
}

pub(super) fn bit_of(dimension: Dimension) -> u16 {
    Dimension::ALL
        .iter()
        .zip(0..)
        .find_map(|(known, bit)| (*known == dimension).then_some(1 << bit))
        .unwrap_or(0)
}

/// Returns the texts of rows in order, each once.
fn texts_of<'a>(said: &[&[MixRow<'a>]]) -> Vec<&'a [u8]> {
    let values = said.iter().flat_map(|rows| rows.iter());
    let texts = values.filter_map(|row| match row.value {
        MixValue::Text(text) => Some(text),
        _ => None,
    });
    let mut texts: Vec<&[u8]> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Appends the values of one dimension by their numbers.
fn encode_dimension(rows: &[MixRow<'_>], texts: &[&[u8]], out: &mut Vec<u8>) {
    put_varint(out, rows.len() as u64);
    // What is unknown has the number 0.
    let unknown = rows.iter().filter(|row| row.value == MixValue::Unknown);
    let known = rows.iter().filter(|row| row.value != MixValue::Unknown);
    let mut next = 0;
    for row in unknown.chain(known) {
        let number = number_of(row.value, texts);
        put_varint(out, number - next);
        put_varint(out, row.count - 1);
        put_signed_i128(out, row.sum);
        next = number + 1;
    }
}

pub(super) fn number_of(value: MixValue<&[u8]>, texts: &[&[u8]]) -> u64 {
    match value {
        MixValue::Unknown => 0,
        MixValue::Flag(flag) => 1 + u64::from(flag),
        MixValue::Months(months) => months.into(),
        MixValue::Text(text) => 1 + texts.partition_point(|it| *it < text) as u64,
    }
}

pub(super) fn value_of<'a>(
    dimension: Dimension,
    number: u64,
    texts: &[&'a [u8]],
) -> Option<MixValue<&'a [u8]>> {
    let known = number.checked_sub(1);
    match (dimension, known) {
        (Dimension::PointsUsed, None) => None,
        (_, None) => Some(MixValue::Unknown),
        (Dimension::IsForeign | Dimension::PointsUsed, Some(flag @ 0..=1)) => {
            Some(MixValue::Flag(flag == 1))
        }
        (Dimension::IsForeign | Dimension::PointsUsed, Some(_)) => None,
        (Dimension::Installments, Some(_)) => u16::try_from(number).ok().map(MixValue::Months),
        (_, Some(at)) => {
            let text = usize::try_from(at).ok().and_then(|at| texts.get(at));
            text.map(|text| MixValue::Text(*text))
        }
    }
}

/// Reads mixes, passing each row to `visit`, of each dimension those that do not say first.
pub(super) fn decode<'a>(encoded: &'a [u8], mut visit: impl FnMut(MixRow<'a>)) -> Result<()> {
    let mut bytes = Bytes::new(encoded, "month record");
    let texts = decode_texts(&mut bytes)?;
    let mask = bytes.u16()?;
    if mask == 0 || mask >> DIMENSIONS != 0 {
        return Err(damaged("its mixes have no dimension, or one that is none"));
    }
    for (bit, dimension) in Dimension::ALL.into_iter().enumerate() {
        if mask >> bit & 1 == 0 {
            continue;
        }
        let values = bytes.varint()?;
        if values == 0 {
            return Err(damaged("its mixes have a dimension without values"));
        }
        let mut next = 0_u64;
        for _ in 0..values {
            let number = next.saturating_add(bytes.varint()?);
            let value = value_of(dimension, number, &texts);
            let value = value.ok_or_else(|| damaged("its mixes have a value that is none"))?;
            visit(MixRow {
                dimension,
                value,
                count: bytes.varint()?.saturating_add(1),
                sum: bytes.signed_i128()?,
            });
            next = number.saturating_add(1);
        }
    }
    if bytes.is_empty() {
        Ok(())
    } else {
        Err(damaged("bytes are left over after its mixes"))
    }
}

pub(super) fn decode_texts<'a>(bytes: &mut Bytes<'a>) -> Result<Vec<&'a [u8]>> {
    let mut texts = Vec::new();
    for _ in 0..bytes.varint()? {
        texts.push(bytes.take_prefixed()?);
    }
    Ok(texts)
}

/// Checks that each dimension divides all rows of a month, says something, and has each value once;
/// and that texts are UTF-8, ascend and are all used.
pub(super) fn check(encoded: &[u8], (count, sum): (u64, i128)) -> Result<()> {
    let texts = decode_texts(&mut Bytes::new(encoded, "month record"))?;
    let are_texts = texts.iter().all(|it| std::str::from_utf8(it).is_ok());
    let ascend = texts.is_sorted_by(|a, b| a < b) && texts.first().is_none_or(|it| !it.is_empty());
    let mut rows = Vec::new();
    decode(encoded, |row| rows.push(row))?;
    let dimensions = || rows.chunk_by(|a, b| a.dimension == b.dimension);
    let used = texts_of(&dimensions().collect::<Vec<_>>());
    if !are_texts || !ascend || used != texts {
        return Err(damaged("the texts of its mixes do not ascend, or are none"));
    }
    let is_all = |rows: &[MixRow<'_>]| {
        let counted = rows
            .iter()
            .try_fold(0, |all, row| row.count.checked_add(all));
        let summed = rows.iter().try_fold(0, |all, row| row.sum.checked_add(all));
        (counted, summed) == (Some(count), Some(sum)) && rows.iter().any(is_said)
    };
    if !dimensions().all(is_all) {
        return Err(damaged("its mixes are not those of its rows"));
    }
    Ok(())
}

fn damaged(problem: &'static str) -> Error {
    Error::corrupt("month record", problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(dimension: Dimension, value: MixValue<&[u8]>, count: u64, sum: i128) -> MixRow<'_> {
        MixRow {
            dimension,
            value,
            count,
            sum,
        }
    }

    fn decoded(mixes: &EncodedMixes) -> Vec<MixRow<'_>> {
        let mut rows = Vec::new();
        decode(&mixes.0, |row| rows.push(row)).unwrap();
        rows.sort_unstable_by_key(|row| (row.dimension, row.value));
        rows
    }

    /// Ten rows of 700, some of whose values are texts, and some not known.
    fn ten() -> Vec<MixRow<'static>> {
        use Dimension::{CardCompany, Channel, Installments, IsForeign, PointsUsed, Product};
        use MixValue::{Flag, Months, Text, Unknown};
        vec![
            row(CardCompany, Text(b"amber"), 9, 1 << 80),
            row(CardCompany, Text(b"blue"), 1, 700 - (1 << 80)),
            row(Channel, Text(b"blue"), 4, -1),
            row(Channel, Unknown, 6, 701),
            row(IsForeign, Flag(false), 5, 5),
            row(IsForeign, Flag(true), 4, 690),
            row(IsForeign, Unknown, 1, 5),
            row(Installments, Months(1), 8, 0),
            row(Installments, Months(u16::MAX), 2, 700),
            row(PointsUsed, Flag(false), 9, 300),
            row(PointsUsed, Flag(true), 1, 400),
            row(Product, Unknown, 10, 700),
        ]
    }

    #[test]
    fn mixes_round_trip_but_for_what_says_nothing() {
        let mut rows = ten();
        let mixes = EncodedMixes::new(&rows);
        check(&mixes.0, (10, 700)).unwrap();
        rows.retain(|row| row.dimension != Dimension::Product);
        assert_eq!(decoded(&mixes), rows);
        let nothing = [
            row(Dimension::PointsUsed, MixValue::Flag(false), 3, 4),
            row(Dimension::Country, MixValue::Unknown, 3, 4),
        ];
        assert!(EncodedMixes::new(&nothing).is_empty() && EncodedMixes::new(&[]).is_empty());
    }

    #[test]
    fn mixes_of_other_rows_are_found() {
        let mixes = EncodedMixes::new(&ten());
        for totals in [(9, 700), (11, 700), (10, 701)] {
            assert!(check(&mixes.0, totals).is_err(), "{totals:?}");
        }
    }

    #[test]
    fn mixes_cut_or_changed_anywhere_are_found_or_read() {
        let mixes = EncodedMixes::new(&ten());
        for len in 0..mixes.0.len() {
            assert!(check(&mixes.0[..len], (10, 700)).is_err(), "length {len}");
        }
        for at in 0..mixes.0.len() {
            for byte in 0..=u8::MAX {
                let mut forged = mixes.0.clone();
                forged[at] = byte;
                // Texts and values may be others; nothing may panic.
                let _other = check(&forged, (10, 700));
            }
        }
    }

    #[test]
    fn dimensions_have_the_names_of_fields() {
        let names: std::collections::BTreeSet<&str> =
            Dimension::ALL.iter().map(|it| it.as_str()).collect();
        assert_eq!(names.len(), DIMENSIONS);
        assert!(Dimension::ALL.is_sorted());
    }
}
