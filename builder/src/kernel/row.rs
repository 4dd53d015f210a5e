//! The row of the exchange by store, and the packed forms that are sorted.

use std::ops::RangeInclusive;

use bytemuck::{Pod, Zeroable};
use nightshard_format::histogram::AMOUNT_MINOR_MAX;

/// The business days that a row may have: 1970-01-01 to 2099-12-31, so that a day is 16 bits.
pub const DAYS: RangeInclusive<i32> = 0..=47_481;

/// What is kept of a transaction: one cache line.
///
/// # Shape
/// `day` lies in [`DAYS`], `amount` at most [`AMOUNT_MINOR_MAX`] from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StoreRow {
    /// The card's pseudonym, or 0 if unknown.
    pub card: u128,
    /// Hash of tx_id, or 0 if the row has none.
    pub tx: u128,
    /// Hash of everything that the layout maps.
    pub content: u64,
    /// File ordinal and line, see [`pack_location`].
    pub location: u64,
    /// Minor units.
    pub amount: i64,
    /// Business day, since 1970-01-01.
    pub day: i32,
    /// Ordinal of the store's profile in the segment's dictionary.
    pub profile: u32,
}

const _: () = assert!(size_of::<StoreRow>() == 64);

const LINE_BITS: u32 = 40;

/// Packs where a row was read: 24 bits of file, 40 of line.
#[must_use]
pub fn pack_location(file: u32, line: u64) -> u64 {
    (u64::from(file) << LINE_BITS) | line.min((1 << LINE_BITS) - 1)
}

/// Returns (file ordinal, line).
#[must_use]
pub fn unpack_location(location: u64) -> (u32, u64) {
    let file = u32::try_from(location >> LINE_BITS).unwrap_or(u32::MAX);
    (file, location & ((1 << LINE_BITS) - 1))
}

/// A day and an amount as one integer of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayAmount(u64);

const AMOUNT_BITS: u32 = 48;
const AMOUNT_BIAS: i64 = 1 << (AMOUNT_BITS - 1);
const _: () = assert!(AMOUNT_MINOR_MAX < AMOUNT_BIAS);

impl DayAmount {
    /// Packs the day and the amount of a row.
    #[must_use]
    pub fn new(day: i32, amount: i64) -> Self {
        Self(
            (u64::from(day.cast_unsigned()) << AMOUNT_BITS)
                | (amount + AMOUNT_BIAS).cast_unsigned(),
        )
    }

    /// Returns the day.
    #[must_use]
    pub fn day(self) -> i32 {
        i32::try_from(self.0 >> AMOUNT_BITS).unwrap_or(i32::MAX)
    }

    /// Returns the amount.
    #[must_use]
    pub fn amount(self) -> i64 {
        (self.0 & ((1 << AMOUNT_BITS) - 1)).cast_signed() - AMOUNT_BIAS
    }
}

/// A card and a day as one integer, ordered by card, then day.
///
/// The day takes the place of the pseudonym's lowest 16 bits: 112 bits tell cards apart, which
/// leaves a collision among 10^9 cards a chance of 10^-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct CardDay(u128);

const DAY_MASK: u128 = 0xffff;

impl CardDay {
    /// Packs a card and a day.
    #[must_use]
    pub fn new(card: u128, day: i32) -> Self {
        Self((card & !DAY_MASK) | (u128::from(day.cast_unsigned()) & DAY_MASK))
    }

    /// Returns the day.
    #[must_use]
    pub fn day(self) -> i32 {
        i32::from(u16::try_from(self.0 & DAY_MASK).unwrap_or(u16::MAX))
    }

    /// Returns whether both are of one card.
    #[must_use]
    pub fn is_same_card(self, other: Self) -> bool {
        (self.0 ^ other.0) <= DAY_MASK
    }

    /// Returns the top `bits` bits of the card, at most 16.
    #[must_use]
    pub fn top_bits(self, bits: u32) -> u16 {
        u16::try_from(self.0 >> (128 - bits)).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_forms_keep_their_parts_and_order() {
        let amounts = [-AMOUNT_MINOR_MAX, -1, 0, 1, AMOUNT_MINOR_MAX];
        let days = [*DAYS.start(), 1, 20_000, *DAYS.end()];
        let packed: Vec<DayAmount> = days
            .iter()
            .flat_map(|day| amounts.iter().map(|amount| DayAmount::new(*day, *amount)))
            .collect();
        assert!(packed.is_sorted());
        for (index, pair) in packed.iter().enumerate() {
            assert_eq!(
                (pair.day(), pair.amount()),
                (days[index / 5], amounts[index % 5])
            );
        }
        let card = u128::MAX << 100;
        let (early, late) = (CardDay::new(card, 5), CardDay::new(card, *DAYS.end()));
        assert!(early < late && early.is_same_card(late) && late.day() == *DAYS.end());
        assert!(!early.is_same_card(CardDay::new(card ^ (1 << 16), 5)));
        assert_eq!(
            (early.top_bits(8), CardDay::new(1 << 120, 0).top_bits(8)),
            (0xff, 1)
        );
        assert_eq!(unpack_location(pack_location(7, 1 << 33)), (7, 1 << 33));
    }
}
