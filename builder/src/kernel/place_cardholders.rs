//! Who pays at each place and at all stores together, in an exchange of stores' cells by month and attributes.

use std::collections::BTreeMap;

use bytemuck::{Pod, Zeroable};
use nightshard_format::{
    calendar::Month,
    record::{ATTRIBUTES, Label, PlaceCell, PlaceDemographics},
};

use super::{
    cardholder::{CARDHOLDER_BITS, Cardholder, Cardholders, bits_of, of_bits},
    cell_merchants::{OfMerchant, Rest, is_enough},
    hiding::Hiding,
    month_cardholders::Figures,
    places::{PlaceKind, Places},
    row::StoreOrdinal,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox},
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
    pub(super) count: u64,
    pub(super) sales: u64,
    pub(super) cards: u64,
    pub(super) seen: u64,
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

/// Whose cells are added up: a place by its ordinal in [`Places::list`], or none for all stores together.
pub type PlaceOrMarket = Option<u32>;

/// Who the stores are that send cells.
pub struct StoresOfCells<'a> {
    /// Where they are.
    pub places: &'a Places,
    /// Whose a store is.
    pub merchant_of: &'a (dyn Fn(StoreOrdinal) -> u32 + Sync),
    /// One of 64 marks that a merchant has whatever other stores there are, as a bit.
    pub mark_of: &'a (dyn Fn(u32) -> u64 + Sync),
    /// What hides cards and merchants, where anything is hidden.
    pub hiding: Option<Hiding>,
}

/// The cell of a store and whose the store is.
struct Sent {
    row: CellRow,
    merchant: u32,
}

/// A cell of a month that may be told by itself.
#[derive(Debug, Clone, Copy)]
struct Cell {
    cardholder: Cardholder,
    count: u64,
}

/// What is told of a place or of all stores together in a month.
#[derive(Debug, Default)]
struct PlaceMonth {
    /// Rows of all cells.
    count: u64,
    /// Those that may be told, in any order.
    cells: Vec<Cell>,
    /// How many may not.
    hidden: u64,
    /// These, put together.
    rest: Rest,
    /// That of those which may be told which has the fewest rows, with its merchants.
    smallest: Option<(Smallest, Rest)>,
}

/// How cells are told apart where one of them is to be hidden: by rows, then by who paid.
type Smallest = (u64, Cardholder);

impl PlaceMonth {
    /// Adds a cell with the parts that merchants have in it.
    fn add(&mut self, cell: Cell, merchants: &[OfMerchant], hiding: Option<Hiding>) {
        self.count += cell.count;
        let Some(hiding) = hiding else {
            self.cells.push(cell);
            return;
        };
        let of_cell = Rest::of(merchants);
        if is_enough(merchants, hiding) {
            self.cells.push(cell);
            self.note_smallest(((cell.count, cell.cardholder), of_cell));
        } else {
            self.hidden += 1;
            self.rest.add(&of_cell);
        }
    }

    fn note_smallest(&mut self, other: (Smallest, Rest)) {
        let is_smaller = |known: &(Smallest, Rest)| other.0 < known.0;
        if self.smallest.as_ref().is_none_or(is_smaller) {
            self.smallest = Some(other);
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.cells.extend(other.cells);
        self.hidden += other.hidden;
        self.rest.add(&other.rest);
        if let Some(smallest) = other.smallest {
            self.note_smallest(smallest);
        }
    }

    /// Returns the cells that are told, in order, and the rows of the rest if these are told as one: where a single
    /// cell may not be told, the smallest of the others is not either, since the rest of all rows is that of both then.
    fn told(&self, hiding: Option<Hiding>) -> (Vec<Cell>, Option<u64>) {
        let mut rest = self.rest;
        let smallest = self.smallest.as_ref().filter(|_| self.hidden == 1);
        let without = smallest.map(|((_, cardholder), of_cell)| {
            rest.add(of_cell);
            *cardholder
        });
        let mut told = self.cells.clone();
        told.retain(|cell| Some(cell.cardholder) != without);
        told.sort_unstable_by_key(|cell| cell.cardholder);
        let told_rows: u64 = told.iter().map(|cell| cell.count).sum();
        // Where nothing else is told, that all of it is the rest says nothing.
        let is_told = self.hidden > 0
            && !told.is_empty()
            && hiding.is_some_and(|hiding| rest.is_enough(hiding));
        (told, is_told.then_some(self.count - told_rows))
    }
}

/// What is told of each place and of all stores together, by month.
#[derive(Debug, Default)]
pub struct PlaceCardholders {
    months: BTreeMap<(PlaceOrMarket, Month), PlaceMonth>,
}

impl PlaceCardholders {
    /// Adds up one partition, in which all stores of a cell meet.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read.
    ///
    /// # Complexity
    /// Sorts the rows of the partition, and those of each cell once more by place.
    pub fn take(
        exchanged: &Exchanged<CellRow>,
        partition: u16,
        stores: &StoresOfCells<'_>,
    ) -> Result<Self> {
        let rows = exchanged.take_rows(partition)?;
        let sent = rows.into_iter().map(|row| Sent {
            merchant: (stores.merchant_of)(StoreOrdinal::of_bits(row.store)),
            row,
        });
        let mut sent: Vec<Sent> = sent.collect();
        sent.sort_unstable_by_key(|sent| (sent.row.cell, sent.merchant));
        let mut found = Self::default();
        let mut of_places = Vec::new();
        for of_cell in sent.chunk_by(|a, b| a.row.cell == b.row.cell) {
            found.add(None, of_cell.iter(), stores);
            of_places.clear();
            for (number, sent) in (0_u32..).zip(of_cell) {
                let leaf = stores.places.leaf_of(StoreOrdinal::of_bits(sent.row.store));
                let places = stores.places.of_leaf(leaf).iter();
                let is_told =
                    |place: &&u32| stores.places.list()[**place as usize].kind != PlaceKind::Tile;
                of_places.extend(places.filter(is_told).map(|place| (*place, number)));
            }
            // The stores of a place stay in the order of their merchants.
            of_places.sort_unstable();
            for of_place in of_places.chunk_by(|a, b| a.0 == b.0) {
                let sent = of_place
                    .iter()
                    .map(|(_, number)| &of_cell[*number as usize]);
                found.add(Some(of_place[0].0), sent, stores);
            }
        }
        Ok(found)
    }

    /// Adds the cell of a place, given by its stores in the order of their merchants, at least one.
    fn add<'s>(
        &mut self,
        place: PlaceOrMarket,
        of_stores: impl Iterator<Item = &'s Sent>,
        stores: &StoresOfCells<'_>,
    ) {
        let (mut key, mut count) = (MonthCell(0), 0);
        let mut merchants: Vec<(u32, OfMerchant)> = Vec::new();
        for Sent { row, merchant } in of_stores {
            key = MonthCell(row.cell);
            count += row.count;
            match merchants.last_mut() {
                Some((last, of)) if *last == *merchant => of.add(row),
                _ => {
                    let mut of = OfMerchant::new((stores.mark_of)(*merchant));
                    of.add(row);
                    merchants.push((*merchant, of));
                }
            }
        }
        let merchants: Vec<OfMerchant> = merchants.into_iter().map(|(_, of)| of).collect();
        let cell = Cell {
            cardholder: key.cardholder(),
            count,
        };
        let month = self.months.entry((place, key.month())).or_default();
        month.add(cell, &merchants, stores.hiding);
    }

    /// Adds those of another partition.
    #[must_use]
    pub fn merged(mut self, other: Self) -> Self {
        for (key, of_month) in other.months {
            self.months.entry(key).or_default().merge(of_month);
        }
        self
    }

    /// Calls `each` with the record of each month of a place or the market up to `last`, if there is a last one.
    ///
    /// # Errors
    /// That of `each`.
    pub fn encode(
        &self,
        place: PlaceOrMarket,
        last: Option<Month>,
        told_by: (&Cardholders, Option<Hiding>),
        mut each: impl FnMut(Month, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let (cardholders, hiding) = told_by;
        let months = (place, Month(i32::MIN))..=(place, last.unwrap_or(Month(i32::MAX)));
        let mut value = Vec::new();
        for ((_, month), of_month) in self.months.range(months) {
            let (told, rest) = of_month.told(hiding);
            let rest = rest.map(|count| PlaceCell {
                labels: [Label::Merged; ATTRIBUTES],
                count,
            });
            let cells = told.iter().map(|cell| PlaceCell {
                labels: cardholders.labels(cell.cardholder),
                count: cell.count,
            });
            let record = PlaceDemographics {
                count: of_month.count,
                cells: rest.into_iter().chain(cells).collect(),
            };
            value.clear();
            record.encode(&mut value);
            each(*month, &value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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

    const HIDING: Option<Hiding> = Some(Hiding { k: 2 });

    /// So many merchants that sell alike, of cards that all have.
    fn merchants(number: u32) -> Vec<OfMerchant> {
        let of = |number: u32| OfMerchant {
            rows: 10,
            sales: 100,
            cards: 5,
            seen: 31,
            mark: 1_u64 << number,
        };
        (0..number).map(of).collect()
    }

    /// A month of cells of so many merchants each, whose rows are these.
    fn month(cells: &[(u16, u64, u32)], hiding: Option<Hiding>) -> PlaceMonth {
        let mut halves = [PlaceMonth::default(), PlaceMonth::default()];
        for (number, (place, count, of)) in cells.iter().enumerate() {
            let cell = Cell {
                cardholder: [*place, 0, 0],
                count: *count,
            };
            halves[number % 2].add(cell, &merchants(*of), hiding);
        }
        let [mut one, other] = halves;
        one.merge(other);
        one
    }

    fn told(month: &PlaceMonth, hiding: Option<Hiding>) -> (Vec<u16>, Option<u64>) {
        let (cells, rest) = month.told(hiding);
        (cells.iter().map(|cell| cell.cardholder[0]).collect(), rest)
    }

    #[test]
    fn a_single_hidden_cell_hides_the_smallest_of_the_others() {
        let enough = [(1, 30, 8), (3, 20, 8), (2, 20, 8)];
        for (few, expected, rest) in [
            (&[][..], &[1, 2, 3][..], None),
            // What is put together is enough by the cell that would be told.
            (&[(4, 7, 1)], &[1, 3], Some(27)),
            (&[(4, 7, 1), (5, 8, 1)], &[1, 2, 3], None),
        ] {
            let month = month(&[&enough[..], few].concat(), HIDING);
            assert_eq!(told(&month, HIDING), (expected.to_vec(), rest), "{few:?}");
        }
        let alone = month(&[(1, 30, 8), (2, 7, 1)], HIDING);
        assert_eq!(told(&alone, HIDING), (vec![], None));
        let all = month(&[(3, 1, 1), (1, 30, 8)], None);
        assert_eq!(told(&all, None), (vec![1, 3], None));
        assert_eq!(all.count, 31);
    }
}
