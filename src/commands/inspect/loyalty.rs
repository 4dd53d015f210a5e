//! What a record of loyalty says.

use std::fmt::Write;

use nightshard_format::{
    record::{CardSales, LoyaltyRecord, PeriodVisits, Quintiles},
    shard::Span,
};
use serde::Serialize;

/// The visits of a period.
#[derive(Debug, Serialize)]
pub(super) struct VisitsFacts {
    period: String,
    last_visit: String,
    /// Cards by number of visits.
    visits: Vec<Counted<u32>>,
    /// Regulars by how many days they stay.
    regulars: Vec<Counted<u32>>,
    recency: Vec<Counted<String>>,
    frequency: Vec<Counted<u64>>,
    money: Vec<Counted<i64>>,
    /// By the scores of recency and frequency.
    scores: Vec<Counted<(u8, u8)>>,
}

/// Cards, and what they bought for where that is known, in minor units.
#[derive(Debug, Serialize)]
struct Counted<T> {
    by: T,
    cards: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sales: Option<u128>,
}

impl<T> Counted<T> {
    fn of(by: T, of: CardSales) -> Self {
        Self {
            by,
            cards: of.cards,
            sales: Some(of.sales),
        }
    }
}

/// Decodes a record.
pub(super) fn loyalty(span: Span, value: &[u8]) -> nightshard_format::Result<Vec<VisitsFacts>> {
    let record = LoyaltyRecord::parse(span, value)?;
    let facts = record.periods.iter();
    Ok(facts
        .map(|(period, visits)| VisitsFacts::of(period.to_string(), visits))
        .collect())
}

impl VisitsFacts {
    fn of(period: String, visits: &PeriodVisits) -> Self {
        let none = Quintiles::default();
        let quintiles = visits.quintiles.as_ref().unwrap_or(&none);
        let by_visits = visits.visits.iter().map(|run| Counted {
            by: run.distance,
            cards: run.count,
            sales: None,
        });
        let regulars = visits.regulars.iter();
        let recency = quintiles.recency.iter();
        let frequency = quintiles.frequency.iter();
        let money = quintiles.money.iter();
        let both = quintiles.both.iter();
        Self {
            period,
            last_visit: visits.last.to_string(),
            visits: by_visits.collect(),
            regulars: regulars.map(|it| Counted::of(it.days, it.of)).collect(),
            recency: recency
                .map(|it| Counted::of(it.from.to_string(), it.of))
                .collect(),
            frequency: frequency.map(|it| Counted::of(it.from, it.of)).collect(),
            money: money.map(|it| Counted::of(it.from, it.of)).collect(),
            scores: both
                .map(|it| Counted::of((it.recency, it.frequency), it.of))
                .collect(),
        }
    }

    /// Writes them for people.
    pub(super) fn write(&self, text: &mut String) {
        let (period, last) = (&self.period, &self.last_visit);
        let _infallible = writeln!(text, "\n{period}, last visit on {last}");
        for visits in &self.visits {
            let line = (format!("{} visits", visits.by), visits.cards);
            let _infallible = writeln!(text, "{:<24}{:>8} cards", line.0, line.1);
        }
        let regulars = self.regulars.iter();
        write_lines(
            text,
            regulars.map(|it| (format!("regular {} days", it.by), it)),
        );
        let recency = self.recency.iter();
        write_lines(text, recency.map(|it| (format!("from {}", it.by), it)));
        let frequency = self.frequency.iter();
        write_lines(
            text,
            frequency.map(|it| (format!("from {} visits", it.by), it)),
        );
        let money = self.money.iter();
        write_lines(text, money.map(|it| (format!("from {}", it.by), it)));
        let scores = self.scores.iter();
        write_lines(
            text,
            scores.map(|it| (format!("recency {}, frequency {}", it.by.0, it.by.1), it)),
        );
    }
}

fn write_lines<'a, T: 'a>(
    text: &mut String,
    lines: impl Iterator<Item = (String, &'a Counted<T>)>,
) {
    for (label, counted) in lines {
        let sales = counted.sales.unwrap_or(0);
        let _infallible = writeln!(text, "{label:<24}{:>8} cards, {sales}", counted.cards);
    }
}
