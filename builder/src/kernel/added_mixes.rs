//! How a month of several stores, or of all, was paid, added up from the months of these.

use std::{collections::BTreeMap, ops::AddAssign};

use nightshard_format::record::{Dimension, EncodedMixes, MixRow, MonthRecord};

use super::by_value::ByValue;
use crate::Result;

/// Rows, and their net sum.
#[derive(Debug, Default, Clone, Copy)]
struct Rows {
    count: u64,
    sum: i128,
}

impl AddAssign for Rows {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// The mixes of one month.
#[derive(Debug, Default)]
pub struct AddedMixes {
    /// What rows of some store say, and those that do not where others of it do.
    said: BTreeMap<Dimension, ByValue<Rows>>,
    /// All rows.
    all: Rows,
}

impl AddedMixes {
    /// Adds a store's month.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if the record is damaged.
    pub fn add(&mut self, month: &MonthRecord<'_>) -> Result<()> {
        let statistics = month.statistics();
        self.all += Rows {
            count: statistics.count,
            sum: statistics.sum,
        };
        month.visit_mixes(|row| {
            let said = self.said.entry(row.dimension).or_default();
            let (count, sum) = (row.count, row.sum);
            said.add(row.value, Rows { count, sum });
        })?;
        Ok(())
    }

    /// Encodes the mixes. Of a dimension that a store says nothing of, its rows do not say.
    #[must_use]
    pub fn encode(mut self) -> EncodedMixes {
        for (dimension, values) in &mut self.said {
            add_unsaid(*dimension, values, self.all);
        }
        let mut rows = Vec::new();
        for (dimension, values) in &self.said {
            rows.extend(values.iter().map(|(value, of_value)| MixRow {
                dimension: *dimension,
                value,
                count: of_value.count,
                sum: of_value.sum,
            }));
        }
        rows.sort_unstable_by_key(|row| (row.dimension, row.value));
        EncodedMixes::new(&rows)
    }
}

/// Adds the rows of the stores that say nothing of a dimension, where another one does.
fn add_unsaid(dimension: Dimension, values: &mut ByValue<Rows>, all: Rows) {
    let mut said = Rows::default();
    values.iter().for_each(|(_, rows)| said += rows);
    if said.count < all.count {
        let rest = Rows {
            count: all.count - said.count,
            sum: all.sum - said.sum,
        };
        values.add(dimension.unsaid(), rest);
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::{
        calendar::{Day, Month},
        record::{DayCards, MixValue, MonthBuilder},
    };

    use super::*;

    type Row<'a> = (Dimension, MixValue<&'a [u8]>, u64, i128);

    fn row((dimension, value, count, sum): Row<'_>) -> MixRow<'_> {
        MixRow {
            dimension,
            value,
            count,
            sum,
        }
    }

    /// A month with these amounts on its first day.
    fn month(amounts: &[i64], mixes: EncodedMixes) -> Vec<u8> {
        let month = Month::new(2018, 3).unwrap();
        let first: Day = month.first_day();
        let mut builder = MonthBuilder::new();
        builder.begin(month);
        builder.day(first, amounts, DayCards::default());
        builder.mixes(mixes);
        let mut value = Vec::new();
        builder.finish(&mut value);
        value
    }

    #[test]
    fn what_one_store_says_nothing_of_is_not_said_of_its_rows() {
        let text = |text: &'static str| MixValue::Text(text.as_bytes());
        let (channel, points) = (Dimension::Channel, Dimension::PointsUsed);
        let first = [
            row((channel, text("online"), 1, 5)),
            row((channel, MixValue::Unknown, 1, 7)),
            row((points, MixValue::Flag(true), 2, 12)),
        ];
        let second = [row((channel, text("online"), 3, 6))];
        let records = [
            month(&[5, 7], EncodedMixes::new(&first)),
            month(&[1, 2, 3], EncodedMixes::new(&second)),
            month(&[100], EncodedMixes::default()),
        ];
        let mut mixes = AddedMixes::default();
        for record in &records {
            let record = MonthRecord::parse(Month::new(2018, 3).unwrap(), record).unwrap();
            mixes.add(&record).unwrap();
        }
        let expected = [
            row((channel, text("online"), 4, 11)),
            row((channel, MixValue::Unknown, 2, 107)),
            row((points, MixValue::Flag(false), 4, 106)),
            row((points, MixValue::Flag(true), 2, 12)),
        ];
        assert_eq!(mixes.encode(), EncodedMixes::new(&expected));
        assert!(AddedMixes::default().encode().is_empty());
    }
}
