//! When the rows of a store's month settle, and what was kept and paid out for them (docs/format.md, "Settlements").

mod summary;

pub use summary::{DatedTotals, SettlementSummary, SettlementTotals};

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_signed_i128, put_varint},
    calendar::{DAYS, Day, DayRange, Month},
};

const STRUCTURE: &str = "settlements";

/// Rows that say an amount, and the sum of what they say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stated {
    /// Rows.
    pub count: u64,
    /// Their sum.
    pub sum: i128,
}

impl Stated {
    /// Adds other rows.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }

    fn put(self, out: &mut Vec<u8>) {
        put_varint(out, self.count);
        if self.count > 0 {
            put_signed_i128(out, self.sum);
        }
    }

    fn read(bytes: &mut Bytes<'_>) -> Result<Self> {
        let count = bytes.varint()?;
        let sum = match count {
            0 => 0,
            _ => bytes.signed_i128()?,
        };
        Ok(Self { count, sum })
    }

    /// Reads rows that are some of `all`.
    fn read_of(all: u64, bytes: &mut Bytes<'_>) -> Result<Self> {
        let read = Self::read(bytes)?;
        match read.count <= all {
            true => Ok(read),
            false => Err(corrupt("more rows say an amount than there are")),
        }
    }
}

/// Rows that settle together.
///
/// # Units
/// Sums are minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Rows, and their net sum.
    pub rows: Stated,
    /// Those that say a fee.
    pub fees: Stated,
    /// Those that say a deposit.
    pub deposits: Stated,
}

impl Settled {
    /// Adds other rows.
    pub fn add(&mut self, other: Self) {
        self.rows.add(other.rows);
        self.fees.add(other.fees);
        self.deposits.add(other.deposits);
    }

    fn put(self, out: &mut Vec<u8>) {
        self.rows.put(out);
        if self.rows.count > 0 {
            self.fees.put(out);
            self.deposits.put(out);
        }
    }

    fn read(bytes: &mut Bytes<'_>) -> Result<Self> {
        let rows = Stated::read(bytes)?;
        if rows.count == 0 {
            return Ok(Self::default());
        }
        Ok(Self {
            rows,
            fees: Stated::read_of(rows.count, bytes)?,
            deposits: Stated::read_of(rows.count, bytes)?,
        })
    }
}

/// All rows of a store's month.
///
/// # Shape
/// At least one row says when it settles, a fee, a deposit or points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettlementMonth {
    /// The rows that settle on each day, ascending; each has some.
    pub days: Vec<(Day, Settled)>,
    /// Those that do not say on which.
    pub undated: Settled,
    /// Those that say how many points were used, and how many those are.
    pub points: Stated,
}

impl SettlementMonth {
    /// Appends the record.
    ///
    /// # Errors
    /// [`Error::Invalid`] if days do not ascend, have no rows, or nothing is said.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let ascend = self.days.is_sorted_by(|(a, _), (b, _)| a < b);
        if !ascend || self.days.iter().any(|(_, it)| it.rows.count == 0) {
            let problem = "its days do not ascend, or have no rows";
            return Err(Error::invalid(STRUCTURE, problem));
        }
        if !self.says_something() {
            return Err(Error::invalid(STRUCTURE, "no row says anything"));
        }
        put_varint(out, self.days.len() as u64);
        let mut before = None;
        for (day, settled) in &self.days {
            match before {
                None => put_signed(out, day.0.into()),
                Some(Day(before)) => {
                    let step = i64::from(day.0) - i64::from(before) - 1;
                    put_varint(out, step.unsigned_abs());
                }
            }
            settled.put(out);
            before = Some(*day);
        }
        self.undated.put(out);
        self.points.put(out);
        Ok(())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        // A day takes more than one byte, so a hostile number reserves no more than is there.
        let len_days = bytes.length()?;
        let mut days: Vec<(Day, Settled)> = Vec::with_capacity(len_days);
        for _ in 0..len_days {
            let day = match days.last() {
                None => bytes.signed()?,
                Some((before, _)) => day_behind(*before, bytes.varint()?.saturating_add(1)),
            };
            let settled = Settled::read(&mut bytes)?;
            if settled.rows.count == 0 {
                return Err(corrupt("a day has no rows"));
            }
            days.push((day_of(day)?, settled));
        }
        let undated = Settled::read(&mut bytes)?;
        let mut counts = days.iter().map(|(_, settled)| settled.rows.count);
        let all = counts.try_fold(undated.rows.count, u64::checked_add);
        let all = all.ok_or_else(|| corrupt("it has more rows than can be"))?;
        let points = Stated::read_of(all, &mut bytes)?;
        let record = Self {
            days,
            undated,
            points,
        };
        if !bytes.is_empty() {
            return Err(corrupt("bytes are left over"));
        }
        match record.says_something() {
            true => Ok(record),
            false => Err(corrupt("no row says anything")),
        }
    }

    fn says_something(&self) -> bool {
        let Settled { fees, deposits, .. } = self.undated;
        let said = fees.count.max(deposits.count).max(self.points.count);
        said > 0 || !self.days.is_empty()
    }

    /// Returns all rows together.
    #[must_use]
    pub fn total(&self) -> Settled {
        let mut total = self.undated;
        self.days
            .iter()
            .for_each(|(_, settled)| total.add(*settled));
        total
    }

    /// Returns what `current` says of the record, which is that of a month.
    #[must_use]
    pub fn totals(&self, month: Month) -> SettlementTotals {
        let mut rows = Stated::default();
        let settled = self.days.iter();
        settled.for_each(|(_, settled)| rows.add(settled.rows));
        let ends = self.days.first().zip(self.days.last());
        SettlementTotals {
            month,
            dated: ends.map(|((first, _), (last, _))| DatedTotals {
                rows,
                days: DayRange {
                    first: *first,
                    last: *last,
                },
            }),
            undated: self.undated.rows,
        }
    }
}

/// Returns the day so many days behind another one, however many they are.
fn day_behind(day: Day, days: u64) -> i64 {
    i64::from(day.0).saturating_add_unsigned(days)
}

fn day_of(value: i64) -> Result<Day> {
    let day = i32::try_from(value).ok().filter(|day| DAYS.contains(day));
    day.map(Day)
        .ok_or_else(|| corrupt("a date is out of bounds"))
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn stated(count: u64, sum: i128) -> Stated {
        Stated { count, sum }
    }

    fn some_of(count: u64) -> impl Strategy<Value = Stated> {
        (0..=count, any::<i64>()).prop_map(|(count, sum)| {
            let sum = if count == 0 { 0 } else { sum.into() };
            stated(count, sum)
        })
    }

    fn settled(counts: std::ops::Range<u64>) -> impl Strategy<Value = Settled> {
        counts.prop_flat_map(|count| {
            let parts = (any::<i64>(), some_of(count), some_of(count));
            parts.prop_map(move |(sum, fees, deposits)| {
                let sum = if count == 0 { 0 } else { sum.into() };
                Settled {
                    rows: stated(count, sum),
                    fees,
                    deposits,
                }
            })
        })
    }

    pub(super) fn months() -> impl Strategy<Value = SettlementMonth> {
        let days = prop::collection::btree_map(-400..40_000_i32, settled(1..9), 0..6);
        let parts = (days, settled(0..5), any::<i64>());
        let months = parts.prop_map(|(days, undated, points)| SettlementMonth {
            points: match undated.rows.count {
                0 => Stated::default(),
                count => stated(count, points.into()),
            },
            days: days.into_iter().map(|(day, it)| (Day(day), it)).collect(),
            undated,
        });
        months.prop_filter("nothing is said", SettlementMonth::says_something)
    }

    fn encoded(month: &SettlementMonth) -> Vec<u8> {
        let mut out = Vec::new();
        month.encode(&mut out).unwrap();
        out
    }

    proptest! {
        #[test]
        fn records_read_back_whole_and_cut_ones_are_errors(month in months()) {
            let mut out = encoded(&month);
            prop_assert_eq!(SettlementMonth::parse(&out).unwrap(), month);
            for len in 0..out.len() {
                prop_assert!(SettlementMonth::parse(&out[..len]).is_err(), "{}", len);
            }
            out.push(0);
            prop_assert!(SettlementMonth::parse(&out).is_err());
        }

        #[test]
        fn any_bytes_are_an_error_or_what_was_written(
            month in months(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut out = encoded(&month);
            let at = at.index(out.len());
            out[at] = byte;
            if let Ok(record) = SettlementMonth::parse(&out) {
                let again = encoded(&record);
                prop_assert_eq!(SettlementMonth::parse(&again).unwrap(), record);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_neither_written_nor_read() {
        let one = Settled {
            rows: stated(1, 5),
            ..Settled::default()
        };
        for month in [
            SettlementMonth::default(),
            SettlementMonth {
                undated: one,
                ..SettlementMonth::default()
            },
            SettlementMonth {
                days: vec![(Day(3), Settled::default())],
                ..SettlementMonth::default()
            },
            SettlementMonth {
                days: vec![(Day(3), one), (Day(3), one)],
                ..SettlementMonth::default()
            },
        ] {
            let written = month.encode(&mut Vec::new());
            assert!(matches!(written, Err(Error::Invalid { .. })), "{month:?}");
        }
        for (bytes, problem) in [
            (&[0, 0, 0][..], "no row says anything"),
            (&[0, 1, 10, 0, 0, 0], "no row says anything"),
            (&[1, 6, 0, 0, 0], "a day has no rows"),
            (&[1, 6, 1, 10, 2, 4, 0, 0, 0], "more rows say an amount"),
            (&[1, 6, 1, 10, 0, 0, 0, 2, 4], "more rows say an amount"),
            (&[1, 6, 1, 10, 0, 0, 0, 0, 9], "bytes are left over"),
            (
                &[1, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 10, 0, 0, 0, 0],
                "a date is out of bounds",
            ),
        ] {
            let error = SettlementMonth::parse(bytes).unwrap_err().to_string();
            assert!(error.contains(problem), "{bytes:?}: {error}");
        }
        // A row of 5 on the third day of 1970, and nothing else.
        let right = SettlementMonth::parse(&[1, 6, 1, 10, 0, 0, 0, 0]).unwrap();
        assert_eq!(right.days, [(Day(3), one)]);
        assert_eq!(right.total(), one);
    }
}
