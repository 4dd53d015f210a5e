//! What one worker sends.

use std::path::{Path, PathBuf};

use bytemuck::Pod;

use super::{
    arena::{Arena, PAGE_LEN, PageId},
    spill::{SegmentRange, SpillReader, SpillWriter},
};
use crate::Result;

/// Entries that a dictionary has ordinals for.
const ENTRIES_MAX: u32 = 1 << 16;

/// Most entries that may be defined between two calls of [`Outbox::spill_if_full`].
pub const DEFINED_AT_ONCE_MAX: u32 = 1 << 10;

/// What one partition holds in memory, beside its open page.
#[derive(Debug, Default)]
struct Held {
    dictionary: Vec<u8>,
    entries: u32,
    full: Vec<PageId>,
}

/// The rows that one worker has sent, by partition.
#[derive(Debug)]
pub struct Outbox<R> {
    /// The page of each partition that rows are being added to, one after the other: written over
    /// and over, they stay in a core's own cache, and full pages go to the arena at once.
    open: Vec<R>,
    open_len: Vec<u32>,
    arena: Arena<R>,
    held: Vec<Held>,
    len_bytes: usize,
    budget_bytes: usize,
    longest_dictionary: u32,
    scratch: PathBuf,
    spill: Option<SpillWriter>,
    /// Of every spill so far, the segment of each partition.
    spilled: Vec<Vec<SegmentRange>>,
}

/// What an outbox leaves behind.
#[derive(Debug)]
pub(super) struct Deposit<R> {
    outbox: Outbox<R>,
    pub(super) spill: Option<SpillReader>,
}

impl<R: Pod> Outbox<R> {
    /// Makes an outbox for so many partitions that holds about `budget_bytes` in memory, and
    /// spills into the folder `scratch`.
    #[must_use]
    pub fn new(partitions: usize, budget_bytes: usize, scratch: &Path) -> Self {
        Self {
            open: vec![R::zeroed(); partitions * Arena::<R>::PAGE_ROWS],
            open_len: vec![0; partitions],
            arena: Arena::new(),
            held: (0..partitions).map(|_| Held::default()).collect(),
            len_bytes: 0,
            budget_bytes,
            longest_dictionary: 0,
            scratch: scratch.to_owned(),
            spill: None,
            spilled: Vec::new(),
        }
    }

    /// Adds an entry to a partition's dictionary and returns its ordinal there, which holds until
    /// the next spill.
    ///
    /// # Shape
    /// At most 64 KiB, which a caller ensures. Ordinals have 16 bits as long as [`Self::spill_if_full`]
    /// is called after at most [`DEFINED_AT_ONCE_MAX`] entries.
    pub fn define(&mut self, partition: u16, entry: &[u8]) -> u16 {
        let held = &mut self.held[usize::from(partition)];
        let len = u16::try_from(entry.len()).expect("dictionary entries are short");
        held.dictionary.extend_from_slice(&len.to_le_bytes());
        held.dictionary.extend_from_slice(entry);
        self.len_bytes += entry.len() + 2;
        let ordinal = u16::try_from(held.entries).expect("a full dictionary is spilled in time");
        held.entries += 1;
        self.longest_dictionary = self.longest_dictionary.max(held.entries);
        ordinal
    }

    /// Adds a row to a partition.
    ///
    /// # Errors
    /// [`crate::Error::Option`] if the system gives no more memory.
    #[inline]
    pub fn push(&mut self, partition: u16, row: R) -> Result<()> {
        let partition = usize::from(partition);
        let len = self.open_len[partition] as usize;
        self.open[partition * Arena::<R>::PAGE_ROWS + len] = row;
        self.open_len[partition] += 1;
        if len + 1 < Arena::<R>::PAGE_ROWS {
            Ok(())
        } else {
            self.put_away(partition)
        }
    }

    /// Moves a partition's full page to the arena.
    fn put_away(&mut self, partition: usize) -> Result<()> {
        let page = self.arena.take()?;
        let start = partition * Arena::<R>::PAGE_ROWS;
        self.arena
            .write(page, &self.open[start..start + Arena::<R>::PAGE_ROWS]);
        self.open_len[partition] = 0;
        self.held[partition].full.push(page);
        self.len_bytes += PAGE_LEN;
        Ok(())
    }

    /// Spills if the memory or a dictionary's ordinals are used up, and returns whether it did: then the dictionaries have
    /// started afresh, and entries must be defined again before rows refer to them.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    #[inline]
    pub fn spill_if_full(&mut self) -> Result<bool> {
        let is_full = self.len_bytes >= self.budget_bytes
            || self.longest_dictionary > ENTRIES_MAX - DEFINED_AT_ONCE_MAX;
        if is_full {
            self.spill()?;
        }
        Ok(is_full)
    }

    fn spill(&mut self) -> Result<()> {
        let mut spill = match self.spill.take() {
            Some(spill) => spill,
            None => SpillWriter::create(&self.scratch)?,
        };
        let mut ranges = Vec::with_capacity(self.held.len());
        for partition in 0..self.held.len() {
            let offset = spill.len();
            spill.append(&self.held[partition].dictionary)?;
            let len_dictionary = spill.len() - offset;
            self.pages(partition)
                .try_for_each(|rows| spill.append(bytemuck::cast_slice(rows)))?;
            let len_rows = spill.len() - offset - len_dictionary;
            ranges.push(SegmentRange {
                offset,
                len_dictionary,
                len_rows,
            });
            let held = &mut self.held[partition];
            held.dictionary.clear();
            held.entries = 0;
            held.full
                .drain(..)
                .for_each(|page| self.arena.give_back(page));
            self.open_len[partition] = 0;
        }
        self.spill = Some(spill);
        self.spilled.push(ranges);
        self.len_bytes = 0;
        self.longest_dictionary = 0;
        Ok(())
    }

    /// Returns the rows of a partition that are in memory, page by page.
    fn pages(&self, partition: usize) -> impl Iterator<Item = &[R]> {
        let start = partition * Arena::<R>::PAGE_ROWS;
        let open = &self.open[start..start + self.open_len[partition] as usize];
        let full = self.held[partition]
            .full
            .iter()
            .map(|page| self.arena.rows(*page));
        full.chain([open]).filter(|rows| !rows.is_empty())
    }

    pub(super) fn into_deposit(mut self) -> Result<Deposit<R>> {
        let spill = self.spill.take().map(SpillWriter::finish).transpose()?;
        Ok(Deposit {
            outbox: self,
            spill,
        })
    }
}

impl<R: Pod> Deposit<R> {
    /// Returns the segments that were spilled: by spill, then by partition.
    pub(super) fn spilled(&self) -> &[Vec<SegmentRange>] {
        &self.outbox.spilled
    }

    /// Returns the dictionary and the pages of a partition that are still in memory.
    pub(super) fn held(&self, partition: usize) -> (&[u8], impl Iterator<Item = &[R]>) {
        (
            &self.outbox.held[partition].dictionary,
            self.outbox.pages(partition),
        )
    }
}
