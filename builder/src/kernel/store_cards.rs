//! One partition of what cards did in stores, card by card.

use bytemuck::Pod;

use super::{
    card_order::{ByCard, CardOrder},
    row::CardVisit,
    store_partition::CARD_PARTITION_BITS,
};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

/// Most bits by which a partition is cut into slices of cards.
const SLICE_BITS_MAX: u32 = 10;

/// What one worker needs for one partition after the other.
#[derive(Debug)]
pub struct StoreCards<V = CardVisit> {
    found: Vec<V>,
    order: CardOrder<V>,
}

impl<V> Default for StoreCards<V> {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            order: CardOrder::default(),
        }
    }
}

impl<V: ByCard> StoreCards<V> {
    /// Passes to `card` what `read` finds in the rows of each card of a partition, in order: visits by day, sales first,
    /// then store. The rows stay there. Where what is found would take more than about `budget_bytes`, they are read
    /// slice by slice of cards.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read, or that of `card`.
    pub fn each<R: Pod>(
        &mut self,
        exchanged: &Exchanged<R>,
        partition: u16,
        budget_bytes: usize,
        read: impl Fn(R) -> Option<V>,
        mut card: impl FnMut(&[V]) -> Result<()>,
    ) -> Result<()> {
        let bits = slice_bits::<V>(exchanged.len_rows(partition), budget_bytes);
        for number in 0..1_usize << bits {
            self.found.clear();
            let mut slice = Slice {
                bits,
                number,
                read: &read,
                found: &mut self.found,
            };
            exchanged.visit(partition, &mut slice)?;
            self.order.sort(&mut self.found);
            for of_card in self.found.chunk_by(|a, b| a.is_same_card(*b)) {
                card(of_card)?;
            }
        }
        Ok(())
    }
}

/// Returns by how many bits of cards so many rows are cut, so that a slice takes about `budget_bytes`.
fn slice_bits<V>(len_rows: u64, budget_bytes: usize) -> u32 {
    // What is sorted is there twice.
    let slice = (budget_bytes / (2 * size_of::<V>())).max(1) as u64;
    let slices = len_rows.div_ceil(slice).max(1);
    slices.next_power_of_two().ilog2().min(SLICE_BITS_MAX)
}

/// Gathers what is of some cards.
struct Slice<'a, V, F> {
    bits: u32,
    number: usize,
    read: &'a F,
    found: &'a mut Vec<V>,
}

impl<R: Pod, V: ByCard, F: Fn(R) -> Option<V>> Visitor<R> for Slice<'_, V, F> {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[R]) -> Result<()> {
        let (bits, number) = (self.bits, self.number);
        let found = rows.iter().filter_map(|row| (self.read)(*row));
        self.found
            .extend(found.filter(|it| it.bits_below_top(CARD_PARTITION_BITS, bits) == number));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        exchange::{Outbox, Scratch},
        kernel::row::{CardDay, CardRow, StoreOrdinal},
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
            if day < 6 {
                let visits = expected.entry(card).or_default();
                visits.push((day, number % 2 == 0, store));
            }
        }
        let mut expected: Vec<Visits> = expected.into_values().collect();
        for visits in &mut expected {
            visits.sort_by_key(|(day, is_sale, store)| (*day, !is_sale, *store));
        }
        let exchanged = Exchanged::new(vec![outbox]).unwrap();
        for budget in [1 << 20, 4_096, 1] {
            let mut found = Vec::new();
            let read = |row| Some(CardVisit::at_store(row)).filter(|it| it.day() < 6);
            let each = StoreCards::default().each(&exchanged, 0, budget, read, |visits| {
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
        assert_eq!(slice_bits::<CardVisit>(0, 0), 0);
        assert_eq!(slice_bits::<CardVisit>(8, 16 * len), 0);
        assert_eq!(slice_bits::<CardVisit>(9, 16 * len), 1);
        assert_eq!(slice_bits::<CardVisit>(40, 16 * len), 3);
        assert_eq!(
            slice_bits::<CardVisit>(u64::MAX >> 1, 16 * len),
            SLICE_BITS_MAX
        );
    }
}
