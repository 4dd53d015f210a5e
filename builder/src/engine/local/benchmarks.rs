//! Benchmarks, month by month, so that the records of one month are in memory at a time.

use nightshard_format::{
    calendar::{DayRange, Month},
    record::STORES,
};
use rayon::prelude::*;

use super::Engine;
use crate::{
    Result,
    emit::{self, Benchmarked, CellCards, Staged, StoreFacts, Written},
};

impl Engine<'_> {
    /// Writes the benchmarks of all periods that have ended, from the records in `staged`; rows have the days
    /// `dates`.
    pub(super) fn write_benchmarks(
        &self,
        stores: &[StoreFacts],
        (staged, of_cells): (&[Staged], &CellCards),
        dates: DayRange,
    ) -> Result<Vec<Staged>> {
        let cells = emit::cells(stores);
        let benchmarked = Benchmarked {
            stores,
            of_stores: &Written::open(staged, STORES)?,
            of_cells,
            k: self.plan.privacy_k,
        };
        let mut written = Vec::new();
        let months = dates.first.month().0..=Month::last_ended(dates.last).0;
        for month in months.map(Month) {
            let encode = |cell| benchmarked.encode(cell, month);
            let encoded: Result<Vec<_>> =
                self.pool.install(|| cells.par_iter().map(encode).collect());
            let mut records: Vec<_> = encoded?.into_iter().flatten().collect();
            records.sort_unstable();
            let shards = emit::write_benchmarks(&self.staging, month, stores, &records)?;
            written.extend(shards);
        }
        Ok(written)
    }
}
