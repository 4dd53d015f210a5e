//! What a month record says beside the totals of its days.

use std::fmt::Write;

use nightshard_format::{
    calendar::Month,
    record::{MonthRecord, Run},
};
use serde::Serialize;

/// Rows of one half hour of a day.
#[derive(Debug, Serialize)]
struct HourFacts {
    date: String,
    from: String,
    count: u64,
    sum: i128,
}

/// Cards that come for the second time.
#[derive(Debug, Serialize)]
struct SecondFacts {
    date: String,
    /// Days since the first time.
    days: u32,
    cards: u64,
}

/// Cards that come again in the month.
#[derive(Debug, Serialize)]
struct CohortFacts {
    /// The month of their first visit.
    since: String,
    cards: u64,
}

/// Half hours, second visits and cohorts.
#[derive(Debug, Serialize)]
pub(super) struct MoreOfMonth {
    half_hours: Vec<HourFacts>,
    second_visits: Vec<SecondFacts>,
    cohorts: Vec<CohortFacts>,
}

impl MoreOfMonth {
    /// Reads what there is of them.
    pub(super) fn of(month: Month, record: &MonthRecord<'_>) -> nightshard_format::Result<Self> {
        let mut more = Self {
            half_hours: Vec::new(),
            second_visits: Vec::new(),
            cohorts: Vec::new(),
        };
        record.visit_hours(month.days(), |day, hour| {
            let (hours, minutes) = (hour.half_hour / 2, hour.half_hour % 2 * 30);
            more.half_hours.push(HourFacts {
                date: day.to_string(),
                from: format!("{hours:02}:{minutes:02}"),
                count: hour.count,
                sum: hour.sum,
            });
        })?;
        record.visit_second_visits(month.days(), |day, run| {
            more.second_visits.push(SecondFacts {
                date: day.to_string(),
                days: run.distance,
                cards: run.count,
            });
        })?;
        record.visit_cohorts(|Run { distance, count }| {
            more.cohorts.push(CohortFacts {
                since: Month(month.0.saturating_sub_unsigned(distance)).to_string(),
                cards: count,
            });
        })?;
        Ok(more)
    }

    /// Writes them for people.
    pub(super) fn write(&self, text: &mut String) {
        for half_hours in self.half_hours.chunk_by(|a, b| a.date == b.date) {
            let _infallible = write!(text, "\n{} by half hour:", half_hours[0].date);
            for hour in half_hours {
                let HourFacts {
                    from, count, sum, ..
                } = hour;
                let _infallible = write!(text, " {from} {count} ({sum})");
            }
        }
        for visits in self.second_visits.chunk_by(|a, b| a.date == b.date) {
            let _infallible = write!(text, "\n{} second visits:", visits[0].date);
            for SecondFacts { days, cards, .. } in visits {
                let _infallible = write!(text, " {cards} after {days} days");
            }
        }
        for CohortFacts { since, cards } in &self.cohorts {
            let _infallible = write!(text, "\ncards since {since}: {cards}");
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
}
