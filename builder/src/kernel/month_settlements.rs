//! The rows of stores' months by the day on which they settle.

use nightshard_format::{
    calendar::{Day, Month},
    record::{MonthTotals, Settled, SettlementMonth, SettlementSummary, Stated},
    shard::Span,
};

use super::{
    loaded_rows::LoadedRows,
    profiles::Profiles,
    row::{DAYS, PartitionRow},
    settlement::{SETTLEMENT_DAYS, Settlement},
    store_days::EncodedRecords,
};
use crate::{Error, Result};

/// The rows of one store, month and day of settlement that say something.
#[derive(Debug, Clone, Copy)]
struct Counted {
    key: u64,
    settled: Settled,
    points: Stated,
}

/// Counts rows by store, month and day of settlement; its memory serves one partition after the other.
#[derive(Debug, Default)]
pub(super) struct MonthSettlements {
    /// Keys, and which of the rows that are added.
    order: Vec<(u64, u32)>,
    /// By key, each once.
    counted: Vec<Counted>,
}

const MONTH_BITS: u32 = 11;
const DAY_BITS: u32 = 17;
const STORE_SHIFT: u32 = MONTH_BITS + DAY_BITS;
const _: () = assert!(STORE_SHIFT + u32::BITS <= u64::BITS);
const _: () = assert!(*DAYS.end() / 28 < 1 << MONTH_BITS);
const _: () = assert!(*SETTLEMENT_DAYS.end() - *SETTLEMENT_DAYS.start() + 1 < 1 << DAY_BITS);

/// The first month of [`DAYS`].
fn first_month() -> Month {
    Day(*DAYS.start()).month()
}

/// Returns a store, month and day of settlement as one integer of the same order, those of no day first.
fn key_of(store: usize, day: u16, settles_on: Option<i32>) -> u64 {
    let month = (Day(day.into()).month().0 - first_month().0).unsigned_abs();
    let day = settles_on.map_or(0, |day| (day - SETTLEMENT_DAYS.start() + 1).unsigned_abs());
    (store as u64) << STORE_SHIFT | u64::from(month) << DAY_BITS | u64::from(day)
}

fn month_of(key: u64) -> Month {
    let months = key >> DAY_BITS & ((1 << MONTH_BITS) - 1);
    Month(first_month().0 + i32::try_from(months).unwrap_or(0))
}

fn settles_on(key: u64) -> Option<Day> {
    match i32::try_from(key & ((1 << DAY_BITS) - 1)) {
        Ok(days @ 1..) => Some(Day(SETTLEMENT_DAYS.start() + days - 1)),
        _ => None,
    }
}

impl Counted {
    fn new(key: u64, row: &PartitionRow, settlement: &Settlement) -> Self {
        let one = |said: Option<i64>| {
            said.map_or_else(Stated::default, |amount| Stated {
                count: 1,
                sum: amount.into(),
            })
        };
        Self {
            key,
            settled: Settled {
                rows: one(Some(row.row.day_amount().amount())),
                fees: one(settlement.fee()),
                deposits: one(settlement.deposit()),
            },
            points: one(settlement.points()),
        }
    }

    fn add(&mut self, other: &Self) {
        self.settled.add(other.settled);
        self.points.add(other.points);
    }
}

impl MonthSettlements {
    /// Forgets what was counted.
    pub(super) fn clear(&mut self) {
        self.counted.clear();
    }

    /// Adds rows, of which those in other currencies are left out.
    ///
    /// # Complexity
    /// That of sorting those that say something of their settlement.
    pub(super) fn add(&mut self, profiles: &Profiles, rows: &LoadedRows) {
        let settled: Vec<_> = rows.settled().collect();
        if settled.is_empty() {
            return;
        }
        self.order.clear();
        let order = (0_u32..)
            .zip(&settled)
            .filter_map(|(at, (row, settlement))| {
                let store = profiles.base_store_of(row)?;
                let key = key_of(store, row.row.day(), settlement.settles_on());
                Some((key, at))
            });
        self.order.extend(order);
        self.order.sort_unstable();
        let is_first = self.counted.is_empty();
        for of_key in self.order.chunk_by(|a, b| a.0 == b.0) {
            let rows = of_key.iter().map(|(key, at)| {
                let (row, settlement) = settled[*at as usize];
                Counted::new(*key, row, settlement)
            });
            let counted = rows.reduce(|mut sum, row| {
                sum.add(&row);
                sum
            });
            self.counted.extend(counted);
        }
        if !is_first {
            self.add_up();
        }
    }

    /// Adds up what has one key.
    fn add_up(&mut self) {
        self.counted.sort_unstable_by_key(|it| it.key);
        self.counted.dedup_by(|next, kept| {
            let same = next.key == kept.key;
            if same {
                kept.add(next);
            }
            same
        });
    }

    /// Appends the records of a store, whose months are these: of those in which a row says something, and if there are
    /// some, what `current` says of them.
    pub(super) fn encode(
        &self,
        store: usize,
        months: &[MonthTotals],
        out: &mut EncodedRecords,
    ) -> Result<()> {
        let start = |store: usize| {
            let before = |it: &Counted| it.key >> STORE_SHIFT < store as u64;
            self.counted.partition_point(before)
        };
        let of_store = &self.counted[start(store)..start(store + 1)];
        let mut summary = SettlementSummary::default();
        for counted in of_store.chunk_by(|a, b| month_of(a.key) == month_of(b.key)) {
            let month = month_of(counted[0].key);
            let all = months.iter().find(|totals| totals.month == month);
            let all = all.ok_or_else(|| Error::Internal(format!("no row is of {month}")))?;
            let all = Stated {
                count: all.statistics.count,
                sum: all.statistics.sum,
            };
            let record = record_of(counted, all);
            record.encode(&mut out.values)?;
            out.spans.push((Span::Month(month), out.values.len()));
            summary.months.push(record.totals(month));
        }
        if !summary.months.is_empty() {
            summary.encode(&mut out.values)?;
            out.spans.push((Span::Current, out.values.len()));
        }
        Ok(())
    }
}

/// Returns the record of a month that has all these rows, of which those that say something are counted.
fn record_of(counted: &[Counted], all: Stated) -> SettlementMonth {
    let mut record = SettlementMonth::default();
    let mut undated = all;
    for it in counted {
        record.points.add(it.points);
        match settles_on(it.key) {
            None => record.undated = it.settled,
            Some(day) => {
                undated.count -= it.settled.rows.count;
                undated.sum -= it.settled.rows.sum;
                record.days.push((day, it.settled));
            }
        }
    }
    // Rows that say nothing at all are among them.
    record.undated.rows = undated;
    record
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{
        row::{RowParts, StoreRow},
        settlement::tests::settlement,
    };

    proptest! {
        #[test]
        fn keys_keep_their_parts_and_order(
            store in 0_usize..u32::MAX as usize,
            day in 0_u16..47_482,
            on in prop::option::of(SETTLEMENT_DAYS),
        ) {
            let key = key_of(store, day, on);
            prop_assert_eq!(month_of(key), Day(day.into()).month());
            prop_assert_eq!(settles_on(key), on.map(Day));
            prop_assert_eq!(key >> STORE_SHIFT, store as u64);
            prop_assert!(key < key_of(store + 1, 0, None));
            prop_assert!(key >= key_of(store, day, None));
        }
    }

    fn counted(day: u16, amount: i64, texts: [&str; 4]) -> Counted {
        let parts = RowParts {
            card: 0,
            tx: 0,
            content: 0,
            amount,
            day: day.into(),
            half_hour: 0,
        };
        let row = PartitionRow::new(&StoreRow::new(&parts, 0), 0);
        let settlement = settlement(texts).unwrap();
        let key = key_of(3, day, settlement.settles_on());
        Counted::new(key, &row, &settlement)
    }

    #[test]
    fn rows_that_say_no_day_are_what_is_left_of_the_month() {
        let stated = |count, sum| Stated { count, sum };
        let mut settlements = MonthSettlements {
            counted: vec![
                counted(17_597, 900, ["", "20", "880", "2018-03-07"]),
                counted(17_596, 1_200, ["300", "", "", "2018-03-07"]),
                counted(17_596, -500, ["", "-10", "", ""]),
            ],
            ..MonthSettlements::default()
        };
        settlements.add_up();
        let [undated, dated] = &settlements.counted[..] else {
            panic!("a day and none")
        };
        assert_eq!(settles_on(dated.key), Some(Day(17_597)));
        // Of another two rows nothing is said.
        let record = record_of(&[*undated, *dated], stated(5, 2_100));
        let day = Settled {
            rows: stated(2, 2_100),
            fees: stated(1, 20),
            deposits: stated(1, 880),
        };
        assert_eq!(record.days, [(Day(17_597), day)]);
        assert_eq!(record.points, stated(1, 300));
        let undated = Settled {
            rows: stated(3, 0),
            fees: stated(1, -10),
            deposits: stated(0, 0),
        };
        assert_eq!(record.undated, undated);
    }
}
