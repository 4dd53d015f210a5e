//! Places in a table from which iteration goes on: they share its maps and borrow nothing.

use std::collections::VecDeque;

use nightshard_format::{
    Error, Result,
    shard::{Record, Search, Searched},
};

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

    /// Passes the next record to `visit`; nothing is behind one that cannot be read.
    pub(crate) fn next<T>(
        &mut self,
        visit: impl FnOnce(Record<'_>) -> Result<T>,
    ) -> Option<Result<T>> {
        while let Some(shard) = self.table.shards().get(self.shard) {
            let mut records = shard.iter_from(self.offset);
            if let Some(record) = records.next() {
                self.offset = records.offset();
                let visited = record.and_then(visit);
                if visited.is_err() {
                    self.shard = usize::MAX;
                }
                return Some(visited);
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
    /// What was read ahead.
    ahead: VecDeque<Pair>,
    /// What is wrong behind that.
    damage: Option<Error>,
    /// The last term that was read.
    last: Option<Vec<u8>>,
    is_at_end: bool,
}

impl Terms {
    /// Starts before the first term that begins with `prefix`.
    pub(crate) fn new(table: Table, prefix: &[u8]) -> Self {
        Self {
            table,
            prefix: prefix.to_vec(),
            ahead: VecDeque::new(),
            damage: None,
            last: None,
            is_at_end: false,
        }
    }

    /// Returns the record of the next term; nothing is behind one that cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Pair>> {
        if self.ahead.is_empty()
            && !self.is_at_end
            && let Err(error) = self.read_ahead()
        {
            self.damage = Some(error);
            self.is_at_end = true;
        }
        match (self.ahead.pop_front(), &mut self.damage) {
            (None, damage) => damage.take().map_or(Ok(None), Err),
            (pair, _) => Ok(pair),
        }
    }

    /// Reads on behind the last term, up to the end of another one.
    fn read_ahead(&mut self) -> Result<()> {
        let mut search = Search::prefix(&self.prefix);
        if let Some(last) = &self.last {
            search = search.after(last);
        }
        let (ahead, mut bytes) = (&mut self.ahead, 0);
        let mut last: Option<Vec<u8>> = None;
        let mut damage = Ok(());
        let searched = search.visit(self.table.shards(), u64::MAX, |term, record| {
            let is_new = last.as_deref() != Some(term);
            if is_new && (ahead.len() >= TERMS_AT_ONCE || bytes >= BYTES_AT_ONCE) {
                return false;
            }
            if is_new {
                last = Some(term.to_vec());
            }
            match record.value.read() {
                Ok(value) => {
                    bytes += value.len();
                    ahead.push_back((record.key.to_vec(), value.into_owned()));
                }
                Err(error) => damage = Err(error),
            }
            damage.is_ok()
        })?;
        damage?;
        self.is_at_end = searched == Searched::Whole;
        self.last = last.or(self.last.take());
        Ok(())
    }
}
