//! How the payments of a store, a merchant, a place or the market divide (docs/definitions.md, "Payment mix").

use std::{cmp::Reverse, collections::BTreeMap};

use nightshard_format::record::{Dimension, MixValue, PatternCell, PlaceMix};

use crate::{
    problem::Result,
    rows::Rows,
    series::{Series, Window},
    told_pattern::Shares,
    work::Work,
};

/// The time to read and add up a month, in nanoseconds.
const MONTH_NS: u64 = 1_500;

/// The time to read, sort and write a value of a month, in nanoseconds.
const VALUE_NS: u64 = 250;

/// Values and their rows.
type Values<'a> = Vec<(MixValue<&'a [u8]>, Rows)>;

type ByValue<'a> = BTreeMap<(Dimension, MixValue<&'a [u8]>), Rows>;

/// The rows of some months, divided by each dimension of which one of them says something.
#[derive(Debug)]
pub(crate) struct PaymentMix<'a> {
    /// All rows.
    pub(crate) all: Rows,
    /// The values of each dimension, those of most rows first, ties by value, the unknown last.
    pub(crate) dimensions: Vec<(Dimension, Values<'a>)>,
}

impl<'a> PaymentMix<'a> {
    /// Adds up the months of a window that cuts none.
    pub(crate) fn of(series: &Series<'a>, window: &Window, work: &mut Work) -> Result<Self> {
        let mut all = Rows::default();
        let mut by_value = ByValue::new();
        for totals in series.months_in(window) {
            work.spend(MONTH_NS)?;
            all.add(Rows {
                count: totals.statistics.count,
                sum: totals.statistics.sum,
            });
            let mut values = 0;
            series.record(totals.month)?.visit_mixes(|row| {
                let rows = by_value.entry((row.dimension, row.value)).or_default();
                rows.add(Rows {
                    count: row.count,
                    sum: row.sum,
                });
                values += 1;
            })?;
            work.spend(values * VALUE_NS)?;
        }
        Ok(Self::new(all, by_value))
    }

    fn new(all: Rows, by_value: ByValue<'a>) -> Self {
        let mut dimensions: Vec<(Dimension, Values<'_>)> = Vec::new();
        for ((dimension, value), rows) in by_value {
            match dimensions.last_mut() {
                Some((last, values)) if *last == dimension => values.push((value, rows)),
                _ => dimensions.push((dimension, vec![(value, rows)])),
            }
        }
        for (dimension, values) in &mut dimensions {
            add_unsaid(values, *dimension, all);
            values.sort_unstable_by_key(|(value, rows)| (Reverse(rows.count), *value));
        }
        Self { all, dimensions }
    }
}

/// Adds the rows of months in which no row says anything of a dimension.
fn add_unsaid(values: &mut Values<'_>, dimension: Dimension, all: Rows) {
    let mut said = Rows::default();
    values.iter().for_each(|(_, rows)| said.add(*rows));
    let rest = Rows {
        count: all.count.saturating_sub(said.count),
        sum: all.sum.saturating_sub(said.sum),
    };
    if rest.count == 0 {
        return;
    }
    match values
        .iter_mut()
        .find(|(value, _)| *value == dimension.unsaid())
    {
        Some((_, rows)) => rows.add(rest),
        None => values.push((dimension.unsaid(), rest)),
    }
}

/// The shares that values of one dimension have of the rows of a place whose answers are protected, as they may be told.
///
/// # Units
/// Whole percents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ToldMix {
    /// Of each value that is told by itself, the largest first, ties by value, the unknown last.
    pub(crate) values: Vec<(MixValue<Vec<u8>>, u64)>,
    /// Of all others together, if there are any.
    pub(crate) others: Option<u64>,
}

impl ToldMix {
    /// Returns what may be told where `k` cards hide one another, or `None` if nothing may.
    pub(crate) fn of(mix: PlaceMix, k: u64) -> Option<Self> {
        let cells: Vec<PatternCell> = mix.values.values().copied().collect();
        let shares = Shares::beside(&cells, mix.others, k)?;
        let has_others = mix.others.count > 0 || shares.each.contains(&None);
        let each = mix.values.into_keys().zip(shares.each);
        let mut values: Vec<(MixValue<Vec<u8>>, u64)> = each
            .filter_map(|(value, share)| share.map(|share| (value, share)))
            .collect();
        // Not by rows: which of two equal shares has more is not to be seen.
        values.sort_by_key(|(_, share)| Reverse(*share));
        Some(Self {
            values,
            others: has_others.then_some(shares.together),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64, sum: i128) -> Rows {
        Rows { count, sum }
    }

    #[test]
    fn values_come_by_rows_and_what_is_not_said_is_added() {
        let text = |text: &'static str| MixValue::Text(text.as_bytes());
        let by_value = ByValue::from([
            ((Dimension::CardCompany, text("b")), rows(2, 10)),
            ((Dimension::CardCompany, text("a")), rows(2, 20)),
            ((Dimension::CardCompany, MixValue::Unknown), rows(1, -5)),
            ((Dimension::PointsUsed, MixValue::Flag(true)), rows(4, 7)),
        ]);
        let mix = PaymentMix::new(rows(6, 40), by_value);
        let [(_, companies), (_, points)] = &mix.dimensions[..] else {
            panic!("two dimensions")
        };
        let expected = [
            (text("a"), rows(2, 20)),
            (text("b"), rows(2, 10)),
            (MixValue::Unknown, rows(2, 10)),
        ];
        assert_eq!(companies[..], expected);
        let expected = [
            (MixValue::Flag(true), rows(4, 7)),
            (MixValue::Flag(false), rows(2, 33)),
        ];
        assert_eq!(points[..], expected);
    }

    #[test]
    fn shares_come_by_their_size_and_not_by_rows_and_nobody_sees_what_others_are_called() {
        let rows = |count: u64| PatternCell {
            count,
            largest: count / 10,
            second: count / 10,
            merchants: 10,
        };
        let text = |text: &str| MixValue::Text(text.as_bytes().to_vec());
        let mix = |others| PlaceMix {
            values: [
                (text("a"), rows(3_000)),
                (text("b"), rows(3_010)),
                (text("c"), rows(3_900)),
                (text("of one"), PatternCell::of([200])),
                (MixValue::Unknown, rows(3_005)),
            ]
            .into(),
            others,
        };
        // Those of one merchant hide with what is smallest, which is a.
        let told = ToldMix::of(mix(PatternCell::default()), 10).unwrap();
        let values = [(text("c"), 30), (text("b"), 23), (MixValue::Unknown, 23)];
        assert_eq!((told.values, told.others), (values.to_vec(), Some(24)));
        let told = ToldMix::of(mix(rows(6_000)), 10).unwrap();
        let values = [
            (text("c"), 20),
            (text("a"), 16),
            (text("b"), 16),
            (MixValue::Unknown, 16),
        ];
        assert_eq!((told.values, told.others), (values.to_vec(), Some(32)));
    }
}
