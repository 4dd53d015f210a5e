//! Rows by the partition of their key, in memory and in a scratch file.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use nightshard_format::key::{self, PARTITIONS};

use crate::{
    Result,
    exchange::spill::{SpillReader, SpillWriter},
};

/// Bytes of a row before its key: order, length of the key, length of the value.
const HEAD_LEN: usize = 8 + 2 + 4;

/// The rows that one worker has parsed.
pub(super) struct Outbox {
    partitions: Vec<Vec<u8>>,
    len_bytes: usize,
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
            len_bytes: 0,
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
        rows.extend_from_slice(&order.to_le_bytes());
        rows.extend_from_slice(&key_len.to_le_bytes());
        rows.extend_from_slice(&value_len.to_le_bytes());
        rows.extend_from_slice(key);
        rows.extend_from_slice(value);
        self.len_bytes += HEAD_LEN + key.len() + value.len();
        if self.len_bytes >= self.budget_bytes {
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
        self.len_bytes = 0;
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

    /// Appends the rows of a partition to `out`; they are here no more.
    pub(super) fn take(&self, partition: u16, out: &mut Vec<u8>) -> Result<()> {
        let partition = usize::from(partition);
        for bounds in &self.bounds {
            let (start, end) = (bounds[partition], bounds[partition + 1]);
            let filled = out.len();
            let len = usize::try_from(end - start).expect("it was in memory before");
            out.resize(filled + len, 0);
            if let Some(spill) = &self.spill {
                spill.read(start, &mut out[filled..])?;
            }
        }
        let mut rows = self.partitions[partition]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        out.extend_from_slice(&std::mem::take(&mut *rows));
        Ok(())
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
        let rest = "rows are whole, as this module wrote them";
        let (head, rest) = rows[start..].split_first_chunk::<HEAD_LEN>().expect(rest);
        let [a, b, c, d, e, f, g, h, key_low, key_high, value_len @ ..] = *head;
        let key_len = u16::from_le_bytes([key_low, key_high]);
        let (key, rest) = rest.split_at(key_len.into());
        Self {
            order: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            key,
            value: &rest[..u32::from_le_bytes(value_len) as usize],
        }
    }

    /// Returns how many bytes the row takes.
    pub(super) fn len(&self) -> usize {
        HEAD_LEN + self.key.len() + self.value.len()
    }
}
