//! One record checked by the type that its dataset and span give it.

use nightshard_format::{
    Error, Result,
    calendar::{Day, DayRange, Month},
    histogram::FineHistogram,
    record::{self, MonthRecord, Postings, Ranking, Summary},
    shard::{Identity, Record, Span},
    statistics::Statistics,
};

/// Reads the whole of a record and checks that its parts agree.
///
/// Records of datasets unknown here are bytes to this release, and right as such.
pub(crate) fn check_record(identity: &Identity, record: Record<'_>) -> Result<()> {
    let checked = match (identity.dataset.as_str(), identity.span) {
        (record::STORES | record::MARKETS, Span::Current) => check_summary(record.value),
        (record::STORES | record::MARKETS, Span::Month(month)) => check_month(month, record.value),
        (record::RANKINGS | record::CATALOG, Span::Current) => check_ranking(record.value),
        (record::SEARCH, Span::Current) => {
            Postings::new(record.value).try_for_each(|posting| posting.map(drop))
        }
        _ => return Ok(()),
    };
    checked.map_err(|error| {
        let key = String::from_utf8_lossy(record.key);
        damaged("record", format!("{key:?}: {error}"))
    })
}

fn check_summary(value: &[u8]) -> Result<()> {
    let summary = Summary::parse(value)?;
    let (first, last) = (summary.months.first(), summary.months.last());
    let ends = first
        .zip(last)
        .map(|(first, last)| (first.month, last.month));
    if ends == Some((summary.days.first.month(), summary.days.last.month())) {
        Ok(())
    } else {
        Err(damaged("summary", "its months are not those of its days"))
    }
}

fn check_month(month: Month, value: &[u8]) -> Result<()> {
    let record = MonthRecord::parse(month, value)?;
    let days = month.days();
    let mut totals = Statistics::default();
    record.visit_days(days, |_day, statistics| totals.merge(&statistics))?;
    if totals != record.statistics() {
        return Err(damaged(
            "month record",
            "its totals are not those of its days",
        ));
    }
    let mut cards = 0;
    record.visit_cards_since(days, |_day| days.first, |_day, count| cards += count)?;
    if cards != record.cards() {
        return Err(damaged(
            "month record",
            "its cards are not those of its days",
        ));
    }
    let mut rolled_up = FineHistogram::new();
    record.add_bins(days, &mut rolled_up)?;
    // Neither part of the month is the whole, so both are read from their days.
    let mut daily = FineHistogram::new();
    let all_but_last = DayRange {
        last: Day(days.last.0 - 1),
        ..days
    };
    let last = DayRange {
        first: days.last,
        ..days
    };
    record.add_bins(all_but_last, &mut daily)?;
    record.add_bins(last, &mut daily)?;
    if rolled_up != daily || daily.total() != totals.count {
        return Err(damaged(
            "month record",
            "its histogram is not that of its days",
        ));
    }
    Ok(())
}

fn check_ranking(value: &[u8]) -> Result<()> {
    let ranking = Ranking::parse(value)?;
    if (0..ranking.len()).all(|position| ranking.get(position).is_some()) {
        Ok(())
    } else {
        Err(damaged("ranking", "an id is outside it"))
    }
}

fn damaged(structure: &'static str, problem: impl Into<String>) -> Error {
    Error::Corrupt {
        structure,
        problem: problem.into(),
    }
}
