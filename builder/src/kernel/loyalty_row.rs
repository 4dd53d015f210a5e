//! What is counted of cards as a whole by place, in an exchange of its own.

use bytemuck::{Pod, Zeroable};
use nightshard_format::{calendar::Day, histogram::Cell, record::CardSales};

use super::card_periods::PeriodNumber;

/// What cards of a place and period have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InCommon {
    /// The class of their number of visits; those of periods without scores.
    Class(usize),
    /// Their last day and how many visits they have; those of periods with scores.
    Visits(Day, u64),
    /// What each bought for, likewise.
    Money(Cell),
    /// Until when they are regulars.
    RegularUntil(Day),
}

/// So many cards of a place and period that have something in common.
///
/// # Shape
/// Ordered by place, period and what they have in common, so that equal ones meet when sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub struct LoyaltyRow {
    /// Place, what is counted, kind and number of the period.
    at: u64,
    /// What they have in common.
    value: u64,
    cards: u64,
    /// What they bought for; of classes the last day of any.
    sum: u64,
}

const _: () = assert!(size_of::<LoyaltyRow>() == 32);

const KIND_SHIFT: u32 = u32::BITS;
const COUNT_SHIFT: u32 = KIND_SHIFT + 2;
const PLACE_SHIFT: u32 = COUNT_SHIFT + 2;
// There are fewer places than this; the market is one more.
const _: () = assert!(super::places::PLACES_MAX - 1 <= u64::MAX >> PLACE_SHIFT);

impl LoyaltyRow {
    /// Makes the row of a place by its number. A sum beyond 2^64 is the nearest that there is.
    pub(super) fn new(
        place: u32,
        period: PeriodNumber,
        in_common: InCommon,
        of: CardSales,
    ) -> Self {
        let (count, value) = match in_common {
            InCommon::Class(class) => (0, class as u64),
            InCommon::Visits(last, visits) => (1, day_bits(last) << u32::BITS | visits),
            InCommon::Money(cell) => (2, cell.low().unsigned_abs()),
            InCommon::RegularUntil(until) => (3, day_bits(until)),
        };
        let period = (period.kind as u64) << KIND_SHIFT | u64::from(period.number.unsigned_abs());
        Self {
            at: u64::from(place) << PLACE_SHIFT | count << COUNT_SHIFT | period,
            value,
            cards: of.cards,
            sum: u64::try_from(of.sales).unwrap_or(u64::MAX),
        }
    }

    /// Makes the row of one card by the class of its number of visits, of which the last is on a day.
    pub(super) fn of_class(place: u32, period: PeriodNumber, class: usize, last: Day) -> Self {
        let of = CardSales {
            cards: 1,
            sales: day_bits(last).into(),
        };
        Self::new(place, period, InCommon::Class(class), of)
    }

    /// Returns the number of the place.
    pub(super) fn place(self) -> usize {
        usize::try_from(self.at >> PLACE_SHIFT).unwrap_or(usize::MAX)
    }

    /// Returns the period.
    pub(super) fn period(self) -> PeriodNumber {
        let number = u32::try_from(self.at & u64::from(u32::MAX)).unwrap_or(0);
        PeriodNumber {
            kind: usize::try_from(self.at >> KIND_SHIFT & 3).unwrap_or(0),
            number: number.cast_signed(),
        }
    }

    /// Returns what the cards have in common.
    pub(super) fn in_common(self) -> InCommon {
        let low = self.value & u64::from(u32::MAX);
        match self.at >> COUNT_SHIFT & 3 {
            0 => InCommon::Class(usize::try_from(self.value).unwrap_or(0)),
            1 => InCommon::Visits(day_of(self.value >> u32::BITS), low),
            2 => InCommon::Money(Cell::of(i64::try_from(self.value).unwrap_or(i64::MAX))),
            _ => InCommon::RegularUntil(day_of(low)),
        }
    }

    /// Returns how many cards there are, and what they bought for.
    pub(super) fn of(self) -> CardSales {
        CardSales {
            cards: self.cards,
            sales: self.sum.into(),
        }
    }

    /// Returns the last day of any card, of a row of a class.
    pub(super) fn last(self) -> Day {
        day_of(self.sum)
    }

    /// Adds cards that have the same in common, and returns whether they have; sums beyond 2^64 stay apart.
    pub(super) fn add_same(&mut self, other: Self) -> bool {
        if (self.at, self.value) != (other.at, other.value) {
            return false;
        }
        let sum = match self.in_common() {
            InCommon::Class(_) => Some(self.sum.max(other.sum)),
            _ => self.sum.checked_add(other.sum),
        };
        let Some(sum) = sum else {
            return false;
        };
        self.sum = sum;
        self.cards += other.cards;
        true
    }
}

fn day_bits(day: Day) -> u64 {
    day.0.unsigned_abs().into()
}

fn day_of(bits: u64) -> Day {
    Day(i32::try_from(bits).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_parts_and_add_up_where_cards_have_the_same_in_common() {
        let of = |cards, sales| CardSales { cards, sales };
        let place = (1 << 28) - 1;
        for (kind, number) in [(0, 24_219), (1, 8_073), (2, 2_018), (3, 0)] {
            let period = PeriodNumber { kind, number };
            for in_common in [
                InCommon::Visits(Day(65_535), 65_536),
                InCommon::Money(Cell::of(123_456)),
                InCommon::RegularUntil(Day(65_900)),
            ] {
                let mut row = LoyaltyRow::new(place, period, in_common, of(2, 700));
                assert_eq!((row.place(), row.period()), (place as usize, period));
                assert_eq!(row.in_common(), in_common);
                assert!(row.add_same(row));
                assert_eq!(row.of(), of(4, 1_400));
                let most = LoyaltyRow::new(place, period, in_common, of(1, u64::MAX.into()));
                assert!(!row.add_same(most));
                assert!(!row.add_same(LoyaltyRow::of_class(place, period, 3, Day(9))));
                assert!(!row.add_same(LoyaltyRow::new(place - 1, period, in_common, of(2, 700))));
                assert_eq!(row.of(), of(4, 1_400));
            }
            let mut row = LoyaltyRow::of_class(place, period, 12, Day(17_600));
            assert!(row.add_same(LoyaltyRow::of_class(place, period, 12, Day(17_590))));
            assert_eq!((row.of().cards, row.last()), (2, Day(17_600)));
            assert_eq!(row.in_common(), InCommon::Class(12));
        }
    }
}
