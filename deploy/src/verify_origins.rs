//! Records of where cards come from checked against the stores' months, and against how many cards hide each other.

use std::collections::BTreeMap;

use nightshard_format::{
    Error, Result,
    calendar::Month,
    generation::Generation,
    privacy::Privacy,
    record::{Label, ORIGINS, OriginsRecord, STORES, parse_origin_stores},
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

/// Checks that every store's month has no more cards that come from somewhere than cards, that each cell has enough
/// of these, and that as many stores have a record as there are said to be, in each month.
///
/// # Errors
/// [`Error::Corrupt`] naming the store or month of what does not agree.
pub(crate) fn check_origins(generation: &Generation<Mapped>) -> Result<()> {
    let privacy = Privacy::of(generation.manifest())?;
    let shards: Vec<&Shard<Mapped>> = generation.shards().collect();
    let of_stores: Vec<Result<Option<(Month, u64)>>> = shards
        .par_iter()
        .map(
            |shard| match (shard.identity().dataset.as_str(), shard.identity().span) {
                (ORIGINS, Span::Month(month)) => {
                    check_shard(generation, privacy, month, shard)?;
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
    for shard in generation.table(ORIGINS, Span::Current).shards() {
        for record in shard.iter() {
            let Record { key, value } = record?;
            let month = String::from_utf8_lossy(key).parse()?;
            known.insert(month, parse_origin_stores(value.in_place()?)?);
        }
    }
    match stores == known {
        true => Ok(()),
        false => Err(damaged(
            "the stores of a month are not those that it is said to have".into(),
        )),
    }
}

fn check_shard(
    generation: &Generation<Mapped>,
    privacy: Privacy,
    month: Month,
    shard: &Shard<Mapped>,
) -> Result<()> {
    for record in shard.iter() {
        let Record { key, value } = record?;
        let record = OriginsRecord::parse(value.in_place()?)?;
        if let Some(problem) = contradiction(generation, privacy, (month, key), &record)? {
            let key = String::from_utf8_lossy(key);
            return Err(damaged(format!("{key:?} in {month}: {problem}")));
        }
    }
    Ok(())
}

/// Returns what contradicts the store's month in its cells, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    privacy: Privacy,
    (month, key): (Month, &[u8]),
    record: &OriginsRecord<'_>,
) -> Result<Option<&'static str>> {
    let cells = &record.cells;
    if privacy.is_protecting() {
        if cells.iter().any(|cell| cell.cards < privacy.k()) {
            return Ok(Some("a cell has too few cards to be told"));
        }
    } else if cells.iter().any(|cell| cell.region == Label::Merged) {
        return Ok(Some("a cell is merged, and nothing is to be hidden"));
    }
    let summary = generation.summary(STORES, key)?;
    let months = summary.map(|summary| summary.months).unwrap_or_default();
    let of_month = months.into_iter().find(|totals| totals.month == month);
    Ok(match of_month {
        None => Some("the store has no row in it"),
        // Cards that have refunds alone come from nowhere.
        Some(totals) if record.cards() > totals.cards => {
            Some("its cells have more cards than the store")
        }
        Some(_) => None,
    })
}

fn damaged(problem: String) -> Error {
    Error::Corrupt {
        structure: "origins",
        problem,
    }
}
