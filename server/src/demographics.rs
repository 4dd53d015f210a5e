//! Who pays at a store (docs/definitions.md, "Demographics").

use std::{cmp::Reverse, collections::BTreeMap};

use nightshard_format::{
    calendar::{DayRange, Month},
    privacy::Privacy,
    record::{DemographicsRecord, Label, Labels, PlaceDemographics},
};

use crate::{
    place_demographics::share_of,
    problem::Result,
    rows::Rows,
    series::{Series, Window},
    work::Work,
};

/// The time to find and read the records of a month, in nanoseconds.
const MONTH_NS: u64 = 4_000;

/// The time to read, add up and write a cell of one, in nanoseconds.
const CELL_NS: u64 = 300;

/// The time to read a cell of all stores together, in nanoseconds; few of them are looked for.
const MARKET_CELL_NS: u64 = 75;

/// The cells of some months, added up by what they tell.
#[derive(Debug)]
pub(crate) struct Demographics<'a> {
    /// From the first to the last day of the months that are told.
    pub(crate) covered: Option<DayRange>,
    /// All their rows.
    pub(crate) all: Rows,
    /// Those of most rows first, ties by what they tell.
    pub(crate) cells: Vec<(Labels<&'a [u8]>, Cell)>,
}

/// The rows of some months that tell the same.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cell {
    /// Rows.
    pub(crate) rows: Rows,
    /// Distinct cards, of one month alone: of several it is not known.
    pub(crate) cards: Option<u64>,
    /// The share that such rows have of those of all stores, if it may be told.
    pub(crate) market_share: Option<f64>,
    months: u64,
}

impl<'a> Demographics<'a> {
    /// Adds up the months of a window that cuts none.
    pub(crate) fn of(
        series: &Series<'a>,
        window: &Window,
        privacy: Privacy,
        work: &mut Work,
    ) -> Result<Self> {
        let mut months = Vec::new();
        for totals in series.months_in(window) {
            work.spend(MONTH_NS)?;
            let Some(record) = series.demographics(totals.month)? else {
                continue;
            };
            let market = series.market_demographics(totals.month)?;
            work.spend(record.cells.len() as u64 * CELL_NS)?;
            work.spend(market.cells.len() as u64 * MARKET_CELL_NS)?;
            months.push((totals.month, record, market));
        }
        Ok(Self::new(&months, privacy))
    }

    fn new(
        months: &[(Month, DemographicsRecord<'a>, PlaceDemographics<'a>)],
        privacy: Privacy,
    ) -> Self {
        let mut by_label = BTreeMap::<Labels<&'a [u8]>, Cell>::new();
        let mut all = Rows::default();
        for (_, record, _) in months {
            for told in &record.cells {
                let rows = Rows {
                    count: told.count,
                    sum: told.sum,
                };
                let cell = by_label.entry(told.labels).or_default();
                cell.cards = (cell.months == 0).then_some(told.cards);
                cell.months += 1;
                cell.rows.add(rows);
                all.add(rows);
            }
        }
        let mut cells: Vec<_> = by_label.into_iter().collect();
        let market = || months.iter().map(|(.., market)| market);
        if PlaceDemographics::may_be_told(market(), privacy) {
            let told = cells.iter_mut();
            let told = told.filter(|(labels, _)| !labels.contains(&Label::Merged));
            told.for_each(|(labels, cell)| cell.market_share = share_of(labels, market(), privacy));
        }
        cells.sort_by_key(|(labels, cell)| (Reverse(cell.rows.count), *labels));
        let ends = months.first().zip(months.last());
        Self {
            covered: ends.map(|((first, ..), (last, ..))| DayRange {
                first: first.first_day(),
                last: last.days().last,
            }),
            all,
            cells,
        }
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::{DemographicCell, PlaceCell};

    use super::*;

    fn labels(text: &'static str) -> Labels<&'static [u8]> {
        [Label::Text(text.as_bytes()), Label::Unknown, Label::Unknown]
    }

    const OTHERS: Labels<&[u8]> = [Label::Merged; 3];

    type OfMonth = (
        Month,
        DemographicsRecord<'static>,
        PlaceDemographics<'static>,
    );

    fn month(
        number: u32,
        cells: &[(Labels<&'static [u8]>, u64)],
        market: &[(&'static str, u64)],
    ) -> OfMonth {
        let cells = cells.iter().map(|(labels, count)| DemographicCell {
            labels: *labels,
            count: *count,
            sum: i128::from(*count) * 10,
            cards: count / 2,
        });
        let of_market = market.iter().map(|(text, count)| PlaceCell {
            labels: labels(text),
            count: *count,
        });
        let record = DemographicsRecord {
            cells: cells.collect(),
        };
        let market = PlaceDemographics {
            count: 3_000,
            cells: of_market.collect(),
        };
        (Month::new(2018, number).unwrap(), record, market)
    }

    #[test]
    fn months_add_up_by_label_and_cards_are_those_of_a_single_month() {
        let months = [
            month(1, &[(OTHERS, 20), (labels("30s"), 30)], &[("30s", 1_000)]),
            month(
                3,
                &[(labels("20s"), 50), (labels("30s"), 20)],
                &[("20s", 30), ("30s", 20)],
            ),
        ];
        let found = Demographics::new(&months, Privacy::new(10).unwrap());
        let cell = |count: u64, cards, market_share, months| Cell {
            rows: Rows {
                count,
                sum: i128::from(count) * 10,
            },
            cards,
            market_share,
            months,
        };
        let expected = [
            // 1,020 of 6,000 are 17 %. What only one of the months tells of the market is not told of both.
            (labels("20s"), cell(50, Some(25), None, 1)),
            (labels("30s"), cell(50, None, Some(0.17), 2)),
            (OTHERS, cell(20, Some(10), None, 1)),
        ];
        assert_eq!(found.cells, expected);
        assert_eq!((found.all.count, found.all.sum), (120, 1_200));
        let days = found.covered.unwrap();
        assert_eq!(
            (days.first.to_string(), days.last.to_string()),
            ("2018-01-01".into(), "2018-03-31".into())
        );
        assert_eq!(
            Demographics::new(&[], Privacy::new(10).unwrap()).covered,
            None
        );
    }

    #[test]
    fn shares_of_the_market_are_rounded_only_where_answers_are_protected() {
        let months = [month(
            1,
            &[(labels("30s"), 3), (labels("40s"), 2)],
            &[("30s", 1_000)],
        )];
        let shares = |k| {
            let found = Demographics::new(&months, Privacy::new(k).unwrap());
            let shares = found.cells.iter().map(|(_, cell)| cell.market_share);
            shares.collect::<Vec<_>>()
        };
        assert_eq!(shares(1), [Some(1.0 / 3.0), Some(0.0)]);
        assert_eq!(shares(10), [Some(0.33), None]);
    }
}
