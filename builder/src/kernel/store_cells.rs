//! The stores of which region and category are known, by these.

use std::collections::BTreeMap;

use super::{row::StoreOrdinal, spend_row::SpendRow};

/// A store, where it is and whose.
#[derive(Debug, Clone, Copy)]
pub(super) struct CellStore {
    pub(super) store: StoreOrdinal,
    pub(super) merchant: u32,
    cell: u32,
}

/// Stands for the number of a store that has none.
const NONE: u32 = u32::MAX;

/// Stores by number, those of one region and category together, and among these those of one merchant.
#[derive(Debug, Default)]
pub struct StoreCells {
    stores: Vec<CellStore>,
    /// By partition and index of a store.
    numbers: Vec<Vec<u32>>,
}

impl StoreCells {
    /// Numbers stores, given with whose they are and, where both are known, their region and category, of which stores
    /// of `merchants_min` merchants are: those of others have none.
    #[must_use]
    pub fn of<'a>(
        stores: impl IntoIterator<Item = (StoreOrdinal, u32, Option<(&'a str, &'a str)>)>,
        merchants_min: usize,
    ) -> Self {
        let mut by_cell = BTreeMap::<(&str, &str), Vec<(u32, StoreOrdinal)>>::new();
        for (store, merchant, of_store) in stores {
            if let Some(of_store) = of_store {
                by_cell.entry(of_store).or_default().push((merchant, store));
            }
        }
        let mut cells = Self::default();
        for (cell, mut stores) in (0..).zip(by_cell.into_values()) {
            stores.sort_unstable();
            let merchants = stores.chunk_by(|(a, _), (b, _)| a == b);
            if merchants.count() >= merchants_min {
                let stores = stores.into_iter();
                stores.for_each(|(merchant, store)| {
                    cells.add(CellStore {
                        store,
                        merchant,
                        cell,
                    });
                });
            }
        }
        cells
    }

    fn add(&mut self, store: CellStore) {
        let number = u32::try_from(self.stores.len()).expect("stores are numbered by 32 bits");
        self.stores.push(store);
        let (partition, index) = store.store.parts();
        if self.numbers.len() <= partition {
            self.numbers.resize(partition + 1, Vec::new());
        }
        let numbers = &mut self.numbers[partition];
        if numbers.len() <= index {
            numbers.resize(index + 1, NONE);
        }
        numbers[index] = number;
    }

    /// Returns whether no store has a number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    /// Returns a row with the number of its store, if that has one.
    #[must_use]
    #[inline]
    pub fn numbered(&self, row: SpendRow) -> Option<SpendRow> {
        let (partition, index) = row.store().parts();
        let number = self.numbers.get(partition)?.get(index)?;
        (*number != NONE).then(|| row.with_number(*number))
    }

    /// Returns the store of a row that has its number.
    #[inline]
    pub(super) fn store_of(&self, row: &SpendRow) -> CellStore {
        self.stores[row.place() as usize]
    }

    /// Returns whose a store that has a number is.
    pub(super) fn merchant_of(&self, store: StoreOrdinal) -> u32 {
        let (partition, index) = store.parts();
        self.stores[self.numbers[partition][index] as usize].merchant
    }
}

impl CellStore {
    #[inline]
    pub(super) fn is_same_cell(self, other: Self) -> bool {
        self.cell == other.cell
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::calendar::Day;

    use super::*;

    #[test]
    fn stores_of_a_kind_and_a_merchant_are_together() {
        let store = |number| StoreOrdinal::new(2, number).unwrap();
        let food = Some(("leeds", "food"));
        let given = [
            (store(0), 3, food),
            (store(1), 1, None),
            (store(2), 2, Some(("york", "food"))),
            (store(4), 2, food),
            (store(5), 3, food),
        ];
        let number_in = |cells: &StoreCells, number| {
            let row = SpendRow::new(1, Day(0).month(), store(number), 9);
            let row = cells.numbered(row)?;
            assert_eq!(cells.store_of(&row).store, store(number));
            assert_eq!(
                cells.merchant_of(store(number)),
                given.iter().find(|it| it.0 == store(number))?.1
            );
            Some(row.place())
        };
        let cells = StoreCells::of(given, 1);
        let numbers = (0..7).map(|number| number_in(&cells, number));
        let expected = [Some(1), None, Some(3), None, Some(0), Some(2), None];
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
        assert!(cells.stores[0].is_same_cell(cells.stores[2]));
        assert!(!cells.stores[2].is_same_cell(cells.stores[3]));
        // In York there is one merchant, and nowhere are three.
        assert_eq!(number_in(&StoreCells::of(given, 2), 2), None);
        assert_eq!(number_in(&StoreCells::of(given, 2), 5), Some(2));
        assert!(StoreCells::of(given, 3).is_empty());
    }
}
