//! The rows of stores' months by how they were paid.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, Month},
    record::{EncodedMixes, MixRow},
};

use super::{
    mix::{MIX_BITS, Mixes},
    profiles::Profiles,
    row::{DAYS, PartitionRow},
};

/// The rows of one store, month and combination.
#[derive(Debug, Clone, Copy)]
struct Counted {
    key: u64,
    count: u64,
    sum: i128,
}

/// Counts rows by store, month and combination; its memory serves one partition after the other.
#[derive(Debug, Default)]
pub(super) struct MonthMixes {
    rows: Vec<(u64, i64)>,
    /// By key, each once.
    counted: Vec<Counted>,
    /// Numbers of values, with the rows of each.
    of_month: Vec<(u32, u64, i128)>,
}

const MONTH_BITS: u32 = 11;
const STORE_SHIFT: u32 = MIX_BITS + MONTH_BITS;
const _: () = assert!(STORE_SHIFT + u32::BITS == u64::BITS);
const _: () = assert!(*DAYS.end() / 28 < 1 << MONTH_BITS);

/// The first month of [`DAYS`].
fn first_month() -> Month {
    Day(*DAYS.start()).month()
}

/// Returns a store, month and combination as one integer of the same order.
fn key_of(store: usize, day: u16, mix: u32) -> u64 {
    let month = Day(day.into()).month().0 - first_month().0;
    let month = u64::from(month.unsigned_abs());
    (store as u64) << STORE_SHIFT | month << MIX_BITS | u64::from(mix)
}

fn month_of(key: u64) -> Month {
    let months = key >> MIX_BITS & ((1 << MONTH_BITS) - 1);
    Month(first_month().0 + i32::try_from(months).unwrap_or(0))
}

fn mix_of(key: u64) -> u32 {
    u32::try_from(key & ((1 << MIX_BITS) - 1)).unwrap_or(0)
}

impl MonthMixes {
    /// Forgets what was counted.
    pub(super) fn clear(&mut self) {
        self.counted.clear();
    }

    /// Adds rows, of which those in other currencies are left out.
    ///
    /// # Complexity
    /// That of sorting them.
    pub(super) fn add(&mut self, profiles: &Profiles, rows: &[PartitionRow]) {
        self.rows.clear();
        self.rows.extend(rows.iter().filter_map(|row| {
            let store = profiles.base_store_of(row)?;
            let key = key_of(store, row.row.day(), row.said().mix());
            Some((key, row.row.day_amount().amount()))
        }));
        self.count();
    }

    fn count(&mut self) {
        self.rows.sort_unstable_by_key(|(key, _)| *key);
        let is_first = self.counted.is_empty();
        for of_key in self.rows.chunk_by(|a, b| a.0 == b.0) {
            self.counted.push(Counted {
                key: of_key[0].0,
                count: of_key.len() as u64,
                sum: of_key.iter().map(|(_, amount)| i128::from(*amount)).sum(),
            });
        }
        if !is_first {
            self.counted.sort_unstable_by_key(|it| it.key);
            self.counted.dedup_by(|next, kept| {
                let same = next.key == kept.key;
                if same {
                    kept.count += next.count;
                    kept.sum += next.sum;
                }
                same
            });
        }
    }

    /// Returns the mixes of a store's months, of those that say something.
    pub(super) fn of_store(
        &mut self,
        store: usize,
        mixes: &Mixes,
    ) -> BTreeMap<Month, EncodedMixes> {
        let start = |store: usize| {
            let before = |it: &Counted| it.key >> STORE_SHIFT < store as u64;
            self.counted.partition_point(before)
        };
        let of_store = &self.counted[start(store)..start(store + 1)];
        let mut months = BTreeMap::new();
        for counted in of_store.chunk_by(|a, b| month_of(a.key) == month_of(b.key)) {
            let encoded = encode(counted, mixes, &mut self.of_month);
            if !encoded.is_empty() {
                months.insert(month_of(counted[0].key), encoded);
            }
        }
        months
    }
}

/// Divides the rows of a month by each dimension.
fn encode(
    counted: &[Counted],
    mixes: &Mixes,
    by_value: &mut Vec<(u32, u64, i128)>,
) -> EncodedMixes {
    by_value.clear();
    for it in counted {
        let numbers = mixes.numbers(mix_of(it.key)).iter();
        by_value.extend(numbers.map(|number| (*number, it.count, it.sum)));
    }
    by_value.sort_unstable_by_key(|(number, ..)| *number);
    by_value.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
            kept.2 += next.2;
        }
        same
    });
    let rows = by_value.iter().map(|(number, count, sum)| {
        let (dimension, value) = mixes.value(*number);
        MixRow {
            dimension,
            value,
            count: *count,
            sum: *sum,
        }
    });
    EncodedMixes::new(&rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_keep_their_parts_and_order(
            store in 0_usize..u32::MAX as usize,
            day in 0_u16..47_482,
            mix in 0_u32..1 << MIX_BITS,
        ) {
            let key = key_of(store, day, mix);
            prop_assert_eq!((month_of(key), mix_of(key)), (Day(day.into()).month(), mix));
            prop_assert_eq!(key >> STORE_SHIFT, store as u64);
            prop_assert!(key < key_of(store + 1, 0, 0));
        }

        #[test]
        fn rows_are_counted_however_they_are_cut(
            rows in prop::collection::vec((0_u64..9, -50_i64..50), 0..60),
            cut in 0_usize..60,
        ) {
            let mut counts = MonthMixes::default();
            let (first, second) = rows.split_at(cut.min(rows.len()));
            for part in [first, second] {
                counts.rows = part.to_vec();
                counts.count();
            }
            let mut expected = BTreeMap::<u64, (u64, i128)>::new();
            for (key, amount) in rows {
                let of_key = expected.entry(key).or_default();
                *of_key = (of_key.0 + 1, of_key.1 + i128::from(amount));
            }
            let counted = counts.counted.iter().map(|it| (it.key, (it.count, it.sum)));
            prop_assert!(counted.eq(expected));
        }
    }
}
