//! What is known of a store's settlements by month, without reading the months.

use super::{STRUCTURE, Stated, corrupt, day_behind, day_of};
use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_signed_i128, put_varint},
    calendar::{DayRange, MONTHS, Month},
};

/// The rows of a month that say when they settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedTotals {
    /// Rows, at least one, and their net sum.
    pub rows: Stated,
    /// From the first to the last day on which some of them settle.
    pub days: DayRange,
}

/// The totals of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettlementTotals {
    /// Which month.
    pub month: Month,
    /// Rows that say when they settle, if some do.
    pub dated: Option<DatedTotals>,
    /// Those that do not, and their net sum.
    pub undated: Stated,
}

/// The months of a store that have a [`super::SettlementMonth`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettlementSummary {
    /// Ascending, at least one.
    pub months: Vec<SettlementTotals>,
}

impl SettlementSummary {
    /// Appends the record.
    ///
    /// # Errors
    /// [`Error::Invalid`] if months do not ascend, have no rows, or there are none.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let ascend = self.months.is_sorted_by(|a, b| a.month < b.month);
        let are_empty = |it: &SettlementTotals| it.dated.is_none() && it.undated.count == 0;
        if self.months.is_empty() || !ascend || self.months.iter().any(are_empty) {
            let problem = "its months do not ascend, have no rows, or there are none";
            return Err(Error::invalid(STRUCTURE, problem));
        }
        put_varint(out, self.months.len() as u64);
        let mut before = None;
        for totals in &self.months {
            match before {
                None => put_signed(out, totals.month.0.into()),
                Some(Month(before)) => {
                    let step = i64::from(totals.month.0) - i64::from(before) - 1;
                    put_varint(out, step.unsigned_abs());
                }
            }
            totals.put(out);
            before = Some(totals.month);
        }
        Ok(())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        // A month takes more than one byte, so a hostile number reserves no more than is there.
        let len_months = bytes.length()?;
        let mut months: Vec<SettlementTotals> = Vec::with_capacity(len_months);
        for _ in 0..len_months {
            let month = match months.last() {
                None => bytes.signed()?,
                Some(before) => i64::from(before.month.0)
                    .saturating_add_unsigned(bytes.varint()?)
                    .saturating_add(1),
            };
            let month = i32::try_from(month).ok();
            let month = month.filter(|month| MONTHS.contains(month));
            let month = month.ok_or_else(|| corrupt("a month is out of bounds"))?;
            months.push(SettlementTotals::read(Month(month), &mut bytes)?);
        }
        if months.is_empty() {
            return Err(corrupt("it has no month"));
        }
        match bytes.is_empty() {
            true => Ok(Self { months }),
            false => Err(corrupt("bytes are left over")),
        }
    }

    /// Returns the first and the last day on which a row settles, or `None` if no row says when.
    #[must_use]
    pub fn days(&self) -> Option<DayRange> {
        let ranges = self.months.iter().filter_map(|it| Some(it.dated?.days));
        ranges.reduce(|a, b| DayRange {
            first: a.first.min(b.first),
            last: a.last.max(b.last),
        })
    }

    /// Returns the rows that say when they settle.
    #[must_use]
    pub fn dated(&self) -> Stated {
        let mut rows = Stated::default();
        let dated = self.months.iter().filter_map(|it| it.dated);
        dated.for_each(|it| rows.add(it.rows));
        rows
    }
}

impl SettlementTotals {
    /// Returns all rows of the month.
    #[must_use]
    pub fn all(&self) -> Stated {
        let mut rows = self.undated;
        if let Some(dated) = self.dated {
            rows.add(dated.rows);
        }
        rows
    }

    fn put(self, out: &mut Vec<u8>) {
        match self.dated {
            None => put_varint(out, 0),
            Some(DatedTotals { rows, days }) => {
                put_varint(out, rows.count);
                put_signed_i128(out, rows.sum);
                let first = self.month.first_day();
                put_signed(out, i64::from(days.first.0) - i64::from(first.0));
                let len = i64::from(days.last.0) - i64::from(days.first.0);
                put_varint(out, len.unsigned_abs());
            }
        }
        self.undated.put(out);
    }

    fn read(month: Month, bytes: &mut Bytes<'_>) -> Result<Self> {
        let dated = match bytes.varint()? {
            0 => None,
            count => {
                let sum = bytes.signed_i128()?;
                let first = i64::from(month.first_day().0).saturating_add(bytes.signed()?);
                let first = day_of(first)?;
                let last = day_of(day_behind(first, bytes.varint()?))?;
                Some(DatedTotals {
                    rows: Stated { count, sum },
                    days: DayRange { first, last },
                })
            }
        };
        let undated = Stated::read(bytes)?;
        let count = dated.map_or(0, |it| it.rows.count);
        match count.checked_add(undated.count) {
            None => Err(corrupt("it has more rows than can be")),
            Some(0) => Err(corrupt("a month has no rows")),
            Some(_) => Ok(Self {
                month,
                dated,
                undated,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::months, *};
    use crate::calendar::Day;

    fn summaries() -> impl Strategy<Value = SettlementSummary> {
        let months = prop::collection::btree_map(23_000..25_000_i32, months(), 1..5);
        months.prop_map(|months| SettlementSummary {
            months: months
                .into_iter()
                .map(|(month, record)| record.totals(Month(month)))
                .collect(),
        })
    }

    fn encoded(summary: &SettlementSummary) -> Vec<u8> {
        let mut out = Vec::new();
        summary.encode(&mut out).unwrap();
        out
    }

    proptest! {
        #[test]
        fn records_read_back_whole_and_cut_ones_are_errors(summary in summaries()) {
            let mut out = encoded(&summary);
            let days = summary.days();
            let read = SettlementSummary::parse(&out).unwrap();
            prop_assert_eq!(&read, &summary);
            prop_assert_eq!(days.is_some(), read.dated().count > 0);
            for len in 0..out.len() {
                prop_assert!(SettlementSummary::parse(&out[..len]).is_err(), "{}", len);
            }
            out.push(0);
            prop_assert!(SettlementSummary::parse(&out).is_err());
        }

        #[test]
        fn any_bytes_are_an_error_or_what_was_written(
            summary in summaries(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut out = encoded(&summary);
            let at = at.index(out.len());
            out[at] = byte;
            if let Ok(read) = SettlementSummary::parse(&out) {
                prop_assert_eq!(SettlementSummary::parse(&encoded(&read)).unwrap(), read);
            }
        }
    }

    #[test]
    fn months_are_put_together() {
        let dated = |first, last| DatedTotals {
            rows: Stated { count: 2, sum: 7 },
            days: DayRange {
                first: Day(first),
                last: Day(last),
            },
        };
        let undated = Stated { count: 1, sum: -3 };
        let months = [
            (24_218, Some(dated(17_600, 17_700))),
            (24_219, None),
            (24_220, Some(dated(17_590, 17_640))),
        ];
        let months = months.map(|(month, dated)| SettlementTotals {
            month: Month(month),
            dated,
            undated,
        });
        let summary = SettlementSummary {
            months: months.to_vec(),
        };
        let days = summary.days().unwrap();
        assert_eq!((days.first, days.last), (Day(17_590), Day(17_700)));
        assert_eq!(summary.dated(), Stated { count: 4, sum: 14 });
        assert_eq!(summary.months[0].all(), Stated { count: 3, sum: 4 });
        assert_eq!(summary.months[1].all(), undated);
        let alone = SettlementSummary {
            months: months[1..2].to_vec(),
        };
        assert_eq!(alone.days(), None);
    }

    #[test]
    fn what_cannot_be_is_neither_written_nor_read() {
        let empty = SettlementTotals {
            month: Month(24_218),
            dated: None,
            undated: Stated::default(),
        };
        let some = SettlementTotals {
            undated: Stated { count: 1, sum: 2 },
            ..empty
        };
        for months in [vec![], vec![empty], vec![some, some]] {
            let written = SettlementSummary { months }.encode(&mut Vec::new());
            assert!(matches!(written, Err(Error::Invalid { .. })));
        }
        for (bytes, problem) in [
            (&[0][..], "it has no month"),
            (&[1, 40, 0, 0], "a month has no rows"),
            (&[1, 22, 0, 1, 2], "a month is out of bounds"),
            (&[1, 40, 0, 1, 2, 9], "bytes are left over"),
        ] {
            let error = SettlementSummary::parse(bytes).unwrap_err().to_string();
            assert!(error.contains(problem), "{bytes:?}: {error}");
        }
    }
}
