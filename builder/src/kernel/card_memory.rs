//! When each card of a store was there last, when it bought there last, and in which month first.

use nightshard_format::calendar::{Day, Month};

use super::row::{CARD_SHIFT, CardDay};

/// When a card was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// Never.
    Never,
    /// On the same day.
    SameDay,
    /// So many days ago.
    Days(u32),
}

impl Before {
    /// Returns the days since, 0 for never.
    pub(super) fn distance(self) -> u32 {
        match self {
            Self::Never | Self::SameDay => 0,
            Self::Days(days) => days,
        }
    }
}

/// What is known of a card when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// When it had a row before.
    pub(super) row: Before,
    /// Its sale, if it has one now.
    pub(super) sale: Option<Sale>,
}

/// What is known of a card when it buys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sale {
    /// When it had a sale before.
    pub(super) before: Before,
    /// Whether this is its second day with a sale.
    pub(super) is_second: bool,
    /// On its first day with a sale in a month: how many months before it had its first sale.
    pub(super) cohort: Option<u32>,
}

/// The last days of every card seen, in a table that a card's pseudonym points into.
///
/// Pseudonyms are uniform, so their bits need no further hashing.
#[derive(Debug, Default)]
pub(super) struct CardMemory {
    /// A power of two of slots, at most half of them taken.
    slots: Vec<Slot>,
    taken: usize,
    /// Slots of smaller or larger tables before: memory that was never touched is dear.
    spare: Vec<Slot>,
    today: Today,
}

/// A day and its month; by default the first day of January 1970.
#[derive(Debug, Clone, Copy, Default)]
struct Today {
    day: i32,
    /// The days before it in its month.
    offset: u32,
    /// Months since January 1970.
    month: u32,
}

impl Today {
    fn of(day: i32) -> Self {
        let month = Day(day).month();
        Self {
            day,
            offset: (day - month.first_day().0).cast_unsigned(),
            month: (month.0 - EPOCH.0).cast_unsigned(),
        }
    }
}

/// January 1970.
const EPOCH: Month = Month(1970 * 12);

/// A table starts with at most so many slots, so that many rows of few cards need no large one.
const SLOTS_AT_FIRST_MAX: usize = 1 << 16;

impl CardMemory {
    /// Forgets all cards; about so many rows follow.
    pub(super) fn forget(&mut self, rows: usize) {
        let slots = (rows * 2).next_power_of_two().min(SLOTS_AT_FIRST_MAX);
        self.slots.clear();
        self.slots.resize(slots.max(2), Slot::FREE);
        self.taken = 0;
    }

    /// Takes note of a row of a known card; days do not descend.
    #[inline]
    pub(super) fn see(&mut self, card_day: CardDay) -> Seen {
        if self.today.day != card_day.day() {
            self.today = Today::of(card_day.day());
        }
        let slot = self.find(card_day);
        let held = self.slots[slot];
        self.slots[slot] = held.followed_by(card_day, self.today);
        let seen = Seen {
            row: held.before(held.day_after(), card_day),
            sale: card_day.is_sale().then(|| held.sale(card_day, self.today)),
        };
        if held.is_free() {
            self.taken += 1;
            if self.taken * 2 > self.slots.len() {
                self.grow();
            }
        }
        seen
    }

    /// Returns the slot that holds the card, or the free one where it belongs.
    #[inline]
    fn find(&self, card_day: CardDay) -> usize {
        let card = card_day.card();
        self.find_card(card, card_day.middle_bits())
    }

    #[inline]
    fn find_card(&self, card: u128, place: usize) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = place & mask;
        loop {
            let held = self.slots[slot];
            if held.is_free() || held.card() == card {
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
        self.slots.resize(slots, Slot::FREE);
        let before = std::mem::take(&mut self.spare);
        for held in before.iter().filter(|held| !held.is_free()) {
            let card = held.card();
            let place = usize::try_from(card & u128::from(u64::MAX)).unwrap_or(0);
            let slot = self.find_card(card, place);
            self.slots[slot] = *held;
        }
        self.spare = before;
    }
}

/// A card, the days after its last row and its last sale, 0 for none, the month of its first sale, and
/// whether it had a sale on another day.
#[derive(Debug, Clone, Copy)]
struct Slot(u128);

const DAY_BITS: u32 = 17;
const ONE_DAY_MASK: u128 = (1 << DAY_BITS) - 1;
const MONTH_SHIFT: u32 = 2 * DAY_BITS;
const MONTH_BITS: u32 = 12;
const MONTH_MASK: u128 = (1 << MONTH_BITS) - 1;
const AGAIN_SHIFT: u32 = MONTH_SHIFT + MONTH_BITS;
const _: () = assert!(AGAIN_SHIFT < CARD_SHIFT);
// Days are shorter than 2^16.
const _: () = assert!((1 << 16) / 28 < 1 << MONTH_BITS);

impl Slot {
    const FREE: Self = Self(0);

    fn is_free(self) -> bool {
        self.0 == 0
    }

    fn card(self) -> u128 {
        self.0 >> CARD_SHIFT
    }

    fn day_after(self) -> u128 {
        self.0 & ONE_DAY_MASK
    }

    fn day_after_sale(self) -> u128 {
        (self.0 >> DAY_BITS) & ONE_DAY_MASK
    }

    /// Returns the month of the first sale, if there is any.
    fn first_month(self) -> u128 {
        (self.0 >> MONTH_SHIFT) & MONTH_MASK
    }

    /// Returns whether there are sales on two days or more.
    fn has_come_again(self) -> bool {
        self.0 >> AGAIN_SHIFT & 1 == 1
    }

    fn followed_by(self, card_day: CardDay, today: Today) -> Self {
        let after = u128::from(card_day.day().cast_unsigned()) + 1;
        let of_card = card_day.card() << CARD_SHIFT | after;
        if !card_day.is_sale() {
            let kept = self.0 & ((1 << CARD_SHIFT) - 1) & !ONE_DAY_MASK;
            return Self(of_card | kept);
        }
        let before = self.day_after_sale();
        let (month, again) = match before {
            0 => (u128::from(today.month), false),
            _ => (self.first_month(), self.has_come_again() || before != after),
        };
        let of_sales = u128::from(again) << AGAIN_SHIFT | month << MONTH_SHIFT | after << DAY_BITS;
        Self(of_card | of_sales)
    }

    /// Returns what is known of the card's sales when it buys.
    fn sale(self, card_day: CardDay, today: Today) -> Sale {
        let before = self.before(self.day_after_sale(), card_day);
        let (is_earlier_day, is_earlier_month) = match before {
            Before::Never | Before::SameDay => (false, false),
            Before::Days(days) => (true, days > today.offset),
        };
        let first_month = u32::try_from(self.first_month()).unwrap_or(u32::MAX);
        Sale {
            before,
            is_second: is_earlier_day && !self.has_come_again(),
            cohort: is_earlier_month.then(|| today.month.saturating_sub(first_month)),
        }
    }

    fn before(self, day_after: u128, now: CardDay) -> Before {
        let days = u128::from(now.day().cast_unsigned()) + 1 - day_after;
        match (day_after, days) {
            (0, _) => Before::Never,
            (_, 0) => Before::SameDay,
            _ => Before::Days(u32::try_from(days).unwrap_or(u32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;

    use super::*;

    fn before(last: Option<i32>, day: i32) -> Before {
        match last {
            None => Before::Never,
            Some(last) if last == day => Before::SameDay,
            Some(last) => Before::Days((day - last).cast_unsigned()),
        }
    }

    fn plain_sale(sales: &[i32], day: i32) -> Sale {
        let earlier: BTreeSet<i32> = sales.iter().copied().filter(|it| *it < day).collect();
        let month = Day(day).month();
        let is_new_to_month = earlier.iter().all(|it| Day(*it).month() != month);
        let first = earlier
            .first()
            .filter(|_| is_new_to_month && !sales.contains(&day));
        Sale {
            before: before(sales.last().copied(), day),
            is_second: earlier.len() == 1 && !sales.contains(&day),
            cohort: first.map(|first| (month.0 - Day(*first).month().0).cast_unsigned()),
        }
    }

    proptest! {
        #[test]
        fn rows_and_sales_are_told_apart_as_by_maps(
            rows in prop::collection::vec((1_u128..300, 0_i32..20, any::<bool>()), 0..2_000),
            expected in 0_usize..2_000,
        ) {
            let mut memory = CardMemory::default();
            for round in 0..2 {
                memory.forget(expected);
                let mut last = HashMap::new();
                let mut sales: HashMap<u128, Vec<i32>> = HashMap::new();
                let mut day = round;
                for (card, days, is_sale) in &rows {
                    day += days;
                    // Many cards share the bits that point into the table.
                    let card = (card << 100) | ((card % 7) << 50);
                    let seen = memory.see(CardDay::new(card, day, *is_sale));
                    let plain = Seen {
                        row: before(last.insert(card, day), day),
                        sale: is_sale.then(|| {
                            let sales = sales.entry(card).or_default();
                            let sale = plain_sale(sales, day);
                            sales.push(day);
                            sale
                        }),
                    };
                    prop_assert_eq!(seen, plain);
                }
            }
        }
    }
}
