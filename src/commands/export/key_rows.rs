//! All rows of one store, place or market: of itself, its periods, its histograms and its half hours.

use std::collections::BTreeMap;

use nightshard_format::{
    Result,
    calendar::{Day, DayRange, Month, Period, PeriodKind, quarter_of},
    generation::Generation,
    histogram::FineHistogram,
    record::{HalfHour, MARKETS, MERCHANTS, MonthRecord, STORES, StoreProfile, Summary},
    shard::Mapped,
};

use super::{
    error::corrupt,
    rows::{Cell, Rows},
    schema::{Field, Kind, TableSchema, optional, required},
    series::SeriesTables,
    statistics::{Figures, STATISTICS, cells, integer},
    subjects::{KeyCells, Subjects},
};

/// How many tables there are of figures.
const TABLES: usize = 8;

/// What the table of everything is called where it has no profile.
const TOTALS: &str = "totals";

/// Columns of where something is.
pub(super) const LOCATION: [Field; 2] =
    [optional("lat", Kind::Double), optional("lon", Kind::Double)];
/// Columns of who somebody is, before [`DAYS`].
const PROFILE: [Field; 6] = {
    let [lat, lon] = LOCATION;
    [
        optional("name", Kind::Text),
        optional("merchant_id", Kind::Text),
        optional("category", Kind::Text),
        optional("region", Kind::Text),
        lat,
        lon,
    ]
};
/// Columns of everything, before [`STATISTICS`].
const DAYS: [Field; 2] = [
    required("first_date", Kind::Date),
    required("last_date", Kind::Date),
];
/// Columns of a day, before [`STATISTICS`].
const DAY: [Field; 1] = [required("date", Kind::Date)];
/// Columns of a longer period, before [`STATISTICS`] and what else is told of it.
pub(super) const PERIOD: [Field; 4] = [
    required("period", Kind::Text),
    required("first_date", Kind::Date),
    required("last_date", Kind::Date),
    required("partial", Kind::Boolean),
];
/// Columns of a month's histogram.
const HISTOGRAM: [Field; 5] = [
    required("period", Kind::Text),
    required("first_date", Kind::Date),
    required("low", Kind::Integer),
    required("high", Kind::Integer),
    required("count", Kind::Integer),
];
/// Columns of a month's half hours.
const HOURS: [Field; 6] = [
    required("period", Kind::Text),
    required("first_date", Kind::Date),
    required("weekday", Kind::Integer),
    required("half_hour", Kind::Integer),
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
];
/// What each table is of, and its columns behind those of the key.
const PARTS: [(&str, [&[Field]; 2]); TABLES] = [
    (TOTALS, [&DAYS, &STATISTICS]),
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
/// The cells of the grid: a month's histogram has no more rows.
const CELLS: u64 = 2_540;
/// The half hours of a week.
const HALF_HOURS: u64 = 7 * 48;

/// The tables of figures.
pub(super) const FIGURES: SeriesTables<TABLES> = SeriesTables {
    schemas,
    rows_at_most,
    add: |source, key, summary, rows| source.add_rows(key, summary, rows),
};

/// Returns whether the table of everything says who they are, and is called as the dataset is: lists have the places.
fn has_profile(dataset: &str) -> bool {
    matches!(dataset, STORES | MARKETS | MERCHANTS)
}

fn schemas(dataset: &str) -> [TableSchema; TABLES] {
    let subjects = Subjects::of(dataset);
    PARTS.map(|(part, [fields, more])| {
        if part == TOTALS && has_profile(dataset) {
            let parts = [subjects.fields, &PROFILE, fields, more];
            return TableSchema::new(dataset, &parts);
        }
        TableSchema::new(subjects.table(part), &[subjects.fields, fields, more])
    })
}

/// Returns how many rows a key has at most, in all tables together.
fn rows_at_most(summary: &Summary) -> u64 {
    let months = summary.months.iter().map(|totals| {
        let days = totals.statistics.count.min(31);
        let count = totals.statistics.count;
        // A week for each day, a month, a quarter, a year; cells; half hours.
        2 * days + 3 + count.min(CELLS) + count.min(HALF_HOURS)
    });
    1 + months.sum::<u64>()
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
    fn add_rows(&self, key: &[u8], summary: &Summary, out: &mut [Rows; TABLES]) -> Result<()> {
        let who = Subjects::of(self.dataset).cells(key)?;
        let [
            totals,
            days,
            weeks,
            months,
            quarters,
            years,
            histograms,
            hours,
        ] = out;
        let mut rows_of_weeks = Vec::new();
        let mut bins = FineHistogram::new();
        let mut buyers = Vec::with_capacity(summary.months.len());
        for of_month in &summary.months {
            let record = self.record(key, of_month.month)?;
            add_days(who, &record, of_month.month, days)?;
            merge_weeks(&record, of_month.month, &mut rows_of_weeks)?;
            add_histogram(who, &record, of_month.month, &mut bins, histograms)?;
            add_hours(who, &record, of_month.month, hours)?;
            buyers.push(NewBuyers::of(&record, of_month.month, summary.days.first)?);
        }
        let all = Figures {
            statistics: summary.statistics(),
            cards: summary.cards,
            buyers: buyers
                .iter()
                .fold(0, |sum, new| u64::saturating_add(sum, new.ever)),
        };
        self.add_totals(who, summary, &all, totals)?;
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
        self.add_periods(who, rows_of_weeks, weeks)?;
        self.add_periods(who, of_months, months)?;
        self.add_periods(who, of_quarters, quarters)?;
        self.add_periods(who, of_years, years)
    }

    fn add_totals(
        &self,
        key: KeyCells<'_>,
        summary: &Summary,
        all: &Figures,
        out: &mut Rows,
    ) -> Result<()> {
        let profile = has_profile(self.dataset).then(|| profile(&summary.profile));
        let days = [summary.days.first, summary.days.last].map(Cell::Date);
        let head = key.into_iter().chain(profile.into_iter().flatten());
        out.push(head.chain(days).chain(cells(all)?));
        Ok(())
    }

    /// Returns the record of a month that the summary of a key names.
    ///
    /// # Errors
    /// [`nightshard_format::Error::Corrupt`] if there is none, or if it is damaged.
    pub(super) fn record(&self, key: &[u8], month: Month) -> Result<MonthRecord<'_>> {
        let found = self.generation.month(self.dataset, key, month)?;
        found.ok_or_else(|| {
            let problem = format!("it names {month}, of which there is no record");
            corrupt("summary", problem)
        })
    }

    fn add_periods(
        &self,
        key: KeyCells<'_>,
        periods: Vec<PeriodRow>,
        out: &mut Rows,
    ) -> Result<()> {
        for row in periods {
            let label = row.period.to_string();
            let head = key
                .into_iter()
                .chain(period_cells(row.period, &label, self.data));
            out.push(head.chain(cells(&row.figures)?));
        }
        Ok(())
    }
}

/// Returns the cells of [`PERIOD`], of data that has these days; everything has all of them.
pub(super) fn period_cells(period: Period, label: &str, data: DayRange) -> [Cell<'_>; 4] {
    let days = period.days().unwrap_or(data);
    [
        Cell::Text(label),
        Cell::Date(days.first),
        Cell::Date(days.last),
        Cell::Boolean(!data.covers(days)),
    ]
}

/// Returns the cells of [`PROFILE`].
fn profile(profile: &StoreProfile) -> [Cell<'_>; 6] {
    let [lat, lon] = location_cells(profile.location);
    [
        Cell::optional_text(profile.name.as_deref()),
        Cell::optional_text(profile.merchant_id.as_deref()),
        Cell::optional_text(profile.category.as_deref()),
        Cell::optional_text(profile.region.as_deref()),
        lat,
        lon,
    ]
}

/// Returns the cells of [`LOCATION`].
pub(super) fn location_cells(location: Option<(i32, i32)>) -> [Cell<'static>; 2] {
    let degrees = |units: i32| f64::from(units) / LOCATION_UNITS;
    [
        Cell::optional_double(location.map(|(lat, _)| degrees(lat))),
        Cell::optional_double(location.map(|(_, lon)| degrees(lon))),
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
fn add_days(
    key: KeyCells<'_>,
    record: &MonthRecord<'_>,
    month: Month,
    out: &mut Rows,
) -> Result<()> {
    for (day, figures) in days_of(record, month, |day| day)? {
        let head = key.into_iter().chain([Cell::Date(day)]);
        out.push(head.chain(cells(&figures)?));
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
fn add_hours(
    key: KeyCells<'_>,
    record: &MonthRecord<'_>,
    month: Month,
    out: &mut Rows,
) -> Result<()> {
    let mut hours: BTreeMap<(i64, u8), HalfHour> = BTreeMap::new();
    record.visit_hours(month.days(), |day, rows| {
        let time = (day.weekday() as i64, rows.half_hour);
        let none = HalfHour {
            half_hour: rows.half_hour,
            count: 0,
            sum: 0,
        };
        let hour = hours.entry(time).or_insert(none);
        hour.count = hour.count.saturating_add(rows.count);
        hour.sum = hour.sum.saturating_add(rows.sum);
    })?;
    let label = month.to_string();
    for ((weekday, half_hour), rows) in hours {
        let cells = [
            Cell::Text(&label),
            Cell::Date(month.first_day()),
            Cell::Integer(weekday),
            Cell::Integer(i64::from(half_hour)),
            integer(rows.count)?,
            Cell::Decimal(rows.sum),
        ];
        out.push(key.into_iter().chain(cells));
    }
    Ok(())
}

fn add_histogram(
    key: KeyCells<'_>,
    record: &MonthRecord<'_>,
    month: Month,
    bins: &mut FineHistogram,
    out: &mut Rows,
) -> Result<()> {
    bins.clear();
    record.add_bins(month.days(), bins)?;
    let label = month.to_string();
    for (cell, count) in bins.iter() {
        let cells = [
            Cell::Text(&label),
            Cell::Date(month.first_day()),
            Cell::Integer(cell.low()),
            Cell::Integer(cell.high()),
            integer(count)?,
        ];
        out.push(key.into_iter().chain(cells));
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
