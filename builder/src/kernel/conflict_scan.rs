//! The second look at the input: where the rows stand whose tx_id has different content.
//!
//! Rows do not carry where they were read through the exchange: hardly ever does anybody ask.

use std::collections::HashSet;

use super::{admission::Admission, scan::tx_hash, store_partition::Conflict};
use crate::{
    Error, Result,
    quality::Quarantine,
    row_outcome::{Field, Location, Reason, RowSink, Rule},
    transaction::Transaction,
};

/// Names the rows of conflicts in the quarantine file.
pub struct ConflictScan<'a> {
    admission: Admission<'a>,
    quarantine: &'a Quarantine,
    conflicts: &'a HashSet<Conflict>,
    /// Hashes alone: nearly every row is passed over by them.
    hashes: HashSet<u64>,
    seed: u64,
    /// Rows named so far.
    pub found: u64,
}

impl<'a> ConflictScan<'a> {
    /// Makes a scan with the admission and the seed of the first one.
    #[must_use]
    pub fn new(
        admission: Admission<'a>,
        quarantine: &'a Quarantine,
        conflicts: &'a HashSet<Conflict>,
        seed: u64,
    ) -> Self {
        Self {
            admission,
            quarantine,
            conflicts,
            hashes: conflicts.iter().map(|conflict| conflict.tx).collect(),
            seed,
            found: 0,
        }
    }
}

impl RowSink for ConflictScan<'_> {
    type Error = Error;

    fn transaction(&mut self, at: Location, row: &Transaction<'_>) -> Result<()> {
        let tx = tx_hash(row.tx_id, self.seed);
        if self.hashes.contains(&tx) && self.admission.business_moment(row).is_ok() {
            let store = row.store_id.to_vec();
            if self.conflicts.contains(&Conflict { store, tx }) {
                self.found += 1;
                self.quarantine
                    .add(at, Field::TxId, Reason::ConflictingContent);
            }
        }
        Ok(())
    }

    fn rejected(&mut self, _at: Location, _field: Field, _reason: Reason) {}

    fn excluded(&mut self, _at: Location, _rule: Rule) {}
}
