//! Rows of a partition that do not fit in memory: each part of them is sorted, then all are merged.
//!
//! Of each part only a window and the key of its next row are held; a value is read when its row
//! was chosen.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    path::Path,
};

use nightshard_format::key;

use super::outbox::{Deposit, HEAD_LEN, Head, Row, sorted};
use crate::{
    Result,
    exchange::spill::{SpillReader, SpillWriter},
};

/// What is read of a part at a time, in bytes.
const WINDOW_LEN: usize = 16 << 10;

/// The rows of one partition, in the order of (hash, key, place).
pub(super) struct Merge {
    file: SpillReader,
    next: BinaryHeap<Reverse<Next>>,
}

/// A row without its value, which is where its part goes on.
pub(super) struct Next {
    hash: u64,
    pub(super) key: Vec<u8>,
    pub(super) order: u64,
    value_at: u64,
    value_len: usize,
    part: Part,
}

/// What is left of a sorted part, and some bytes of it.
#[derive(Default)]
struct Part {
    at: u64,
    end: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Merge {
    /// Sorts the parts of a partition into a scratch file; one after the other is held in memory.
    pub(super) fn new(deposits: &[Deposit], partition: u16, scratch: &Path) -> Result<Self> {
        let mut file = SpillWriter::create(scratch)?;
        let mut ends = vec![0];
        for deposit in deposits {
            for part in 0..deposit.parts() {
                let mut rows = Vec::new();
                deposit.take_part(partition, part, &mut rows)?;
                for entry in sorted(&rows) {
                    let len = Row::at(&rows, entry.start).len();
                    file.append(&rows[entry.start..entry.start + len])?;
                }
                ends.push(file.len());
            }
        }
        let mut merge = Self {
            file: file.finish()?,
            next: BinaryHeap::new(),
        };
        for part in ends.windows(2) {
            merge.advance(Part {
                at: part[0],
                end: part[1],
                window: Vec::new(),
                window_at: part[0],
            })?;
        }
        Ok(merge)
    }

    /// Returns the next row of all.
    pub(super) fn next(&mut self) -> Result<Option<Next>> {
        let Some(Reverse(mut next)) = self.next.pop() else {
            return Ok(None);
        };
        let part = std::mem::take(&mut next.part);
        self.advance(part)?;
        Ok(Some(next))
    }

    /// Reads the value of a row.
    pub(super) fn value(&self, row: &Next, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        out.resize(row.value_len, 0);
        self.file.read(row.value_at, out)
    }

    /// Lets a part take part with its next row, if it has one.
    fn advance(&mut self, mut part: Part) -> Result<()> {
        if part.at == part.end {
            return Ok(());
        }
        let head = Head::read(part.bytes(&self.file, HEAD_LEN)?);
        let whole = part.bytes(&self.file, HEAD_LEN + head.key_len)?;
        let key = whole[HEAD_LEN..].to_vec();
        let value_at = part.at + (HEAD_LEN + head.key_len) as u64;
        part.at = value_at + head.value_len as u64;
        self.next.push(Reverse(Next {
            hash: key::hash(&key),
            key,
            order: head.order,
            value_at,
            value_len: head.value_len,
            part,
        }));
        Ok(())
    }
}

impl Part {
    /// Returns the next bytes, which the part has.
    fn bytes(&mut self, file: &SpillReader, len: usize) -> Result<&[u8]> {
        let window_end = self.window_at + self.window.len() as u64;
        if self.at + len as u64 > window_end {
            let rest = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
            self.window.resize(len.max(WINDOW_LEN).min(rest), 0);
            self.window_at = self.at;
            file.read(self.at, &mut self.window)?;
        }
        let start = usize::try_from(self.at - self.window_at).expect("it is within the window");
        Ok(&self.window[start..start + len])
    }
}

impl Next {
    fn rank(&self) -> (u64, &[u8], u64) {
        (self.hash, &self.key, self.order)
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next {}
