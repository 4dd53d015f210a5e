//! `GET /v1/stores/{id}/unit_price`: what a payment and a card bring, by day, and
//! `GET /v1/unit_price`: the same of all stores on a date or over a range.

use nightshard_format::{
    calendar::{Day, DayRange},
    record::{RankBy, STORES},
};

use super::{
    ANSWER_BYTES_MAX, Lookup, check_length,
    filter::{Filter, missing_store},
    listed::Listed,
    parameters::Parameters,
    places::write_id,
};
use crate::{
    json::Json,
    problem::{Failure, Problem, Result},
    sales::{DaySales, Sales, TRAILING_DAYS, Trailing},
    series::{Series, Window},
    subject::Subject,
};

/// The time to write a row, in nanoseconds.
const ROW_NS: u64 = 250;

/// The shortest row, in bytes.
const ROW_BYTES_MIN: usize = 60;

/// The time to find a store, in nanoseconds.
const STORE_NS: u64 = 1_500;

/// Over which days a price is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Span {
    /// Each day by itself.
    Day,
    /// The seven days before each day.
    Trailing,
}

/// The words of `window`.
const SPANS: [(&str, Span); 2] = [("day", Span::Day), ("trailing_7d", Span::Trailing)];

/// What a request for one store's prices asks.
#[derive(Debug)]
pub(super) struct Query {
    span: Span,
    /// The days whose prices are wanted.
    days: DayRange,
    fills: bool,
}

impl Query {
    /// Takes the parameters.
    pub(super) fn take(parameters: &mut Parameters<'_>, lookup: &Lookup<'_>) -> Result<Self> {
        let span = parameters.take_word("window", &SPANS)?;
        let data = lookup.served.transactions()?.days;
        let asked = parameters.take_dates(data)?.range(data).unwrap_or(data);
        let fills = parameters.take_fill()?;
        let span = span.unwrap_or(Span::Day);
        Ok(Self {
            span,
            days: asked.intersection(reach(span, data)),
            fills,
        })
    }

    /// Writes the answer.
    pub(super) fn write(&self, lookup: &mut Lookup<'_>, series: &Series<'_>) -> Result<()> {
        let transactions = lookup.served.transactions()?;
        let len = self.days.iter().count();
        if len > ANSWER_BYTES_MAX / ROW_BYTES_MIN {
            return Err(Failure::Long);
        }
        let mut read = self.days;
        if self.span == Span::Trailing {
            read.first = Day(read.first.0 - TRAILING_DAYS);
        }
        let window = Window::new(Some(read), transactions.days);
        let days = series.sales_by_day(&window, lookup.work)?;
        lookup.work.spend(len as u64 * ROW_NS)?;
        let json = &mut *lookup.json;
        json.begin_object();
        write_id(json, series.subject());
        let name = SPANS.iter().find(|(_, span)| *span == self.span);
        json.key("window")
            .optional_string(name.map(|(name, _)| *name));
        json.members(&transactions.currency);
        json.key("rows").begin_array();
        match self.span {
            Span::Day => self.write_days(json, &days)?,
            Span::Trailing => self.write_trailing(json, &days, transactions.days)?,
        }
        json.end_array();
        json.end_object();
        Ok(())
    }

    fn write_days(&self, json: &mut Json, days: &[DaySales]) -> Result<()> {
        let mut known = days.iter().peekable();
        for day in self.days.iter() {
            let of_day = known.next_if(|entry| entry.day == day);
            let sales = of_day.map(DaySales::sales).unwrap_or_default();
            if sales.count > 0 || self.fills {
                json.begin_object();
                json.before(b"\"date\":").display(day);
                write_sales(json, &sales);
                json.end_object();
                check_length(json)?;
            }
        }
        Ok(())
    }

    fn write_trailing(&self, json: &mut Json, days: &[DaySales], data: DayRange) -> Result<()> {
        for day in self.days.iter() {
            let trailing = Trailing::before(day, days);
            if trailing.sales.count > 0 || self.fills {
                json.begin_object();
                json.before(b"\"date\":").display(day);
                write_trailing(json, &trailing, data);
                json.end_object();
                check_length(json)?;
            }
        }
        Ok(())
    }
}

/// Returns the days of which something can be said.
fn reach(span: Span, data: DayRange) -> DayRange {
    match span {
        Span::Day => data,
        Span::Trailing => DayRange {
            first: Day(data.first.0 + 1),
            last: Day(data.last.0 + TRAILING_DAYS),
        },
    }
}

fn write_sales(json: &mut Json, sales: &Sales) {
    json.before(b",\"sales_count\":").integer(sales.count);
    json.before(b",\"sales_sum\":").integer(sales_sum(sales));
    json.before(b",\"cards\":").integer(sales.buyers);
    json.before(b",\"per_payment\":").float(sales.per_payment());
    json.before(b",\"per_card\":").float(sales.per_card());
}

fn sales_sum(sales: &Sales) -> i128 {
    i128::try_from(sales.sum).unwrap_or(i128::MAX)
}

fn write_trailing(json: &mut Json, trailing: &Trailing, data: DayRange) {
    if !data.covers(Trailing::window(trailing.day)) {
        json.before(b",\"partial\":").boolean(true);
    }
    write_sales(json, &trailing.sales);
    write_card_days(json, trailing);
}

fn write_card_days(json: &mut Json, trailing: &Trailing) {
    json.before(b",\"card_days\":").integer(trailing.card_days);
    json.before(b",\"per_card_day\":")
        .float(trailing.per_card_day());
}

/// Over which days the prices of all stores are wanted.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Range(DayRange),
    Trailing(Day),
}

impl Asked {
    fn take(parameters: &mut Parameters<'_>, data: DayRange) -> Result<Self> {
        let date: Option<Day> = parameters.take_days("date", data)?;
        let dates = parameters.take_dates(data)?.range(data);
        let span = parameters.take_word("window", &SPANS)?;
        match (date, dates, span) {
            (Some(_), Some(_), _) => {
                let detail = "give either a date or min_date and max_date, not both";
                Err(Problem::parameter("date", detail).into())
            }
            (None, _, Some(Span::Trailing)) => {
                let detail = "the seven days before a date are asked for with date";
                Err(Problem::parameter("window", detail).into())
            }
            (Some(date), None, Some(Span::Trailing)) => Ok(Self::Trailing(date)),
            (Some(date), None, _) => Ok(Self::Range(DayRange {
                first: date,
                last: date,
            })),
            (None, dates, _) => Ok(Self::Range(dates.unwrap_or(data))),
        }
    }

    /// Returns over what the prices are.
    fn window_name(self) -> &'static str {
        match self {
            Self::Range(days) if days.first == days.last => "day",
            Self::Range(_) => "range",
            Self::Trailing(_) => "trailing_7d",
        }
    }

    fn days(self) -> DayRange {
        match self {
            Self::Range(days) => days,
            Self::Trailing(day) => Trailing::window(day),
        }
    }
}

/// Writes the prices of the stores of a region and a category, where given, the largest first.
pub(super) fn write_list(mut parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    let served = lookup.served;
    let transactions = served.transactions()?;
    let asked = Asked::take(&mut parameters, transactions.days)?;
    let filter = Filter::take(&mut parameters);
    let days = asked.days();
    let scope = [
        Some("unit_price"),
        Some(&*days.first.to_string()),
        Some(&*days.last.to_string()),
        matches!(asked, Asked::Trailing(_)).then_some("trailing"),
        filter.region(),
        filter.category(),
    ];
    let page = lookup.page(&mut parameters, &scope)?;
    parameters.finish()?;
    let ranking = filter.ranking(served, RankBy::Transactions)?;
    let listed = Listed::of(ranking, lookup)?;
    let len = listed.len();
    let positions = page.positions(len);
    let window = Window::new(Some(days), transactions.days);
    lookup.json.begin_object();
    lookup.json.key("window").string(asked.window_name());
    if let Asked::Trailing(date) = asked {
        lookup.json.key("date").display(date);
    }
    lookup.json.key("min_date").display(days.first);
    lookup.json.key("max_date").display(days.last);
    if window.cuts(window.period()) {
        lookup.json.key("partial").boolean(true);
    }
    lookup.json.members(&transactions.currency);
    lookup.json.key("total").integer(len as u64);
    lookup.json.key("rows").begin_array();
    for (_, id) in positions.filter_map(|position| listed.get(position)) {
        lookup.work.spend(STORE_NS)?;
        let store = Subject {
            dataset: STORES,
            key: id,
        };
        let series = Series::find(served.generation(), transactions.days, store)?;
        let series = series.ok_or_else(missing_store)?;
        write_store(lookup, id, &series, asked, &window)?;
    }
    lookup.json.end_array();
    if let Some(cursor) = page.next(len) {
        lookup.json.key("next").display(cursor);
    }
    lookup.json.end_object();
    Ok(())
}

fn write_store(
    lookup: &mut Lookup<'_>,
    id: &[u8],
    series: &Series<'_>,
    asked: Asked,
    window: &Window,
) -> Result<()> {
    lookup.json.begin_object();
    lookup.json.key("id").bytes(id);
    match asked {
        Asked::Range(_) => write_sales(lookup.json, &series.sales(window, lookup.work)?),
        Asked::Trailing(day) => {
            let days = series.sales_by_day(window, lookup.work)?;
            let trailing = Trailing::before(day, &days);
            write_sales(lookup.json, &trailing.sales);
            write_card_days(lookup.json, &trailing);
        }
    }
    lookup.json.end_object();
    Ok(())
}
