//! Who pays at all stores together.

use nightshard_format::calendar::{Day, Month};
use rayon::prelude::*;

use super::{Engine, told::merchants};
use crate::{
    Result,
    emit::{self, Staged, StoreFacts},
    exchange::Exchanged,
    kernel::{
        cardholder::Cardholders,
        hiding::Hiding,
        market_cardholders::{CELL_PARTITIONS, CellRow, MarketCardholders},
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
    /// Writes who pays at all stores together, and takes back what may not be told yet of one store in `staged`.
    pub(super) fn write_demographics(
        &self,
        of: &OfCardholders,
        stores: &[StoreFacts],
        staged: &mut Vec<Staged>,
        as_of: Day,
    ) -> Result<Vec<Staged>> {
        if of.cardholders.is_empty() {
            return Ok(Vec::new());
        }
        let hiding = Hiding::of(self.plan.privacy_k);
        if hiding.is_some() {
            emit::hold_back_demographics(staged, Month::last_ended(as_of))?;
        }
        let merchants = merchants(stores);
        let merchant_of = |store: StoreOrdinal| {
            let at = stores.partition_point(|known| known.ordinal < store);
            merchants[at]
        };
        let take = |partition| MarketCardholders::take(&of.cells, partition, hiding, merchant_of);
        let partitions = 0..CELL_PARTITIONS;
        let taken: Result<Vec<_>> =
            (self.pool).install(|| partitions.into_par_iter().map(take).collect());
        let mut market = MarketCardholders::default();
        taken?.into_iter().for_each(|it| market.merge(it));
        emit::write_market_demographics(&self.staging, staged, &market, &of.cardholders)
    }
}
