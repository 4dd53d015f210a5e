//! How a month of several stores, or of all, was paid, added up from the months of these.

use std::collections::BTreeMap;

use nightshard_format::record::{Dimension, EncodedMixes, MixRow, MixValue, MonthRecord};

use crate::Result;

/// Rows, and their net sum.
#[derive(Debug, Default, Clone, Copy)]
struct Rows {
    count: u64,
    sum: i128,
}

impl Rows {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// The mixes of one month.
#[derive(Debug, Default)]
pub struct AddedMixes {
    /// What rows of some store say, and those that do not where others of it do.
    said: BTreeMap<(Dimension, MixValue<Vec<u8>>), Rows>,
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
        self.all.add(Rows {
            count: statistics.count,
            sum: statistics.sum,
        });
        month.visit_mixes(|row| {
            let value = (row.dimension, row.value.into_owned());
            let rows = self.said.entry(value).or_default();
            rows.add(Rows {
                count: row.count,
                sum: row.sum,
            });
        })?;
        Ok(())
    }

    /// Encodes the mixes. Of a dimension that a store says nothing of, its rows do not say.
    #[must_use]
    pub fn encode(mut self) -> EncodedMixes {
        for dimension in Dimension::ALL {
            self.add_unsaid(dimension);
        }
        let rows = self.said.iter();
        let rows = rows.map(|((dimension, value), rows)| MixRow {
            dimension: *dimension,
            value: value.as_deref(),
            count: rows.count,
            sum: rows.sum,
        });
        EncodedMixes::new(&rows.collect::<Vec<_>>())
    }

    /// Adds the rows of the stores that say nothing of a dimension, where another one does.
    fn add_unsaid(&mut self, dimension: Dimension) {
        let mut said = Rows::default();
        let of_dimension = self.said.iter().filter(|((it, _), _)| *it == dimension);
        of_dimension.for_each(|(_, rows)| said.add(*rows));
        if (1..self.all.count).contains(&said.count) {
            let rest = Rows {
                count: self.all.count - said.count,
                sum: self.all.sum - said.sum,
            };
            let unsaid = (dimension, dimension.unsaid());
            self.said.entry(unsaid).or_default().add(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::{
        calendar::{Day, Month},
        record::{DayCards, MonthBuilder},
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
