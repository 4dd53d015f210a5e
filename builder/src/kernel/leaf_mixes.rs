//! How the rows of a leaf, or of leaves that are put together, were paid in a month, and whose they are.

use std::collections::BTreeMap;

use nightshard_format::record::{
    Dimension, MixValue, MonthRecord, PatternCell, PlaceMix, PlaceMixes,
};

use super::by_value::ByValue;
use crate::Result;

/// The rows of some stores in a month.
#[derive(Debug, Default)]
pub struct LeafMixes(BTreeMap<u32, MerchantMixes>);

/// The rows of one merchant.
#[derive(Debug, Default)]
struct MerchantMixes {
    all: u64,
    /// Those of stores that say something of a dimension.
    said: BTreeMap<Dimension, ByValue<u64>>,
}

impl MerchantMixes {
    /// Returns the values of a dimension that its stores have, and how many rows each has.
    fn values(&self, dimension: Dimension) -> impl Iterator<Item = (MixValue<&[u8]>, u64)> {
        self.said
            .get(&dimension)
            .into_iter()
            .flat_map(ByValue::iter)
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
            let said = rows.said.entry(row.dimension).or_default();
            said.add(row.value, row.count);
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
        let mut merchants = self.0.values();
        merchants.any(|rows| rows.said.contains_key(&dimension))
    }

    fn mix(&self, dimension: Dimension) -> PlaceMix {
        let mut by_value = BTreeMap::<MixValue<&[u8]>, Vec<u64>>::new();
        let unsaid = dimension.unsaid();
        for rows in self.0.values() {
            // Those of stores that say nothing of the dimension do not say.
            let mut rest = rows.all;
            for (value, count) in rows.values(dimension).filter(|(it, _)| *it != unsaid) {
                rest = rest.saturating_sub(count);
                by_value.entry(value).or_default().push(count);
            }
            if rest > 0 {
                by_value.entry(unsaid).or_default().push(rest);
            }
        }
        let cells = by_value.into_iter();
        PlaceMix {
            values: cells
                .map(|(value, rows)| (value.into_owned(), PatternCell::of(rows)))
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
