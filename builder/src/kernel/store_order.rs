//! The rows of a partition, put in the order of their stores, then days.

use std::ops::Range;

use super::{
    profiles::Profiles,
    row::{CardDay, DayAmount, PartitionRow},
};

/// What is kept of rows, by store.
///
/// Its memory serves one partition after the other.
#[derive(Debug, Default)]
pub(super) struct StoreOrder {
    store_ends: Vec<usize>,
    /// The first and the last day of any store.
    days: (i32, i32),
    amounts: Vec<DayAmount>,
    hours: Vec<u8>,
    card_days: Vec<CardDay>,
    of_store: StoreRows,
    /// Rows in the base currency of each profile.
    pub(super) profile_rows: Vec<u64>,
    /// Rows in other currencies, which are left out.
    pub(super) other_currency: u64,
}

/// The rows of one store, by day; nothing is said of their order within a day, in which amounts and
/// hours stand alike.
#[derive(Debug, Default)]
pub(super) struct StoreRows {
    /// The days that have rows, and where those end.
    pub(super) days: Vec<(i32, usize)>,
    /// Amounts of all days.
    pub(super) amounts: Vec<i64>,
    /// The half hour of each amount.
    pub(super) hours: Vec<u8>,
    /// Cards of all days, whose amounts may stand elsewhere in the same day.
    pub(super) card_days: Vec<CardDay>,
    day_ends: Vec<usize>,
    sorted: Vec<(DayAmount, u8)>,
}

/// Stores whose rows are fewer than one in so many days are sorted by comparing.
const SPARSE_DAYS: usize = 8;

impl StoreOrder {
    /// Makes room for so many rows.
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            amounts: Vec::with_capacity(rows),
            hours: Vec::with_capacity(rows),
            card_days: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    /// Arranges `rows` instead of what was arranged before.
    ///
    /// # Complexity
    /// Linear: rows are scattered by store, and those of a store, which are near each other then,
    /// by day.
    pub(super) fn arrange(&mut self, profiles: &Profiles, rows: &[PartitionRow]) {
        restart(&mut self.store_ends, profiles.stores.len());
        restart(&mut self.profile_rows, profiles.len());
        let mut days = (u16::MAX, 0);
        for row in rows {
            self.profile_rows[row.profile as usize] += 1;
            days = (days.0.min(row.row.day()), days.1.max(row.row.day()));
        }
        self.days = (days.0.into(), days.1.into());
        self.other_currency = 0;
        for (profile, rows) in self.profile_rows.iter_mut().enumerate() {
            match profiles.base_store(profile) {
                Some(store) => self.store_ends[store] += usize::try_from(*rows).unwrap_or(0),
                None => self.other_currency += std::mem::take(rows),
            }
        }
        let used = starts(&mut self.store_ends);
        self.amounts.resize(used, DayAmount::new(0, 0));
        self.hours.resize(used, 0);
        self.card_days.resize(used, CardDay::NONE);
        for row in rows {
            if let Some(store) = profiles.base_store_of(row) {
                let place = &mut self.store_ends[store];
                self.amounts[*place] = row.row.day_amount();
                self.hours[*place] = row.row.half_hour();
                self.card_days[*place] = row.row.card_day();
                *place += 1;
            }
        }
    }

    /// Returns the rows of a store, by day.
    pub(super) fn store(&mut self, store: usize) -> &mut StoreRows {
        let range = self.range(store);
        let rows = Unordered {
            amounts: &self.amounts[range.clone()],
            hours: &self.hours[range.clone()],
            card_days: &self.card_days[range],
        };
        self.of_store.arrange(self.days, rows);
        &mut self.of_store
    }

    /// Returns the rows of a store in no order.
    pub(super) fn unordered(&self, store: usize) -> Unordered<'_> {
        let range = self.range(store);
        Unordered {
            amounts: &self.amounts[range.clone()],
            hours: &self.hours[range.clone()],
            card_days: &self.card_days[range],
        }
    }

    fn range(&self, store: usize) -> Range<usize> {
        let start = store
            .checked_sub(1)
            .map_or(0, |before| self.store_ends[before]);
        start..self.store_ends[store]
    }
}

/// The rows of one store in no order; what is said of each stands alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unordered<'a> {
    pub(super) amounts: &'a [DayAmount],
    pub(super) hours: &'a [u8],
    pub(super) card_days: &'a [CardDay],
}

impl StoreRows {
    fn arrange(&mut self, (first, last): (i32, i32), rows: Unordered<'_>) {
        let days = (last - first).max(0).cast_unsigned() as usize + 1;
        if days > rows.amounts.len() * SPARSE_DAYS {
            self.compare(rows);
        } else {
            self.scatter(first, days, rows);
        }
    }

    fn compare(&mut self, rows: Unordered<'_>) {
        self.card_days.clear();
        self.card_days.extend_from_slice(rows.card_days);
        self.card_days.sort_unstable_by_key(|entry| entry.day());
        self.sorted.clear();
        let amounts = rows.amounts.iter().copied();
        self.sorted.extend(amounts.zip(rows.hours.iter().copied()));
        self.sorted.sort_unstable();
        self.amounts.clear();
        self.hours.clear();
        for (entry, hour) in &self.sorted {
            self.amounts.push(entry.amount());
            self.hours.push(*hour);
        }
        self.days.clear();
        for of_day in self.sorted.chunk_by(|a, b| a.0.day() == b.0.day()) {
            let start = self.days.last().map_or(0, |(_, end)| *end);
            self.days.push((of_day[0].0.day(), start + of_day.len()));
        }
    }

    fn scatter(&mut self, first: i32, days: usize, rows: Unordered<'_>) {
        let of_day = |entry: &DayAmount| (entry.day() - first).cast_unsigned() as usize;
        restart(&mut self.day_ends, days);
        for entry in rows.amounts {
            self.day_ends[of_day(entry)] += 1;
        }
        self.list_days(first);
        self.amounts.resize(rows.amounts.len(), 0);
        self.hours.resize(rows.amounts.len(), 0);
        self.card_days.resize(rows.amounts.len(), CardDay::NONE);
        let rows = rows.amounts.iter().zip(rows.hours).zip(rows.card_days);
        for ((entry, hour), card_day) in rows {
            let place = &mut self.day_ends[of_day(entry)];
            self.amounts[*place] = entry.amount();
            self.hours[*place] = *hour;
            self.card_days[*place] = *card_day;
            *place += 1;
        }
    }

    /// Lists the days that have rows, and turns counts into where each day starts.
    fn list_days(&mut self, first: i32) {
        // Which days have rows follows no pattern: all are listed, those without overwritten.
        self.days.resize(self.day_ends.len(), (0, 0));
        let (mut listed, mut start) = (0, 0);
        for (day, count) in (first..).zip(&mut self.day_ends) {
            let end = start + *count;
            self.days[listed] = (day, end);
            listed += usize::from(*count > 0);
            *count = start;
            start = end;
        }
        self.days.truncate(listed);
    }
}

fn restart<T: Copy + Default>(counts: &mut Vec<T>, len: usize) {
    counts.clear();
    counts.resize(len, T::default());
}

/// Turns counts into where each group starts, and returns where the last ends. Placing the items
/// of a group then moves its start to its end.
fn starts(counts: &mut [usize]) -> usize {
    counts.iter_mut().fold(0, |start, count| {
        let end = start + *count;
        *count = start;
        end
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_of_a_store_come_out_by_day(
            given in prop::collection::vec((0_i32..9_000, -5_i64..5, 1_u128..9), 0..60),
            step in prop::sample::select(vec![1, 100, 3_000]),
        ) {
            let mut rows: Vec<(i32, i64, u128)> = given
                .iter()
                .map(|(day, amount, card)| (day / step + 7, *amount, card << 100))
                .collect();
            let amounts: Vec<_> = rows.iter().map(|row| DayAmount::new(row.0, row.1)).collect();
            let cards: Vec<_> = rows.iter().map(|row| CardDay::new(row.2, row.0, true)).collect();
            // What hour a row has follows from its amount.
            let hour_of = |amount: i64| u8::try_from(amount.unsigned_abs()).unwrap();
            let hours: Vec<_> = rows.iter().map(|row| hour_of(row.1)).collect();
            let mut store = StoreRows::default();
            let unordered = Unordered { amounts: &amounts, hours: &hours, card_days: &cards };
            store.arrange((7, 9_007), unordered);
            let of_amounts = store.amounts.iter().map(|amount| hour_of(*amount));
            prop_assert!(of_amounts.eq(store.hours.iter().copied()));
            rows.sort_unstable();
            let mut start = 0;
            let (mut amounts, mut cards) = (Vec::new(), Vec::new());
            for (day, end) in &store.days {
                prop_assert!(*end > start);
                amounts.extend(store.amounts[start..*end].iter().map(|amount| (*day, *amount)));
                let of_day = &store.card_days[start..*end];
                prop_assert!(of_day.iter().all(|card_day| card_day.day() == *day));
                cards.extend_from_slice(of_day);
                start = *end;
            }
            prop_assert!(store.days.is_sorted_by(|a, b| a.0 < b.0));
            amounts.sort_unstable();
            cards.sort_unstable_by_key(|card_day| (card_day.day(), card_day.card()));
            let expected: Vec<_> = rows.iter().map(|row| (row.0, row.1)).collect();
            prop_assert_eq!(amounts, expected);
            rows.sort_unstable_by_key(|row| (row.0, row.2));
            let expected: Vec<_> = rows.iter().map(|row| CardDay::new(row.2, row.0, true)).collect();
            prop_assert_eq!(cards, expected);
        }
    }
}
