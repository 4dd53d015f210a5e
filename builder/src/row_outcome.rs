//! What becomes of an input row: used, rejected for a reason or excluded by a rule.
//!
//! Every record that is neither a header nor blank ends as exactly one call of [`RowSink`], so
//! that the three add up to the rows read. Rejections and exclusions say where and why, never
//! what the row contained.

pub use crate::layout::Field;
use crate::transaction::Transaction;

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Ordinal of the file among the sorted inputs.
    pub file: u32,
    /// Physical line, from 1; a record with line breaks inside quotes counts by its first.
    pub line: u64,
}

/// Why a row is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The record has fewer fields than the header, or more that are not empty.
    WrongNumberOfFields,
    /// The header stands again among the rows.
    RepeatedHeader,
    /// The line is longer than a record may be.
    RecordTooLong,
    /// A quote that is not closed, and a field's end behind it, before the file ends or the record
    /// grows too long.
    QuoteNeverClosed,
    /// On the record's first line, something else than a delimiter or the line's end behind a
    /// closing quote.
    TextAfterQuote,
    /// The line is not one JSON object of texts and numbers.
    MalformedJson,
    /// Bytes that the layout's encoding does not allow.
    InvalidEncoding,
    /// A field that must be there is empty.
    Missing,
    /// A text longer than [`crate::transaction::TEXT_BYTES_MAX`].
    TooLong,
    /// A control character in an id, a category or a region.
    ControlCharacter,
    /// A date or time that no format of the layout reads, or that does not exist.
    ImpossibleDate,
    /// A business day before 1970-01-01 or after 2099-12-31.
    DateOutOfRange,
    /// A time with an offset from UTC under a layout that names no zone.
    OffsetWithoutZone,
    /// Not a number.
    NotANumber,
    /// More digits than the unit has, and the layout does not round.
    TooPrecise,
    /// A number beyond [`nightshard_format::histogram::AMOUNT_MINOR_MAX`].
    Overflow,
    /// Not three letters.
    NotACurrency,
    /// The id stands in the store with different content, so none of the rows is believed.
    ConflictingContent,
}

impl Reason {
    /// Returns the reason in the words of the quarantine file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongNumberOfFields => "wrong number of fields",
            Self::RepeatedHeader => "repeated header",
            Self::RecordTooLong => "record too long",
            Self::QuoteNeverClosed => "quote never closed",
            Self::TextAfterQuote => "text after a closing quote",
            Self::MalformedJson => "malformed JSON",
            Self::InvalidEncoding => "invalid encoding",
            Self::Missing => "missing",
            Self::TooLong => "too long",
            Self::ControlCharacter => "control character",
            Self::ImpossibleDate => "impossible date",
            Self::DateOutOfRange => "date out of range",
            Self::OffsetWithoutZone => "offset without a zone in the layout",
            Self::NotANumber => "not a number",
            Self::TooPrecise => "more digits than the unit has",
            Self::Overflow => "overflow",
            Self::NotACurrency => "not a currency code",
            Self::ConflictingContent => "one id with different content",
        }
    }
}

/// Why a sound row is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The status says that the payment was cancelled.
    Cancelled,
    /// The business day lies after the build's last day.
    AfterAsOf,
    /// The currency is not the build's and no rate converts it.
    OtherCurrency,
    /// The same row was read before.
    Duplicate,
}

impl Rule {
    /// Returns the rule's name in the manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::AfterAsOf => "after_as_of",
            Self::OtherCurrency => "other_currency",
            Self::Duplicate => "duplicate",
        }
    }
}

/// What is odd about a row that is kept all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Flag {
    /// A latitude beyond 90 degrees, or a longitude beyond 180.
    CoordinateOutOfRange,
    /// A fee, a deposit or a day of settlement that cannot be read.
    SettlementNotRead,
}

impl Flag {
    /// Returns the flag's name in the quality report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CoordinateOutOfRange => "coordinate_out_of_range",
            Self::SettlementNotRead => "settlement_not_read",
        }
    }
}

/// Takes the rows of a block in the order of the file.
pub trait RowSink {
    /// What may go wrong where the rows go.
    type Error;

    /// Takes a sound row.
    ///
    /// # Errors
    /// Whatever the sink cannot do; parsing stops there.
    fn transaction(&mut self, at: Location, row: &Transaction<'_>) -> Result<(), Self::Error>;

    /// Takes note of what a row holds that is excluded as cancelled; [`RowSink::excluded`] follows.
    ///
    /// # Errors
    /// As [`RowSink::transaction`].
    fn cancelled(&mut self, at: Location, row: &Transaction<'_>) -> Result<(), Self::Error> {
        let _nobody_asks = (at, row);
        Ok(())
    }

    /// Takes note of what is odd about the row that comes next.
    fn flagged(&mut self, flag: Flag) {
        let _nobody_asks = flag;
    }

    /// Takes note of a row that is rejected for `reason`, found in `field`.
    fn rejected(&mut self, at: Location, field: Field, reason: Reason);

    /// Takes note of a row that is left out by `rule`.
    fn excluded(&mut self, at: Location, rule: Rule);
}
