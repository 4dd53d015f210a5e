//! What each card spends in stores of one kind, sent back to each of these (docs/definitions.md, "Share of observed
//! spend").

use super::{
    spend_row::{OWN, ShareRow, SpendRow},
    store_cells::StoreCells,
};
use crate::{Result, exchange::Outbox};

/// A card of more stores of one kind in a month is nobody's customer, and would take as many rows as their square.
const STORES_MAX: usize = 64;

/// What a card spent at the stores of one merchant.
#[derive(Debug, Clone, Copy)]
struct OfMerchant {
    merchant: u32,
    sum: i128,
    /// Where its stores end.
    end: usize,
}

/// Finds out what cards spend at other stores of a kind, and sends it to the partitions of stores.
pub struct CardSpending<'a> {
    cells: &'a StoreCells,
    merchants: Vec<OfMerchant>,
    outbox: Outbox<ShareRow>,
}

impl<'a> CardSpending<'a> {
    /// Sends to `outbox`.
    #[must_use]
    pub fn new(cells: &'a StoreCells, outbox: Outbox<ShareRow>) -> Self {
        Self {
            cells,
            merchants: Vec::new(),
            outbox,
        }
    }

    /// Takes all that a card spent, in order; each store, which has its number, once for a month.
    ///
    /// # Errors
    /// As [`Outbox::push`].
    ///
    /// # Complexity
    /// Linear: of each store, month and kind there are at most as many rows as the bound of stores.
    pub fn card(&mut self, spent: &[SpendRow]) -> Result<()> {
        let cells = self.cells;
        let is_same = |a: &SpendRow, b: &SpendRow| {
            a.month() == b.month() && cells.store_of(a).is_same_cell(cells.store_of(b))
        };
        for of_cell in spent.chunk_by(is_same) {
            if of_cell.len() <= STORES_MAX {
                self.cell(of_cell)?;
            }
        }
        self.outbox.spill_if_full()?;
        Ok(())
    }

    /// Sends what the card spent in a month in the stores of one kind to each of them.
    fn cell(&mut self, spent: &[SpendRow]) -> Result<()> {
        let Self {
            cells,
            merchants,
            outbox,
        } = self;
        merchants.clear();
        let mut end = 0;
        let merchant_of = |row: &SpendRow| cells.store_of(row).merchant;
        for of_merchant in spent.chunk_by(|a, b| merchant_of(a) == merchant_of(b)) {
            end += of_merchant.len();
            merchants.push(OfMerchant {
                merchant: merchant_of(&of_merchant[0]),
                sum: of_merchant.iter().map(|row| row.sum()).sum(),
                end,
            });
        }
        let all: i128 = merchants.iter().map(|it| it.sum).sum();
        let mut start = 0;
        for own in merchants.iter() {
            // Who took back as much as it bought for elsewhere hides nobody.
            let hides = u32::from(all - own.sum > 0);
            for row in &spent[start..own.end] {
                let at = (cells.store_of(row).store, row.month());
                let (partition, _) = at.0.parts();
                let partition = u16::try_from(partition).unwrap_or(u16::MAX);
                outbox.push(partition, ShareRow::new(at, OWN, hides, row.sum()))?;
                for of in merchants.iter() {
                    let is_own = of.merchant == own.merchant;
                    let sum = if is_own { of.sum - row.sum() } else { of.sum };
                    if sum != 0 {
                        outbox.push(partition, ShareRow::new(at, of.merchant, 0, sum))?;
                    }
                }
            }
            start = own.end;
        }
        Ok(())
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<ShareRow> {
        self.outbox
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use nightshard_format::calendar::{Day, Month};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::{Exchanged, Scratch},
        kernel::row::StoreOrdinal,
    };

    fn store(number: usize) -> StoreOrdinal {
        StoreOrdinal::new(0, number).unwrap()
    }

    fn month(number: i32) -> Month {
        Month(Day(40).month().0 + number)
    }

    /// Merchant and region of each store, all of one category; of the last nothing is known.
    const STORES: [(u32, Option<&str>); 8] = [
        (7, Some("a")),
        (2, Some("b")),
        (7, Some("a")),
        (3, Some("a")),
        (2, Some("a")),
        (7, Some("b")),
        (9, Some("b")),
        (9, None),
    ];

    fn cells() -> StoreCells {
        let stores = (0..).zip(STORES);
        let stores = stores.map(|(number, (merchant, region))| {
            (store(number), merchant, region.zip(Some("food")))
        });
        StoreCells::of(stores, 1)
    }

    /// Returns what is sent of a card that spent so much, by store and month.
    fn sent(cells: &StoreCells, spent: &BTreeMap<(usize, i32), i64>) -> Vec<ShareRow> {
        let rows = spent.iter().filter_map(|((at, number), sum)| {
            let row = SpendRow::new(1 << 70, month(*number), store(*at), (*sum).into());
            cells.numbered(row)
        });
        let mut rows: Vec<SpendRow> = rows.collect();
        rows.sort_unstable();
        let outbox = Outbox::new(1, 1 << 20, &Scratch::new(&std::env::temp_dir()));
        let mut spending = CardSpending::new(cells, outbox);
        spending.card(&rows).unwrap();
        let sent = Exchanged::new(vec![spending.finish()]).unwrap();
        sent.take_rows(0).unwrap()
    }

    /// By store and month: what the card spent there, by merchant what it spent in other stores of the kind, and whether
    /// that is something at others than the store's own.
    type Found = BTreeMap<(usize, i32), (i128, BTreeMap<u32, i128>, u64)>;

    fn expected(spent: &BTreeMap<(usize, i32), i64>) -> Found {
        let known = spent.iter().filter(|((at, _), _)| STORES[*at].1.is_some());
        let of_store = known.map(|((own, number), sum)| {
            let (merchant, region) = STORES[*own];
            let mut elsewhere = BTreeMap::<u32, i128>::new();
            for ((at, other), sum) in spent {
                if at != own && other == number && STORES[*at].1 == region {
                    *elsewhere.entry(STORES[*at].0).or_default() += i128::from(*sum);
                }
            }
            let others = elsewhere.iter().filter(|(it, _)| **it != merchant);
            let hides = others.map(|(_, sum)| sum).sum::<i128>() > 0;
            elsewhere.retain(|_, sum| *sum != 0);
            (
                (*own, *number),
                (i128::from(*sum), elsewhere, u64::from(hides)),
            )
        });
        of_store.collect()
    }

    proptest! {
        #[test]
        fn each_store_is_told_of_all_others_of_its_kind(
            spent in prop::collection::btree_map((0_usize..8, 0_i32..3), -9_i64..30, 0..24),
        ) {
            let mut found = Found::new();
            for row in sent(&cells(), &spent) {
                let key = (row.store().parts().1, row.month().0 - month(0).0);
                let (own, elsewhere, cards) = found.entry(key).or_default();
                if row.merchant() == OWN {
                    (*own, *cards) = (row.sum(), row.cards());
                } else {
                    prop_assert_eq!(row.cards(), 0);
                    prop_assert!(elsewhere.insert(row.merchant(), row.sum()).is_none());
                }
            }
            prop_assert_eq!(found, expected(&spent));
        }
    }

    #[test]
    fn a_card_of_too_many_stores_of_a_kind_is_left_out_there() {
        let place = |number: u32| match number {
            0..=64 => Some(("a", "food")),
            _ => Some(("b", "food")),
        };
        let stores = (0..80).map(|number| (store(number as usize), number, place(number)));
        let cells = StoreCells::of(stores, 1);
        let stores_of = |all: std::ops::Range<usize>| {
            let spent: BTreeMap<_, _> = all.map(|at| ((at, 0), 1)).collect();
            let sent = sent(&cells, &spent);
            let stores = sent.iter().map(|row| row.store().parts().1);
            stores.collect::<BTreeSet<_>>()
        };
        assert_eq!(stores_of(0..64), (0..64).collect());
        assert_eq!(stores_of(0..65), BTreeSet::new());
        assert_eq!(stores_of(0..80), (65..80).collect());
    }
}
