//! Who pays at all stores together, in an exchange of stores' cells by month and attributes.

use std::collections::BTreeMap;

use bytemuck::{Pod, Zeroable};
use nightshard_format::{
    calendar::Month,
    record::{ATTRIBUTES, MarketCell, MarketDemographics},
};

use super::{
    cardholder::{CARDHOLDER_BITS, Cardholder, Cardholders, bits_of, of_bits},
    hiding::{Hiding, Part},
    month_cardholders::Figures,
    row::StoreOrdinal,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox, Visitor},
};

/// Partitions of the exchange: each is read whole.
pub const CELL_PARTITIONS: u16 = 1 << CELL_PARTITION_BITS;
const CELL_PARTITION_BITS: u32 = 7;

/// A month and who paid in it, ordered by month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct MonthCell(u64);

impl MonthCell {
    fn new(month: Month, cardholder: Cardholder) -> Self {
        let month = u64::from(month.0.unsigned_abs());
        Self(month << CARDHOLDER_BITS | bits_of(cardholder))
    }

    fn month(self) -> Month {
        Month(i32::try_from(self.0 >> CARDHOLDER_BITS).unwrap_or(0))
    }

    fn cardholder(self) -> Cardholder {
        of_bits(self.0)
    }

    /// Returns the partition: neighbours are in different ones, since months differ in size.
    fn partition(self) -> u16 {
        /// 2^64 over the golden ratio, which spreads what ascends.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let spread = self.0.wrapping_mul(SPREAD) >> (u64::BITS - CELL_PARTITION_BITS);
        u16::try_from(spread).unwrap_or(0)
    }
}

/// The cell of a store in a month.
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct CellRow {
    cell: u64,
    count: u64,
    sales: u64,
    cards: u64,
    seen: u64,
    store: u32,
    unused: u32,
}

/// Sends the cells of a store's month.
///
/// # Errors
/// As [`Outbox::push`].
pub(super) fn send(
    store: StoreOrdinal,
    month: Month,
    cells: &[(Cardholder, Figures)],
    outbox: &mut Outbox<CellRow>,
) -> Result<()> {
    for (cardholder, figures) in cells {
        let cell = MonthCell::new(month, *cardholder);
        let row = CellRow {
            cell: cell.0,
            count: figures.count,
            sales: figures.sales,
            cards: figures.cards,
            seen: figures.seen,
            store: store.bits(),
            unused: 0,
        };
        outbox.push(cell.partition(), row)?;
    }
    outbox.spill_if_full()?;
    Ok(())
}

/// What is told of all stores together in a month.
#[derive(Debug, Default)]
struct MarketMonth {
    /// Rows of all cells.
    count: u64,
    /// Those that may be told, with their rows.
    cells: BTreeMap<Cardholder, u64>,
    /// How many may not.
    hidden: u64,
}

impl MarketMonth {
    /// Returns the cells that are told, with their rows: where a single one may not be, the smallest of the others is
    /// not either, since the rest of all rows is that of both then.
    fn told(&self) -> impl Iterator<Item = (Cardholder, u64)> {
        let cells = self.cells.iter().map(|(cell, count)| (*cell, *count));
        let smallest = cells.clone().min_by_key(|(cell, count)| (*count, *cell));
        let smallest = smallest.filter(|_| self.hidden == 1);
        cells.filter(move |cell| Some(*cell) != smallest)
    }
}

/// What is told of all stores together, by month.
#[derive(Debug, Default)]
pub struct MarketCardholders {
    months: BTreeMap<Month, MarketMonth>,
}

impl MarketCardholders {
    /// Adds up one partition, in which all stores of a cell meet; `merchant_of` names whose a store is.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read.
    pub fn take(
        exchanged: &Exchanged<CellRow>,
        partition: u16,
        hiding: Option<Hiding>,
        merchant_of: impl Fn(StoreOrdinal) -> u32,
    ) -> Result<Self> {
        let mut rows = Rows(Vec::new());
        exchanged.take(partition, &mut rows)?;
        let Rows(mut rows) = rows;
        let whose = |row: &CellRow| (row.cell, merchant_of(StoreOrdinal::of_bits(row.store)));
        rows.sort_unstable_by_key(whose);
        let mut market = Self::default();
        for of_cell in rows.chunk_by(|a, b| a.cell == b.cell) {
            let cell = MonthCell(of_cell[0].cell);
            let of_merchants = of_cell.chunk_by(|a, b| whose(a) == whose(b));
            let merchants: Vec<OfMerchant> = of_merchants.map(OfMerchant::of).collect();
            let count = of_cell.iter().map(|row| row.count).sum();
            let month = market.months.entry(cell.month()).or_default();
            month.count += count;
            if hiding.is_none_or(|hiding| is_enough(&merchants, hiding)) {
                month.cells.insert(cell.cardholder(), count);
            } else {
                month.hidden += 1;
            }
        }
        Ok(market)
    }

    /// Adds those of another partition.
    pub fn merge(&mut self, other: Self) {
        for (month, of_month) in other.months {
            let into = self.months.entry(month).or_default();
            into.count += of_month.count;
            into.hidden += of_month.hidden;
            into.cells.extend(of_month.cells);
        }
    }

    /// Appends the record of a month in which so many stores have one.
    pub fn encode(&self, month: Month, stores: u64, cardholders: &Cardholders, out: &mut Vec<u8>) {
        let nothing = MarketMonth::default();
        let of_month = self.months.get(&month).unwrap_or(&nothing);
        let cells = of_month.told().map(|(cardholder, count)| {
            let mut at = 0..ATTRIBUTES;
            MarketCell {
                labels: cardholder.map(|place| cardholders.label(at.next().unwrap_or(0), place)),
                count,
            }
        });
        let market = MarketDemographics {
            stores,
            count: of_month.count,
            cells: cells.collect(),
        };
        market.encode(out);
    }
}

struct Rows(Vec<CellRow>);

impl Visitor<CellRow> for Rows {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[CellRow]) -> Result<()> {
        self.0.extend_from_slice(rows);
        Ok(())
    }
}

/// One merchant's part of a cell.
#[derive(Debug, Clone, Copy)]
struct OfMerchant {
    rows: u64,
    sales: u128,
    /// Most cards of one of its stores.
    cards: u64,
    /// Bits of the cards of all.
    seen: u64,
}

impl OfMerchant {
    fn of(stores: &[CellRow]) -> Self {
        Self {
            rows: stores.iter().map(|row| row.count).sum(),
            sales: stores.iter().map(|row| u128::from(row.sales)).sum(),
            cards: stores.iter().map(|row| row.cards).max().unwrap_or(0),
            seen: stores.iter().fold(0, |seen, row| seen | row.seen),
        }
    }
}

/// Returns whether a cell hides every card and every merchant, whichever one merchant knows its own part.
///
/// How many cards there are at several stores together is not known. There are at least as many as at one of them,
/// and as many as there are different bits.
fn is_enough(merchants: &[OfMerchant], hiding: Hiding) -> bool {
    let (mut seen, mut by_two) = (0, 0);
    let [mut most, mut second] = [0; 2];
    for of in merchants {
        by_two |= seen & of.seen;
        seen |= of.seen;
        second = second.max(of.cards.min(most));
        most = most.max(of.cards);
    }
    let without = |of: &OfMerchant| {
        let bits = (seen & !of.seen | by_two).count_ones();
        let cards = if of.cards == most { second } else { most };
        cards.max(bits.into())
    };
    let fewest = merchants.iter().map(without).min().unwrap_or(0);
    // Shares are told of rows, and sales say more of who is large.
    let by_sales = merchants.iter().map(|of| of.sales);
    let by_rows = merchants.iter().filter(|of| of.sales > 0);
    let by_rows = by_rows.map(|of| u128::from(of.rows));
    let part = |sales| Part { buyers: 0, sales };
    hiding.is_enough(fewest, by_sales.map(part)) && hiding.is_enough(fewest, by_rows.map(part))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_month_and_its_cardholder_are_kept_in_order() {
        let months = [Month(23_640), Month(25_559)];
        let cardholders = [[0, 0, 0], [0, 0, u16::MAX], [1, 2, 3], [u16::MAX; 3]];
        let keys = months.map(|month| cardholders.map(|it| MonthCell::new(month, it)));
        assert!(keys.as_flattened().is_sorted());
        for (month, of_month) in months.into_iter().zip(keys) {
            for (cardholder, key) in cardholders.into_iter().zip(of_month) {
                assert_eq!((key.month(), key.cardholder()), (month, cardholder));
                assert!(key.partition() < CELL_PARTITIONS);
            }
        }
    }

    /// A merchant of stores, each by its cards; all sell alike.
    fn merchant(stores: &[BTreeSet<u8>]) -> OfMerchant {
        let seen = |cards: &BTreeSet<u8>| {
            cards
                .iter()
                .fold(0, |seen, card| seen | 1_u64 << (card % 64))
        };
        OfMerchant {
            rows: 10,
            sales: 100,
            cards: stores
                .iter()
                .map(|cards| cards.len() as u64)
                .max()
                .unwrap_or(0),
            seen: stores.iter().map(seen).fold(0, |all, bits| all | bits),
        }
    }

    proptest! {
        #[test]
        fn what_is_told_has_k_cards_whichever_merchant_is_taken_out(
            cards in prop::collection::vec(
                prop::collection::vec(prop::collection::btree_set(0_u8..80, 0..9), 1..3), 6..9,
            ),
            k in 2_u64..12,
        ) {
            let merchants: Vec<_> = cards.iter().map(|stores| merchant(stores)).collect();
            let is_told = is_enough(&merchants, Hiding { k });
            let others_of = |taken: usize| {
                let others = cards.iter().enumerate().filter(|(at, _)| *at != taken);
                others.flat_map(|(_, stores)| stores.iter().flatten()).copied().collect()
            };
            let others: Vec<BTreeSet<u8>> = (0..cards.len()).map(others_of).collect();
            let is_enough = others.iter().all(|others| others.len() as u64 >= k);
            prop_assert!(is_enough || !is_told);
            // Where no two cards share a bit, the bits are the cards.
            if others.iter().flatten().all(|card| *card < 64) {
                prop_assert_eq!(is_told, is_enough);
            }
        }
    }

    #[test]
    fn a_single_hidden_cell_hides_the_smallest_of_the_others() {
        let told = |hidden| {
            let cells = [([1, 0, 0], 30), ([2, 0, 0], 20), ([3, 0, 0], 20)];
            let month = MarketMonth {
                count: 100,
                cells: cells.into(),
                hidden,
            };
            month.told().map(|(cell, _)| cell[0]).collect::<Vec<_>>()
        };
        assert_eq!(told(0), [1, 2, 3]);
        assert_eq!(told(1), [1, 3]);
        assert_eq!(told(2), [1, 2, 3]);
    }

    #[test]
    fn one_large_store_is_enough_cards_but_one_merchant_is_not_enough_merchants() {
        let many: BTreeSet<u8> = (0..40).collect();
        let few = BTreeSet::from([1]);
        let large = merchant(&[many]);
        let small = merchant(&[few]);
        let hiding = Hiding { k: 10 };
        assert!(is_enough(
            &[large, large, small, small, small, small],
            hiding
        ));
        assert!(!is_enough(
            &[large, small, small, small, small, small],
            hiding
        ));
        assert!(!is_enough(&[large, large, small, small, small], hiding));
        let busy = OfMerchant { rows: 100, ..large };
        assert!(!is_enough(
            &[busy, large, small, small, small, small],
            hiding
        ));
    }
}
