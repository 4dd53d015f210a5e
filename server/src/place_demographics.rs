//! Who pays at the stores of a place or of the market together (docs/definitions.md, "Who pays in places").

use std::{cmp::Reverse, collections::BTreeMap};

use nightshard_format::{
    calendar::DayRange,
    generation::Generation,
    privacy::{Privacy, percents},
    record::{Labels, PLACE_DEMOGRAPHICS, PlaceDemographics, REGIONS, atoms_key},
    region_tree::RegionTree,
    shard::{Mapped, Span},
};

use crate::{
    generation::TransactionFacts, problem::Result, series::Window, subject::Subject, work::Work,
};

/// The time to find and read the record of a month, in nanoseconds.
const MONTH_NS: u64 = 1_500;

/// The time to read, add up and write a cell of one, in nanoseconds.
const CELL_NS: u64 = 300;

/// The rows of many stores together in some months, by who paid.
#[derive(Debug, Default)]
struct Together<'a> {
    months: u64,
    /// All rows.
    count: u64,
    /// Rows, and in how many months they are told.
    cells: BTreeMap<Labels<&'a [u8]>, (u64, u64)>,
}

/// What is told of the rows of which some labels are true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Told<'a> {
    /// Who paid; all labels are merged where it has all rows that are not told by themselves.
    pub(crate) labels: Labels<&'a [u8]>,
    /// Rows, where all is told.
    pub(crate) count: Option<u64>,
    /// Their share of all rows.
    pub(crate) share: Option<f64>,
}

impl<'a> Together<'a> {
    /// Adds months up.
    fn of(months: &[PlaceDemographics<'a>]) -> Self {
        let mut together = Self::default();
        months.iter().for_each(|month| together.add(month));
        together
    }

    fn add(&mut self, month: &PlaceDemographics<'a>) {
        self.months += 1;
        self.count = self.count.saturating_add(month.count);
        for cell in &month.cells {
            let (count, months) = self.cells.entry(cell.labels).or_default();
            *count = count.saturating_add(cell.count);
            *months += 1;
        }
    }

    /// Returns what is told of them, those of most rows first, as far as that is told; ties by labels.
    fn told(&self, privacy: Privacy) -> Vec<Told<'a>> {
        let is_protecting = privacy.is_protecting();
        let cells = self.cells.iter();
        let cells = cells.filter(|(_, (_, told))| !is_protecting || *told == self.months);
        let ranked = cells.map(|(labels, (count, _))| {
            let told = Told {
                labels: *labels,
                count: (!is_protecting).then_some(*count),
                share: privacy.share(*count, self.count),
            };
            // An order by rows would say which of two equal shares is of more of them.
            let rank = match told.count {
                Some(count) => Some(count.into()),
                None => percents((*count).into(), self.count.into()),
            };
            (rank, told)
        });
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_by_key(|(rank, told)| (Reverse(*rank), told.labels));
        ranked.into_iter().map(|(_, told)| told).collect()
    }
}

/// Returns the share of the rows of some months of which some labels are true, where they are told of each month and
/// anything may be told: to whole percents where less is told than there is.
pub(crate) fn share_of<'m, 'a: 'm>(
    labels: &Labels<&[u8]>,
    months: impl Iterator<Item = &'m PlaceDemographics<'a>>,
    privacy: Privacy,
) -> Option<f64> {
    let (mut count, mut all, mut is_told) = (0_u64, 0_u64, true);
    for month in months {
        let of_month = month.count_of(labels);
        is_told &= of_month.is_some();
        count = count.saturating_add(of_month.unwrap_or_default());
        all = all.saturating_add(month.count);
    }
    let share = privacy.share(count, all);
    share.filter(|_| !privacy.is_protecting() || is_told)
}

/// Returns what is told of some months, if anything may be.
fn told_of<'a>(months: &[PlaceDemographics<'a>], privacy: Privacy) -> Vec<Told<'a>> {
    match PlaceDemographics::may_be_told(months.iter(), privacy) {
        true => Together::of(months).told(privacy),
        false => Vec::new(),
    }
}

/// Who pays in some months.
#[derive(Debug)]
pub(crate) struct WhoPays<'a> {
    /// From the first to the last day of the months that have a record.
    pub(crate) covered: Option<DayRange>,
    /// Those of most rows first, ties by labels.
    pub(crate) told: Vec<Told<'a>>,
}

impl<'a> WhoPays<'a> {
    /// Adds up the months of a window that cuts none.
    pub(crate) fn of(
        generation: &'a Generation<Mapped>,
        transactions: &TransactionFacts,
        subject: Subject<'_>,
        window: &Window,
        work: &mut Work,
    ) -> Result<Self> {
        let privacy = transactions.privacy;
        let (mut covered, mut months) = (None::<DayRange>, Vec::new());
        // What has parts has a record of its own stores alone there.
        let has_all = !privacy.is_protecting() || !has_parts(&transactions.regions, subject);
        let key = atoms_key(subject.dataset, subject.key);
        for month in window.months().filter(|_| has_all) {
            work.spend(MONTH_NS)?;
            let value = generation.get(PLACE_DEMOGRAPHICS, Span::Month(month), &key)?;
            let Some(value) = value else {
                continue;
            };
            let record = PlaceDemographics::parse(value.in_place()?)?;
            work.spend(record.cells.len() as u64 * CELL_NS)?;
            months.push(record);
            covered.get_or_insert(month.days()).last = month.days().last;
        }
        let told = told_of(&months, privacy);
        Ok(Self { covered, told })
    }
}

/// Returns whether a place is a region that others are parts of, or a category of one.
fn has_parts(tree: &RegionTree, subject: Subject<'_>) -> bool {
    let region = match subject.dataset {
        REGIONS => Some(subject.key),
        _ => subject.region(),
    };
    let region = region.and_then(|id| tree.get(id));
    region.is_some_and(|region| !region.children.is_empty())
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::{Label, PlaceCell};

    use super::*;

    const REST: Labels<&[u8]> = [Label::Merged; 3];

    const TWENTIES: Labels<&[u8]> = [Label::Text(b"20s"), Label::Unknown, Label::Unknown];
    const THIRTIES: Labels<&[u8]> = [Label::Text(b"30s"), Label::Unknown, Label::Unknown];
    const FORTIES: Labels<&[u8]> = [Label::Text(b"40s"), Label::Unknown, Label::Unknown];

    /// All rows of a month, and those that are told.
    type OfMonth = (u64, &'static [(Labels<&'static [u8]>, u64)]);

    fn record((count, cells): &OfMonth) -> PlaceDemographics<'static> {
        let cells = cells.iter();
        let cells = cells.map(|(labels, count)| PlaceCell {
            labels: *labels,
            count: *count,
        });
        PlaceDemographics {
            count: *count,
            cells: cells.collect(),
        }
    }

    fn told(months: &[OfMonth], k: u64) -> Vec<Told<'static>> {
        let months: Vec<_> = months.iter().map(record).collect();
        told_of(&months, Privacy::new(k).unwrap())
    }

    fn row(labels: Labels<&'static [u8]>, count: Option<u64>, share: f64) -> Told<'static> {
        Told {
            labels,
            count,
            share: Some(share),
        }
    }

    #[test]
    fn months_add_up_and_exact_rows_come_by_their_number() {
        let months: [OfMonth; 2] = [
            (50, &[(TWENTIES, 10), (THIRTIES, 40)]),
            (150, &[(TWENTIES, 100), (FORTIES, 50)]),
        ];
        let expected = [
            row(TWENTIES, Some(110), 0.55),
            row(FORTIES, Some(50), 0.25),
            row(THIRTIES, Some(40), 0.2),
        ];
        assert_eq!(told(&months, 1), expected);
        assert_eq!(told(&[], 1), []);
    }

    #[test]
    fn hidden_rows_are_told_in_whole_percents_where_each_month_tells_them() {
        let january: OfMonth = (
            2_000,
            &[
                (REST, 52),
                (TWENTIES, 200),
                (THIRTIES, 202),
                (FORTIES, 1_546),
            ],
        );
        // Of equal percents the order says nothing.
        let alone = [
            row(FORTIES, None, 0.77),
            row(TWENTIES, None, 0.1),
            row(THIRTIES, None, 0.1),
            row(REST, None, 0.03),
        ];
        assert_eq!(told(&[january], 10), alone);
        let february: OfMonth = (10, &[(REST, 4), (TWENTIES, 6)]);
        let both = [row(TWENTIES, None, 0.1), row(REST, None, 0.03)];
        assert_eq!(told(&[january, february], 10), both);
        // A month that tells nothing leaves nothing of both.
        assert_eq!(told(&[january, (10, &[])], 10), []);
    }

    #[test]
    fn shares_that_say_how_many_rows_there_are_are_not_told() {
        // Of 1,000 rows 40 % are 396 to 404, since the others are 604 at most.
        let thousand: OfMonth = (1_000, &[(TWENTIES, 400), (THIRTIES, 600)]);
        assert_eq!(told(&[thousand], 8).len(), 2);
        assert_eq!(told(&[thousand], 9), []);
        // Of 20 rows 90 % are just 18, so the rest has two.
        assert_eq!(told(&[(20, &[(TWENTIES, 18)])], 2), []);
        // 51 % and 50 %: only these two round so.
        let both_up: OfMonth = (1_000, &[(TWENTIES, 505), (THIRTIES, 495)]);
        assert_eq!(told(&[both_up], 2), []);
    }

    #[test]
    fn shares_of_labels_are_told_where_each_month_tells_them() {
        let of = |k| {
            let months: [OfMonth; 2] = [
                (3_000, &[(TWENTIES, 100), (THIRTIES, 1_000)]),
                (3_000, &[(THIRTIES, 20)]),
            ];
            let months = months.map(|month| record(&month));
            let privacy = Privacy::new(k).unwrap();
            let share = |labels| share_of(&labels, months.iter(), privacy);
            [TWENTIES, THIRTIES, FORTIES].map(share)
        };
        assert_eq!(of(1), [Some(1.0 / 60.0), Some(0.17), Some(0.0)]);
        assert_eq!(of(10), [None, Some(0.17), None]);
    }
}
