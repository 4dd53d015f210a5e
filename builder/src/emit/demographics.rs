//! What is told of who pays once all stores are known: months that have ended, and all stores together.

use std::{collections::BTreeMap, fs};

use nightshard_format::{calendar::Month, record::DEMOGRAPHICS, shard::Span};

use super::shard_set::{CurrentRecord, Staged, Staging};
use crate::{
    Error, Result,
    kernel::{cardholder::Cardholders, market_cardholders::MarketCardholders},
};

/// Takes the shards of months after `ended` back: what is told of a month must not change while it goes on.
///
/// # Errors
/// [`Error::File`] if one cannot be removed.
pub fn hold_back_demographics(staged: &mut Vec<Staged>, ended: Month) -> Result<()> {
    let mut removed = Ok(());
    staged.retain(|it| {
        let is_held_back = month_of(it).is_some_and(|month| month > ended);
        if is_held_back && removed.is_ok() {
            removed = fs::remove_file(&it.path).map_err(Error::at(&it.path));
        }
        !is_held_back
    });
    removed
}

/// Writes what is told of all stores together in the months in which a store has a record.
///
/// # Errors
/// [`Error::File`] if the staging folder takes no more.
pub fn write_market_demographics(
    staging: &Staging,
    stores: &[Staged],
    market: &MarketCardholders,
    cardholders: &Cardholders,
) -> Result<Vec<Staged>> {
    let mut months = BTreeMap::<Month, u64>::new();
    for (month, staged) in stores.iter().filter_map(|it| Some((month_of(it)?, it))) {
        *months.entry(month).or_default() += staged.entry.records;
    }
    let records = months.into_iter().map(|(month, stores)| {
        let mut value = Vec::new();
        market.encode(month, stores, cardholders, &mut value);
        CurrentRecord {
            key: month.to_string().into_bytes(),
            value,
            terms: Vec::new(),
        }
    });
    staging.write_current(DEMOGRAPHICS, records)
}

/// Returns the month of a shard of who pays.
fn month_of(staged: &Staged) -> Option<Month> {
    let entry = &staged.entry;
    match entry
        .span
        .parse()
        .ok()
        .filter(|_| entry.dataset == DEMOGRAPHICS)?
    {
        Span::Month(month) => Some(month),
        Span::Current => None,
    }
}
