//! Cards counted by what they have in common.

use nightshard_format::record::CardSales;

/// How many cards have which value, and what they bought for.
///
/// # Complexity
/// Memory for twice the distinct values, however many cards there are.
#[derive(Debug)]
pub(super) struct CardSums<V> {
    entries: Vec<(V, CardSales)>,
    /// So many entries are added up.
    limit: usize,
}

/// Fewer entries are not worth adding up.
const ENTRIES_MIN: usize = 1 << 12;

impl<V> Default for CardSums<V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            limit: ENTRIES_MIN,
        }
    }
}

impl<V: Ord> CardSums<V> {
    /// Adds cards of a value.
    pub(super) fn add(&mut self, value: V, of: CardSales) {
        if self.entries.len() >= self.limit {
            self.add_up();
            self.limit = (2 * self.entries.len()).max(ENTRIES_MIN);
        }
        self.entries.push((value, of));
    }

    /// Returns the sums, by value, ascending.
    pub(super) fn sums(&mut self) -> &[(V, CardSales)] {
        self.add_up();
        &self.entries
    }

    fn add_up(&mut self) {
        self.entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.entries.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.add(next.1);
            }
            same
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_cards_of_few_values_take_little_memory() {
        let mut sums = CardSums::default();
        for card in 0..100_000_u32 {
            let sales = card.into();
            sums.add(card % 7, CardSales { cards: 1, sales });
        }
        assert!(sums.entries.capacity() <= 2 * ENTRIES_MIN);
        let sums = sums.sums();
        assert!(sums.iter().map(|(value, _)| *value).eq(0..7));
        let of_first = CardSales {
            cards: 14_286,
            sales: (0..100_000).step_by(7).sum(),
        };
        assert_eq!(sums[0].1, of_first);
    }
}
