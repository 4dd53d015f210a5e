//! When a store is visited: rows by weekday and half hour (docs/definitions.md, "Consumption
//! pattern").

use nightshard_format::{
    calendar::Day,
    record::{HALF_HOURS, HalfHour},
    statistics::Statistics,
};

use crate::rows::Rows;

const WEEKDAYS: usize = 7;
const HALF_HOURS_LEN: usize = HALF_HOURS as usize;
const HOURS: usize = HALF_HOURS_LEN / 2;

/// Rows by weekday and half hour.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Half hours from midnight of each weekday from Monday, one weekday after the other.
    half_hours: Vec<Rows>,
    /// All rows, whether or not their time is known.
    pub(crate) all: Statistics,
}

impl Pattern {
    pub(crate) fn new() -> Self {
        Self {
            half_hours: vec![Rows::default(); WEEKDAYS * HALF_HOURS_LEN],
            all: Statistics::default(),
        }
    }

    /// Adds the rows of half an hour of a business day.
    pub(crate) fn add(&mut self, day: Day, hour: HalfHour) {
        let weekday = day.weekday() as usize - 1;
        self.half_hours[weekday * HALF_HOURS_LEN + usize::from(hour.half_hour)].add(Rows {
            count: hour.count,
            sum: hour.sum,
        });
    }

    /// Returns the rows of each hour of each weekday, in order.
    pub(crate) fn hours_of_weekdays(&self) -> impl Iterator<Item = HourOfWeekday> {
        let pairs = self.half_hours.chunks_exact(2).enumerate();
        pairs.map(|(position, pair)| HourOfWeekday {
            weekday: position / HOURS + 1,
            hour: position % HOURS,
            rows: total(pair.iter()),
        })
    }

    /// Returns the rows of each half hour, over all weekdays.
    pub(crate) fn half_hours(&self) -> impl Iterator<Item = Rows> {
        let over_weekdays = |first| total(self.half_hours[first..].iter().step_by(HALF_HOURS_LEN));
        (0..HALF_HOURS_LEN).map(over_weekdays)
    }

    /// Returns the rows of each hour, over all weekdays.
    pub(crate) fn hours(&self) -> impl Iterator<Item = Rows> {
        let halves: Vec<Rows> = self.half_hours().collect();
        (0..HOURS).map(move |hour| total(halves[2 * hour..2 * hour + 2].iter()))
    }

    /// Returns the rows of each weekday whose time is known.
    pub(crate) fn weekdays(&self) -> impl Iterator<Item = Rows> {
        self.half_hours
            .chunks_exact(HALF_HOURS_LEN)
            .map(|of_day| total(of_day.iter()))
    }

    /// Returns the rows whose time is not known.
    pub(crate) fn unknown(&self) -> Rows {
        let known = total(self.half_hours.iter());
        Rows {
            count: self.all.count.saturating_sub(known.count),
            sum: self.all.sum.saturating_sub(known.sum),
        }
    }

    /// Returns the busiest hour of the week, and the quietest of those that have rows; of equals the
    /// earlier one.
    pub(crate) fn peak_and_valley(&self) -> Option<[HourOfWeekday; 2]> {
        let used = || self.hours_of_weekdays().filter(|hour| hour.rows.count > 0);
        let peak = used().reduce(|a, b| if b.rows.count > a.rows.count { b } else { a })?;
        let valley = used().reduce(|a, b| if b.rows.count < a.rows.count { b } else { a })?;
        Some([peak, valley])
    }
}

/// The rows of an hour of a weekday.
///
/// # Units
/// ISO weekdays: Monday is 1; hours of the clock from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HourOfWeekday {
    /// Which weekday.
    pub(crate) weekday: usize,
    /// Which hour.
    pub(crate) hour: usize,
    /// Its rows.
    pub(crate) rows: Rows,
}

fn total<'a>(rows: impl Iterator<Item = &'a Rows>) -> Rows {
    rows.fold(Rows::default(), |mut sum, rows| {
        sum.add(*rows);
        sum
    })
}
