//! When each card of a store was there last.

use super::row::CardDay;

/// What a store's visit by a card is, given those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// The card was never there before.
    First,
    /// The card was there before on the same day.
    SameDay,
    /// The card was there last so many days ago.
    After(u32),
}

/// The last day of every card seen, in a table that a card's pseudonym points into.
///
/// Pseudonyms are uniform, so their bits need no further hashing.
#[derive(Debug, Default)]
pub(super) struct CardMemory {
    /// A power of two of slots, at most half of them taken; free ones have no card.
    slots: Vec<CardDay>,
    taken: usize,
    /// Slots of smaller or larger tables before: memory that was never touched is dear.
    spare: Vec<CardDay>,
}

/// A table starts with at most so many slots, so that many rows of few cards need no large one.
const SLOTS_AT_FIRST_MAX: usize = 1 << 16;

impl CardMemory {
    /// Forgets all cards; about so many visits follow.
    pub(super) fn forget(&mut self, visits: usize) {
        let slots = (visits * 2).next_power_of_two().min(SLOTS_AT_FIRST_MAX);
        self.slots.clear();
        self.slots.resize(slots.max(2), CardDay::NONE);
        self.taken = 0;
    }

    /// Takes note of a visit by a known card; days do not descend.
    #[inline]
    pub(super) fn visit(&mut self, card_day: CardDay) -> Visit {
        let slot = self.find(card_day);
        let before = std::mem::replace(&mut self.slots[slot], card_day);
        if before.has_card() {
            return match card_day.day() - before.day() {
                0 => Visit::SameDay,
                days => Visit::After(days.cast_unsigned()),
            };
        }
        self.taken += 1;
        if self.taken * 2 > self.slots.len() {
            self.grow();
        }
        Visit::First
    }

    /// Returns the slot that holds the card, or the free one where it belongs.
    #[inline]
    fn find(&self, card_day: CardDay) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = card_day.middle_bits() & mask;
        loop {
            let held = self.slots[slot];
            if !held.has_card() || held.is_same_card(card_day) {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let slots = self.slots.len() * 4;
        std::mem::swap(&mut self.slots, &mut self.spare);
        self.slots.clear();
        self.slots.resize(slots, CardDay::NONE);
        let before = std::mem::take(&mut self.spare);
        for card_day in before.iter().filter(|held| held.has_card()) {
            let slot = self.find(*card_day);
            self.slots[slot] = *card_day;
        }
        self.spare = before;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn visits_are_told_apart_as_by_a_map(
            visits in prop::collection::vec((1_u128..300, 0_i32..3), 0..2_000),
            expected in 0_usize..2_000,
        ) {
            let mut memory = CardMemory::default();
            for round in 0..2 {
                memory.forget(expected);
                let mut last = HashMap::new();
                let mut day = round;
                for (card, days) in &visits {
                    day += days;
                    // Many cards share the bits that point into the table.
                    let card = (card << 100) | ((card % 7) << 50);
                    let visit = memory.visit(CardDay::new(card, day));
                    let plain = match last.insert(card, day) {
                        None => Visit::First,
                        Some(before) if before == day => Visit::SameDay,
                        Some(before) => Visit::After((day - before).cast_unsigned()),
                    };
                    prop_assert_eq!(visit, plain);
                }
            }
        }
    }
}
