//! Records of loyalty checked against the month records of the same store, market, place or merchant.

use nightshard_format::{
    Error, Result,
    calendar::{DayRange, Month},
    generation::Generation,
    record::{
        LOYALTY, LoyaltyRecord, MERCHANT_LOYALTY, MonthRecord, PLACE_LOYALTY, SERIES_OF_DAYS,
        Summary, loyalty_dataset, loyalty_key, loyalty_periods, loyalty_spans,
    },
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

/// Checks that every store, market, place and merchant has its records of loyalty, that these and its month records have
/// the same buyers, and that no month lacks second visits or cohorts.
///
/// Whether a generation has a dataset at all is not looked at here, as it is not for any other.
///
/// # Errors
/// [`Error::Corrupt`] naming the store of what does not agree.
pub(crate) fn check_loyalty(generation: &Generation<Mapped>) -> Result<()> {
    let datasets = [LOYALTY, PLACE_LOYALTY, MERCHANT_LOYALTY];
    datasets
        .into_iter()
        .try_for_each(|dataset| check_dataset(generation, dataset))
}

/// Checks one dataset of loyalty.
fn check_dataset(generation: &Generation<Mapped>, dataset: &str) -> Result<()> {
    let of_loyalty = |shard: &&Shard<Mapped>| shard.identity().dataset == dataset;
    let found: u64 = generation.shards().filter(of_loyalty).map(Shard::len).sum();
    if found == 0 {
        return Ok(());
    }
    let of_dataset = SERIES_OF_DAYS
        .into_iter()
        .filter(|it| loyalty_dataset(it) == Some(dataset));
    let summaries: Vec<&Shard<Mapped>> = of_dataset
        .flat_map(|it| generation.table(it, Span::Current).shards())
        .collect();
    let checked: Vec<Result<u64>> = summaries
        .par_iter()
        .map(|shard| check_shard(generation, shard, dataset))
        .collect();
    if checked.into_iter().sum::<Result<u64>>()? != found {
        return Err(damaged(
            "there are records of which no summary knows".into(),
        ));
    }
    Ok(())
}

/// Checks the keys of one shard, and returns how many records of loyalty they have.
fn check_shard(
    generation: &Generation<Mapped>,
    shard: &Shard<Mapped>,
    of_loyalty: &str,
) -> Result<u64> {
    let dataset = shard.identity().dataset.as_str();
    let mut records = 0;
    for record in shard.iter() {
        let Record { key, value } = record?;
        let summary = Summary::parse(value.in_place()?)?;
        let named = |problem: String| {
            let key = String::from_utf8_lossy(key);
            damaged(format!("{key:?}: {problem}"))
        };
        let subject = Subject::open(generation, (dataset, key), &summary)?;
        let loyalty_key = loyalty_key(dataset, key);
        let mut came_again = 0;
        for span in loyalty_spans(summary.months.iter().map(|totals| totals.month)) {
            let value = generation.get(of_loyalty, span, &loyalty_key)?;
            let value = value.ok_or_else(|| named(format!("{span} has no record")))?;
            let record = LoyaltyRecord::parse(span, value.in_place()?)?;
            if let Some(problem) = subject.contradiction(span, &record)? {
                return Err(named(problem));
            }
            came_again += match span {
                Span::Current => came_again_of(&record),
                Span::Month(_) => 0,
            };
            records += 1;
        }
        if let Some(problem) = subject.what_is_absent(came_again)? {
            return Err(named(problem));
        }
    }
    Ok(records)
}

/// The month records of a key.
struct Subject<'a> {
    days: DayRange,
    months: Vec<(Month, MonthRecord<'a>)>,
}

impl<'a> Subject<'a> {
    fn open(
        generation: &'a Generation<Mapped>,
        (dataset, key): (&str, &[u8]),
        summary: &Summary,
    ) -> Result<Self> {
        let mut months = Vec::with_capacity(summary.months.len());
        for totals in &summary.months {
            if let Some(record) = generation.month(dataset, key, totals.month)? {
                months.push((totals.month, record));
            }
        }
        Ok(Self {
            days: summary.days,
            months,
        })
    }

    /// Returns what contradicts the month records in a record of loyalty, if anything does.
    fn contradiction(&self, span: Span, record: &LoyaltyRecord) -> Result<Option<String>> {
        for (_, period) in loyalty_periods(span) {
            let visits = record.find(period);
            let days = period.days().unwrap_or(self.days);
            if visits.map_or(0, |visits| visits.cards()) != self.buyers_in(days)? {
                let problem = format!("its cards of {period} are not the buyers of its months");
                return Ok(Some(problem));
            }
            if visits.is_some_and(|visits| !self.days.contains(visits.last)) {
                return Ok(Some(format!("it has no row on its last day of {period}")));
            }
        }
        Ok(None)
    }

    /// Returns what second visits or cohorts the months lack, or have too many, where so many cards came
    /// again.
    fn what_is_absent(&self, came_again: u64) -> Result<Option<String>> {
        let mut second = 0_u64;
        for (month, record) in &self.months {
            record.visit_second_visits(month.days(), |_day, run| {
                second = second.saturating_add(run.count);
            })?;
            if buyers_of_before(*month, record)? != cohorts_of(record)? {
                let problem = format!("its cohorts of {month} are not the buyers of before");
                return Ok(Some(problem));
            }
        }
        let problem = "its second visits are not those of its cards";
        Ok((second != came_again).then(|| problem.into()))
    }

    /// Returns how many distinct buyers there are in `days`.
    fn buyers_in(&self, days: DayRange) -> Result<u64> {
        let touched = days.first.month()..=days.last.month();
        let months = self.months.iter();
        let mut months = months.filter(|(month, _)| touched.contains(month));
        months.try_fold(0, |sum, (_, record)| {
            Ok(u64::saturating_add(
                sum,
                record.buyers_since(days, days.first)?,
            ))
        })
    }
}

/// Returns how many cards have two visits or more.
fn came_again_of(everything: &LoyaltyRecord) -> u64 {
    let periods = everything.periods.iter();
    let visits = periods.flat_map(|(_, visits)| &visits.visits);
    let again = visits.filter(|run| run.distance > 1);
    again.fold(0, |sum, run| u64::saturating_add(sum, run.count))
}

/// Returns how many distinct buyers of a month had a sale before it.
fn buyers_of_before(month: Month, record: &MonthRecord<'_>) -> Result<u64> {
    let days = month.days();
    let mut new = 0_i64;
    record.visit_buyers(days, |_day, buyers| {
        if buyers.distance == 0 {
            new = new.saturating_add(buyers.cards);
        }
    })?;
    let new = u64::try_from(new).unwrap_or(0);
    Ok(record.buyers_since(days, days.first)?.saturating_sub(new))
}

fn cohorts_of(record: &MonthRecord<'_>) -> Result<u64> {
    let mut cards = 0;
    record.visit_cohorts(|run| cards = u64::saturating_add(cards, run.count))?;
    Ok(cards)
}

fn damaged(problem: String) -> Error {
    Error::Corrupt {
        structure: "loyalty",
        problem,
    }
}
