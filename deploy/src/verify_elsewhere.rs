//! Records of what cards do elsewhere checked against the stores' months, and against how many cards hide each other.

use std::collections::BTreeMap;

use nightshard_format::{
    Error, Result,
    calendar::Month,
    generation::Generation,
    privacy::Privacy,
    record::{
        BEFORE_AFTER, BesideRecord, Label, LabelledCards, ORIGINS, OriginsRecord, STORES,
        parse_month_stores,
    },
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

/// Checks that no list of a store's month has more cards than the month, that each cell has enough of these, and that
/// as many stores have a record as there are said to be, in each month. Where what was told before stays, the store's
/// month may have other cards by now.
///
/// # Errors
/// [`Error::Corrupt`] naming the store or month of what does not agree.
pub(crate) fn check_elsewhere(generation: &Generation<Mapped>) -> Result<()> {
    [ORIGINS, BEFORE_AFTER]
        .into_iter()
        .try_for_each(|dataset| check_dataset(generation, dataset))
}

fn check_dataset(generation: &Generation<Mapped>, dataset: &'static str) -> Result<()> {
    let privacy = Privacy::of(generation.manifest())?;
    check_months(generation, dataset, |month, key, value| {
        let lists = lists(dataset, value)?;
        contradiction(generation, privacy, (month, key), &lists)
    })
}

/// Checks that `check` finds no problem with any record of a dataset that has months alone, given by its month, key and
/// value, and that as many stores have a record as `current` says, in each month.
///
/// # Errors
/// [`Error::Corrupt`] naming the store or month of what does not agree, or that of `check`.
pub(crate) fn check_months(
    generation: &Generation<Mapped>,
    dataset: &'static str,
    check: impl Fn(Month, &[u8], &[u8]) -> Result<Option<&'static str>> + Sync,
) -> Result<()> {
    let shards: Vec<&Shard<Mapped>> = generation.shards().collect();
    let of_stores: Vec<Result<Option<(Month, u64)>>> = shards
        .par_iter()
        .map(
            |shard| match (shard.identity().dataset == dataset, shard.identity().span) {
                (true, Span::Month(month)) => {
                    check_shard(dataset, month, shard, &check)?;
                    Ok(Some((month, shard.len())))
                }
                _ => Ok(None),
            },
        )
        .collect();
    let mut stores = BTreeMap::<Month, u64>::new();
    for of_shard in of_stores {
        if let Some((month, len)) = of_shard? {
            *stores.entry(month).or_default() += len;
        }
    }
    let mut known = BTreeMap::<Month, u64>::new();
    for shard in generation.table(dataset, Span::Current).shards() {
        for record in shard.iter() {
            let Record { key, value } = record?;
            let month = String::from_utf8_lossy(key).parse()?;
            known.insert(month, parse_month_stores(value.in_place()?)?);
        }
    }
    match stores == known {
        true => Ok(()),
        false => Err(damaged(
            dataset,
            "the stores of a month are not those that it is said to have".into(),
        )),
    }
}

fn check_shard(
    dataset: &'static str,
    month: Month,
    shard: &Shard<Mapped>,
    check: impl Fn(Month, &[u8], &[u8]) -> Result<Option<&'static str>>,
) -> Result<()> {
    for record in shard.iter() {
        let Record { key, value } = record?;
        if let Some(problem) = check(month, key, value.in_place()?)? {
            let key = String::from_utf8_lossy(key);
            return Err(damaged(dataset, format!("{key:?} in {month}: {problem}")));
        }
    }
    Ok(())
}

/// Returns the lists of a record.
fn lists<'a>(dataset: &str, value: &'a [u8]) -> Result<Vec<Vec<LabelledCards<'a>>>> {
    Ok(match dataset {
        ORIGINS => vec![OriginsRecord::parse(value)?.cells],
        _ => BesideRecord::parse(value)?.lists.into(),
    })
}

/// Returns what contradicts the store's month in its cells, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    privacy: Privacy,
    (month, key): (Month, &[u8]),
    lists: &[Vec<LabelledCards<'_>>],
) -> Result<Option<&'static str>> {
    let mut cells = lists.iter().flatten();
    if privacy.is_protecting() {
        if cells.any(|cell| cell.cards < privacy.k()) {
            return Ok(Some("a cell has too few cards to be told"));
        }
    } else if cells.any(|cell| cell.label == Label::Merged) {
        return Ok(Some("a cell is merged, and nothing is to be hidden"));
    }
    if generation.manifest().keeps_atoms() {
        // What was told stays, whatever came late for the store since, or if it is gone.
        return Ok(None);
    }
    let cards = |list: &Vec<LabelledCards<'_>>| {
        let cells = list.iter();
        cells.fold(0_u64, |all, cell| all.saturating_add(cell.cards))
    };
    let most = lists.iter().map(cards).max().unwrap_or(0);
    let summary = generation.summary(STORES, key)?;
    let months = summary.map(|summary| summary.months).unwrap_or_default();
    let of_month = months.into_iter().find(|totals| totals.month == month);
    Ok(match of_month {
        None => Some("the store has no row in it"),
        // Cards that have refunds alone are in none.
        Some(totals) if most > totals.cards => Some("its cells have more cards than the store"),
        Some(_) => None,
    })
}

fn damaged(structure: &'static str, problem: String) -> Error {
    Error::Corrupt { structure, problem }
}
