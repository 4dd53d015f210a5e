//! What is told of places and the market, exactly or by atoms.

use nightshard_format::calendar::Day;

use crate::{
    emit::{PlaceSize, Staged, StoreFacts},
    kernel::places::Places,
};

/// What was written of places and the market.
pub(super) struct Told {
    /// The shards.
    pub(super) staged: Vec<Staged>,
    /// The sizes of places, as far as they are told.
    pub(super) sizes: Vec<Option<PlaceSize>>,
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
