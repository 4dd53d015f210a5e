//! Records of settlements checked against the stores' months, and against what is said of them by month.

use nightshard_format::{
    Error, Result,
    generation::Generation,
    record::{SETTLEMENTS, STORES, SettlementMonth, SettlementSummary, SettlementTotals, Stated},
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

/// Checks that each month that a store's settlements are said to have is there and has the totals that are said of it,
/// that its rows are those of the store's month, and that there is no other.
///
/// # Errors
/// [`Error::Corrupt`] naming the store of what does not agree.
pub(crate) fn check_settlements(generation: &Generation<Mapped>) -> Result<()> {
    let of_months = |shard: &&Shard<Mapped>| {
        let identity = shard.identity();
        identity.dataset == SETTLEMENTS && identity.span != Span::Current
    };
    let found: u64 = generation.shards().filter(of_months).map(Shard::len).sum();
    let summaries = generation.table(SETTLEMENTS, Span::Current).shards();
    let checked: Vec<Result<u64>> = summaries
        .par_iter()
        .map(|shard| check_shard(generation, shard))
        .collect();
    match checked.into_iter().sum::<Result<u64>>()? == found {
        true => Ok(()),
        false => Err(damaged("there are months that no store is said to have")),
    }
}

/// Checks the stores of one shard, and returns how many months they have.
fn check_shard(generation: &Generation<Mapped>, shard: &Shard<Mapped>) -> Result<u64> {
    let mut months = 0;
    for record in shard.iter() {
        let Record { key, value } = record?;
        for totals in &SettlementSummary::parse(value.in_place()?)?.months {
            if let Some(problem) = contradiction(generation, key, totals)? {
                let (key, month) = (String::from_utf8_lossy(key), totals.month);
                return Err(damaged(format!("{key:?} in {month}: {problem}")));
            }
            months += 1;
        }
    }
    Ok(months)
}

/// Returns what contradicts the totals of a store's month, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    key: &[u8],
    totals: &SettlementTotals,
) -> Result<Option<&'static str>> {
    let month = totals.month;
    let Some(value) = generation.get(SETTLEMENTS, Span::Month(month), key)? else {
        return Ok(Some("there is no record"));
    };
    let record = SettlementMonth::parse(value.in_place()?)?;
    if record.totals(month) != *totals {
        return Ok(Some("its rows are not those that it is said to have"));
    }
    let summary = generation.summary(STORES, key)?;
    let months = summary.map(|summary| summary.months).unwrap_or_default();
    let Some(of_store) = months.into_iter().find(|it| it.month == month) else {
        return Ok(Some("the store has no row in it"));
    };
    let rows = Stated {
        count: of_store.statistics.count,
        sum: of_store.statistics.sum,
    };
    Ok((record.total().rows != rows).then_some("its rows are not those of the store"))
}

fn damaged(problem: impl Into<String>) -> Error {
    Error::Corrupt {
        structure: "settlements",
        problem: problem.into(),
    }
}
