//! Places in a table from which iteration goes on: they share its maps and borrow nothing.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use nightshard_format::Result;

use crate::table::Table;

/// So many terms are read at once, at most: finding the way back into an index has a price.
const TERMS_AT_ONCE: usize = 256;
/// No more are read once their values have so many bytes.
const BYTES_AT_ONCE: usize = 256 << 10;

/// A key and its value.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// A place among the records, in the order of shards and, within them, hashes.
pub(crate) struct Records {
    table: Table,
    shard: usize,
    offset: u64,
}

impl Records {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            shard: 0,
            offset: 0,
        }
    }

    /// Passes the next record's key and value to `visit`; nothing is behind a damaged one.
    pub(crate) fn next<T>(&mut self, visit: impl FnOnce(&[u8], &[u8]) -> T) -> Option<Result<T>> {
        while let Some(shard) = self.table.shards().get(self.shard) {
            let mut records = shard.iter_from(self.offset);
            if let Some(record) = records.next() {
                self.offset = records.offset();
                return Some(record.map(|record| visit(record.key, record.value)));
            }
            (self.shard, self.offset) = (self.shard + 1, 0);
        }
        None
    }
}

/// A place among the terms that begin with a prefix, in the order of terms over all shards.
pub(crate) struct Terms {
    table: Table,
    prefix: Vec<u8>,
    /// Of each shard, what was read ahead.
    ahead: Vec<VecDeque<(Vec<u8>, Pair)>>,
    /// The next term of each shard that has one.
    next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
}

impl Terms {
    /// Starts before the first term that begins with `prefix`.
    pub(crate) fn new(table: Table, prefix: &[u8]) -> Result<Self> {
        let shards = table.shards().len();
        let mut terms = Self {
            table,
            prefix: prefix.to_vec(),
            ahead: vec![VecDeque::new(); shards],
            next: BinaryHeap::new(),
        };
        (0..shards).try_for_each(|shard| terms.read_ahead(shard, None))?;
        Ok(terms)
    }

    /// Returns the record of the next term.
    pub(crate) fn next(&mut self) -> Result<Option<Pair>> {
        let Some(Reverse((term, shard))) = self.next.pop() else {
            return Ok(None);
        };
        let found = self.ahead[shard].pop_front().map(|(_term, pair)| pair);
        match self.ahead[shard].front() {
            Some((term, _pair)) => self.next.push(Reverse((term.clone(), shard))),
            None => self.read_ahead(shard, Some(&term))?,
        }
        Ok(found)
    }

    /// Reads on in a shard whose terms up to `after` were all returned.
    fn read_ahead(&mut self, shard: usize, after: Option<&[u8]>) -> Result<()> {
        let ahead = &mut self.ahead[shard];
        let mut bytes = 0;
        self.table.shards()[shard].visit_prefix_after(&self.prefix, after, |term, record| {
            let pair = (record.key.to_vec(), record.value.to_vec());
            bytes += pair.1.len();
            ahead.push_back((term.to_vec(), pair));
            ahead.len() < TERMS_AT_ONCE && bytes < BYTES_AT_ONCE
        })?;
        if let Some((term, _pair)) = ahead.front() {
            self.next.push(Reverse((term.clone(), shard)));
        }
        Ok(())
    }
}
