//! What one worker knows of the ordinals of combinations, so that it rarely asks the table of all.

use std::collections::HashMap;

use hashbrown::HashTable;

use super::combinations::{Combinations, UNSAID, Value};

/// The ordinals that one worker has met.
pub(super) struct KnownCombinations<'a, const N: usize> {
    table: &'a Combinations<N>,
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

impl<'a, const N: usize> KnownCombinations<'a, N> {
    pub(super) fn new(table: &'a Combinations<N>) -> Self {
        Self {
            table,
            by_hash: HashTable::new(),
            by_values: HashMap::new(),
        }
    }

    /// Returns the ordinal of what a row says, by its hash, or 0 if it says nothing; `values_of` returns the
    /// values of its first dimensions.
    #[inline]
    pub(super) fn ordinal(
        &mut self,
        hash: u64,
        values_of: impl FnOnce(usize) -> Vec<Value>,
    ) -> u32 {
        if hash == 0 {
            return UNSAID;
        }
        let is_same = |known: &ByHash| known.hash == hash;
        match self.by_hash.find(hash, is_same) {
            Some(known) => known.ordinal,
            None => self.learn(hash, values_of),
        }
    }

    #[cold]
    fn learn(&mut self, hash: u64, values_of: impl FnOnce(usize) -> Vec<Value>) -> u32 {
        let dimensions = self.table.dimensions();
        let values = values_of(dimensions);
        if dimensions < N {
            if let Some(ordinal) = self.by_values.get(&values) {
                return *ordinal;
            }
            let ordinal = self.table.ordinal_of(values.clone());
            self.by_values.insert(values, ordinal);
            return ordinal;
        }
        let ordinal = self.table.ordinal_of(values);
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
