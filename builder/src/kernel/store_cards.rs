//! One partition of cards, card by card, with the store of each day.

use super::{
    card_order::CardOrder,
    row::{CardRow, CardVisit},
    store_partition::CARD_PARTITION_BITS,
};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

/// Most bits by which a partition is cut into slices of cards.
const SLICE_BITS_MAX: u32 = 10;

/// What one worker needs for one partition after the other.
#[derive(Debug, Default)]
pub struct StoreCards {
    visits: Vec<CardVisit>,
    order: CardOrder,
}

impl StoreCards {
    /// Passes the visits of each card of a partition to `card`, by day, sales first, then store; they stay there.
    /// Where they would take more than about `budget_bytes`, they are read slice by slice of cards.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read, or that of `card`.
    pub fn each(
        &mut self,
        exchanged: &Exchanged<CardRow>,
        partition: u16,
        budget_bytes: usize,
        mut card: impl FnMut(&[CardVisit]) -> Result<()>,
    ) -> Result<()> {
        let bits = slice_bits(exchanged.len_rows(partition), budget_bytes);
        for number in 0..1_usize << bits {
            self.visits.clear();
            let mut slice = Slice {
                bits,
                number,
                visits: &mut self.visits,
            };
            exchanged.visit(partition, &mut slice)?;
            self.order.sort(&mut self.visits);
            for of_card in self.visits.chunk_by(|a, b| a.is_same_card(*b)) {
                card(of_card)?;
            }
        }
        Ok(())
    }
}

/// Returns by how many bits of cards so many rows are cut, so that a slice takes about `budget_bytes`.
fn slice_bits(len_rows: u64, budget_bytes: usize) -> u32 {
    // What is sorted is there twice.
    let slice = (budget_bytes / (2 * size_of::<CardVisit>())).max(1) as u64;
    let slices = len_rows.div_ceil(slice).max(1);
    slices.next_power_of_two().ilog2().min(SLICE_BITS_MAX)
}

/// Gathers the visits of some cards.
struct Slice<'a> {
    bits: u32,
    number: usize,
    visits: &'a mut Vec<CardVisit>,
}

impl Visitor<CardRow> for Slice<'_> {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[CardRow]) -> Result<()> {
        let (bits, number) = (self.bits, self.number);
        let visits = rows.iter().map(|row| CardVisit::at_store(*row));
        self.visits.extend(
            visits.filter(|visit| visit.bits_below_top(CARD_PARTITION_BITS, bits) == number),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        exchange::{Outbox, Scratch},
        kernel::row::{CardDay, StoreOrdinal},
    };

    /// A card's visits: day, sale, store.
    type Visits = Vec<(i32, bool, StoreOrdinal)>;

    #[test]
    fn cards_come_whole_however_little_memory_there_is() {
        let scratch = Scratch::new(&std::env::temp_dir());
        let mut outbox = Outbox::new(1, 1 << 20, &scratch);
        let mut expected = BTreeMap::<u128, Visits>::new();
        for number in 0..900_u128 {
            // Cards of the first partition, that differ in the bits below.
            let card = (number % 91 + 1) << 104;
            let day = i32::try_from(number % 7).unwrap();
            let store = StoreOrdinal::new(3, usize::try_from(number / 91).unwrap()).unwrap();
            let card_day = CardDay::new(card, day, number % 2 == 0);
            outbox.push(0, CardRow::new(card_day, store)).unwrap();
            let visits = expected.entry(card).or_default();
            visits.push((day, number % 2 == 0, store));
        }
        let mut expected: Vec<Visits> = expected.into_values().collect();
        for visits in &mut expected {
            visits.sort_by_key(|(day, is_sale, store)| (*day, !is_sale, *store));
        }
        let exchanged = Exchanged::new(vec![outbox]).unwrap();
        for budget in [1 << 20, 4_096, 1] {
            let mut found = Vec::new();
            let each = StoreCards::default().each(&exchanged, 0, budget, |visits| {
                let visits = visits.iter();
                let visits = visits.map(|it| (it.day(), it.is_sale(), it.store()));
                found.push(visits.collect::<Visits>());
                Ok(())
            });
            each.unwrap();
            assert_eq!(found, expected, "{budget}");
        }
    }

    #[test]
    fn slices_are_as_many_as_the_memory_asks_for() {
        let len = size_of::<CardVisit>();
        assert_eq!(slice_bits(0, 0), 0);
        assert_eq!(slice_bits(8, 16 * len), 0);
        assert_eq!(slice_bits(9, 16 * len), 1);
        assert_eq!(slice_bits(40, 16 * len), 3);
        assert_eq!(slice_bits(u64::MAX >> 1, 16 * len), SLICE_BITS_MAX);
    }
}
