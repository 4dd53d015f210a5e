//! All rows of one store or market: of itself, its periods and its histograms.

use std::collections::BTreeMap;

use nightshard_format::{
    Result,
    calendar::{Day, DayRange, Month, Period, PeriodKind, quarter_of},
    generation::Generation,
    histogram::FineHistogram,
    record::{HalfHour, MonthRecord, StoreProfile, Summary},
    shard::Mapped,
};

use super::{
    error::corrupt,
    rows::{Cell, Rows},
    schema::{Field, Kind, optional, required},
    statistics::{Figures, STATISTICS, cells, integer},
};

/// How many tables a dataset of series has.
pub(super) const TABLES: usize = 8;

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
/// Columns of a longer period, before [`STATISTICS`] and what else is told of it.
pub(super) const PERIOD: [Field; 5] = [
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
/// Columns of a month's half hours.
const HOURS: [Field; 7] = [
    required("id", Kind::Text),
    required("period", Kind::Text),
    required("first_date", Kind::Date),
    required("weekday", Kind::Integer),
    required("half_hour", Kind::Integer),
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
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
    ("hours", [&HOURS, &[]]),
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
    figures: Figures,
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
        let [
            keys,
            days,
            weeks,
            months,
            quarters,
            years,
            histograms,
            hours,
        ] = &mut out.0;
        let mut rows_of_weeks = Vec::new();
        let mut buyers = Vec::with_capacity(summary.months.len());
        for totals in &summary.months {
            let record = self.record(key, totals.month)?;
            add_days(id, &record, totals.month, days)?;
            merge_weeks(&record, totals.month, &mut rows_of_weeks)?;
            add_histogram(id, &record, totals.month, bins, histograms)?;
            add_hours(id, &record, totals.month, hours)?;
            buyers.push(NewBuyers::of(&record, totals.month, summary.days.first)?);
        }
        let all = Figures {
            statistics: summary.statistics(),
            cards: summary.cards,
            buyers: buyers
                .iter()
                .fold(0, |sum, new| u64::saturating_add(sum, new.ever)),
        };
        let all = cells(&all)?;
        keys.push(
            profile(id, &summary.profile, summary.days)
                .into_iter()
                .chain(all),
        );
        let month = |month| Period::Month(month);
        let in_months = summary.months.iter().map(|totals| totals.cards);
        let in_quarters = summary.quarters.iter().map(|(_, cards)| *cards);
        let in_years = summary.years.iter().map(|(_, cards)| *cards);
        let quarter = |month| Period::Quarter(quarter_of(month));
        let year = |month: Month| Period::Year(month.year());
        let of_month = buyers.iter().map(|new| new.in_month);
        let of_quarter = buyers.iter().map(|new| new.in_quarter);
        let of_year = buyers.iter().map(|new| new.in_year);
        let of_months = merge_months(summary, month, in_months, of_month);
        let of_quarters = merge_months(summary, quarter, in_quarters, of_quarter);
        let of_years = merge_months(summary, year, in_years, of_year);
        self.add_periods(id, rows_of_weeks, weeks)?;
        self.add_periods(id, of_months, months)?;
        self.add_periods(id, of_quarters, quarters)?;
        self.add_periods(id, of_years, years)
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
            out.push(head.into_iter().chain(cells(&row.figures)?));
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

/// The buyers of a month who have no earlier sale in each period that it is of, of which the longest
/// begins on `first`.
struct NewBuyers {
    in_month: u64,
    in_quarter: u64,
    in_year: u64,
    ever: u64,
}

impl NewBuyers {
    fn of(record: &MonthRecord<'_>, month: Month, first: Day) -> Result<Self> {
        let days = month.days();
        let since = |period: Period| {
            let first = period.days().map_or(days.first, |days| days.first);
            record.buyers_since(days, first)
        };
        Ok(Self {
            in_month: since(Period::Month(month))?,
            in_quarter: since(Period::Quarter(quarter_of(month)))?,
            in_year: since(Period::Year(month.year()))?,
            ever: record.buyers_since(days, first)?,
        })
    }
}

/// Adds the days of a month, each with the cards that had a row on it.
fn add_days(id: &str, record: &MonthRecord<'_>, month: Month, out: &mut Rows) -> Result<()> {
    for (day, figures) in days_of(record, month, |day| day)? {
        let head = [Cell::Text(id), Cell::Date(day)];
        out.push(head.into_iter().chain(cells(&figures)?));
    }
    Ok(())
}

/// Adds the days of a month to its weeks, of which the first may have begun in the month before.
fn merge_weeks(record: &MonthRecord<'_>, month: Month, weeks: &mut Vec<PeriodRow>) -> Result<()> {
    let week_of = |day| Period::containing(day, PeriodKind::Week);
    let monday = |day| week_of(day).days().map_or(day, |days| days.first);
    for (day, figures) in days_of(record, month, monday)? {
        row_of(weeks, week_of(day)).figures.add(&figures);
    }
    Ok(())
}

/// Reads the days of a month, each with the cards that have no earlier row since `since` of it, and
/// the buyers that have no earlier sale since then.
fn days_of(
    record: &MonthRecord<'_>,
    month: Month,
    since: impl Fn(Day) -> Day,
) -> Result<Vec<(Day, Figures)>> {
    let mut days: Vec<(Day, Figures)> = Vec::with_capacity(31);
    record.visit_days(month.days(), |day, statistics| {
        let figures = Figures {
            statistics,
            ..Figures::default()
        };
        days.push((day, figures));
    })?;
    let mut entries = days.iter_mut();
    record.visit_cards_since(month.days(), &since, |_day, cards| {
        if let Some((_, figures)) = entries.next() {
            figures.cards = cards;
        }
    })?;
    // Several changes of one distance add up, and some of them are negative.
    let mut buyers: BTreeMap<Day, i64> = BTreeMap::new();
    record.visit_buyers(month.days(), |day, change| {
        let distance = i64::from(change.distance);
        let is_new = distance == 0 || i64::from(day.0) - distance < i64::from(since(day).0);
        if is_new {
            let sum = buyers.entry(day).or_default();
            *sum = sum.saturating_add(change.cards);
        }
    })?;
    for (day, figures) in &mut days {
        let buyers = buyers.get(day).copied().unwrap_or_default();
        figures.buyers = u64::try_from(buyers).unwrap_or_default();
    }
    Ok(days)
}

/// Adds the half hours of a month's weekdays that have rows.
fn add_hours(id: &str, record: &MonthRecord<'_>, month: Month, out: &mut Rows) -> Result<()> {
    let mut hours: BTreeMap<(i64, u8), HalfHour> = BTreeMap::new();
    record.visit_hours(month.days(), |day, rows| {
        let key = (day.weekday() as i64, rows.half_hour);
        let none = HalfHour {
            half_hour: rows.half_hour,
            count: 0,
            sum: 0,
        };
        let hour = hours.entry(key).or_insert(none);
        hour.count = hour.count.saturating_add(rows.count);
        hour.sum = hour.sum.saturating_add(rows.sum);
    })?;
    let label = month.to_string();
    for ((weekday, half_hour), rows) in hours {
        out.push([
            Cell::Text(id),
            Cell::Text(&label),
            Cell::Date(month.first_day()),
            Cell::Integer(weekday),
            Cell::Integer(i64::from(half_hour)),
            integer(rows.count)?,
            Cell::Decimal(rows.sum),
        ]);
    }
    Ok(())
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

/// Adds months up to periods, whose cards follow one another in `cards`; `buyers` are those of each
/// month that its period has not had before.
fn merge_months(
    summary: &Summary,
    period_of: impl Fn(Month) -> Period,
    cards: impl Iterator<Item = u64>,
    buyers: impl Iterator<Item = u64>,
) -> Vec<PeriodRow> {
    let mut rows = Vec::new();
    for (totals, buyers) in summary.months.iter().zip(buyers) {
        let figures = &mut row_of(&mut rows, period_of(totals.month)).figures;
        figures.add(&Figures {
            statistics: totals.statistics,
            cards: 0,
            buyers,
        });
    }
    for (row, cards) in rows.iter_mut().zip(cards) {
        row.figures.cards = cards;
    }
    rows
}

/// Returns the last row if it is that of `period`, else a new one.
fn row_of(rows: &mut Vec<PeriodRow>, period: Period) -> &mut PeriodRow {
    if rows.last().is_none_or(|row| row.period != period) {
        rows.push(PeriodRow {
            period,
            figures: Figures::default(),
        });
    }
    let last = rows.len() - 1;
    &mut rows[last]
}
