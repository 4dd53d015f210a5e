//! How the rows of a leaf, or of leaves that are put together, were paid in a month, and whose they are.

use std::collections::BTreeMap;

use nightshard_format::record::{
    Dimension, MixValue, MonthRecord, PatternCell, PlaceMix, PlaceMixes,
};

use crate::Result;

/// The rows of some stores in a month.
#[derive(Debug, Default)]
pub struct LeafMixes(BTreeMap<u32, MerchantMixes>);

/// The rows of one merchant.
#[derive(Debug, Default)]
struct MerchantMixes {
    all: u64,
    /// Those of stores that say something of a dimension.
    said: BTreeMap<(Dimension, MixValue<Vec<u8>>), u64>,
}

impl MerchantMixes {
    /// Returns how many rows each value of a dimension has; those of stores that say nothing of it do not say.
    fn values(&self, dimension: Dimension) -> BTreeMap<&MixValue<Vec<u8>>, u64> {
        let of_dimension = self.said.iter().filter(|((it, _), _)| *it == dimension);
        let values = of_dimension.map(|((_, value), count)| (value, *count));
        values.collect()
    }
}

impl LeafMixes {
    /// Adds the month of a store of a merchant.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if the record is damaged.
    pub fn add(&mut self, merchant: u32, month: &MonthRecord<'_>) -> Result<()> {
        let rows = self.0.entry(merchant).or_default();
        rows.all += month.statistics().count;
        month.visit_mixes(|row| {
            let value = (row.dimension, row.value.into_owned());
            *rows.said.entry(value).or_default() += row.count;
        })?;
        Ok(())
    }

    /// Returns the mixes, of each dimension of which a row says something.
    #[must_use]
    pub fn finish(&self) -> PlaceMixes {
        let said = Dimension::ALL.into_iter().filter(|it| self.is_said(*it));
        PlaceMixes {
            all: PatternCell::of(self.0.values().map(|rows| rows.all)),
            dimensions: said.map(|it| (it, self.mix(it))).collect(),
        }
    }

    fn is_said(&self, dimension: Dimension) -> bool {
        let mut said = self.0.values().flat_map(|rows| rows.said.keys());
        said.any(|(it, _)| *it == dimension)
    }

    fn mix(&self, dimension: Dimension) -> PlaceMix {
        let mut by_value = BTreeMap::<MixValue<Vec<u8>>, Vec<u64>>::new();
        for rows in self.0.values() {
            let mut values = rows.values(dimension);
            let said: u64 = values.values().sum();
            let unsaid = dimension.unsaid();
            *values.entry(&unsaid).or_default() += rows.all.saturating_sub(said);
            for (value, count) in values.into_iter().filter(|(_, count)| *count > 0) {
                by_value.entry(value.clone()).or_default().push(count);
            }
        }
        let cells = by_value.into_iter();
        PlaceMix {
            values: cells
                .map(|(value, rows)| (value, PatternCell::of(rows)))
                .collect(),
            others: PatternCell::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::{
        calendar::Month,
        record::{DayCards, EncodedMixes, MixRow, MonthBuilder},
    };

    use super::*;

    fn month() -> Month {
        Month::new(2018, 3).unwrap()
    }

    /// A month of so many rows of 1 on its first day, with those of each card company.
    fn record(rows: usize, companies: &[(MixValue<&[u8]>, u64)]) -> Vec<u8> {
        let companies = companies.iter().map(|(value, count)| MixRow {
            dimension: Dimension::CardCompany,
            value: *value,
            count: *count,
            sum: i128::from(*count),
        });
        let mut builder = MonthBuilder::new();
        builder.begin(month());
        builder.day(month().first_day(), &vec![1; rows], DayCards::default());
        builder.mixes(EncodedMixes::new(&companies.collect::<Vec<_>>()));
        let mut value = Vec::new();
        builder.finish(&mut value);
        value
    }

    #[test]
    fn rows_of_a_merchant_count_together_and_what_a_store_does_not_say_is_unknown() {
        let [amber, blue] = ["amber", "blue"].map(|text| MixValue::Text(text.as_bytes()));
        let mut leaf = LeafMixes::default();
        for (merchant, value) in [
            (7, record(3, &[(amber, 3)])),
            (
                7,
                record(4, &[(amber, 1), (blue, 2), (MixValue::Unknown, 1)]),
            ),
            (8, record(2, &[(amber, 2)])),
            (8, record(5, &[])),
            (9, record(6, &[])),
        ] {
            let record = MonthRecord::parse(month(), &value).unwrap();
            leaf.add(merchant, &record).unwrap();
        }
        let mixes = leaf.finish();
        assert_eq!(mixes.all, PatternCell::of([7, 7, 6]));
        let expected = [
            (amber.into_owned(), PatternCell::of([4, 2])),
            (blue.into_owned(), PatternCell::of([2])),
            (MixValue::Unknown, PatternCell::of([1, 5, 6])),
        ];
        let mix = PlaceMix {
            values: expected.into(),
            others: PatternCell::default(),
        };
        assert_eq!(mixes.dimensions, [(Dimension::CardCompany, mix)].into());
        assert!(LeafMixes::default().finish().is_empty());
    }
}
