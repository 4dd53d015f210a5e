//! The rows of a store, put in the order of their cards: when each one came, and what it bought for.

use nightshard_format::calendar::{Day, Month};

use super::{
    row::{CARD_SHIFT, CardDay},
    store_order::Unordered,
};

/// A card on a day with at least one sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) day: Day,
    pub(super) month: Month,
    /// The sum of the sales, in minor units.
    pub(super) sales: u128,
}

/// Puts sales in the order of their cards. Its memory serves one store after the other.
#[derive(Debug, Default)]
pub(super) struct CardVisits {
    sales: Vec<CardSale>,
    visits: Vec<Visit>,
}

impl CardVisits {
    /// Passes the visits of each known card, whose days ascend, to `visit`, in the order of cards.
    pub(super) fn each(&mut self, rows: Unordered<'_>, mut visit: impl FnMut(&[Visit])) {
        let Self { sales, visits } = self;
        let of_rows = (0..).zip(rows.card_days);
        let of_rows = of_rows.filter(|(_, it)| it.has_card() && it.is_sale());
        sales.clear();
        sales.extend(of_rows.map(|(row, card_day)| CardSale::new(*card_day, row)));
        sales.sort_unstable();
        for of_card in sales.chunk_by(|a, b| a.card() == b.card()) {
            visits.clear();
            for sale in of_card {
                let amount = rows.amounts[sale.row()].amount();
                add_sale(visits, sale.day(), amount.unsigned_abs().into());
            }
            visit(visits);
        }
    }
}

/// Adds a sale to visits that are not later.
fn add_sale(visits: &mut Vec<Visit>, day: Day, amount: u128) {
    match visits.last_mut() {
        Some(visit) if visit.day == day => visit.sales += amount,
        _ => visits.push(Visit {
            day,
            month: day.month(),
            sales: amount,
        }),
    }
}

/// A card, a day, and the row of a sale as one integer of the same order.
///
/// Integers are half as long as sales with their amounts, and sort in half the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CardSale(u128);

const ROW_BITS: u32 = u32::BITS;
const DAY_BITS: u32 = 16;
const _: () = assert!(ROW_BITS + DAY_BITS < CARD_SHIFT);

impl CardSale {
    fn new(card_day: CardDay, row: u32) -> Self {
        let day = u128::from(card_day.day().cast_unsigned()) << ROW_BITS;
        Self(card_day.card() << (ROW_BITS + DAY_BITS) | day | u128::from(row))
    }

    fn card(self) -> u128 {
        self.0 >> (ROW_BITS + DAY_BITS)
    }

    fn day(self) -> Day {
        let day = (self.0 >> ROW_BITS) & ((1 << DAY_BITS) - 1);
        Day(i32::try_from(day).unwrap_or(i32::MAX))
    }

    fn row(self) -> usize {
        usize::try_from(self.0 & u128::from(u32::MAX)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::kernel::row::{DAYS, DayAmount};

    proptest! {
        #[test]
        fn each_card_comes_once_with_its_sales_by_day(
            given in prop::collection::vec((0_u128..6, DAYS, -3_i64..9), 0..60),
        ) {
            let amounts: Vec<_> =
                given.iter().map(|(_, day, amount)| DayAmount::new(*day, *amount)).collect();
            let card_of = |card: u128| card << 100;
            let cards: Vec<_> = given
                .iter()
                .map(|(card, day, amount)| CardDay::new(card_of(*card), *day, *amount > 0))
                .collect();
            let mut expected = BTreeMap::<u128, BTreeMap<i32, u128>>::new();
            for (card, day, amount) in &given {
                if *card > 0 && *amount > 0 {
                    let sales = expected.entry(*card).or_default().entry(*day).or_default();
                    *sales += u128::from(amount.unsigned_abs());
                }
            }
            let rows = Unordered { amounts: &amounts, hours: &[], card_days: &cards };
            let mut found: Vec<Vec<(i32, u128)>> = Vec::new();
            CardVisits::default().each(rows, |visits| {
                assert!(visits.iter().all(|visit| visit.month == visit.day.month()));
                found.push(visits.iter().map(|visit| (visit.day.0, visit.sales)).collect());
            });
            let expected: Vec<Vec<(i32, u128)>> =
                expected.into_values().map(|days| days.into_iter().collect()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
