//! Where the cards of a store buy before and after (docs/definitions.md, "Before and after").

use std::{cmp::Reverse, collections::BTreeMap};

use nightshard_format::{
    calendar::{DayRange, Month},
    privacy::Privacy,
    record::{BESIDE_LISTS, BesideRecord, Label},
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

/// What some months tell, added up.
#[derive(Debug)]
pub(crate) struct BeforeAfter<'a> {
    /// From the first to the last day of the months that are told.
    pub(crate) covered: Option<DayRange>,
    /// In the order of a record's.
    pub(crate) lists: [List<'a>; BESIDE_LISTS],
}

/// Labels of most cards first, ties by what they tell, with their shares.
pub(crate) type List<'a> = Vec<(Label<&'a [u8]>, Option<f64>)>;

impl<'a> BeforeAfter<'a> {
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
            if let Some(record) = series.before_after(totals.month)? {
                let cells: usize = record.lists.iter().map(Vec::len).sum();
                work.spend(cells as u64 * CELL_NS)?;
                months.push((totals.month, record));
            }
        }
        Ok(Self::new(&months, privacy))
    }

    fn new(months: &[(Month, BesideRecord<'a>)], privacy: Privacy) -> Self {
        let mut cards: [BTreeMap<Label<&'a [u8]>, u64>; BESIDE_LISTS] = Default::default();
        for (_, record) in months {
            for (list, cards) in record.lists.iter().zip(&mut cards) {
                for cell in list {
                    let of_label = cards.entry(cell.label).or_default();
                    *of_label = of_label.saturating_add(cell.cards);
                }
            }
        }
        let ends = months.first().zip(months.last());
        Self {
            covered: ends.map(|((first, _), (last, _))| DayRange {
                first: first.first_day(),
                last: last.days().last,
            }),
            lists: cards.map(|cards| shares(cards, privacy)),
        }
    }
}

/// Returns the shares of labels: in whole percents where less is told than there is.
fn shares<'a>(cards: BTreeMap<Label<&'a [u8]>, u64>, privacy: Privacy) -> List<'a> {
    let all = cards
        .values()
        .fold(0, |all: u64, it| all.saturating_add(*it));
    let mut cards: Vec<_> = cards.into_iter().collect();
    cards.sort_by_key(|(label, cards)| (Reverse(*cards), *label));
    let shares = cards.into_iter();
    let shares = shares.map(|(label, cards)| (label, privacy.share(cards, all)));
    shares.collect()
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::LabelledCards;

    use super::*;

    const FOOD: Label<&[u8]> = Label::Text(b"food");
    const BOOKS: Label<&[u8]> = Label::Text(b"books");

    fn month(number: u32, after: &[(Label<&'static [u8]>, u64)]) -> (Month, BesideRecord<'static>) {
        let cells = after.iter().map(|(label, cards)| LabelledCards {
            label: *label,
            cards: *cards,
        });
        let lists = [vec![], vec![], vec![], cells.collect()];
        (Month::new(2018, number).unwrap(), BesideRecord { lists })
    }

    #[test]
    fn months_add_up_by_label_and_shares_are_rounded_where_answers_are_protected() {
        let months = [
            month(1, &[(Label::Merged, 10), (FOOD, 20)]),
            month(3, &[(FOOD, 1), (BOOKS, 33)]),
        ];
        let shares = |k| {
            let found = BeforeAfter::new(&months, Privacy::new(k).unwrap());
            assert_eq!(found.lists[..3], [vec![], vec![], vec![]]);
            let days = found.covered.unwrap();
            assert_eq!(days.first.to_string(), "2018-01-01");
            assert_eq!(days.last.to_string(), "2018-03-31");
            found.lists[3].clone()
        };
        let exact = [
            (BOOKS, Some(33.0 / 64.0)),
            (FOOD, Some(21.0 / 64.0)),
            (Label::Merged, Some(10.0 / 64.0)),
        ];
        assert_eq!(shares(1), exact);
        // 51.56, 32.81 and 15.63 percent.
        let rounded = [
            (BOOKS, Some(0.52)),
            (FOOD, Some(0.33)),
            (Label::Merged, Some(0.16)),
        ];
        assert_eq!(shares(10), rounded);
        let none = BeforeAfter::new(&[], Privacy::new(10).unwrap());
        assert_eq!(none.covered, None);
    }
}
