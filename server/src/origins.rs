//! Where the cards of a store come from (docs/definitions.md, "Origins").

use std::{cmp::Reverse, collections::BTreeMap};

use nightshard_format::{
    calendar::{DayRange, Month},
    record::{Label, OriginsRecord},
    statistics::nearest_quotient,
};

use crate::{
    problem::Result,
    series::{Series, Window},
    work::Work,
};

/// The time to find and read the record of a month, in nanoseconds.
const MONTH_NS: u64 = 2_000;

/// The time to read, add up and write a cell of one, in nanoseconds.
const CELL_NS: u64 = 200;

/// The cells of some months, added up by what they tell.
#[derive(Debug)]
pub(crate) struct Origins<'a> {
    /// From the first to the last day of the months that are told.
    pub(crate) covered: Option<DayRange>,
    /// The cards of all cells, each counted in every month.
    pub(crate) card_months: u64,
    /// Those of most cards first, ties by what they tell.
    pub(crate) cells: Vec<(Label<&'a [u8]>, Cell)>,
}

/// The cards of some months that tell the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    /// Cards, each counted in every month.
    pub(crate) card_months: u64,
    /// Distinct cards, of one month alone: of several it is not known.
    pub(crate) cards: Option<u64>,
}

impl<'a> Origins<'a> {
    /// Adds up the months of a window that cuts none.
    pub(crate) fn of(series: &Series<'a>, window: &Window, work: &mut Work) -> Result<Self> {
        let mut months = Vec::new();
        for totals in series.months_in(window) {
            work.spend(MONTH_NS)?;
            if let Some(record) = series.origins(totals.month)? {
                work.spend(record.cells.len() as u64 * CELL_NS)?;
                months.push((totals.month, record));
            }
        }
        Ok(Self::new(&months))
    }

    fn new(months: &[(Month, OriginsRecord<'a>)]) -> Self {
        let mut by_region = BTreeMap::<Label<&'a [u8]>, Cell>::new();
        let mut all = 0_u64;
        for told in months.iter().flat_map(|(_, record)| &record.cells) {
            let cell = by_region.entry(told.label).or_default();
            // No cell that is told has no card.
            cell.cards = (cell.card_months == 0).then_some(told.cards);
            cell.card_months = cell.card_months.saturating_add(told.cards);
            all = all.saturating_add(told.cards);
        }
        let mut cells: Vec<_> = by_region.into_iter().collect();
        cells.sort_by_key(|(region, cell)| (Reverse(cell.card_months), *region));
        let ends = months.first().zip(months.last());
        Self {
            covered: ends.map(|((first, _), (last, _))| DayRange {
                first: first.first_day(),
                last: last.days().last,
            }),
            card_months: all,
            cells,
        }
    }

    /// Returns the share that a cell has of all.
    pub(crate) fn share_of(&self, cell: Cell) -> Option<f64> {
        nearest_quotient(cell.card_months.into(), self.card_months)
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::LabelledCards;

    use super::*;

    fn month(
        number: u32,
        cells: &[(Label<&'static [u8]>, u64)],
    ) -> (Month, OriginsRecord<'static>) {
        let cells = cells.iter().map(|(region, cards)| LabelledCards {
            label: *region,
            cards: *cards,
        });
        let record = OriginsRecord {
            cells: cells.collect(),
        };
        (Month::new(2018, number).unwrap(), record)
    }

    #[test]
    fn months_add_up_by_region_and_cards_are_those_of_a_single_month() {
        let [leeds, york] = [Label::Text(&b"leeds"[..]), Label::Text(&b"york"[..])];
        let months = [
            month(1, &[(Label::Merged, 10), (leeds, 20)]),
            month(3, &[(Label::Unknown, 15), (leeds, 5), (york, 30)]),
        ];
        let found = Origins::new(&months);
        let cell = |card_months, cards| Cell { card_months, cards };
        let expected = [
            (york, cell(30, Some(30))),
            (leeds, cell(25, None)),
            (Label::Unknown, cell(15, Some(15))),
            (Label::Merged, cell(10, Some(10))),
        ];
        assert_eq!(found.cells, expected);
        assert_eq!(found.card_months, 80);
        assert_eq!(found.share_of(found.cells[1].1), Some(0.3125));
        let days = found.covered.unwrap();
        assert_eq!(
            (days.first.to_string(), days.last.to_string()),
            ("2018-01-01".into(), "2018-03-31".into())
        );
        assert_eq!(Origins::new(&[]).covered, None);
    }
}
