//! The summary of one key: who it is, and its totals by month (docs/format.md, "Summary").

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{DayCards, cold};
use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_varint},
    calendar::{DAYS, Day, DayRange, MONTHS, Month, quarter_of},
    statistics::Statistics,
};

/// What is known of a store beside its rows.
///
/// # Units
/// `location` is latitude and longitude in 10^-7 degrees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreProfile {
    /// The name that people know it by.
    pub name: Option<String>,
    /// The chain or owner.
    pub merchant_id: Option<String>,
    /// The line of business.
    pub category: Option<String>,
    /// Where it is, as the source names places.
    pub region: Option<String>,
    /// Where it is on the map.
    pub location: Option<(i32, i32)>,
}

/// The totals of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthTotals {
    /// Which month.
    pub month: Month,
    /// Its totals.
    pub statistics: Statistics,
    /// Distinct cards in the month.
    pub cards: u64,
}

/// The summary of one key.
///
/// # Shape
/// `months` ascend, months without rows are left out. `quarters` and `years` have exactly the
/// quarters (by first month) and years that `months` touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Who it is.
    pub profile: StoreProfile,
    /// From the first to the last day with rows.
    pub days: DayRange,
    /// Totals by month.
    pub months: Vec<MonthTotals>,
    /// Distinct cards by quarter.
    pub quarters: Vec<(Month, u64)>,
    /// Distinct cards by year.
    pub years: Vec<(i32, u64)>,
    /// Distinct cards over everything.
    pub cards: u64,
}

impl Summary {
    /// Reads a summary.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early or something is left over.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, "summary");
        let profile = cold::decode(bytes.take_prefixed()?)?;
        let first = day_of(bytes.signed()?)?;
        let last = day_of(i64::from(first.0).saturating_add_unsigned(bytes.varint()?))?;
        let cards = bytes.varint()?;
        // A month takes more than one byte, so a hostile number reserves no more than is there.
        let len_months = bytes.length()?;
        let mut months = Vec::with_capacity(len_months);
        let mut month = i64::from(first.month().0);
        for position in 0..len_months {
            let step = bytes.varint()?;
            month = month
                .saturating_add_unsigned(step)
                .saturating_add(i64::from(position > 0));
            months.push(MonthTotals {
                month: Month(in_bounds(month, MONTHS)?),
                statistics: Statistics::decode(&mut bytes)?,
                cards: bytes.varint()?,
            });
        }
        let mut quarters = distinct(&months, quarter_of);
        let mut years = distinct(&months, Month::year);
        for cards in quarters.iter_mut().map(|entry| &mut entry.1) {
            *cards = bytes.varint()?;
        }
        for cards in years.iter_mut().map(|entry| &mut entry.1) {
            *cards = bytes.varint()?;
        }
        if !bytes.is_empty() {
            return Err(Error::corrupt("summary", "bytes are left over"));
        }
        Ok(Self {
            profile,
            days: DayRange { first, last },
            months,
            quarters,
            years,
            cards,
        })
    }

    /// Returns the totals of everything.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let mut totals = Statistics::default();
        self.months
            .iter()
            .for_each(|month| totals.merge(&month.statistics));
        totals
    }
}

fn day_of(value: i64) -> Result<Day> {
    in_bounds(value, DAYS).map(Day)
}

fn in_bounds(value: i64, bounds: RangeInclusive<i32>) -> Result<i32> {
    let value = i32::try_from(value)
        .ok()
        .filter(|value| bounds.contains(value));
    value.ok_or_else(|| Error::corrupt("summary", "a date is out of bounds"))
}

/// Lists the groups that months fall into, once each, in order.
fn distinct<G: PartialEq>(months: &[MonthTotals], group: impl Fn(Month) -> G) -> Vec<(G, u64)> {
    let mut groups: Vec<(G, u64)> = months.iter().map(|month| (group(month.month), 0)).collect();
    groups.dedup_by(|next, kept| next.0 == kept.0);
    groups
}

/// Gathers the days of one key, in order, and writes its summary.
#[derive(Debug, Default)]
pub struct SummaryBuilder {
    days: Option<DayRange>,
    months: Vec<MonthTotals>,
    quarters: Vec<(Month, u64)>,
    years: Vec<(i32, u64)>,
    cards: u64,
    quarter: Option<QuarterDays>,
}

/// The quarter that days are being added to.
#[derive(Debug, Clone, Copy)]
struct QuarterDays {
    first_of_year: Day,
    first: Day,
    last: Day,
}

impl SummaryBuilder {
    /// Makes a builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the cards of a day, for the distinct cards of quarters, years and everything.
    ///
    /// # Shape
    /// Days ascend.
    pub fn day(&mut self, day: Day, cards: DayCards<'_>) {
        let first = self.days.map_or(day, |days| days.first);
        self.days = Some(DayRange { first, last: day });
        let quarter = match self.quarter {
            Some(quarter) if day <= quarter.last => quarter,
            _ => self.begin_quarter(quarter_of(day.month())),
        };
        let since = |start: Day| -> u64 {
            let distance = (day.0 - start.0).cast_unsigned();
            let entering = cards
                .returning
                .iter()
                .rev()
                .take_while(|run| run.distance > distance);
            cards.first_ever + entering.map(|run| run.count).sum::<u64>()
        };
        add_to_last(&mut self.quarters, since(quarter.first));
        add_to_last(&mut self.years, since(quarter.first_of_year));
        self.cards += cards.first_ever;
    }

    /// Starts a quarter, and its year if that is new: most days need no calendar.
    fn begin_quarter(&mut self, quarter: Month) -> QuarterDays {
        let year = quarter.year();
        self.quarters.push((quarter, 0));
        if self.years.last().is_none_or(|(last, _)| *last != year) {
            self.years.push((year, 0));
        }
        *self.quarter.insert(QuarterDays {
            first_of_year: Month(year * 12).first_day(),
            first: quarter.first_day(),
            last: Month(quarter.0 + 2).days().last,
        })
    }

    /// Adds the totals of a month, after its days.
    pub fn month(&mut self, totals: MonthTotals) {
        self.months.push(totals);
    }

    /// Appends the summary and starts afresh.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there was no day or the profile is too long.
    pub fn finish(&mut self, profile: &StoreProfile, out: &mut Vec<u8>) -> Result<()> {
        let Self {
            days,
            months,
            quarters,
            years,
            cards,
            quarter: _,
        } = std::mem::take(self);
        let days = days.ok_or_else(|| Error::invalid("summary", "a key without rows"))?;
        let profile = cold::encode(profile)?;
        put_varint(out, profile.len() as u64);
        out.extend_from_slice(&profile);
        put_signed(out, days.first.0.into());
        put_varint(out, (days.last.0 - days.first.0).cast_unsigned().into());
        put_varint(out, cards);
        put_varint(out, months.len() as u64);
        let mut next = days.first.month().0;
        for totals in &months {
            put_varint(out, (totals.month.0 - next).cast_unsigned().into());
            totals.statistics.encode(out);
            put_varint(out, totals.cards);
            next = totals.month.0 + 1;
        }
        quarters
            .iter()
            .for_each(|(_, cards)| put_varint(out, *cards));
        years.iter().for_each(|(_, cards)| put_varint(out, *cards));
        Ok(())
    }
}

fn add_to_last<G>(groups: &mut [(G, u64)], cards: u64) {
    if let Some((_, total)) = groups.last_mut() {
        *total += cards;
    }
}
