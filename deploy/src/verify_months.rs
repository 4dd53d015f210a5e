//! Records of the months of a dataset, and that as many are there as `current` says.

use std::collections::BTreeMap;

use nightshard_format::{
    Error, Result,
    calendar::Month,
    generation::Generation,
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

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
    let known = generation.records_by_month(dataset)?;
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

fn damaged(structure: &'static str, problem: String) -> Error {
    Error::Corrupt { structure, problem }
}
