//! The canonical transaction: what every source is turned into at the door.

use crate::source::Texts;

/// Longest text of an id, a category or a region, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;

/// One canonical transaction, borrowed from the block it was read from.
///
/// # Shape
/// All texts are UTF-8 without surrounding ASCII white space; ids, category and region are at
/// most [`TEXT_BYTES_MAX`] bytes long and hold no ASCII control character.
// No `Debug`: a card number must not reach a log.
#[derive(Clone, Copy)]
pub struct Transaction<'a> {
    /// The source's id of the transaction; empty when there is none.
    pub tx_id: &'a [u8],
    /// The store; never empty.
    pub store_id: &'a [u8],
    /// The card as the source names it; empty when unknown.
    pub card_id: &'a [u8],
    /// Local calendar date, days since 1970-01-01.
    pub day: i32,
    /// Seconds since local midnight; `None` for a row that has only a date.
    pub second_of_day: Option<u32>,
    /// Seconds since 1970-01-01T00:00:00Z, where the time was written with its offset from UTC.
    pub utc_second: Option<i64>,
    /// Amount in minor units, negative for a refund; at most
    /// [`nightshard_format::histogram::AMOUNT_MINOR_MAX`] either way.
    pub amount_minor: i64,
    /// ISO 4217 code: three upper-case ASCII letters.
    pub currency: &'a [u8],
    /// Category id; empty when unknown.
    pub category: &'a [u8],
    /// Region id; empty when unknown.
    pub region: &'a [u8],
    /// Months of instalment, 0 or 1 for a lump sum; `None` when unknown.
    pub installments: Option<u16>,
    /// Whether loyalty points paid a part.
    pub points_used: bool,
    /// Everything else that the layout maps or carries.
    pub texts: Texts<'a>,
    /// Keyed hash of category, region and currency.
    pub profile: u64,
    /// Keyed hash of what the row says of how it was paid, by
    /// [`nightshard_format::record::Dimension`]; 0 if it says nothing.
    pub mix: u64,
    /// Keyed hash of what the row says of who paid, by [`nightshard_format::record::Attribute`]; 0 if it says
    /// nothing.
    pub cardholder: u64,
    /// Whether a text is there that may say when it settles, what was kept or paid out, or how many points were used.
    pub says_settlement: bool,
    /// Keyed hash of the canonical value of every mapped field: equal for equal content,
    /// whatever the order of columns, the quoting or the spelling of numbers and dates. 0 for a
    /// row without tx_id, which is compared with no other.
    pub content: u64,
}
