//! Rows of who comes back to a store, merchant or place: of its periods, of first visits, and of cohorts.

use nightshard_format::{
    Result,
    calendar::{Day, DayRange, Month, Period},
    loyalty::Loyalty,
    record::{
        Change, LoyaltyRecord, Run, Summary, loyalty_dataset, loyalty_key, loyalty_periods,
        loyalty_spans,
    },
    returning::{REPEATS_MAX, ReturnRule},
    shard::Span,
};

use super::{
    error::corrupt,
    key_rows::{PERIOD, Source, period_cells},
    loyalty::cells_of,
    rows::{Cell, Rows},
    schema::{Field, Kind, TableSchema, optional, required},
    series::SeriesTables,
    statistics::integer,
    subjects::{KeyCells, Subjects},
};

/// How many tables there are.
const TABLES: usize = 3;

/// Columns of a period, behind those that say which. What is not known of tiles may be missing.
const PERIOD_LOYALTY: [Field; 10] = [
    required("last_visit", Kind::Date),
    required("cards", Kind::Integer),
    optional("new_cards", Kind::Integer),
    optional("returning_cards", Kind::Integer),
    optional("reactivated_cards", Kind::Integer),
    required("lapsed_cards", Kind::Integer),
    required("visits", Kind::Integer),
    optional("median_gap_days", Kind::Double),
    optional("regular_cards", Kind::Integer),
    optional("regular_sales_sum", Kind::Decimal),
];
/// Columns of cards by their first visit.
const REPEATS: [Field; 4] = [
    required("days", Kind::Integer),
    required("cards", Kind::Integer),
    required("returned", Kind::Integer),
    optional("rate", Kind::Double),
];
/// Columns of cards of the same month of their first visit.
const COHORTS: [Field; 2] = [
    required("months_later", Kind::Integer),
    required("cards", Kind::Integer),
];

/// The tables.
pub(super) const RETURNS: SeriesTables<TABLES> = SeriesTables {
    schemas,
    rows_at_most,
    add: add_rows,
};

fn schemas(dataset: &str) -> [TableSchema; TABLES] {
    let subjects = Subjects::of(dataset);
    let schema = |part, fields: &[Field]| {
        let parts = [subjects.fields, &PERIOD, fields];
        TableSchema::new(subjects.table(part), &parts)
    };
    [
        schema("loyalty", &PERIOD_LOYALTY),
        schema("repeats", &REPEATS),
        schema("cohorts", &COHORTS),
    ]
}

/// Returns how many rows a key has at most, in all tables together.
fn rows_at_most(summary: &Summary) -> u64 {
    let months = match (summary.months.first(), summary.months.last()) {
        (Some(first), Some(last)) => u64::from(first.month.0.abs_diff(last.month.0)) + 1,
        _ => 0,
    };
    // A month, a quarter and a year for each month; as many repeats as there may be; a row for each later month.
    (1 + 3 * months) * (1 + REPEATS_MAX as u64) + months * (months + 1) / 2
}

fn add_rows(
    source: &Source<'_>,
    key: &[u8],
    summary: &Summary,
    rows: &mut [Rows; TABLES],
) -> Result<()> {
    let [loyalty_rows, repeat_rows, cohort_rows] = rows;
    let who = Subjects::of(source.dataset).cells(key)?;
    let rule = ReturnRule::of(source.generation.manifest())?;
    let history = History::read(source, key, summary)?;
    let months = summary.months.iter().map(|totals| totals.month);
    for span in loyalty_spans(months) {
        let record = regulars_of(source, key, span)?;
        for (_, period) in loyalty_periods(span) {
            let Some(last_visit) = history.last_visit(period, source.data) else {
                continue;
            };
            let label = period.to_string();
            let period_cells = period_cells(period, &label, source.data);
            let head = || who.into_iter().chain(period_cells);
            let loyalty = history.count(period, source.data, &rule);
            let days = period.days().unwrap_or(source.data);
            // Before, a first visit in the data need not be the first one.
            let knows_new = days.first.0 >= source.data.first.0 + rule.first_days().cast_signed();
            // Who is regular is asked on the period's last day that the data has.
            let asked_on = days.last.min(source.data.last);
            let regulars = record.as_ref().and_then(|record| record.find(period));
            let regulars = regulars.map(|visits| cells_of(visits.regulars_on(asked_on)));
            let returning = figures(&loyalty, last_visit, knows_new)?;
            let regulars = regulars.transpose()?.unwrap_or([Cell::Missing; 2]);
            loyalty_rows.push(head().chain(returning).chain(regulars));
            for repeat in loyalty.repeats() {
                if repeat.cards() > 0 {
                    repeat_rows.push(head().chain([
                        integer(repeat.days.into())?,
                        integer(repeat.cards())?,
                        integer(repeat.returned)?,
                        Cell::optional_double(repeat.rate()),
                    ]));
                }
            }
            if period == Period::All {
                add_cohorts(who, &loyalty, source.data, cohort_rows)?;
            }
        }
    }
    Ok(())
}

/// Returns the record of the periods that end with a span; nothing of the kind is kept of tiles.
fn regulars_of(source: &Source<'_>, key: &[u8], span: Span) -> Result<Option<LoyaltyRecord>> {
    let Some(dataset) = loyalty_dataset(source.dataset) else {
        return Ok(None);
    };
    let key = loyalty_key(source.dataset, key);
    let value = source.generation.get(dataset, span, &key)?;
    let missing = || corrupt("summary", format!("there is no loyalty of {span}"));
    let value = value.ok_or_else(missing)?.in_place()?;
    LoyaltyRecord::parse(span, value).map(Some)
}

/// Returns the cells of [`PERIOD_LOYALTY`] before those of regulars.
fn figures(loyalty: &Loyalty, last_visit: Day, knows_new: bool) -> Result<[Cell<'static>; 8]> {
    let if_known = |cards| match knows_new {
        true => integer(cards),
        false => Ok(Cell::Missing),
    };
    Ok([
        Cell::Date(last_visit),
        integer(loyalty.active())?,
        if_known(loyalty.new_cards())?,
        if_known(loyalty.returning())?,
        if_known(loyalty.reactivated())?,
        integer(loyalty.lapsed())?,
        integer(loyalty.visits())?,
        Cell::optional_double(loyalty.median_gap()),
    ])
}

/// Adds the cards of each month of first visits that come in it and in later ones.
fn add_cohorts(who: KeyCells<'_>, loyalty: &Loyalty, data: DayRange, out: &mut Rows) -> Result<()> {
    for (month, cohort) in loyalty.cohorts() {
        let label = month.to_string();
        let period_cells = period_cells(Period::Month(month), &label, data);
        let cards = [cohort.cards()].into_iter();
        for (later, cards) in (0_u64..).zip(cards.chain(cohort.retained.iter().copied())) {
            if cards > 0 {
                let cells = [integer(later)?, integer(cards)?];
                out.push(who.into_iter().chain(period_cells).chain(cells));
            }
        }
    }
    Ok(())
}

/// What the months of a key say of its cards' visits, read once for all periods.
struct History {
    first: Month,
    buyers: Vec<(Day, Change)>,
    second_visits: Vec<(Day, Run)>,
    /// Distinct buyers of months by how many months before they were there first.
    cohorts: Vec<(Month, Run)>,
    /// The days with a visit, in order.
    visited: Vec<Day>,
}

impl History {
    fn read(source: &Source<'_>, key: &[u8], summary: &Summary) -> Result<Self> {
        let mut read = Self {
            first: summary.days.first.month(),
            buyers: Vec::new(),
            second_visits: Vec::new(),
            cohorts: Vec::new(),
            visited: Vec::new(),
        };
        for totals in &summary.months {
            let month = totals.month;
            let record = source.record(key, month)?;
            record.visit_buyers(month.days(), |day, buyers| read.buyers.push((day, buyers)))?;
            record.visit_second_visits(month.days(), |day, visits| {
                read.second_visits.push((day, visits));
            })?;
            record.visit_cohorts(|buyers| read.cohorts.push((month, buyers)))?;
        }
        for of_day in read.buyers.chunk_by(|(a, _), (b, _)| a == b) {
            let changes = of_day.iter().map(|(_, buyers)| buyers.cards);
            if changes.fold(0, i64::saturating_add) > 0 {
                read.visited.push(of_day[0].0);
            }
        }
        Ok(read)
    }

    /// Returns the last day of a period with a visit.
    fn last_visit(&self, period: Period, data: DayRange) -> Option<Day> {
        let days = period.days().unwrap_or(data);
        let until = self.visited.partition_point(|day| *day <= days.last);
        let last = self.visited[..until].last().copied();
        last.filter(|day| days.contains(*day))
    }

    fn count(&self, period: Period, data: DayRange, rule: &ReturnRule) -> Loyalty {
        let days = period.days().map_or(data, |days| days.intersection(data));
        let mut loyalty = Loyalty::new(days, rule.absence_days(), rule.repeat_days(), data.last);
        let first = self.first.max(days.first.month());
        for month in first.0..=days.last.month().0 {
            loyalty.begin_cohort(Month(month));
        }
        let of_buyers = loyalty.days_of_buyers();
        let start = self.buyers.partition_point(|it| it.0 < of_buyers.first);
        let end = self.buyers.partition_point(|it| it.0 <= of_buyers.last);
        for (day, buyers) in &self.buyers[start..end] {
            loyalty.add_buyers(*day, *buyers);
        }
        for (day, visits) in &self.second_visits {
            loyalty.add_second_visits(*day, *visits);
        }
        for (month, buyers) in &self.cohorts {
            loyalty.add_retained(*month, *buyers);
        }
        loyalty
    }
}
