//! Records of who pays checked against the stores' months, and against how many cards hide each other.

use std::collections::BTreeMap;

use nightshard_format::{
    Error, Result,
    calendar::Month,
    generation::Generation,
    privacy::Privacy,
    record::{DEMOGRAPHICS, DemographicsRecord, MarketDemographics, STORES},
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

/// Checks that the cells of every store's month are all its rows and cards, that each has enough of these, and that
/// the record of all stores knows of as many stores as there are, in each month. Where what was told before stays, rows
/// that came since are in no cell.
///
/// # Errors
/// [`Error::Corrupt`] naming the store or month of what does not agree.
pub(crate) fn check_demographics(generation: &Generation<Mapped>) -> Result<()> {
    let privacy = Privacy::of(generation.manifest())?;
    let shards: Vec<&Shard<Mapped>> = generation.shards().collect();
    let of_stores: Vec<Result<Option<(Month, u64)>>> = shards
        .par_iter()
        .map(
            |shard| match (shard.identity().dataset.as_str(), shard.identity().span) {
                (DEMOGRAPHICS, Span::Month(month)) => {
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
    for shard in generation.table(DEMOGRAPHICS, Span::Current).shards() {
        for record in shard.iter() {
            let Record { key, value } = record?;
            let month = String::from_utf8_lossy(key).parse()?;
            known.insert(month, MarketDemographics::parse(value.in_place()?)?.stores);
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
        let record = DemographicsRecord::parse(value.in_place()?)?;
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
    record: &DemographicsRecord<'_>,
) -> Result<Option<&'static str>> {
    if privacy.is_protecting() && record.cells.iter().any(|cell| cell.cards < privacy.k()) {
        return Ok(Some("a cell has too few cards to be told"));
    }
    if generation.manifest().keeps_atoms() {
        // What was told stays, whatever came late for the store since, or if it is gone.
        return Ok(None);
    }
    let summary = generation.summary(STORES, key)?;
    let months = summary.map(|summary| summary.months).unwrap_or_default();
    let Some(totals) = months.into_iter().find(|totals| totals.month == month) else {
        return Ok(Some("the store has no row in it"));
    };
    let (mut count, mut sum, mut cards) = (0_u64, 0_i128, 0_u64);
    for cell in &record.cells {
        count = count.saturating_add(cell.count);
        sum = sum.saturating_add(cell.sum);
        cards = cards.saturating_add(cell.cards);
    }
    let has = (totals.statistics.count, totals.statistics.sum, totals.cards);
    Ok(((count, sum, cards) != has).then_some("its cells are not the rows and cards of the store"))
}

fn damaged(problem: String) -> Error {
    Error::Corrupt {
        structure: "demographics",
        problem,
    }
}
