//! What one worker sends.

use std::path::{Path, PathBuf};

use bytemuck::Pod;

use super::spill::{SegmentRange, SpillReader, SpillWriter};
use crate::Result;

/// Length of a page of rows: small, since there is an open one for every partition.
const PAGE_LEN: usize = 4096;

/// The rows of one partition that are still in memory.
#[derive(Debug)]
pub(super) struct Held<R> {
    pub(super) dictionary: Vec<u8>,
    pub(super) pages: Vec<Vec<R>>,
    entries: u32,
}

impl<R> Default for Held<R> {
    fn default() -> Self {
        Self {
            dictionary: Vec::new(),
            pages: Vec::new(),
            entries: 0,
        }
    }
}

impl<R> Held<R> {
    pub(super) fn len_rows(&self) -> usize {
        self.pages.iter().map(Vec::len).sum()
    }
}

/// The rows that one worker has sent, by partition.
#[derive(Debug)]
pub struct Outbox<R> {
    held: Vec<Held<R>>,
    spare: Vec<Vec<R>>,
    len_bytes: usize,
    budget_bytes: usize,
    epoch: u32,
    scratch: PathBuf,
    spill: Option<SpillWriter>,
    /// Of every spill so far, the segment of each partition.
    spilled: Vec<Vec<SegmentRange>>,
}

/// What an outbox leaves behind.
#[derive(Debug)]
pub(super) struct Deposit<R> {
    pub(super) held: Vec<Held<R>>,
    pub(super) spill: Option<SpillReader>,
    pub(super) spilled: Vec<Vec<SegmentRange>>,
}

impl<R: Pod> Outbox<R> {
    /// Makes an outbox for so many partitions that holds about `budget_bytes` in memory, and
    /// spills into the folder `scratch`.
    #[must_use]
    pub fn new(partitions: usize, budget_bytes: usize, scratch: &Path) -> Self {
        Self {
            held: (0..partitions).map(|_| Held::default()).collect(),
            spare: Vec::new(),
            len_bytes: 0,
            budget_bytes,
            epoch: 0,
            scratch: scratch.to_owned(),
            spill: None,
            spilled: Vec::new(),
        }
    }

    /// Returns a number that changes whenever the dictionaries start afresh: entries defined
    /// under another number must be defined again before rows refer to them.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Adds an entry to a partition's dictionary and returns its ordinal there.
    ///
    /// # Shape
    /// At most 64 KiB, which a caller ensures.
    pub fn define(&mut self, partition: u16, entry: &[u8]) -> u32 {
        let held = &mut self.held[usize::from(partition)];
        let len = u16::try_from(entry.len()).expect("dictionary entries are short");
        held.dictionary.extend_from_slice(&len.to_le_bytes());
        held.dictionary.extend_from_slice(entry);
        self.len_bytes += entry.len() + 2;
        held.entries += 1;
        held.entries - 1
    }

    /// Adds a row to a partition.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    #[inline]
    pub fn push(&mut self, partition: u16, row: R) -> Result<()> {
        let held = &mut self.held[usize::from(partition)];
        match held.pages.last_mut() {
            Some(page) if page.len() < page.capacity() => {
                page.push(row);
                Ok(())
            }
            _ => self.push_to_new_page(partition, row),
        }
    }

    #[cold]
    fn push_to_new_page(&mut self, partition: u16, row: R) -> Result<()> {
        let mut page = self
            .spare
            .pop()
            .unwrap_or_else(|| Vec::with_capacity((PAGE_LEN / size_of::<R>()).max(1)));
        page.push(row);
        self.held[usize::from(partition)].pages.push(page);
        self.len_bytes += PAGE_LEN;
        Ok(())
    }

    /// Spills if the memory is used up; to be called between rows, whenever entries may be
    /// defined anew.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    pub fn spill_if_full(&mut self) -> Result<()> {
        if self.len_bytes >= self.budget_bytes {
            self.spill()
        } else {
            Ok(())
        }
    }

    fn spill(&mut self) -> Result<()> {
        let mut spill = match self.spill.take() {
            Some(spill) => spill,
            None => SpillWriter::create(&self.scratch)?,
        };
        let mut ranges = Vec::with_capacity(self.held.len());
        for held in &mut self.held {
            let len_rows: usize = held.pages.iter().map(|page| size_of_val(&page[..])).sum();
            ranges.push(SegmentRange {
                offset: spill.len(),
                len_dictionary: held.dictionary.len() as u64,
                len_rows: len_rows as u64,
            });
            spill.append(&held.dictionary)?;
            for mut page in held.pages.drain(..) {
                spill.append(bytemuck::cast_slice(&page))?;
                page.clear();
                self.spare.push(page);
            }
            held.dictionary.clear();
            held.entries = 0;
        }
        self.spill = Some(spill);
        self.spilled.push(ranges);
        self.len_bytes = 0;
        self.epoch += 1;
        Ok(())
    }

    pub(super) fn into_deposit(self) -> Result<Deposit<R>> {
        let spill = self.spill.map(SpillWriter::finish).transpose()?;
        Ok(Deposit {
            held: self.held,
            spill,
            spilled: self.spilled,
        })
    }
}
