//! What is told of places and the market, exactly or by atoms.

use std::collections::HashMap;

use nightshard_format::calendar::Day;

use crate::{
    emit::{CellCards, Staged, StoreFacts},
    kernel::{leaf_month::Totals, places::Places},
};

/// What was written of places and the market.
pub(super) struct Told {
    /// The cards of the categories of regions.
    pub(super) cards: CellCards,
    /// The shards.
    pub(super) staged: Vec<Staged>,
    /// What is told of each place, where nothing is exact.
    pub(super) totals: Option<Vec<Option<Totals>>>,
    /// Whether what was told before is something else than the rows alone would make.
    pub(super) differs: bool,
}

/// The stores that they are sums of.
pub(super) struct Stores<'a> {
    /// Who they are.
    pub(super) facts: &'a [StoreFacts],
    /// Their places.
    pub(super) places: &'a Places,
    /// Their shards.
    pub(super) staged: &'a [Staged],
    /// Months that end later have not ended.
    pub(super) as_of: Day,
}

/// Returns whose each store is, by number: one that says of none is a merchant of its own.
pub(super) fn merchants(stores: &[StoreFacts]) -> Vec<u32> {
    let mut merchants = HashMap::<&str, u32>::new();
    let merchant_of = |(number, store): (u32, _)| match store {
        // The first of its stores stands for a merchant.
        Some(id) => *merchants.entry(id).or_insert(number),
        None => number,
    };
    let named = stores.iter().map(|store| store.merchant_id.as_deref());
    (0..).zip(named).map(merchant_of).collect()
}
