//! The rows of a partition, put in the order of their stores, then days.

use super::{
    row::{CardDay, DayAmount, PartitionRow},
    store_partition::Profiles,
};

/// What is kept of rows, by store, then day; rows of one day in the order in which they came.
///
/// Its memory serves one partition after the other.
#[derive(Debug, Default)]
pub(super) struct StoreOrder {
    by_day: Vec<u32>,
    day_ends: Vec<usize>,
    store_ends: Vec<usize>,
    amounts: Vec<DayAmount>,
    card_days: Vec<CardDay>,
    /// Rows in the base currency of each profile.
    pub(super) profile_rows: Vec<u64>,
    /// Rows in other currencies, which are left out.
    pub(super) other_currency: u64,
}

impl StoreOrder {
    /// Arranges `rows` instead of what was arranged before.
    ///
    /// # Shape
    /// Fewer than 2^32 rows.
    /// # Complexity
    /// Two passes that scatter, by day and by store, whatever the order of the rows: rows of one
    /// store are few beside the days of a year, and comparing them would take ten passes.
    pub(super) fn arrange(&mut self, profiles: &Profiles, rows: &[PartitionRow]) {
        let days = rows.iter().map(|row| row.row.day());
        let first = days.clone().min().unwrap_or(0);
        let days = days.max().map_or(0, |last| usize::from(last - first) + 1);
        let of_day = |row: &PartitionRow| usize::from(row.row.day() - first);
        restart(&mut self.day_ends, days);
        restart(&mut self.store_ends, profiles.stores.len());
        restart(&mut self.profile_rows, profiles.len());
        for row in rows {
            // Profiles in other currencies have no store to be counted for.
            if let Some(store) = profiles.base_store_of(row) {
                self.day_ends[of_day(row)] += 1;
                self.store_ends[store] += 1;
                self.profile_rows[row.profile as usize] += 1;
            }
        }
        let used = starts(&mut self.store_ends);
        starts(&mut self.day_ends);
        self.other_currency = (rows.len() - used) as u64;
        self.by_day.resize(used, 0);
        for (index, row) in (0..).zip(rows) {
            if profiles.base_store_of(row).is_some() {
                let place = &mut self.day_ends[of_day(row)];
                self.by_day[*place] = index;
                *place += 1;
            }
        }
        self.amounts.resize(used, DayAmount::new(0, 0));
        self.card_days.resize(used, CardDay::new(0, 0));
        for index in &self.by_day {
            let row = &rows[*index as usize];
            if let Some(store) = profiles.base_store_of(row) {
                let place = &mut self.store_ends[store];
                self.amounts[*place] = row.row.day_amount();
                self.card_days[*place] = row.row.card_day();
                *place += 1;
            }
        }
    }

    /// Returns the rows of a store: day and amount, card and day, side by side.
    pub(super) fn store(&mut self, store: usize) -> (&mut [DayAmount], &[CardDay]) {
        let start = store
            .checked_sub(1)
            .map_or(0, |before| self.store_ends[before]);
        let range = start..self.store_ends[store];
        (&mut self.amounts[range.clone()], &self.card_days[range])
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
