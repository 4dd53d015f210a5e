//! What is told of places and the market, exactly or by atoms.

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
