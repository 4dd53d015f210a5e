//! The figures of one store or market over any days, from its summary and its months.
//!
//! What whole months, quarters, years or everything say comes from the summary; a month's record
//! is read only where a range cuts it, where single days or weeks are asked for, or where cards
//! have to be told apart over a range that is no named period.

mod benchmark;
mod demographics;
mod elsewhere;
mod loyalty;
mod settlements;

use nightshard_format::{
    Error,
    calendar::{Day, DayRange, Month, Period, PeriodKind, quarter_of},
    generation::Generation,
    histogram::FineHistogram,
    record::{MonthRecord, MonthTotals, Summary},
    shard::Mapped,
    statistics::Statistics,
};

pub(crate) use self::benchmark::Compared;
use crate::{
    pattern::Pattern,
    problem::Result,
    sales::{DaySales, Sales},
    subject::Subject,
    work::Work,
};

/// The days that a request is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// The range asked for, whether or not there is data; `None` for everything.
    asked: Option<DayRange>,
    /// Its days between the data's ends.
    shown: DayRange,
    /// The same, but without end where the data ends: a period that only the data's end cuts
    /// is whole as far as rows go.
    reach: DayRange,
    /// The months that `shown` touches.
    touched: MonthRange,
    /// The months that lie wholly in `shown`.
    uncut: MonthRange,
    /// The months that lie wholly in `reach`.
    whole: MonthRange,
}

/// Further than any period reaches beyond a day in it, and near enough never to overflow.
const BEYOND_DAYS: i32 = 400;

/// A run of months, both ends included; empty when the last lies before the first.
#[derive(Debug, Clone, Copy)]
struct MonthRange {
    first: Month,
    last: Month,
}

impl MonthRange {
    /// Returns the months that lie wholly in `days`.
    fn within(days: DayRange) -> Self {
        let (first, last) = (days.first.month(), days.last.month());
        let cuts_first = days.first > first.first_day();
        let cuts_last = days.last < last.days().last;
        Self {
            first: Month(first.0 + i32::from(cuts_first)),
            last: Month(last.0 - i32::from(cuts_last)),
        }
    }

    /// Returns whether all of `count` months from `first` on are in the range.
    fn has(self, first: Month, count: i32) -> bool {
        self.first <= first && first.0 + count - 1 <= self.last.0
    }
}

impl Window {
    /// Makes the window of a range over data that has the days `data`.
    pub(crate) fn new(asked: Option<DayRange>, data: DayRange) -> Self {
        let shown = asked.map_or(data, |range| range.intersection(data));
        let mut reach = shown;
        if shown.first == data.first {
            reach.first = Day(data.first.0 - BEYOND_DAYS);
        }
        if shown.last == data.last {
            reach.last = Day(data.last.0 + BEYOND_DAYS);
        }
        let mut touched = MonthRange {
            first: shown.first.month(),
            last: shown.last.month(),
        };
        if shown.is_empty() {
            touched.last = Month(touched.first.0 - 1);
        }
        Self {
            asked,
            shown,
            reach,
            touched,
            uncut: MonthRange::within(shown),
            whole: MonthRange::within(reach),
        }
    }

    /// Returns the days asked for between the data's ends.
    pub(crate) fn shown(&self) -> DayRange {
        self.shown
    }

    /// Returns the period that stands for the whole window.
    pub(crate) fn period(&self) -> Period {
        self.asked.map_or(Period::All, Period::Range)
    }

    /// Returns whether the window or the data's end cuts a period.
    pub(crate) fn cuts(&self, period: Period) -> bool {
        match months_of(period) {
            Some((first, count)) => !self.uncut.has(first, count),
            None => period.days().is_some_and(|days| !self.shown.covers(days)),
        }
    }

    /// Returns whether the window has some but not all rows of a month.
    pub(crate) fn cuts_months(&self) -> bool {
        let MonthRange { first, last } = self.touched;
        first <= last && !self.whole.has(first, last.0 - first.0 + 1)
    }

    /// Returns whether only the end of the window has some but not all rows of a month.
    pub(crate) fn cuts_last_month_alone(&self) -> bool {
        self.cuts_months() && self.whole.first <= self.touched.first
    }

    /// Returns the period of one kind that has a day of the window.
    pub(crate) fn period_of(&self, day: Day, kind: PeriodKind) -> Period {
        match kind {
            PeriodKind::All => self.period(),
            _ => Period::containing(day, kind),
        }
    }

    /// Returns the months that the window has days of, in order.
    pub(crate) fn months(&self) -> impl Iterator<Item = Month> + use<> {
        let MonthRange { first, last } = self.touched;
        (first.0..=last.0).map(Month)
    }

    /// Returns those of some months that the window has days of.
    ///
    /// # Shape
    /// `months` ascend, and so do those returned.
    pub(crate) fn touched_of<'m, T>(
        &self,
        months: &'m [T],
        month_of: impl Fn(&T) -> Month,
    ) -> &'m [T] {
        let start = months.partition_point(|month| month_of(month) < self.touched.first);
        let end = months.partition_point(|month| month_of(month) <= self.touched.last);
        months.get(start..end).unwrap_or_default()
    }

    /// Returns the days of a period in which rows of the window may lie.
    fn days_of(&self, period: Period) -> DayRange {
        period
            .days()
            .map_or(self.reach, |days| days.intersection(self.reach))
    }

    /// Returns the same of atoms, which may have days beyond the data's ends: where the window has all rows
    /// up to an end, it has such days, too, wherever it begins or ends there.
    pub(crate) fn atom_days_of(&self, period: Period) -> DayRange {
        if period == self.period() {
            self.reach
        } else {
            self.days_of(period)
        }
    }

    /// Returns whether every row of a named period of months lies in the window, so that the
    /// summary says all of it. The summary of everything says a range that has all the data, too.
    fn has_all_of(&self, period: Period, data: DayRange) -> bool {
        match months_of(period) {
            Some((first, count)) => self.whole.has(first, count),
            None => self.reach.covers(data),
        }
    }
}

/// Returns the first month and the number of months of a period that is made of months.
fn months_of(period: Period) -> Option<(Month, i32)> {
    match period {
        Period::Month(month) => Some((month, 1)),
        Period::Quarter(first) => Some((first, 3)),
        Period::Year(year) => Some((Month(year * 12), 12)),
        _ => None,
    }
}

/// What is said of one period.
pub(crate) trait OfPeriod {
    /// Returns which period.
    fn period(&self) -> Period;

    /// Returns what is said of a period that nothing is known of.
    fn empty(period: Period) -> Self;
}

/// The figures of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Which period.
    pub(crate) period: Period,
    /// The totals of its rows in the window.
    pub(crate) statistics: Statistics,
    /// Distinct cards among them.
    pub(crate) cards: u64,
}

impl OfPeriod for Row {
    fn period(&self) -> Period {
        self.period
    }

    fn empty(period: Period) -> Self {
        Self {
            period,
            statistics: Statistics::default(),
            cards: 0,
        }
    }
}

/// One store, market or place in one generation.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    generation: &'a Generation<Mapped>,
    subject: Subject<'a>,
    summary: Summary,
    data: DayRange,
}

impl<'a> Series<'a> {
    /// Finds a subject, or `None` if it is not in the generation.
    ///
    /// # Shape
    /// `data` is from the first to the last day of the whole generation.
    pub(crate) fn find(
        generation: &'a Generation<Mapped>,
        data: DayRange,
        subject: Subject<'a>,
    ) -> Result<Option<Self>> {
        let summary = generation.summary(subject.dataset, subject.key)?;
        Ok(summary.map(|summary| Self {
            generation,
            subject,
            summary,
            data,
        }))
    }

    /// Returns whom it is of.
    pub(crate) fn subject(&self) -> Subject<'a> {
        self.subject
    }

    /// Returns the summary.
    pub(crate) fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Returns the figures of the periods of one kind that have rows in the window, in order.
    pub(crate) fn rows(
        &self,
        kind: PeriodKind,
        window: &Window,
        work: &mut Work,
    ) -> Result<Vec<Row>> {
        let mut rows = match kind {
            PeriodKind::Day | PeriodKind::Week => self.rows_of_days(kind, window, work)?,
            _ => self.rows_of_months(kind, window, work)?,
        };
        rows.retain(|row| row.statistics.count > 0);
        Ok(rows)
    }

    /// Adds up days, reading all of them.
    fn rows_of_days(&self, kind: PeriodKind, window: &Window, work: &mut Work) -> Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        let mut days: Vec<(Day, Statistics, u64)> = Vec::with_capacity(31);
        for totals in self.months_in(window) {
            work.spend(days_estimate_ns(totals) * 2)?;
            let record = self.record(totals.month)?;
            days.clear();
            record.visit_days(window.reach, |day, statistics| {
                days.push((day, statistics, 0));
            })?;
            let since = |day| window.days_of(Period::containing(day, kind)).first;
            let mut entries = days.iter_mut();
            record.visit_cards_since(window.reach, since, |_, cards| {
                if let Some(entry) = entries.next() {
                    entry.2 = cards;
                }
            })?;
            for (day, statistics, cards) in &days {
                let row = row_of(&mut rows, Period::containing(*day, kind));
                row.statistics.merge(statistics);
                row.cards = row.cards.saturating_add(*cards);
            }
        }
        Ok(rows)
    }

    /// Adds up months, reading only those that the window cuts.
    fn rows_of_months(
        &self,
        kind: PeriodKind,
        window: &Window,
        work: &mut Work,
    ) -> Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        for totals in self.months_in(window) {
            let period = window.period_of(totals.month.first_day(), kind);
            let begins = rows.last().is_none_or(|row| row.period != period);
            let row = row_of(&mut rows, period);
            let whole_month = window.has_all_of(Period::Month(totals.month), self.data);
            let whole_period = window.has_all_of(period, self.data);
            if whole_month {
                row.statistics.merge(&totals.statistics);
            } else {
                work.spend(days_estimate_ns(totals))?;
                self.record(totals.month)?
                    .visit_days(window.reach, |_, day| row.statistics.merge(&day))?;
            }
            if !whole_period {
                work.spend(if whole_month {
                    roll_up_estimate_ns(totals)
                } else {
                    days_estimate_ns(totals)
                })?;
                let days = window.days_of(period);
                let cards = self.record(totals.month)?.cards_since(days, days.first)?;
                row.cards = row.cards.saturating_add(cards);
            } else if begins {
                row.cards = self.cards_of(period, totals);
            }
        }
        Ok(rows)
    }

    /// Returns the distinct cards of a whole period that begins with the month of `totals`.
    fn cards_of(&self, period: Period, totals: &MonthTotals) -> u64 {
        let quarter = quarter_of(totals.month);
        let year = totals.month.year();
        match period {
            Period::Month(_) => totals.cards,
            Period::Quarter(_) => cards_in(&self.summary.quarters, quarter),
            Period::Year(_) => cards_in(&self.summary.years, year),
            _ => self.summary.cards,
        }
    }

    /// Returns the sales of the whole window.
    pub(crate) fn sales(&self, window: &Window, work: &mut Work) -> Result<Sales> {
        let mut sales = Sales::default();
        let days = window.days_of(window.period());
        for totals in self.months_in(window) {
            let record = self.record(totals.month)?;
            if window.has_all_of(Period::Month(totals.month), self.data) {
                work.spend(roll_up_estimate_ns(totals))?;
                sales.add(&totals.statistics);
            } else {
                work.spend(days_estimate_ns(totals) * 2)?;
                record.visit_days(window.reach, |_, day| sales.add(&day))?;
            }
            let buyers = record.buyers_since(days, days.first)?;
            sales.buyers = sales.buyers.saturating_add(buyers);
        }
        Ok(sales)
    }

    /// Returns the sales of each day of the window that has rows.
    pub(crate) fn sales_by_day(&self, window: &Window, work: &mut Work) -> Result<Vec<DaySales>> {
        let mut days: Vec<DaySales> = Vec::new();
        for totals in self.months_in(window) {
            work.spend(days_estimate_ns(totals) * 2)?;
            let record = self.record(totals.month)?;
            let mut next = days.len();
            record.visit_days(window.shown, |day, totals| {
                days.push(DaySales::new(day, &totals));
            })?;
            record.visit_buyers(window.shown, |day, change| {
                while days.get(next).is_some_and(|entry| entry.day < day) {
                    next += 1;
                }
                if let Some(entry) = days.get_mut(next) {
                    entry.add_buyers(change);
                }
            })?;
        }
        Ok(days)
    }

    /// Returns the totals of each day of the window that has rows.
    pub(crate) fn totals_by_day(
        &self,
        window: &Window,
        work: &mut Work,
    ) -> Result<Vec<(Day, Statistics)>> {
        let mut days = Vec::new();
        for totals in self.months_in(window) {
            work.spend(days_estimate_ns(totals))?;
            let record = self.record(totals.month)?;
            record.visit_days(window.shown, |day, totals| days.push((day, totals)))?;
        }
        Ok(days)
    }

    /// Adds up the rows of the window by weekday and half hour, and counts all of them.
    pub(crate) fn pattern(&self, window: &Window, work: &mut Work) -> Result<Pattern> {
        let mut pattern = Pattern::new();
        for totals in self.months_in(window) {
            work.spend(days_estimate_ns(totals) * 2)?;
            let record = self.record(totals.month)?;
            record.visit_hours(window.reach, |day, hour| pattern.add(day, hour))?;
            if window.has_all_of(Period::Month(totals.month), self.data) {
                pattern.all.merge(&totals.statistics);
            } else {
                record.visit_days(window.reach, |_, day| pattern.all.merge(&day))?;
            }
        }
        Ok(pattern)
    }

    /// Counts the rows of the window by cell.
    pub(crate) fn bins(&self, window: &Window, work: &mut Work) -> Result<FineHistogram> {
        let mut bins = FineHistogram::new();
        for totals in self.months_in(window) {
            let whole = window.has_all_of(Period::Month(totals.month), self.data);
            work.spend(if whole {
                roll_up_estimate_ns(totals)
            } else {
                days_estimate_ns(totals)
            })?;
            self.record(totals.month)?
                .add_bins(window.reach, &mut bins)?;
        }
        Ok(bins)
    }

    /// Returns the months of a window that have rows.
    pub(crate) fn months_in(&self, window: &Window) -> &[MonthTotals] {
        window.touched_of(&self.summary.months, |totals| totals.month)
    }

    /// Reads the record of a month that has rows.
    pub(crate) fn record(&self, month: Month) -> Result<MonthRecord<'a>> {
        let Subject { dataset, key } = self.subject;
        let record = self.generation.month(dataset, key, month)?;
        let missing = || Error::Corrupt {
            structure: "summary",
            problem: format!("it names {month}, of which there is no record"),
        };
        Ok(record.ok_or_else(missing)?)
    }
}

/// Adds periods of which nothing is known wherever there are none between the window's ends.
pub(crate) fn fill<R: OfPeriod>(rows: Vec<R>, kind: PeriodKind, window: &Window) -> Vec<R> {
    let shown = window.shown();
    if shown.is_empty() {
        return rows;
    }
    if kind == PeriodKind::All {
        return if rows.is_empty() {
            vec![R::empty(window.period())]
        } else {
            rows
        };
    }
    let mut known = rows.into_iter().peekable();
    let mut filled = Vec::new();
    let mut day = shown.first;
    while day <= shown.last {
        let period = Period::containing(day, kind);
        let row = known.next_if(|row| row.period() == period);
        filled.push(row.unwrap_or_else(|| R::empty(period)));
        let last = period.days().map_or(shown.last, |days| days.last);
        day = Day(last.0 + 1);
    }
    filled
}

/// Returns the last row if it is that of `period`, else a new one.
pub(crate) fn row_of<R: OfPeriod>(rows: &mut Vec<R>, period: Period) -> &mut R {
    if rows.last().is_none_or(|row| row.period() != period) {
        rows.push(R::empty(period));
    }
    let last = rows.len() - 1;
    &mut rows[last]
}

fn cards_in<G: PartialEq>(groups: &[(G, u64)], group: G) -> u64 {
    let found = groups.iter().find(|(known, _)| *known == group);
    found.map_or(0, |(_, cards)| *cards)
}

/// Estimates the reading of all days of a month: amounts one by one, or at most a few hundred
/// cells or distances a day.
fn days_estimate_ns(totals: &MonthTotals) -> u64 {
    500 + (totals.statistics.count * 4).min(100_000)
}

/// Estimates the reading of a month's roll-up, or of the few rows of a month that has none.
fn roll_up_estimate_ns(totals: &MonthTotals) -> u64 {
    500 + (totals.statistics.count * 4).min(5_000)
}
