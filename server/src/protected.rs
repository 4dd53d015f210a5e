//! What may be told of a market, a region or a category over any days: sums of atoms
//! (docs/privacy.md).
//!
//! An atom counts where all its days lie in the period and in the window, else not at all. No atom is in two regions,
//! so what is told of a region that others are parts of is the sum of what is told of these.

use std::collections::{BTreeMap, BTreeSet};

use nightshard_format::{
    Error,
    calendar::{Day, DayRange, Month, Period, PeriodKind},
    generation::Generation,
    privacy::Privacy,
    record::{
        ATOMS, AtomGroup, AtomMonth, AtomSummary, PATTERNS, PLACE_MIXES, PlaceMixes, PlacePattern,
        REGION_CATEGORIES, REGIONS, atoms_key, region_category_key,
    },
    region_tree::RegionTree,
    shard::{Mapped, Span},
    statistics::Statistics,
};

use crate::{
    generation::TransactionFacts,
    problem::Result,
    series::{OfPeriod, Window, row_of},
    subject::Subject,
    work::Work,
};

/// The time to find and read a summary, in nanoseconds.
const PART_NS: u64 = 1_000;
/// The time to find the record of a month, in nanoseconds.
const MONTH_NS: u64 = 1_000;
/// The time to read a byte of it, in nanoseconds.
const BYTE_NS: u64 = 2;
/// The time to read a byte of one of mixes and to add it up by value, in nanoseconds.
const MIX_BYTE_NS: u64 = 40;

/// What atoms tell of one period.
///
/// # Units
/// `sum` in minor units, net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// Which period.
    pub(crate) period: Period,
    /// From the first to the last day of its atoms; `None` where it has none, so that nothing is told.
    pub(crate) covered: Option<DayRange>,
    /// Rows.
    pub(crate) count: u64,
    /// Net sum.
    pub(crate) sum: i128,
    /// Distinct cards as they may be told, if at all.
    pub(crate) cards: Option<u64>,
    atoms: u64,
    /// Distinct cards of several atoms, where they are known.
    distinct: Option<u64>,
}

impl OfPeriod for Told {
    fn period(&self) -> Period {
        self.period
    }

    fn empty(period: Period) -> Self {
        Self {
            period,
            covered: None,
            count: 0,
            sum: 0,
            cards: None,
            atoms: 0,
            distinct: None,
        }
    }
}

impl Told {
    /// Returns the mean amount, or `None` where nothing is told.
    pub(crate) fn mean(&self) -> Option<f64> {
        let totals = Statistics {
            count: self.count,
            sum: self.sum,
            ..Statistics::default()
        };
        totals.mean()
    }

    /// Adds atoms; their cards are told as they are of a single one alone.
    fn add(&mut self, group: &AtomGroup) {
        self.cards = group.cards.filter(|_| self.atoms == 0);
        self.covered = union(self.covered, Some(group.days));
        self.atoms = self.atoms.saturating_add(group.atoms);
        self.count = self.count.saturating_add(group.count);
        self.sum = self.sum.saturating_add(group.sum);
    }
}

/// Adds the atoms of a month to the rows of the periods that have all their days.
fn add_groups(rows: &mut Vec<Told>, atoms: &AtomMonth, kind: PeriodKind, window: &Window) {
    let mut known: Option<(Period, DayRange)> = None;
    for group in &atoms.groups {
        let last = group.days.last;
        // Groups are in order, so that most have the period of the one before.
        let (period, days) = known
            .filter(|(_, days)| days.contains(last))
            .unwrap_or_else(|| {
                let period = window.period_of(last, kind);
                (period, window.atom_days_of(period))
            });
        known = Some((period, days));
        if days.covers(group.days) {
            row_of(rows, period).add(group);
        }
    }
}

/// Returns from the first to the last day of the atoms of some rows.
pub(crate) fn covered(rows: &[Told]) -> Option<DayRange> {
    rows.iter().map(|row| row.covered).fold(None, union)
}

fn union(a: Option<DayRange>, b: Option<DayRange>) -> Option<DayRange> {
    let (Some(of_a), Some(of_b)) = (a, b) else {
        return a.or(b);
    };
    Some(DayRange {
        first: of_a.first.min(of_b.first),
        last: of_a.last.max(of_b.last),
    })
}

/// What has atoms of its own: a market or place, but for what is told of other regions that are parts of it.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its key among the atoms.
    key: Vec<u8>,
    summary: AtomSummary,
}

impl Part {
    /// Returns the rows of all atoms of some parts and their net sum, or `None` without atoms.
    pub(crate) fn total(parts: &[Self]) -> Option<(u64, i128)> {
        let totals = parts.iter().filter_map(|part| part.summary.total());
        totals.reduce(|a, b| (a.0.saturating_add(b.0), a.1.saturating_add(b.1)))
    }
}

/// Finds what has atoms that are told of a subject: of a region and of a category of one, also those of all regions
/// that are parts of it. There is none if there is no such subject.
pub(crate) fn find_parts(
    generation: &Generation<Mapped>,
    tree: &RegionTree,
    subject: Subject<'_>,
    work: &mut Work,
) -> Result<Vec<Part>> {
    let keys: Vec<Vec<u8>> = match (subject.dataset, subject.region()) {
        (REGIONS, _) => tree
            .at_or_below(subject.key)
            .into_iter()
            .map(|id| atoms_key(REGIONS, id))
            .collect(),
        (REGION_CATEGORIES, Some(region)) => tree
            .at_or_below(region)
            .into_iter()
            .map(|id| atoms_key(REGION_CATEGORIES, region_category_key(id, subject.id())))
            .collect(),
        _ => vec![atoms_key(subject.dataset, subject.key)],
    };
    let mut parts = Vec::new();
    for key in keys {
        work.spend(PART_NS)?;
        let found = generation.get(ATOMS, Span::Current, &key)?;
        let summary = found.map(|value| AtomSummary::parse(value.in_place()?));
        if let Some(summary) = summary.transpose()? {
            parts.push(Part { key, summary });
        }
    }
    Ok(parts)
}

/// Adds up the atoms of parts in one month. Of cards is told what one atom has: whoever is in two parts would count
/// twice.
fn add_up(parts: &[AtomMonth]) -> AtomMonth {
    let mut groups = BTreeMap::<(Day, Day), AtomGroup>::new();
    for group in parts.iter().flat_map(|part| &part.groups) {
        let of_days = groups.entry((group.days.last, group.days.first));
        of_days
            .and_modify(|sum| {
                sum.atoms = sum.atoms.saturating_add(group.atoms);
                sum.cards = None;
                sum.count = sum.count.saturating_add(group.count);
                sum.sum = sum.sum.saturating_add(group.sum);
            })
            .or_insert(*group);
    }
    AtomMonth {
        groups: groups.into_values().collect(),
        cards: Vec::new(),
    }
}

/// One market or place in one generation whose answers are protected.
#[derive(Debug)]
pub(crate) struct Protected<'a> {
    generation: &'a Generation<Mapped>,
    subject: Subject<'a>,
    /// At least one.
    parts: Vec<Part>,
    /// The months in which a part has atoms, ascending.
    months: Vec<Month>,
    privacy: Privacy,
    /// From the first day that has rows to the last business day, of the whole generation.
    data: DayRange,
}

impl<'a> Protected<'a> {
    /// Finds a subject, or `None` if it is not in the generation.
    pub(crate) fn find(
        generation: &'a Generation<Mapped>,
        transactions: &TransactionFacts,
        subject: Subject<'a>,
        work: &mut Work,
    ) -> Result<Option<Self>> {
        let parts = find_parts(generation, &transactions.regions, subject, work)?;
        let totals = parts.iter().flat_map(|part| &part.summary.months);
        let months: BTreeSet<Month> = totals.map(|totals| totals.month).collect();
        Ok((!parts.is_empty()).then(|| Self {
            generation,
            subject,
            parts,
            months: months.into_iter().collect(),
            privacy: transactions.privacy,
            data: transactions.days,
        }))
    }

    /// Returns whom it is of.
    pub(crate) fn subject(&self) -> Subject<'a> {
        self.subject
    }

    /// Returns what is told of the periods of one kind that have atoms in the window, in order.
    ///
    /// # Complexity
    /// Reads each month of the window once.
    pub(crate) fn rows(
        &self,
        kind: PeriodKind,
        window: &Window,
        work: &mut Work,
    ) -> Result<Vec<Told>> {
        let mut rows: Vec<Told> = Vec::new();
        for month in window
            .touched_of(&self.months, |month| *month)
            .iter()
            .copied()
        {
            let record = self.month(month, work)?;
            // A week may have begun in the month before.
            let begun = rows.len().saturating_sub(1);
            add_groups(&mut rows, &record, kind, window);
            for row in &mut rows[begun..] {
                let days = window.atom_days_of(row.period);
                if let Some(since) = self.since(days) {
                    let of_month = record.cards_since(month, since, days.last);
                    let distinct = row.distinct.unwrap_or(0).saturating_add(of_month);
                    row.distinct = Some(distinct);
                }
            }
        }
        for row in rows.iter_mut().filter(|row| row.cards.is_none()) {
            row.cards = row.distinct.map(|cards| self.privacy.rounded(cards));
        }
        Ok(rows)
    }

    /// Returns what is told of the whole window.
    pub(crate) fn total(&self, window: &Window, work: &mut Work) -> Result<Told> {
        let rows = self.rows(PeriodKind::All, window, work)?;
        let row = rows.first().copied();
        Ok(row.unwrap_or_else(|| Told::empty(window.period())))
    }

    /// Returns when a place was visited in a period of months that has ended, and from the first to the last day of the
    /// months of which that is told, if there are any.
    pub(crate) fn pattern(
        &self,
        period: Period,
        window: &Window,
        work: &mut Work,
    ) -> Result<Option<(DayRange, PlacePattern)>> {
        let mut pattern = PlacePattern::default();
        let asked = (period, window);
        let covered = self.visit_ended(PATTERNS, asked, BYTE_NS, work, |bytes| {
            pattern.add(&PlacePattern::parse(bytes)?);
            Ok(())
        })?;
        Ok(covered.map(|days| (days, pattern)))
    }

    /// Returns how payments divide in a period of months that has ended, and likewise.
    pub(crate) fn mixes(
        &self,
        period: Period,
        window: &Window,
        work: &mut Work,
    ) -> Result<Option<(DayRange, PlaceMixes)>> {
        let mut mixes = PlaceMixes::default();
        let asked = (period, window);
        let covered = self.visit_ended(PLACE_MIXES, asked, MIX_BYTE_NS, work, |bytes| {
            mixes.add(&PlaceMixes::parse(bytes)?);
            Ok(())
        })?;
        Ok(covered.map(|days| (days, mixes)))
    }

    /// Visits the records of all parts in the months of a period that has ended, at so many nanoseconds a byte; returns
    /// from the first to the last day of the months that have one.
    fn visit_ended(
        &self,
        dataset: &str,
        (period, window): (Period, &Window),
        byte_ns: u64,
        work: &mut Work,
        mut visit: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<DayRange>> {
        if period.days().is_none_or(|days| days.last > self.data.last) {
            return Ok(None);
        }
        let mut covered = None;
        let months = window.touched_of(&self.months, |month| *month);
        let of_parts = |month| self.parts.iter().map(move |part| (month, part));
        for (month, part) in months.iter().flat_map(of_parts) {
            let span = Span::Month(*month);
            let Some(value) = self.generation.get(dataset, span, &part.key)? else {
                continue;
            };
            let bytes = value.in_place()?;
            work.spend(MONTH_NS + bytes.len() as u64 * byte_ns)?;
            visit(bytes)?;
            covered = union(covered, Some(month.days()));
        }
        Ok(covered)
    }

    /// Returns how many cards hide one another.
    pub(crate) fn k(&self) -> u64 {
        self.privacy.k()
    }

    /// Returns the month with which some days begin, if no atom is cut there: they begin with its first
    /// day, or before all data. Distinct cards are told of such days alone, and of a single part.
    fn since(&self, days: DayRange) -> Option<Month> {
        let month = days.first.month();
        let cuts_none = days.first <= self.data.first || days.first == month.first_day();
        let with_atoms = self
            .parts
            .iter()
            .filter(|part| !part.summary.months.is_empty());
        (cuts_none && with_atoms.count() == 1).then_some(month)
    }

    /// Reads the atoms of a month that has some.
    fn month(&self, month: Month, work: &mut Work) -> Result<AtomMonth> {
        let has_some = |part: &&Part| {
            let months = &part.summary.months;
            months.binary_search_by_key(&month, |it| it.month).is_ok()
        };
        let parts = self.parts.iter().filter(has_some);
        let months: Result<Vec<AtomMonth>> =
            parts.map(|part| self.month_of(part, month, work)).collect();
        let mut months = months?;
        match months.pop() {
            Some(only) if months.is_empty() => Ok(only),
            last => {
                months.extend(last);
                Ok(add_up(&months))
            }
        }
    }

    fn month_of(&self, part: &Part, month: Month, work: &mut Work) -> Result<AtomMonth> {
        let found = self.generation.get(ATOMS, Span::Month(month), &part.key)?;
        let missing = || Error::Corrupt {
            structure: "atoms",
            problem: format!("the summary names {month}, of which there is no record"),
        };
        let bytes = found.ok_or_else(missing)?.in_place()?;
        work.spend(MONTH_NS + bytes.len() as u64 * BYTE_NS)?;
        Ok(AtomMonth::parse(month, bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(days: [i32; 2], atoms: u64, cards: Option<u64>) -> AtomGroup {
        AtomGroup {
            days: DayRange {
                first: Day(days[0]),
                last: Day(days[1]),
            },
            atoms,
            cards,
            count: 5,
            sum: -70,
        }
    }

    fn month(groups: &[AtomGroup]) -> AtomMonth {
        AtomMonth {
            groups: groups.to_vec(),
            cards: Vec::new(),
        }
    }

    #[test]
    fn atoms_of_parts_are_added_up_by_their_days_and_cards_of_one_atom_are_told() {
        let parts = [
            month(&[group([0, 3], 1, Some(4)), group([4, 9], 1, Some(3))]),
            month(&[group([0, 3], 2, None), group([1, 3], 1, Some(5))]),
        ];
        let both = AtomGroup {
            count: 10,
            sum: -140,
            ..group([0, 3], 3, None)
        };
        let expected = [both, group([1, 3], 1, Some(5)), group([4, 9], 1, Some(3))];
        assert_eq!(add_up(&parts), month(&expected));
    }
}
