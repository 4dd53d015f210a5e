//! Rows by the partition of their key, in memory and in a scratch file.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use nightshard_format::key::{self, PARTITIONS};

use crate::{
    Result,
    exchange::spill::{SpillReader, SpillWriter},
};

/// Bytes of a row before its key: order, length of the key, length of the value.
pub(super) const HEAD_LEN: usize = 8 + 2 + 4;

/// The rows that one worker has parsed.
pub(super) struct Outbox {
    partitions: Vec<Vec<u8>>,
    /// What the rows take, with the room that they may grow into.
    held_bytes: usize,
    budget_bytes: usize,
    scratch: PathBuf,
    spill: Option<SpillWriter>,
    /// Of every spill, where each partition begins, and where the last one ends.
    bounds: Vec<Vec<u64>>,
}

impl Outbox {
    /// Makes an outbox that holds about so many bytes before it spills into `scratch`.
    pub(super) fn new(budget_bytes: usize, scratch: &Path) -> Self {
        Self {
            partitions: vec![Vec::new(); PARTITIONS.into()],
            held_bytes: 0,
            budget_bytes,
            scratch: scratch.to_owned(),
            spill: None,
            bounds: Vec::new(),
        }
    }

    /// Adds a row, whose key has at most 65,535 bytes and whose value fewer than 4 GiB.
    pub(super) fn push(&mut self, order: u64, key: &[u8], value: &[u8]) -> Result<()> {
        let partition = usize::from(key::partition_of(key::hash(key)));
        let key_len = u16::try_from(key.len()).expect("the caller has looked");
        let value_len = u32::try_from(value.len()).expect("no row is so long");
        let rows = &mut self.partitions[partition];
        let held_before = rows.capacity();
        rows.extend_from_slice(&order.to_le_bytes());
        rows.extend_from_slice(&key_len.to_le_bytes());
        rows.extend_from_slice(&value_len.to_le_bytes());
        rows.extend_from_slice(key);
        rows.extend_from_slice(value);
        self.held_bytes += rows.capacity() - held_before;
        if self.held_bytes >= self.budget_bytes {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<()> {
        let mut spill = match self.spill.take() {
            Some(spill) => spill,
            None => SpillWriter::create(&self.scratch)?,
        };
        let mut bounds = vec![spill.len()];
        for rows in &mut self.partitions {
            spill.append(rows)?;
            bounds.push(spill.len());
            // What many rows of one partition have taken others may need.
            *rows = Vec::new();
        }
        self.spill = Some(spill);
        self.bounds.push(bounds);
        self.held_bytes = 0;
        Ok(())
    }

    pub(super) fn into_deposit(self) -> Result<Deposit> {
        Ok(Deposit {
            partitions: self.partitions.into_iter().map(Mutex::new).collect(),
            spill: self.spill.map(SpillWriter::finish).transpose()?,
            bounds: self.bounds,
        })
    }
}

/// What an outbox leaves behind.
pub(super) struct Deposit {
    partitions: Vec<Mutex<Vec<u8>>>,
    spill: Option<SpillReader>,
    bounds: Vec<Vec<u64>>,
}

impl Deposit {
    pub(super) fn spilled_bytes(&self) -> u64 {
        self.spill.as_ref().map_or(0, SpillReader::len)
    }

    /// Returns how many bytes the rows of a partition take.
    pub(super) fn len_bytes(&self, partition: u16) -> u64 {
        let in_memory = self.in_memory(partition).len() as u64;
        let spilled = (0..self.bounds.len()).map(|part| {
            let (start, end) = self.bounds_of(partition, part);
            end - start
        });
        in_memory + spilled.sum::<u64>()
    }

    /// Returns how many parts the rows of a partition are in: each was in memory once, and the last
    /// one still is.
    pub(super) fn parts(&self) -> usize {
        self.bounds.len() + 1
    }

    /// Appends the rows of a part of a partition to `out`; those in memory are here no more.
    pub(super) fn take_part(&self, partition: u16, part: usize, out: &mut Vec<u8>) -> Result<()> {
        let Some(spill) = self.spill.as_ref().filter(|_| part < self.bounds.len()) else {
            let rows = std::mem::take(&mut *self.in_memory(partition));
            match out.capacity() {
                0 => *out = rows,
                _ => out.extend_from_slice(&rows),
            }
            return Ok(());
        };
        let (start, end) = self.bounds_of(partition, part);
        let filled = out.len();
        let len = usize::try_from(end - start).expect("it was in memory before");
        out.resize(filled + len, 0);
        spill.read(start, &mut out[filled..])
    }

    fn bounds_of(&self, partition: u16, part: usize) -> (u64, u64) {
        let (bounds, partition) = (&self.bounds[part], usize::from(partition));
        (bounds[partition], bounds[partition + 1])
    }

    fn in_memory(&self, partition: u16) -> MutexGuard<'_, Vec<u8>> {
        let rows = self.partitions[usize::from(partition)].lock();
        rows.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands before a key.
pub(super) struct Head {
    pub(super) order: u64,
    pub(super) key_len: usize,
    pub(super) value_len: usize,
}

impl Head {
    /// Reads the head that `bytes` begin with.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let head = bytes.first_chunk::<HEAD_LEN>();
        let head = head.expect("rows are whole, as this module wrote them");
        let [a, b, c, d, e, f, g, h, key_low, key_high, value_len @ ..] = *head;
        Self {
            order: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            key_len: u16::from_le_bytes([key_low, key_high]).into(),
            value_len: u32::from_le_bytes(value_len) as usize,
        }
    }
}

/// A row as an outbox has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) order: u64,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

impl<'a> Row<'a> {
    /// Reads the row that begins at `start`.
    pub(super) fn at(rows: &'a [u8], start: usize) -> Self {
        let head = Head::read(&rows[start..]);
        let (key, rest) = rows[start + HEAD_LEN..].split_at(head.key_len);
        Self {
            order: head.order,
            key,
            value: &rest[..head.value_len],
        }
    }

    /// Returns how many bytes the row takes.
    pub(super) fn len(&self) -> usize {
        HEAD_LEN + self.key.len() + self.value.len()
    }
}

/// Where a row begins, and what it is ordered by first.
pub(super) struct Entry {
    pub(super) hash: u64,
    pub(super) start: usize,
}

/// Returns the rows in the order of (hash, key, place).
pub(super) fn sorted(rows: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let row = Row::at(rows, start);
        let hash = key::hash(row.key);
        entries.push(Entry { hash, start });
        start += row.len();
    }
    entries.sort_unstable_by(|a, b| {
        a.hash.cmp(&b.hash).then_with(|| {
            let (a, b) = (Row::at(rows, a.start), Row::at(rows, b.start));
            let by_key = a.key.cmp(b.key);
            by_key.then(a.order.cmp(&b.order))
        })
    });
    entries
}
