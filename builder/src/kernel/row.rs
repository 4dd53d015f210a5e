//! The row of the exchange by store, and the packed forms that are sorted.

use std::ops::RangeInclusive;

use bytemuck::{Pod, Zeroable};
use nightshard_format::{histogram::AMOUNT_MINOR_MAX, key::PARTITIONS, record::HALF_HOURS};

use crate::{Error, Result};

use super::{card_order::ByCard, said::Said, sent_rows::SentRow};

/// The business days that a row may have: 1970-01-01 to 2099-12-31, so that a day is 16 bits.
pub const DAYS: RangeInclusive<i32> = 0..=47_481;

/// What is kept of a transaction.
///
/// # Shape
/// Gigabytes of these are written, read and spilled each night, so every bit is spoken for: 79
/// bits of the card's pseudonym, 64 of a hash that tells the tx_ids of a store apart, 26 of a hash
/// that tells the content of rows with one tx_id apart. Where a row was read is not kept: the few
/// rows that have to be named are found by reading the input again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct StoreRow {
    card_high: u64,
    tx: u64,
    amount_profile: u64,
    /// The rest of the card, and the day, as in [`CardDay`].
    card_day_low: u32,
    /// Hash of everything that the layout maps, and the half hour.
    content: u32,
}

const _: () = assert!(size_of::<StoreRow>() == 32);

/// A row before it is packed.
#[derive(Debug, Clone, Copy)]
pub struct RowParts {
    /// The card's pseudonym, or 0 if unknown.
    pub card: u128,
    /// Hash of tx_id, or 0 if the row has none.
    pub tx: u64,
    /// Hash of everything that the layout maps.
    pub content: u64,
    /// Minor units, at most [`AMOUNT_MINOR_MAX`] from zero.
    pub amount: i64,
    /// Business day in [`DAYS`].
    pub day: i32,
    /// Half hour of the clock, or [`UNKNOWN_HALF_HOUR`].
    pub half_hour: u8,
}

/// Stands for the half hour of a row whose time is not known.
pub const UNKNOWN_HALF_HOUR: u8 = (1 << HALF_HOUR_BITS) - 1;
const HALF_HOUR_BITS: u32 = 6;
const _: () = assert!(HALF_HOURS <= UNKNOWN_HALF_HOUR);

/// Returns the half hour of a time of the clock, in seconds since midnight.
#[must_use]
#[inline]
pub fn half_hour_of(second: Option<u32>) -> u8 {
    let half_hour = second.and_then(|second| u8::try_from(second / 1_800).ok());
    // A leap second belongs to the day's last half hour.
    half_hour.map_or(UNKNOWN_HALF_HOUR, |it| it.min(HALF_HOURS - 1))
}

const PROFILE_BITS: u32 = 16;

/// Returns the top bits of a hash, above those of a half hour.
fn content_bits(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0) >> HALF_HOUR_BITS << HALF_HOUR_BITS
}

impl StoreRow {
    /// Packs a row of a profile, which is named by its ordinal in the segment's dictionary.
    #[must_use]
    #[inline]
    pub fn new(parts: &RowParts, profile: u16) -> Self {
        let (high, low) = CardDay::new(parts.card, parts.day, parts.amount > 0).halves();
        Self {
            card_high: high,
            tx: parts.tx,
            amount_profile: ((parts.amount + AMOUNT_BIAS).cast_unsigned() << PROFILE_BITS)
                | u64::from(profile),
            card_day_low: low,
            content: content_bits(parts.content) | u32::from(parts.half_hour),
        }
    }

    /// Returns the profile's ordinal in the segment's dictionary.
    #[must_use]
    pub fn profile(&self) -> u16 {
        u16::try_from(self.amount_profile & u64::from(u16::MAX)).unwrap_or(0)
    }

    /// Puts another ordinal in the place of the profile's.
    #[inline]
    fn with_profile(mut self, ordinal: u16) -> Self {
        self.amount_profile =
            self.amount_profile >> PROFILE_BITS << PROFILE_BITS | u64::from(ordinal);
        self
    }

    /// Returns the hash of tx_id, or `None` if the row has none.
    #[must_use]
    pub fn tx(&self) -> Option<u64> {
        (self.tx != 0).then_some(self.tx)
    }

    /// Returns a hash of everything that the layout maps, and the half hour as it is.
    #[must_use]
    pub fn content(&self) -> u32 {
        self.content
    }

    /// Returns the half hour of the clock, or [`UNKNOWN_HALF_HOUR`].
    #[must_use]
    pub fn half_hour(&self) -> u8 {
        u8::try_from(self.content & u32::from(UNKNOWN_HALF_HOUR)).unwrap_or(UNKNOWN_HALF_HOUR)
    }

    /// Returns the day and the amount.
    #[must_use]
    pub fn day_amount(&self) -> DayAmount {
        DayAmount((u64::from(self.day()) << AMOUNT_BITS) | (self.amount_profile >> PROFILE_BITS))
    }

    /// Returns the day, counted from the first of [`DAYS`].
    #[must_use]
    pub fn day(&self) -> u16 {
        u16::try_from((self.card_day_low >> 1) & u32::from(u16::MAX)).unwrap_or(0)
    }

    /// Returns the card, which may be unknown, and the day.
    #[must_use]
    pub fn card_day(&self) -> CardDay {
        CardDay::of_halves(self.card_high, self.card_day_low)
    }
}

/// A row whose profile is named by its ordinal in the whole partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct PartitionRow {
    /// The row; where its own ordinal of a profile was, there is that of who paid.
    pub row: StoreRow,
    /// The profile's ordinal.
    pub profile: u32,
    /// What the row says beside who paid.
    mix_and_marks: u32,
}

const _: () = assert!(size_of::<PartitionRow>() == 40);

impl PartitionRow {
    /// Names the profile of a row that was sent.
    #[must_use]
    #[inline]
    pub(super) fn new(sent: &impl SentRow, profile: u32) -> Self {
        let said = sent.said();
        Self {
            row: sent.row().with_profile(said.cardholder()),
            profile,
            mix_and_marks: said.mix_and_marks(),
        }
    }

    /// Returns what the row says beside what every row does.
    #[inline]
    pub(super) fn said(&self) -> Said {
        Said::of_parts(self.mix_and_marks, self.row.profile())
    }
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

/// A card and a day as one integer, ordered by card, then day, a sale before what is none.
///
/// 79 bits of its pseudonym tell a card apart, which leaves a collision among 10^9 cards a chance
/// of 8 * 10^-7. Then come 32 bits that are zero, the day, and a bit that says whether the row is
/// no sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardDay(u128);

/// Bits below those of the card.
pub(super) const CARD_SHIFT: u32 = 49;
const DAY_MASK: u128 = 0x1_ffff;
const LOW_BITS: u32 = 17;

impl CardDay {
    /// No card on the first of all days.
    pub const NONE: Self = Self(0);

    /// Packs a card and a day, and whether there is a sale.
    #[must_use]
    #[inline]
    pub fn new(card: u128, day: i32, is_sale: bool) -> Self {
        let card = card >> CARD_SHIFT << CARD_SHIFT;
        let day = u128::from(day.cast_unsigned()) << 1 | u128::from(!is_sale);
        Self(card | (day & DAY_MASK))
    }

    /// Packs a place in the manner of a card, so that what remembers cards remembers places.
    #[must_use]
    #[inline]
    pub fn of_place(place: u32, day: i32, is_sale: bool) -> Self {
        Self::new((u128::from(place) + 1) << CARD_SHIFT, day, is_sale)
    }

    /// Returns the bits that are not always zero: the high word, the rest of the card and the day.
    fn halves(self) -> (u64, u32) {
        let word = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
        let low = (word(self.0) >> 32) | word(self.0 & DAY_MASK);
        (word(self.0 >> 64), u32::try_from(low).unwrap_or(0))
    }

    fn of_halves(high: u64, low: u32) -> Self {
        let card = u64::from(low >> LOW_BITS) << CARD_SHIFT;
        let day = u64::from(low) & ((1 << LOW_BITS) - 1);
        Self((u128::from(high) << 64) | u128::from(card | day))
    }

    /// Returns the day.
    #[must_use]
    pub fn day(self) -> i32 {
        i32::from(u16::try_from((self.0 & DAY_MASK) >> 1).unwrap_or(u16::MAX))
    }

    /// Returns whether there is a sale.
    #[must_use]
    pub fn is_sale(self) -> bool {
        self.0 & 1 == 0
    }

    /// Returns whether the card is known.
    #[must_use]
    pub fn has_card(self) -> bool {
        self.0 > DAY_MASK
    }

    /// Returns what is kept of the card's pseudonym.
    #[must_use]
    pub fn card(self) -> u128 {
        self.0 >> CARD_SHIFT
    }

    /// Returns whether both are of one card.
    #[must_use]
    pub fn is_same_card(self, other: Self) -> bool {
        (self.0 ^ other.0) <= DAY_MASK
    }

    /// Returns whether both are of one card and one day, sales or not.
    #[must_use]
    pub fn is_same_day(self, other: Self) -> bool {
        (self.0 ^ other.0) <= 1
    }

    /// Returns bits of the card that are none of [`CardDay::top_bits`], to place it in a table.
    #[must_use]
    pub fn middle_bits(self) -> usize {
        usize::try_from(self.card() & u128::from(u64::MAX)).unwrap_or(0)
    }

    /// Returns the top `bits` bits of the card, at most 16.
    #[must_use]
    pub fn top_bits(self, bits: u32) -> u16 {
        u16::try_from(self.0 >> (128 - bits)).unwrap_or(u16::MAX)
    }
}

/// A store, by its place among those of its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreOrdinal(u32);

const STORE_INDEX_BITS: u32 = 22;
const _: () = assert!((PARTITIONS as u32 - 1) >> (32 - STORE_INDEX_BITS) == 0);

impl StoreOrdinal {
    /// Names the store of an index in a partition.
    ///
    /// # Errors
    /// [`Error::Internal`] if the partition has more than 4 million stores.
    pub fn new(partition: u16, index: usize) -> Result<Self> {
        let index = u32::try_from(index).ok();
        let index = index.filter(|index| index >> STORE_INDEX_BITS == 0);
        let index = index.ok_or_else(|| {
            Error::Internal(format!("partition {partition} has more than 2^22 stores"))
        })?;
        Ok(Self(u32::from(partition) << STORE_INDEX_BITS | index))
    }

    /// Returns it as an integer of the same order.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// Reads what [`StoreOrdinal::bits`] returned.
    pub(super) fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Returns the partition and the index in it.
    #[must_use]
    pub fn parts(self) -> (usize, usize) {
        let (partition, index) = (
            self.0 >> STORE_INDEX_BITS,
            self.0 & ((1 << STORE_INDEX_BITS) - 1),
        );
        (partition as usize, index as usize)
    }
}

/// A card's day, and 32 bits that say where: first which store, then which [`Leaf`] that is in. Ordered
/// by card, then day, a sale before what is none, then where.
///
/// [`Leaf`]: super::places::Leaf
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardVisit(u128);

/// A [`CardVisit`] of a store, as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct CardRow([u64; 2]);

const WHERE_BITS: u32 = 32;
const WHERE_MASK: u128 = (1 << WHERE_BITS) - 1;

impl CardVisit {
    fn new(card_day: CardDay, place: u32) -> Self {
        let day = card_day.0 & DAY_MASK;
        Self(card_day.card() << CARD_SHIFT | day << WHERE_BITS | u128::from(place))
    }

    /// Reads a row whose store is in a leaf on its day.
    #[must_use]
    pub fn of(row: CardRow, leaf_on: impl FnOnce(StoreOrdinal, i32) -> u32) -> Self {
        let visit = Self::at_store(row);
        let leaf = leaf_on(visit.store(), visit.day());
        Self(visit.0 & !WHERE_MASK | u128::from(leaf))
    }

    /// Reads a row as it is, of a store.
    #[must_use]
    pub fn at_store(CardRow([high, low]): CardRow) -> Self {
        Self(u128::from(high) << 64 | u128::from(low))
    }

    /// Returns the day.
    #[must_use]
    pub fn day(self) -> i32 {
        i32::from(u16::try_from((self.0 >> (WHERE_BITS + 1)) & u128::from(u16::MAX)).unwrap_or(0))
    }

    /// Returns whether there is a sale.
    #[must_use]
    pub fn is_sale(self) -> bool {
        self.0 >> WHERE_BITS & 1 == 0
    }

    /// Returns the leaf.
    #[must_use]
    pub fn leaf(self) -> u32 {
        u32::try_from(self.0 & WHERE_MASK).unwrap_or(0)
    }

    /// Returns the store, of a visit that was read as it is.
    #[must_use]
    pub fn store(self) -> StoreOrdinal {
        StoreOrdinal(self.leaf())
    }

    /// Returns whether both are of one card and one day, sales or not.
    #[must_use]
    pub fn is_same_day(self, other: Self) -> bool {
        (self.0 ^ other.0) >> (WHERE_BITS + 1) == 0
    }
}

impl ByCard for CardVisit {
    const NONE: Self = Self(0);

    fn bits(self) -> u128 {
        self.0
    }
}

impl CardRow {
    /// Packs a card's day at a store.
    #[must_use]
    #[inline]
    pub fn new(card_day: CardDay, StoreOrdinal(store): StoreOrdinal) -> Self {
        let CardVisit(visit) = CardVisit::new(card_day, store);
        let word = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
        Self([word(visit >> 64), word(visit)])
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
        let new = CardDay::new;
        let (early, late) = (new(card, 5, true), new(card, *DAYS.end(), false));
        assert!(early < late && early.is_same_card(late) && late.day() == *DAYS.end());
        assert!(early.is_sale() && !late.is_sale() && !early.is_same_day(late));
        assert!(early < new(card, 5, false) && early.is_same_day(new(card, 5, false)));
        assert!(!early.is_same_card(new(card ^ (1 << CARD_SHIFT), 5, true)));
        let store = StoreOrdinal::new(1_023, (1 << 22) - 1).unwrap();
        assert_eq!(store.parts(), (1_023, (1 << 22) - 1));
        assert!(StoreOrdinal::new(0, 1 << 22).is_err());
        let visit = |card_day: CardDay| {
            let leaf_on = |it, day| {
                assert_eq!((it, day), (store, card_day.day()));
                7
            };
            CardVisit::of(CardRow::new(card_day, store), leaf_on)
        };
        for card_day in [early, late] {
            let visit = visit(card_day);
            let parts = (visit.day(), visit.is_sale(), visit.leaf());
            assert_eq!(parts, (card_day.day(), card_day.is_sale(), 7));
        }
        let at_store = CardVisit::at_store(CardRow::new(late, store));
        assert_eq!((at_store.store(), at_store.day()), (store, late.day()));
        assert!(visit(early).is_same_card(visit(late)) && visit(early) < visit(late));
        assert!(!visit(early).is_same_day(visit(late)));
        assert!(visit(early).is_same_day(visit(new(card, 5, false))));
        assert_eq!(
            (early.top_bits(8), new(1 << 120, 0, true).top_bits(8)),
            (0xff, 1)
        );
    }

    #[test]
    fn half_hours_begin_at_midnight_and_end_with_the_day() {
        for (second, expected) in [(0, 0), (1_799, 0), (1_800, 1), (86_399, 47), (86_400, 47)] {
            assert_eq!(half_hour_of(Some(second)), expected);
        }
        assert_eq!(half_hour_of(None), UNKNOWN_HALF_HOUR);
    }

    #[test]
    fn a_row_keeps_its_parts() {
        let parts = RowParts {
            card: 0x0123_4567_89ab_cdef_1122 >> 1 << CARD_SHIFT,
            tx: u64::MAX,
            content: u64::MAX,
            amount: -AMOUNT_MINOR_MAX,
            day: *DAYS.end(),
            half_hour: 47,
        };
        let row = StoreRow::new(&parts, u16::MAX);
        assert_eq!((row.tx(), row.profile()), (Some(parts.tx), u16::MAX));
        assert_eq!((row.half_hour(), row.content() >> 6), (47, u32::MAX >> 6));
        let pair = row.day_amount();
        assert_eq!((pair.day(), pair.amount()), (parts.day, parts.amount));
        assert_eq!(row.card_day(), CardDay::new(parts.card, parts.day, false));
        assert_eq!(row.card_day().card(), parts.card >> CARD_SHIFT);
        assert_eq!(i32::from(row.day()), parts.day);
        assert!(row.card_day().has_card());
        let unknown = RowParts {
            card: 0,
            tx: 0,
            ..parts
        };
        let unknown = StoreRow::new(&unknown, 9);
        assert_eq!((unknown.tx(), unknown.card_day().has_card()), (None, false));
    }
}
