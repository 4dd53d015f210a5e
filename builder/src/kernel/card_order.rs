//! Card days in the order of cards, then days.

use super::{row::CardDay, store_partition::CARD_PARTITION_BITS};

/// Sorts card days; its memory serves one partition after the other.
#[derive(Debug, Default)]
pub(super) struct CardOrder {
    ends: Vec<usize>,
    scattered: Vec<CardDay>,
}

/// Fewer are sorted by comparing at once.
const SCATTER_MIN: usize = 256;
/// Card days that a bucket has on average: so few are sorted by insertion.
const BUCKET_LEN: usize = 8;
/// Counters of more buckets would not stay in a core's own cache.
const BUCKETS_BITS_MAX: u32 = 14;

impl CardOrder {
    /// Sorts the card days of one partition of cards.
    ///
    /// # Complexity
    /// Linear unless few cards have most of the days: pseudonyms are uniform, so that one pass by
    /// their bits below those of the partition leaves only small buckets to sort.
    pub(super) fn sort(&mut self, card_days: &mut Vec<CardDay>) {
        if card_days.len() < SCATTER_MIN {
            card_days.sort_unstable();
            return;
        }
        let bits = (card_days.len() / BUCKET_LEN).ilog2().min(BUCKETS_BITS_MAX);
        let bucket = |card_day: &CardDay| card_day.bits_below_top(CARD_PARTITION_BITS, bits);
        self.ends.clear();
        self.ends.resize(1 << bits, 0);
        for card_day in &*card_days {
            self.ends[bucket(card_day)] += 1;
        }
        self.ends.iter_mut().fold(0, |start, count| {
            let end = start + *count;
            *count = start;
            end
        });
        self.scattered.resize(card_days.len(), CardDay::NONE);
        for card_day in &*card_days {
            let place = &mut self.ends[bucket(card_day)];
            self.scattered[*place] = *card_day;
            *place += 1;
        }
        std::mem::swap(card_days, &mut self.scattered);
        // Placing has moved each bucket's start to its end.
        let mut start = 0;
        for end in &self.ends {
            card_days[start..*end].sort_unstable();
            start = *end;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn card_days_come_out_sorted(
            given in prop::collection::vec((any::<u128>(), 0_u32..128, 0_i32..2_000), 0..2_000)
        ) {
            let mut order = CardOrder::default();
            let mut card_days: Vec<CardDay> = given
                .iter()
                // Some cards have many days, and all are of one partition.
                .map(|(card, shift, day)| CardDay::new(card >> shift >> CARD_PARTITION_BITS, *day, day % 2 == 0))
                .collect();
            let mut expected = card_days.clone();
            expected.sort_unstable();
            order.sort(&mut card_days);
            prop_assert_eq!(card_days, expected);
        }
    }
}
