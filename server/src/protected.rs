//! What may be told of a market, a region or a category over any days: sums of atoms
//! (docs/privacy.md).
//!
//! An atom counts where all its days lie in the period and in the window, else not at all.

use nightshard_format::{
    Error,
    calendar::{DayRange, Month, Period, PeriodKind},
    generation::Generation,
    privacy::Privacy,
    record::{ATOMS, AtomGroup, AtomMonth, AtomSummary, PATTERNS, PlacePattern, atoms_key},
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

/// The time to find the record of a month, in nanoseconds.
const MONTH_NS: u64 = 1_000;
/// The time to read a byte of it, in nanoseconds.
const BYTE_NS: u64 = 2;

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

/// Finds the summary of a subject's atoms, or `None` if there is no such subject.
pub(crate) fn find_atoms(
    generation: &Generation<Mapped>,
    subject: Subject<'_>,
) -> Result<Option<AtomSummary>> {
    let key = atoms_key(subject.dataset, subject.key);
    let found = generation.get(ATOMS, Span::Current, &key)?;
    let summary = found.map(|value| AtomSummary::parse(value.in_place()?));
    Ok(summary.transpose()?)
}

/// One market or place in one generation whose answers are protected.
#[derive(Debug)]
pub(crate) struct Protected<'a> {
    generation: &'a Generation<Mapped>,
    subject: Subject<'a>,
    /// Its key among the atoms.
    key: Vec<u8>,
    summary: AtomSummary,
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
    ) -> Result<Option<Self>> {
        let summary = find_atoms(generation, subject)?;
        Ok(summary.map(|summary| Self {
            generation,
            key: atoms_key(subject.dataset, subject.key),
            subject,
            summary,
            privacy: transactions.privacy,
            data: transactions.days,
        }))
    }

    /// Returns whom it is of.
    pub(crate) fn subject(&self) -> Subject<'a> {
        self.subject
    }

    /// Returns the summary.
    pub(crate) fn summary(&self) -> &AtomSummary {
        &self.summary
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
        for totals in window.touched_of(&self.summary.months, |totals| totals.month) {
            let record = self.month(totals.month, work)?;
            // A week may have begun in the month before.
            let begun = rows.len().saturating_sub(1);
            add_groups(&mut rows, &record, kind, window);
            for row in &mut rows[begun..] {
                let days = window.atom_days_of(row.period);
                if let Some(since) = self.since(days) {
                    let of_month = record.cards_since(totals.month, since, days.last);
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
        if period.days().is_none_or(|days| days.last > self.data.last) {
            return Ok(None);
        }
        let mut told: Option<(DayRange, PlacePattern)> = None;
        for totals in window.touched_of(&self.summary.months, |totals| totals.month) {
            let span = Span::Month(totals.month);
            let Some(value) = self.generation.get(PATTERNS, span, &self.key)? else {
                continue;
            };
            let bytes = value.in_place()?;
            work.spend(MONTH_NS + bytes.len() as u64 * BYTE_NS)?;
            let of_month = PlacePattern::parse(bytes)?;
            let days = totals.month.days();
            let (covered, pattern) = told.get_or_insert_with(|| (days, PlacePattern::default()));
            covered.last = days.last;
            pattern.add(&of_month);
        }
        Ok(told)
    }

    /// Returns how many cards hide one another.
    pub(crate) fn k(&self) -> u64 {
        self.privacy.k()
    }

    /// Returns the month with which some days begin, if no atom is cut there: they begin with its first
    /// day, or before all data. Distinct cards are told of such days alone.
    fn since(&self, days: DayRange) -> Option<Month> {
        let month = days.first.month();
        let cuts_none = days.first <= self.data.first || days.first == month.first_day();
        cuts_none.then_some(month)
    }

    /// Reads the atoms of a month that has some.
    fn month(&self, month: Month, work: &mut Work) -> Result<AtomMonth> {
        let found = self.generation.get(ATOMS, Span::Month(month), &self.key)?;
        let missing = || Error::Corrupt {
            structure: "atoms",
            problem: format!("the summary names {month}, of which there is no record"),
        };
        let bytes = found.ok_or_else(missing)?.in_place()?;
        work.spend(MONTH_NS + bytes.len() as u64 * BYTE_NS)?;
        Ok(AtomMonth::parse(month, bytes)?)
    }
}
