//! All rows of one store or market: of itself, its periods and its histograms.

use nightshard_format::{
    Result,
    calendar::{Day, DayRange, Month, Period, PeriodKind, quarter_of},
    generation::Generation,
    histogram::FineHistogram,
    record::{MonthRecord, StoreProfile, Summary},
    shard::Mapped,
    statistics::Statistics,
};

use super::{
    error::corrupt,
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::{STATISTICS, cells, integer},
};

/// How many tables a dataset of series has.
pub(super) const TABLES: usize = 7;

/// Columns of the table of keys, before [`STATISTICS`] of everything.
const PROFILE: [Field; 9] = [
    required("id", Kind::Text),
    optional("name", Kind::Text),
    optional("merchant_id", Kind::Text),
    optional("category", Kind::Text),
    optional("region", Kind::Text),
    optional("lat", Kind::Double),
    optional("lon", Kind::Double),
    required("first_date", Kind::Date),
    required("last_date", Kind::Date),
];
/// Columns of a day, before [`STATISTICS`].
const DAY: [Field; 2] = [required("id", Kind::Text), required("date", Kind::Date)];
/// Columns of a longer period, before [`STATISTICS`].
const PERIOD: [Field; 5] = [
    required("id", Kind::Text),
    required("period", Kind::Text),
    required("first_date", Kind::Date),
    required("last_date", Kind::Date),
    required("partial", Kind::Boolean),
];
/// Columns of a month's histogram.
const HISTOGRAM: [Field; 6] = [
    required("id", Kind::Text),
    required("period", Kind::Text),
    required("first_date", Kind::Date),
    required("low", Kind::Integer),
    required("high", Kind::Integer),
    required("count", Kind::Integer),
];
/// What each table is of, in the order of [`SeriesRows::all`], and its columns.
pub(super) const PARTS: [(&str, [&[Field]; 2]); TABLES] = [
    ("", [&PROFILE, &STATISTICS]),
    ("days", [&DAY, &STATISTICS]),
    ("weeks", [&PERIOD, &STATISTICS]),
    ("months", [&PERIOD, &STATISTICS]),
    ("quarters", [&PERIOD, &STATISTICS]),
    ("years", [&PERIOD, &STATISTICS]),
    ("histograms", [&HISTOGRAM, &[]]),
];

/// Tenths of millionths of a degree in a degree.
const LOCATION_UNITS: f64 = 1e7;

/// Rows of all tables of a dataset of series.
#[derive(Debug, Clone)]
pub(super) struct SeriesRows([Rows; TABLES]);

impl SeriesRows {
    /// Makes rows of tables, none so far.
    pub(super) fn new(tables: [Rows; TABLES]) -> Self {
        Self(tables)
    }

    /// Returns the rows of each table.
    pub(super) fn all(&self) -> &[Rows; TABLES] {
        &self.0
    }

    /// Adds rows of the same tables.
    pub(super) fn append(&mut self, other: &Self) {
        for (rows, more) in self.0.iter_mut().zip(&other.0) {
            rows.append(more);
        }
    }
}

/// Where the rows of a key come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    /// The generation.
    pub(super) generation: &'a Generation<Mapped>,
    /// The dataset of the key.
    pub(super) dataset: &'static str,
    /// The days of the data, which cut periods.
    pub(super) data: DayRange,
}

/// The figures of one period.
struct PeriodRow {
    period: Period,
    statistics: Statistics,
    cards: u64,
}

impl Source<'_> {
    /// Adds all rows of a key.
    ///
    /// # Errors
    /// [`nightshard_format::Error::Corrupt`] if a record is damaged, or a month is missing.
    pub(super) fn add_rows(
        &self,
        key: &[u8],
        summary: &Summary,
        bins: &mut FineHistogram,
        out: &mut SeriesRows,
    ) -> Result<()> {
        let id = std::str::from_utf8(key).map_err(|_bad| corrupt("key", "it is not UTF-8"))?;
        let [keys, days, weeks, months, quarters, years, histograms] = &mut out.0;
        let all = cells(&summary.statistics(), summary.cards)?;
        keys.push(
            profile(id, &summary.profile, summary.days)
                .into_iter()
                .chain(all),
        );
        let mut rows_of_weeks = Vec::new();
        for totals in &summary.months {
            let record = self.record(key, totals.month)?;
            add_days(id, &record, totals.month, days)?;
            merge_weeks(&record, totals.month, &mut rows_of_weeks)?;
            add_histogram(id, &record, totals.month, bins, histograms)?;
        }
        let month = |month| Period::Month(month);
        let in_months = summary.months.iter().map(|totals| totals.cards);
        let in_quarters = summary.quarters.iter().map(|(_, cards)| *cards);
        let in_years = summary.years.iter().map(|(_, cards)| *cards);
        let quarter = |month| Period::Quarter(quarter_of(month));
        let year = |month: Month| Period::Year(month.year());
        self.add_periods(id, rows_of_weeks, weeks)?;
        self.add_periods(id, merge_months(summary, month, in_months), months)?;
        self.add_periods(id, merge_months(summary, quarter, in_quarters), quarters)?;
        self.add_periods(id, merge_months(summary, year, in_years), years)
    }

    fn record(&self, key: &[u8], month: Month) -> Result<MonthRecord<'_>> {
        let found = self.generation.month(self.dataset, key, month)?;
        found.ok_or_else(|| {
            let problem = format!("it names {month}, of which there is no record");
            corrupt("summary", problem)
        })
    }

    fn add_periods(&self, id: &str, periods: Vec<PeriodRow>, out: &mut Rows) -> Result<()> {
        for row in periods {
            let label = row.period.to_string();
            let days = row.period.days();
            let days = days.ok_or_else(|| corrupt("summary", "a period has no days"))?;
            let head = [
                Cell::Text(id),
                Cell::Text(&label),
                Cell::Date(days.first),
                Cell::Date(days.last),
                Cell::Boolean(!self.data.covers(days)),
            ];
            out.push(head.into_iter().chain(cells(&row.statistics, row.cards)?));
        }
        Ok(())
    }
}

fn profile<'a>(id: &'a str, profile: &'a StoreProfile, days: DayRange) -> [Cell<'a>; 9] {
    let degrees = |units: i32| f64::from(units) / LOCATION_UNITS;
    let location = profile.location;
    [
        Cell::Text(id),
        Cell::optional_text(profile.name.as_deref()),
        Cell::optional_text(profile.merchant_id.as_deref()),
        Cell::optional_text(profile.category.as_deref()),
        Cell::optional_text(profile.region.as_deref()),
        Cell::optional_double(location.map(|(lat, _)| degrees(lat))),
        Cell::optional_double(location.map(|(_, lon)| degrees(lon))),
        Cell::Date(days.first),
        Cell::Date(days.last),
    ]
}

/// Adds the days of a month, each with the cards that had a row on it.
fn add_days(id: &str, record: &MonthRecord<'_>, month: Month, out: &mut Rows) -> Result<()> {
    for (day, statistics, cards) in days_of(record, month, |day| day)? {
        let head = [Cell::Text(id), Cell::Date(day)];
        out.push(head.into_iter().chain(cells(&statistics, cards)?));
    }
    Ok(())
}

/// Adds the days of a month to its weeks, of which the first may have begun in the month before.
fn merge_weeks(record: &MonthRecord<'_>, month: Month, weeks: &mut Vec<PeriodRow>) -> Result<()> {
    let week_of = |day| Period::containing(day, PeriodKind::Week);
    let monday = |day| week_of(day).days().map_or(day, |days| days.first);
    for (day, statistics, cards) in days_of(record, month, monday)? {
        let row = row_of(weeks, week_of(day));
        row.statistics.merge(&statistics);
        row.cards = row.cards.saturating_add(cards);
    }
    Ok(())
}

/// Reads the days of a month, each with the cards that have no earlier row since `since` of it.
fn days_of(
    record: &MonthRecord<'_>,
    month: Month,
    since: impl FnMut(Day) -> Day,
) -> Result<Vec<(Day, Statistics, u64)>> {
    let mut days = Vec::with_capacity(31);
    record.visit_days(month.days(), |day, statistics| {
        days.push((day, statistics, 0));
    })?;
    let mut entries = days.iter_mut();
    record.visit_cards_since(month.days(), since, |_day, cards| {
        if let Some(entry) = entries.next() {
            entry.2 = cards;
        }
    })?;
    Ok(days)
}

fn add_histogram(
    id: &str,
    record: &MonthRecord<'_>,
    month: Month,
    bins: &mut FineHistogram,
    out: &mut Rows,
) -> Result<()> {
    bins.clear();
    record.add_bins(month.days(), bins)?;
    let label = month.to_string();
    for (cell, count) in bins.iter() {
        out.push([
            Cell::Text(id),
            Cell::Text(&label),
            Cell::Date(month.first_day()),
            Cell::Integer(cell.low()),
            Cell::Integer(cell.high()),
            integer(count)?,
        ]);
    }
    Ok(())
}

/// Adds months up to periods, whose cards follow one another in `cards`.
fn merge_months(
    summary: &Summary,
    period_of: impl Fn(Month) -> Period,
    cards: impl Iterator<Item = u64>,
) -> Vec<PeriodRow> {
    let mut rows = Vec::new();
    for totals in &summary.months {
        let row = row_of(&mut rows, period_of(totals.month));
        row.statistics.merge(&totals.statistics);
    }
    for (row, cards) in rows.iter_mut().zip(cards) {
        row.cards = cards;
    }
    rows
}

/// Returns the last row if it is that of `period`, else a new one.
fn row_of(rows: &mut Vec<PeriodRow>, period: Period) -> &mut PeriodRow {
    if rows.last().is_none_or(|row| row.period != period) {
        rows.push(PeriodRow {
            period,
            statistics: Statistics::default(),
            cards: 0,
        });
    }
    let last = rows.len() - 1;
    &mut rows[last]
}
