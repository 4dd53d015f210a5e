//! Whose the rows of a cell are, and whether they hide each other.

use nightshard_format::privacy::OTHER_MERCHANTS_MIN;

use super::{
    hiding::{Hiding, Part},
    place_cardholders::CellRow,
};

/// One merchant's part of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OfMerchant {
    pub(super) rows: u64,
    pub(super) sales: u128,
    /// Most cards of one of its stores.
    pub(super) cards: u64,
    /// Bits of the cards of all.
    pub(super) seen: u64,
    /// The merchant's own bit, which another one may have, too.
    pub(super) mark: u64,
}

impl OfMerchant {
    /// Begins with nothing of a merchant that has a bit.
    pub(super) fn new(mark: u64) -> Self {
        Self {
            rows: 0,
            sales: 0,
            cards: 0,
            seen: 0,
            mark,
        }
    }

    /// Adds the cell of one of its stores.
    pub(super) fn add(&mut self, row: &CellRow) {
        self.rows += row.count;
        self.sales += u128::from(row.sales);
        self.cards = self.cards.max(row.cards);
        self.seen |= row.seen;
    }
}

/// Cards that are there for certain, whichever one merchant's are taken out.
#[derive(Debug, Clone, Copy)]
struct Certain {
    /// How many.
    cards: u64,
    /// Bits that cards of two merchants have.
    by_two: u64,
}

impl Certain {
    /// Counts those of a cell.
    ///
    /// How many cards there are at several stores together is not known. There are at least as many as at one of them,
    /// and as many as there are different bits.
    fn of(merchants: &[OfMerchant]) -> Self {
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
        Self {
            cards: merchants.iter().map(without).min().unwrap_or(0),
            by_two,
        }
    }
}

/// Returns whether a cell hides every card and every merchant, whichever one merchant knows its own part.
pub(super) fn is_enough(merchants: &[OfMerchant], hiding: Hiding) -> bool {
    let fewest = Certain::of(merchants).cards;
    // Shares are told of rows, and sales say more of who is large.
    let sellers = merchants.iter().filter(|of| of.sales > 0);
    let parts = sellers.map(|of| Part {
        buyers: 0,
        rows: of.rows,
        net: of.sales.try_into().unwrap_or(i128::MAX),
    });
    hiding.is_enough(fewest, parts)
}

/// What is known of the merchants of several cells together, without keeping whose each row is: it errs towards hiding.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rest {
    rows: Bound,
    sales: Bound,
    /// Bits of the merchants that have sales.
    sellers: u64,
    /// Cards that are there whichever one merchant's are taken out.
    cards: u64,
    /// Bits that cards of two merchants of one of the cells have.
    by_two: u64,
}

/// Something that merchants have parts of.
#[derive(Debug, Clone, Copy, Default)]
struct Bound {
    /// All that merchants with sales have, or less.
    all: u128,
    /// Twice what one merchant has and what another one has, of any two, or more.
    of_three: u128,
}

impl Bound {
    fn of(parts: impl Iterator<Item = (u128, bool)>) -> Self {
        let (mut all, mut largest, mut second) = (0, 0_u128, 0_u128);
        for (part, sells) in parts {
            second = second.max(part.min(largest));
            largest = largest.max(part);
            all += if sells { part } else { 0 };
        }
        Self {
            all,
            of_three: largest * 2 + second,
        }
    }

    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.of_three += other.of_three;
    }

    /// Returns whether nobody has more than half of what is left without anybody else.
    fn is_shared(self) -> bool {
        self.of_three <= self.all
    }
}

impl Rest {
    /// Begins with a cell.
    pub(super) fn of(merchants: &[OfMerchant]) -> Self {
        let sells = |of: &OfMerchant| of.sales > 0;
        let Certain { cards, by_two } = Certain::of(merchants);
        let sellers = merchants.iter().filter(|of| sells(of));
        Self {
            rows: Bound::of(merchants.iter().map(|of| (of.rows.into(), sells(of)))),
            sales: Bound::of(merchants.iter().map(|of| (of.sales, sells(of)))),
            sellers: sellers.fold(0, |bits, of| bits | of.mark),
            cards,
            by_two,
        }
    }

    /// Adds other cells.
    pub(super) fn add(&mut self, other: &Self) {
        self.rows.add(other.rows);
        self.sales.add(other.sales);
        self.sellers |= other.sellers;
        self.cards = self.cards.max(other.cards);
        self.by_two |= other.by_two;
    }

    /// Returns whether they hide every card and every merchant for certain, as [`is_enough`].
    pub(super) fn is_enough(self, hiding: Hiding) -> bool {
        self.sellers.count_ones() > OTHER_MERCHANTS_MIN.into()
            && self.cards.max(self.by_two.count_ones().into()) >= hiding.k
            && self.rows.is_shared()
            && self.sales.is_shared()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

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
            mark: 0,
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

    /// Parts of some of nine merchants in a cell: cards, rows, sales; of a card there is one row at least.
    fn parts() -> impl Strategy<Value = Vec<(usize, BTreeSet<u8>, u64, u64)>> {
        let cards = prop::collection::btree_set(0_u8..64, 1..6);
        let part = (0_usize..9, cards, 0_u64..4, 0_u64..4);
        prop::collection::vec(part, 1..9).prop_map(|mut parts| {
            parts.sort();
            parts.dedup_by_key(|part| part.0);
            parts
        })
    }

    proptest! {
        #[test]
        fn cells_put_together_are_enough_only_if_their_merchants_are(
            cells in prop::collection::vec(parts(), 1..4), k in 2_u64..8,
        ) {
            let mut rest = Rest::default();
            let mut all = std::collections::BTreeMap::<usize, (BTreeSet<u8>, OfMerchant)>::new();
            for cell in &cells {
                let of_cell = cell.iter().map(|(merchant, cards, more, sales)| {
                    let seen = cards.iter().fold(0, |seen, card| seen | 1_u64 << card);
                    let len = cards.len() as u64;
                    let of = OfMerchant {
                        rows: len + more,
                        sales: u128::from(*sales),
                        cards: len,
                        seen,
                        mark: 1_u64 << merchant,
                    };
                    let (known, sum) = all
                        .entry(*merchant)
                        .or_insert_with(|| (BTreeSet::new(), OfMerchant::new(of.mark)));
                    known.extend(cards);
                    sum.rows += of.rows;
                    sum.sales += of.sales;
                    of
                });
                rest.add(&Rest::of(&of_cell.collect::<Vec<_>>()));
            }
            if rest.is_enough(Hiding { k }) {
                for asks in all.keys() {
                    let others: Vec<_> = all.iter().filter(|(it, _)| *it != asks).map(|it| it.1).collect();
                    let cards: BTreeSet<u8> = others.iter().flat_map(|it| &it.0).copied().collect();
                    prop_assert!(cards.len() as u64 >= k);
                    let sellers: Vec<_> = others.iter().map(|it| it.1).filter(|of| of.sales > 0).collect();
                    prop_assert!(sellers.len() >= 5);
                    let sales: u128 = sellers.iter().map(|of| of.sales).sum();
                    let rows: u64 = sellers.iter().map(|of| of.rows).sum();
                    prop_assert!(sellers.iter().all(|of| of.sales * 2 <= sales && of.rows * 2 <= rows));
                }
            }
        }
    }

    #[test]
    fn small_cells_of_many_merchants_are_enough_together() {
        let of = |number: u32| OfMerchant {
            rows: 10,
            sales: 100,
            cards: 4,
            seen: 15_u64 << (number % 2 * 4),
            mark: 1_u64 << number,
        };
        let cell = |merchants: &[u32]| {
            merchants
                .iter()
                .map(|number| of(*number))
                .collect::<Vec<_>>()
        };
        let hiding = Hiding { k: 4 };
        let cells = [cell(&[0, 2, 4]), cell(&[1, 3, 5])];
        assert!(cells.iter().all(|cell| !is_enough(cell, hiding)));
        let together = |cells: &[Vec<OfMerchant>]| {
            let mut rest = Rest::default();
            cells.iter().for_each(|cell| rest.add(&Rest::of(cell)));
            rest
        };
        let rest = together(&cells);
        // Of each cell four cards come to two merchants.
        assert!(rest.is_enough(Hiding { k: 8 }) && !rest.is_enough(Hiding { k: 9 }));
        assert!(!together(&cells[..1]).is_enough(hiding));
        assert!(!Rest::default().is_enough(hiding));
    }
}
