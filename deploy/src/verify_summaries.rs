//! Summaries checked against the month records of the same key.

use nightshard_format::{
    Error, Result,
    calendar::{Day, DayRange, Month},
    generation::Generation,
    record::{MonthRecord, SERIES_OF_DAYS, Summary},
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

/// Checks that every summary says of its months, quarters and years what their records say, and
/// that there is no month record without a summary that names its month.
///
/// # Errors
/// [`Error::Corrupt`] naming the dataset and the key of what does not agree.
pub(crate) fn check_summaries(generation: &Generation<Mapped>) -> Result<()> {
    for dataset in SERIES_OF_DAYS {
        let summaries = generation.table(dataset, Span::Current).shards();
        let checked: Vec<Result<u64>> = summaries
            .par_iter()
            .map(|shard| check_shard(generation, dataset, shard))
            .collect();
        let months_named = checked.into_iter().sum::<Result<u64>>()?;
        let of_months = generation.shards().filter(|shard| {
            let identity = shard.identity();
            identity.dataset == dataset && identity.span != Span::Current
        });
        if of_months.map(Shard::len).sum::<u64>() != months_named {
            let problem = "there are month records of which no summary knows";
            return Err(damaged(format!("{dataset}: {problem}")));
        }
    }
    Ok(())
}

/// Checks the summaries of one shard, and returns how many months they name.
fn check_shard(
    generation: &Generation<Mapped>,
    dataset: &str,
    shard: &Shard<Mapped>,
) -> Result<u64> {
    let mut months = 0;
    for record in shard.iter() {
        let Record { key, value } = record?;
        let summary = Summary::parse(value.in_place()?)?;
        if let Some(problem) = contradiction(generation, dataset, key, &summary)? {
            let key = String::from_utf8_lossy(key);
            return Err(damaged(format!("{dataset} {key:?}: {problem}")));
        }
        months += summary.months.len() as u64;
    }
    Ok(months)
}

/// Returns what contradicts the month records in a summary, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    dataset: &str,
    key: &[u8],
    summary: &Summary,
) -> Result<Option<String>> {
    let mut records = Vec::with_capacity(summary.months.len());
    for totals in &summary.months {
        let month = totals.month;
        let Some(record) = generation.month(dataset, key, month)? else {
            return Ok(Some(format!("{month} has no record")));
        };
        if (record.statistics(), record.cards()) != (totals.statistics, totals.cards) {
            return Ok(Some(format!("its totals of {month} are not the record's")));
        }
        records.push((month, record));
    }
    if days_of(&records)? != Some(summary.days) {
        return Ok(Some("its days are not those of its months".into()));
    }
    let mut periods = vec![(summary.days, summary.cards)];
    periods.extend(summary.quarters.iter().map(|(quarter, cards)| {
        let last = Month(quarter.0 + 2);
        (days_between(*quarter, last), *cards)
    }));
    periods.extend(summary.years.iter().map(|(year, cards)| {
        let (first, last) = (Month(year * 12), Month(year * 12 + 11));
        (days_between(first, last), *cards)
    }));
    for (days, cards) in periods {
        if cards_in(&records, days)? != cards {
            let (first, last) = (days.first, days.last);
            let problem = format!("its cards from {first} to {last} are not its months'");
            return Ok(Some(problem));
        }
    }
    Ok(None)
}

fn days_between(first: Month, last: Month) -> DayRange {
    DayRange {
        first: first.first_day(),
        last: last.days().last,
    }
}

/// Returns the first and the last day with rows.
fn days_of(records: &[(Month, MonthRecord<'_>)]) -> Result<Option<DayRange>> {
    let (Some((first_month, first)), Some((last_month, last))) = (records.first(), records.last())
    else {
        return Ok(None);
    };
    let mut days: Vec<Day> = Vec::new();
    first.visit_days(first_month.days(), |day, _| days.push(day))?;
    let first = days.first().copied();
    days.clear();
    last.visit_days(last_month.days(), |day, _| days.push(day))?;
    let range = |(first, last)| DayRange { first, last };
    Ok(first.zip(days.last().copied()).map(range))
}

/// Returns how many distinct cards have rows in `days`.
fn cards_in(records: &[(Month, MonthRecord<'_>)], days: DayRange) -> Result<u64> {
    let months = days.first.month()..=days.last.month();
    let mut cards = 0_u64;
    for (month, record) in records {
        if months.contains(month) {
            cards = cards.saturating_add(record.cards_since(days, days.first)?);
        }
    }
    Ok(cards)
}

fn damaged(problem: String) -> Error {
    Error::Corrupt {
        structure: "summary",
        problem,
    }
}
