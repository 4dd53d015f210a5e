//! The rows of a store, put in the order of their cards: when each one came, what it bought for, and what it spent in
//! each month.

use nightshard_format::calendar::{Day, Month};

use super::{
    row::{CARD_SHIFT, CardDay},
    store_order::Unordered,
};
use crate::Result;

/// A card on a day with at least one sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) day: Day,
    pub(super) month: Month,
    /// The sum of the sales, in minor units.
    pub(super) sales: u128,
}

/// What a card did in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MonthSum {
    pub(super) month: Month,
    /// Its last day.
    last: Day,
    /// The net sum of all rows, in minor units.
    pub(super) sum: i128,
    /// The sum of the sales alone.
    pub(super) sales: u128,
}

/// What a known card did at a store.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfCard<'a> {
    /// What is kept of its pseudonym.
    pub(super) card: u128,
    /// By day; none if it has refunds alone.
    pub(super) visits: &'a [Visit],
    /// By month.
    pub(super) months: &'a [MonthSum],
}

/// Puts rows in the order of their cards. Its memory serves one store after the other.
#[derive(Debug, Default)]
pub(super) struct CardVisits {
    rows: Vec<CardDayRow>,
    visits: Vec<Visit>,
    months: Vec<MonthSum>,
}

impl CardVisits {
    /// Passes what each known card did to `card`, in the order of cards.
    ///
    /// # Errors
    /// That of `card`.
    pub(super) fn each(
        &mut self,
        rows: Unordered<'_>,
        mut card: impl FnMut(OfCard<'_>) -> Result<()>,
    ) -> Result<()> {
        let Self {
            rows: sorted,
            visits,
            months,
        } = self;
        let known = (0..).zip(rows.card_days);
        let known = known.filter(|(_, card_day)| card_day.has_card());
        sorted.clear();
        sorted.extend(known.map(|(row, card_day)| CardDayRow::new(*card_day, row)));
        sorted.sort_unstable();
        for of_card in sorted.chunk_by(|a, b| a.card() == b.card()) {
            visits.clear();
            months.clear();
            for row in of_card {
                let amount = rows.amounts[row.row()].amount();
                if amount > 0 {
                    add_sale(visits, row.day(), amount.unsigned_abs().into());
                }
                add_net(months, row.day(), amount.into());
            }
            card(OfCard {
                card: of_card[0].card(),
                visits,
                months,
            })?;
        }
        Ok(())
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

/// Adds a row to months that are not later.
fn add_net(months: &mut Vec<MonthSum>, day: Day, amount: i128) {
    let sales = u128::try_from(amount).unwrap_or(0);
    match months.last_mut() {
        Some(of_month) if day <= of_month.last => {
            of_month.sum += amount;
            of_month.sales += sales;
        }
        _ => {
            let month = day.month();
            months.push(MonthSum {
                month,
                last: month.days().last,
                sum: amount,
                sales,
            });
        }
    }
}

/// A card, a day, and which row it is as one integer of the same order.
///
/// Integers are half as long as rows with their amounts, and sort in half the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct CardDayRow(u128);

const ROW_BITS: u32 = u32::BITS;
const DAY_BITS: u32 = 16;
const _: () = assert!(ROW_BITS + DAY_BITS < CARD_SHIFT);

impl CardDayRow {
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
        fn each_card_comes_once_with_its_sales_by_day_and_its_sums_by_month(
            given in prop::collection::vec((0_u128..6, DAYS, -3_i64..9), 0..60),
        ) {
            let amounts: Vec<_> =
                given.iter().map(|(_, day, amount)| DayAmount::new(*day, *amount)).collect();
            let card_of = |card: u128| card << 100;
            let cards: Vec<_> = given
                .iter()
                .map(|(card, day, amount)| CardDay::new(card_of(*card), *day, *amount > 0))
                .collect();
            let mut expected = BTreeMap::<u128, (BTreeMap<i32, u128>, BTreeMap<Month, (i128, u128)>)>::new();
            for (card, day, amount) in given.iter().filter(|(card, _, _)| *card > 0) {
                let (days, months) = expected.entry(card_of(*card) >> CARD_SHIFT).or_default();
                if *amount > 0 {
                    *days.entry(*day).or_default() += u128::from(amount.unsigned_abs());
                }
                let (sum, sales) = months.entry(Day(*day).month()).or_default();
                *sum += i128::from(*amount);
                *sales += u128::from(amount.max(&0).unsigned_abs());
            }
            let rows = Unordered { amounts: &amounts, hours: &[], card_days: &cards };
            let mut found = Vec::new();
            let each = CardVisits::default().each(rows, |of| {
                assert!(of.visits.iter().all(|visit| visit.month == visit.day.month()));
                let days = of.visits.iter().map(|visit| (visit.day.0, visit.sales));
                let months = of.months.iter().map(|it| (it.month, (it.sum, it.sales)));
                found.push((of.card, (days.collect::<Vec<_>>(), months.collect::<Vec<_>>())));
                Ok(())
            });
            each.unwrap();
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(card, (days, months))| {
                    (card, (days.into_iter().collect(), months.into_iter().collect()))
                })
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
