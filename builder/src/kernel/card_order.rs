//! What is of cards, in the order of these.

use super::{row::CARD_SHIFT, store_partition::CARD_PARTITION_BITS};

/// What is of a card, ordered by that first.
pub trait ByCard: Copy + Ord {
    /// What is of no card.
    const NONE: Self;

    /// Returns an integer of which the card has the highest bits, and all that tell cards apart.
    fn bits(self) -> u128;

    /// Returns whether both are of one card.
    fn is_same_card(self, other: Self) -> bool {
        (self.bits() ^ other.bits()) >> CARD_SHIFT == 0
    }

    /// Returns the next `bits` bits of the card, at most 16, below the top `top` bits.
    fn bits_below_top(self, top: u32, bits: u32) -> usize {
        let mask = (1 << bits) - 1;
        usize::try_from((self.bits() >> (u128::BITS - top - bits)) & mask).unwrap_or(0)
    }
}

/// Sorts by card; its memory serves one partition after the other.
#[derive(Debug)]
pub(super) struct CardOrder<V> {
    ends: Vec<usize>,
    scattered: Vec<V>,
}

impl<V> Default for CardOrder<V> {
    fn default() -> Self {
        Self {
            ends: Vec::new(),
            scattered: Vec::new(),
        }
    }
}

/// Fewer are sorted by comparing at once.
const SCATTER_MIN: usize = 256;
/// What a bucket has on average: so few are sorted by insertion.
const BUCKET_LEN: usize = 8;
/// Counters of more buckets would not stay in a core's own cache.
const BUCKETS_BITS_MAX: u32 = 14;

impl<V: ByCard> CardOrder<V> {
    /// Sorts what is of one partition of cards.
    ///
    /// # Complexity
    /// Linear unless few cards have most of it: pseudonyms are uniform, so that one pass by
    /// their bits below those of the partition leaves only small buckets to sort.
    pub(super) fn sort(&mut self, visits: &mut Vec<V>) {
        if visits.len() < SCATTER_MIN {
            visits.sort_unstable();
            return;
        }
        let bits = (visits.len() / BUCKET_LEN).ilog2().min(BUCKETS_BITS_MAX);
        let bucket = |visit: &V| visit.bits_below_top(CARD_PARTITION_BITS, bits);
        self.ends.clear();
        self.ends.resize(1 << bits, 0);
        for visit in &*visits {
            self.ends[bucket(visit)] += 1;
        }
        self.ends.iter_mut().fold(0, |start, count| {
            let end = start + *count;
            *count = start;
            end
        });
        self.scattered.resize(visits.len(), V::NONE);
        for visit in &*visits {
            let place = &mut self.ends[bucket(visit)];
            self.scattered[*place] = *visit;
            *place += 1;
        }
        std::mem::swap(visits, &mut self.scattered);
        // Placing has moved each bucket's start to its end.
        let mut start = 0;
        for end in &self.ends {
            visits[start..*end].sort_unstable();
            start = *end;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::row::{CardDay, CardRow, CardVisit, StoreOrdinal};

    proptest! {
        #[test]
        fn visits_come_out_sorted(
            given in prop::collection::vec((any::<u128>(), 0_u32..128, 0_i32..2_000), 0..2_000)
        ) {
            let mut order = CardOrder::default();
            let mut visits: Vec<CardVisit> = given
                .iter()
                // Some cards have many days, and all are of one partition.
                .map(|(card, shift, day)| {
                    let card = card >> shift >> CARD_PARTITION_BITS;
                    let card_day = CardDay::new(card, *day, day % 2 == 0);
                    let store = StoreOrdinal::new(0, usize::from(day % 3 == 0)).unwrap();
                    CardVisit::of(CardRow::new(card_day, store), |_, _| day.cast_unsigned() % 5)
                })
                .collect();
            let mut expected = visits.clone();
            expected.sort_unstable();
            order.sort(&mut visits);
            prop_assert_eq!(visits, expected);
        }
    }
}
