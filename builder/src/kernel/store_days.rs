//! The days of one store, in order, to its records.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, Month},
    histogram::FineHistogram,
    record::{
        DayCards, EncodedMixes, HalfHour, MonthBuilder, MonthTotals, StoreProfile, SummaryBuilder,
    },
    shard::Span,
    statistics::Statistics,
};

use super::market::MarketCounts;
use crate::Result;

/// The encoded records of keys.
#[derive(Debug, Default)]
pub struct EncodedRecords {
    /// The values, one after the other.
    pub values: Vec<u8>,
    /// (span, end of its value), in the order of `values`.
    pub spans: Vec<(Span, usize)>,
}

impl EncodedRecords {
    /// Forgets the records and keeps the memory.
    #[must_use]
    pub fn cleared(mut self) -> Self {
        self.values.clear();
        self.spans.clear();
        self
    }
}

/// The rows of one day.
#[derive(Debug, Clone, Copy)]
pub enum DayRows<'a> {
    /// Amounts, ascending.
    Amounts(&'a [i64]),
    /// Totals and histogram.
    Totals(&'a Statistics, &'a FineHistogram),
}

/// Writes the month records and the summary of one key after the other.
#[derive(Debug, Default)]
pub struct DaysEncoder {
    month: MonthBuilder,
    summary: SummaryBuilder,
    /// The month that is being written, and its last day.
    current: Option<(Month, Day)>,
    /// Of the months that are written.
    months: Vec<MonthTotals>,
    /// How the months of the key that are not begun yet were paid, where that is known.
    mixes: BTreeMap<Month, EncodedMixes>,
}

impl DaysEncoder {
    /// Says how the months of the key that begins were paid.
    pub fn mixes(&mut self, mixes: BTreeMap<Month, EncodedMixes>) {
        self.mixes = mixes;
    }

    /// Adds a day; days ascend. A store's days are added to `market`, too.
    pub fn day(
        &mut self,
        day: i32,
        rows: DayRows<'_>,
        hours: &[HalfHour],
        cards: DayCards<'_>,
        market: Option<&mut MarketCounts>,
        out: &mut EncodedRecords,
    ) {
        let day = Day(day);
        if self.current.is_none_or(|(_, last)| day > last) {
            self.finish_month(out);
            let month = day.month();
            self.month.begin(month);
            if let Some(mixes) = self.mixes.remove(&month) {
                self.month.mixes(mixes);
            }
            self.current = Some((month, month.days().last));
        }
        self.summary.day(day, cards);
        match rows {
            DayRows::Amounts(amounts) => {
                let (totals, cells) = self.month.day(day, amounts, cards);
                if let Some(market) = market {
                    market.add(day.0, &totals, cells, hours);
                }
            }
            DayRows::Totals(totals, bins) => {
                self.month.day_totals(day, totals, bins, cards);
                if let Some(market) = market {
                    market.add(day.0, totals, &bins.iter().collect::<Vec<_>>(), hours);
                }
            }
        }
        self.month.hours(day, hours);
    }

    fn finish_month(&mut self, out: &mut EncodedRecords) {
        let Some((month, _)) = self.current.take() else {
            return;
        };
        let (statistics, cards) = self.month.totals();
        let totals = MonthTotals {
            month,
            statistics,
            cards,
        };
        self.summary.month(totals);
        self.months.push(totals);
        self.month.finish(&mut out.values);
        out.spans.push((Span::Month(month), out.values.len()));
    }

    /// Ends the key and returns the totals of its months.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if the profile is too long.
    pub fn finish(
        &mut self,
        profile: &StoreProfile,
        out: &mut EncodedRecords,
    ) -> Result<Vec<MonthTotals>> {
        self.finish_month(out);
        self.summary.finish(profile, &mut out.values)?;
        out.spans.push((Span::Current, out.values.len()));
        Ok(std::mem::take(&mut self.months))
    }
}
