//! What one worker knows of the ordinals of combinations, so that it rarely asks the table of all.

use std::collections::HashMap;

use hashbrown::HashTable;
use nightshard_format::record::DIMENSIONS;

use super::mix::{MixTable, UNSAID, Value, values_of};
use crate::transaction::Transaction;

/// The ordinals that one worker has met.
pub(super) struct KnownMixes<'a> {
    table: &'a MixTable,
    by_hash: HashTable<ByHash>,
    /// Where dimensions are left out: a hash is of all that a row says, which may be another for each.
    by_values: HashMap<Vec<Value>, u32>,
}

/// A combination of values by its hash.
#[derive(Clone, Copy)]
struct ByHash {
    hash: u64,
    ordinal: u32,
}

impl<'a> KnownMixes<'a> {
    pub(super) fn new(table: &'a MixTable) -> Self {
        Self {
            table,
            by_hash: HashTable::new(),
            by_values: HashMap::new(),
        }
    }

    /// Returns the ordinal of what a row says of how it was paid.
    #[inline]
    pub(super) fn ordinal(&mut self, row: &Transaction<'_>) -> u32 {
        if row.mix == 0 {
            return UNSAID;
        }
        let is_same = |known: &ByHash| known.hash == row.mix;
        match self.by_hash.find(row.mix, is_same) {
            Some(known) => known.ordinal,
            None => self.learn(row),
        }
    }

    #[cold]
    fn learn(&mut self, row: &Transaction<'_>) -> u32 {
        let dimensions = self.table.dimensions();
        let values = values_of(row, dimensions);
        if dimensions < DIMENSIONS {
            if let Some(ordinal) = self.by_values.get(&values) {
                return *ordinal;
            }
            let ordinal = self.table.ordinal_of(values.clone());
            self.by_values.insert(values, ordinal);
            return ordinal;
        }
        let ordinal = self.table.ordinal_of(values);
        let hash = row.mix;
        self.by_hash
            .insert_unique(hash, ByHash { hash, ordinal }, |known| known.hash);
        ordinal
    }

    /// Forgets what has become too much.
    pub(super) fn forget_if_many(&mut self, max: usize) {
        if self.by_hash.len() >= max {
            self.by_hash.clear();
        }
        if self.by_values.len() >= max {
            self.by_values.clear();
        }
    }
}
