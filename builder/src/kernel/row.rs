//! The row of the exchange by store, and the packed forms that are sorted.

use std::ops::RangeInclusive;

use bytemuck::{Pod, Zeroable};
use nightshard_format::histogram::AMOUNT_MINOR_MAX;

/// The business days that a row may have: 1970-01-01 to 2099-12-31, so that a day is 16 bits.
pub const DAYS: RangeInclusive<i32> = 0..=47_481;

/// What is kept of a transaction.
///
/// # Shape
/// Gigabytes of these are written, read and spilled each night, so every bit is spoken for: the
/// card and the day are packed as [`CardDay`], the amount shares a word with a part of the
/// tx_id's hash. 80 bits tell tx_ids of a store apart, 32 bits more the content of rows with one
/// tx_id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StoreRow {
    card_day: CardDay,
    tx_low: u64,
    amount_tx_high: u64,
    /// File ordinal and line, see [`pack_location`].
    pub location: u64,
    /// Hash of everything that the layout maps.
    pub content: u32,
    /// Ordinal of the store's profile in the segment's dictionary.
    pub profile: u32,
}

const _: () = assert!(size_of::<StoreRow>() == 48);

/// A row before it is packed.
#[derive(Debug, Clone, Copy)]
pub struct RowParts {
    /// The card's pseudonym, or 0 if unknown.
    pub card: u128,
    /// Hash of tx_id, or 0 if the row has none.
    pub tx: u128,
    /// Hash of everything that the layout maps.
    pub content: u64,
    /// File ordinal and line, see [`pack_location`].
    pub location: u64,
    /// Minor units, at most [`AMOUNT_MINOR_MAX`] from zero.
    pub amount: i64,
    /// Business day in [`DAYS`].
    pub day: i32,
}

impl StoreRow {
    /// Packs a row of a profile.
    #[must_use]
    pub fn new(parts: &RowParts, profile: u32) -> Self {
        let tx_low = low_word(parts.tx);
        let tx_high = low_word(parts.tx >> 64) << AMOUNT_BITS;
        // Whatever the hash, a row with a tx_id must not look like one without.
        let tx_low = if parts.tx == 0 { 0 } else { tx_low.max(1) };
        Self {
            card_day: CardDay::new(parts.card, parts.day),
            tx_low,
            amount_tx_high: tx_high | (parts.amount + AMOUNT_BIAS).cast_unsigned(),
            location: parts.location,
            content: u32::try_from(parts.content >> 32).unwrap_or(0),
            profile,
        }
    }

    /// Returns the row under another ordinal of its profile.
    #[must_use]
    pub fn with_profile(self, profile: u32) -> Self {
        Self { profile, ..self }
    }

    /// Returns the packed hash of tx_id, or `None` if the row has none.
    #[must_use]
    pub fn tx(&self) -> Option<u128> {
        let high = u128::from(self.amount_tx_high >> AMOUNT_BITS) << 64;
        (self.tx_low != 0).then(|| high | u128::from(self.tx_low))
    }

    /// Returns the day and the amount.
    #[must_use]
    pub fn day_amount(&self) -> DayAmount {
        let day = u64::from(self.card_day.day().cast_unsigned());
        DayAmount((day << AMOUNT_BITS) | (self.amount_tx_high & AMOUNT_MASK))
    }

    /// Returns the day, counted from the first of [`DAYS`].
    #[must_use]
    pub fn day(&self) -> u16 {
        self.card_day.day_of_all()
    }

    /// Returns the card and the day; the card may be unknown.
    #[must_use]
    pub fn card_day(&self) -> CardDay {
        self.card_day
    }
}

fn low_word(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0)
}

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
const AMOUNT_MASK: u64 = (1 << AMOUNT_BITS) - 1;
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
        (self.0 & AMOUNT_MASK).cast_signed() - AMOUNT_BIAS
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
    /// No card on the first of all days.
    pub const NONE: Self = Self(0);

    /// Packs a card and a day.
    #[must_use]
    pub fn new(card: u128, day: i32) -> Self {
        Self((card & !DAY_MASK) | (u128::from(day.cast_unsigned()) & DAY_MASK))
    }

    /// Returns the day.
    #[must_use]
    pub fn day(self) -> i32 {
        i32::from(self.day_of_all())
    }

    fn day_of_all(self) -> u16 {
        u16::try_from(self.0 & DAY_MASK).unwrap_or(u16::MAX)
    }

    /// Returns whether the card is known.
    #[must_use]
    pub fn has_card(self) -> bool {
        self.0 > DAY_MASK
    }

    /// Returns what is kept of the card's pseudonym.
    #[must_use]
    pub fn card(self) -> u128 {
        self.0 >> DAY_MASK.count_ones()
    }

    /// Returns whether both are of one card.
    #[must_use]
    pub fn is_same_card(self, other: Self) -> bool {
        (self.0 ^ other.0) <= DAY_MASK
    }

    /// Returns bits of the card that are none of [`CardDay::top_bits`], to place it in a table.
    #[must_use]
    pub fn middle_bits(self) -> usize {
        usize::try_from(self.0 >> 48 & u128::from(u64::MAX)).unwrap_or(0)
    }

    /// Returns the next `bits` bits of the card, at most 16, below the top `top` bits.
    #[must_use]
    pub fn bits_below_top(self, top: u32, bits: u32) -> usize {
        let mask = (1 << bits) - 1;
        usize::try_from((self.0 >> (128 - top - bits)) & mask).unwrap_or(0)
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

    #[test]
    fn a_row_keeps_its_parts() {
        let parts = RowParts {
            card: u128::MAX << 16,
            tx: (0xabcd << 64) | 77,
            content: u64::MAX,
            location: 5,
            amount: -AMOUNT_MINOR_MAX,
            day: *DAYS.end(),
        };
        let row = StoreRow::new(&parts, 9);
        assert_eq!(row.tx(), Some(parts.tx));
        let pair = row.day_amount();
        assert_eq!((pair.day(), pair.amount()), (parts.day, parts.amount));
        assert_eq!(row.card_day(), CardDay::new(parts.card, parts.day));
        assert_eq!(i32::from(row.day()), parts.day);
        assert!(row.card_day().has_card());
        let unknown = StoreRow::new(
            &RowParts {
                card: 0,
                tx: 0,
                ..parts
            },
            9,
        );
        assert_eq!((unknown.tx(), unknown.card_day().has_card()), (None, false));
        assert!(
            StoreRow::new(
                &RowParts {
                    tx: 1 << 70,
                    ..parts
                },
                9
            )
            .tx()
            .is_some()
        );
    }
}
