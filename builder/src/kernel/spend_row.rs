//! The rows of the exchanges of what cards spend: by card, and back by store.

use bytemuck::{Pod, Zeroable};
use nightshard_format::calendar::Month;

use super::{
    card_order::ByCard,
    row::{CARD_SHIFT, StoreOrdinal},
    store_partition::CARD_PARTITION_BITS,
};

/// What a card spent at a store in a month: the net sum of its rows there, in minor units.
///
/// # Shape
/// Ordered by card, then month, then where: on the way to cards that is the store, then its number among
/// [`super::store_cells::StoreCells`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub struct SpendRow {
    high: u64,
    low: u64,
    sum: i64,
}

const _: () = assert!(size_of::<SpendRow>() == 24);

const WHERE_BITS: u32 = u32::BITS;
const MONTH_BITS: u32 = CARD_SHIFT - WHERE_BITS;

impl SpendRow {
    /// Makes the row of what is kept of a card's pseudonym. A sum beyond 2^63 is the nearest that there is.
    pub(super) fn new(card: u128, month: Month, store: StoreOrdinal, sum: i128) -> Self {
        let months = u128::from(month.0.unsigned_abs());
        let bits = card << CARD_SHIFT | months << WHERE_BITS | u128::from(store.bits());
        let word = |value: u128| u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
        Self {
            high: word(bits >> u64::BITS),
            low: word(bits),
            sum: nearest(sum),
        }
    }

    /// Returns the partition of the exchange by card.
    pub(super) fn partition(self) -> u16 {
        u16::try_from(self.high >> (u64::BITS - CARD_PARTITION_BITS)).unwrap_or(u16::MAX)
    }

    /// Returns the month.
    #[must_use]
    pub fn month(self) -> Month {
        let month = (self.low >> WHERE_BITS) & ((1 << MONTH_BITS) - 1);
        Month(i32::try_from(month).unwrap_or(0))
    }

    /// Returns the store, or its number.
    pub(super) fn place(self) -> u32 {
        u32::try_from(self.low & u64::from(u32::MAX)).unwrap_or(0)
    }

    /// Returns the store of a row that comes from one.
    pub(super) fn store(self) -> StoreOrdinal {
        StoreOrdinal::of_bits(self.place())
    }

    /// Puts the store's number in its place.
    pub(super) fn with_number(mut self, number: u32) -> Self {
        self.low = self.low >> WHERE_BITS << WHERE_BITS | u64::from(number);
        self
    }

    /// Returns the sum.
    pub(super) fn sum(self) -> i128 {
        self.sum.into()
    }

    /// Adds what the same card spent in the same month and place, and returns whether it is that. A sum beyond 2^63 is
    /// the nearest that there is.
    pub(super) fn add_same(&mut self, other: Self) -> bool {
        let is_same = self.bits() == other.bits();
        if is_same {
            self.sum = self.sum.saturating_add(other.sum);
        }
        is_same
    }
}

impl ByCard for SpendRow {
    const NONE: Self = Self {
        high: 0,
        low: 0,
        sum: 0,
    };

    fn bits(self) -> u128 {
        u128::from(self.high) << u64::BITS | u128::from(self.low)
    }
}

/// Stands for the store itself, where a merchant would be.
pub(super) const OWN: u32 = u32::MAX;

/// What cards of a store's month spent at one merchant's stores of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct ShareRow {
    store: u32,
    month: u32,
    /// The merchant, whose stores are others than this one, or [`OWN`].
    merchant: u32,
    /// Beside [`OWN`], the cards that spent something at other merchants than the store's.
    cards: u32,
    sum: i64,
}

const _: () = assert!(size_of::<ShareRow>() == 24);

impl ShareRow {
    /// Makes the row of one card. A sum beyond 2^63 is the nearest that there is.
    pub(super) fn new(
        (store, month): (StoreOrdinal, Month),
        merchant: u32,
        cards: u32,
        sum: i128,
    ) -> Self {
        Self {
            store: store.bits(),
            month: month.0.unsigned_abs(),
            merchant,
            cards,
            sum: nearest(sum),
        }
    }

    pub(super) fn store(&self) -> StoreOrdinal {
        StoreOrdinal::of_bits(self.store)
    }

    pub(super) fn month(&self) -> Month {
        Month(i32::try_from(self.month).unwrap_or(0))
    }

    pub(super) fn merchant(&self) -> u32 {
        self.merchant
    }

    pub(super) fn cards(&self) -> u64 {
        self.cards.into()
    }

    pub(super) fn sum(&self) -> i128 {
        self.sum.into()
    }

    /// Returns store, month and merchant as one integer of their order.
    pub(super) fn key(&self) -> u128 {
        u128::from(self.store) << 64 | u128::from(self.month) << 32 | u128::from(self.merchant)
    }

    /// Adds a row of the same key, and returns whether both fit one.
    pub(super) fn absorb(&mut self, other: &Self) -> bool {
        let cards = self.cards.checked_add(other.cards);
        let sums = cards.zip(self.sum.checked_add(other.sum));
        if let Some(sums) = sums {
            (self.cards, self.sum) = sums;
        }
        sums.is_some()
    }
}

/// Returns a sum, or the nearest that a row can have.
fn nearest(sum: i128) -> i64 {
    let limit = if sum < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(sum).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use nightshard_format::calendar::Day;

    use super::*;
    use crate::kernel::row::DAYS;

    #[test]
    fn rows_keep_their_parts_and_order() {
        let store = |number| StoreOrdinal::new(1023, number).unwrap();
        let months = [*DAYS.start(), *DAYS.end()].map(|day| Day(day).month());
        let mut rows = Vec::new();
        for card in [1, u128::MAX >> CARD_SHIFT] {
            for month in months {
                for number in [0, (1 << 22) - 1] {
                    let row = SpendRow::new(card, month, store(number), -5);
                    assert_eq!(
                        (row.month(), row.store(), row.sum()),
                        (month, store(number), -5)
                    );
                    assert_eq!(row.bits() >> CARD_SHIFT, card);
                    let numbered = row.with_number(7);
                    assert_eq!((numbered.month(), numbered.place()), (month, 7));
                    assert!(numbered.is_same_card(row));
                    rows.push(row);
                }
            }
        }
        assert!(rows.is_sorted());
        assert!(!rows[0].is_same_card(rows[7]));
    }

    #[test]
    fn sums_that_do_not_fit_stay_apart_or_are_the_nearest() {
        let month = Day(0).month();
        let store = StoreOrdinal::new(0, 0).unwrap();
        assert_eq!(
            SpendRow::new(1, month, store, i128::MIN).sum(),
            i64::MIN.into()
        );
        let row = |cards, sum| ShareRow::new((store, month), 3, cards, sum);
        let most = row(1, i128::MAX);
        assert_eq!(most.sum(), i64::MAX.into());
        let mut all = row(2, -7);
        assert!(all.absorb(&most));
        assert_eq!((all.cards(), all.sum()), (3, i128::from(i64::MAX) - 7));
        assert!(!all.absorb(&row(0, 8)));
        assert!(!all.absorb(&row(u32::MAX, 0)));
        assert_eq!((all.cards(), all.sum()), (3, i128::from(i64::MAX) - 7));
    }
}
