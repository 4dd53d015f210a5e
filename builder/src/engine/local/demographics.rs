//! Who pays at the stores of places, and at all stores together.

use nightshard_format::{
    calendar::{Day, Month},
    key,
};
use rayon::prelude::*;

use super::{Engine, told::merchants};
use crate::{
    Result,
    emit::{self, PlacesToWrite, Staged, StoreFacts},
    exchange::Exchanged,
    kernel::{
        cardholder::Cardholders,
        hiding::Hiding,
        place_cardholders::{CELL_PARTITIONS, CellRow, PlaceCardholders, StoresOfCells},
        places::Places,
        row::StoreOrdinal,
    },
};

/// What the reduction of stores leaves behind of who paid.
pub(super) struct OfCardholders {
    /// The cells of stores.
    pub(super) cells: Exchanged<CellRow>,
    /// What they stand for.
    pub(super) cardholders: Cardholders,
}

impl Engine<'_> {
    /// Writes who pays at places and at all stores together, and takes back what may not be told yet of one store in
    /// `staged`.
    pub(super) fn write_demographics(
        &self,
        of: &OfCardholders,
        (facts, places): (&[StoreFacts], &Places),
        staged: &mut Vec<Staged>,
        as_of: Day,
    ) -> Result<Vec<Staged>> {
        if of.cardholders.is_empty() {
            return Ok(Vec::new());
        }
        let hiding = Hiding::of(self.plan.privacy_k);
        let last = hiding.map(|_| Month::last_ended(as_of));
        if let Some(last) = last {
            emit::hold_back_demographics(staged, last)?;
        }
        let merchants = merchants(facts);
        let merchant_of = |store: StoreOrdinal| {
            let at = facts.partition_point(|known| known.ordinal < store);
            merchants[at]
        };
        let stores = StoresOfCells {
            places,
            merchant_of: &merchant_of,
            mark_of: &|merchant| mark_of(&facts[merchant as usize]),
            hiding,
        };
        let take = |partition| PlaceCardholders::take(&of.cells, partition, &stores);
        let found = self.pool.install(|| {
            let taken = (0..CELL_PARTITIONS).into_par_iter().map(take);
            let merge = |a: PlaceCardholders, b| Ok(a.merged(b));
            taken.try_reduce(PlaceCardholders::default, merge)
        })?;
        let to_write = PlacesToWrite {
            places,
            found: &found,
            cardholders: &of.cardholders,
            hiding,
            last,
        };
        let mut written = emit::count_demographics(&self.staging, staged)?;
        written.extend(to_write.write(&self.staging)?);
        Ok(written)
    }
}

/// Returns one of 64 marks of the merchant of a store, as a bit: by its id, so that a month's does not depend on which
/// other stores there are.
fn mark_of(store: &StoreFacts) -> u64 {
    let id = store.merchant_id.as_deref().map(str::as_bytes);
    1 << (key::hash(id.unwrap_or(&store.id)) >> (u64::BITS - 6))
}
