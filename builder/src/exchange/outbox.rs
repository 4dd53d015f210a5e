//! What one worker sends.

use std::sync::Mutex;

use bytemuck::Pod;

use super::{
    Scratch,
    pages::{PAGE_LEN, PageId, page_rows},
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
    /// and over, they stay in a core's own cache, and full pages go to the pool at once.
    open: Vec<R>,
    open_len: Vec<u32>,
    /// Pages of the pool to be filled next.
    spare: Vec<PageId>,
    held: Vec<Held>,
    len_bytes: usize,
    budget_bytes: usize,
    longest_dictionary: u32,
    scratch: Scratch,
    spill: Option<SpillWriter>,
    /// Of every spill so far, the segment of each partition.
    spilled: Vec<Vec<SegmentRange>>,
}

/// What an outbox leaves behind.
#[derive(Debug)]
pub(super) struct Deposit<R> {
    /// Of each partition, what is still in memory.
    pub(super) held: Vec<Segment<R>>,
    pub(super) spill: Option<SpillReader>,
    /// Of every spill, the segment of each partition.
    pub(super) spilled: Vec<Vec<SegmentRange>>,
    pub(super) scratch: Scratch,
}

/// The last segment of a partition, which was never spilled.
#[derive(Debug)]
pub(super) struct Segment<R> {
    pub(super) dictionary: Vec<u8>,
    /// Full pages, until they are read.
    pub(super) pages: Mutex<Vec<PageId>>,
    pub(super) rows_in_pages: usize,
    /// The rows of the page that was not full.
    pub(super) open: Vec<R>,
}

impl<R: Pod> Outbox<R> {
    /// Makes an outbox for so many partitions that holds about `budget_bytes` in the pages of
    /// `scratch`, and spills into its folder.
    #[must_use]
    pub fn new(partitions: usize, budget_bytes: usize, scratch: &Scratch) -> Self {
        Self {
            open: vec![R::zeroed(); partitions * page_rows::<R>()],
            open_len: vec![0; partitions],
            spare: Vec::new(),
            held: (0..partitions).map(|_| Held::default()).collect(),
            len_bytes: 0,
            budget_bytes,
            longest_dictionary: 0,
            scratch: scratch.clone(),
            spill: None,
            spilled: Vec::new(),
        }
    }

    /// Adds an entry to a partition's dictionary and returns its ordinal there, which holds until
    /// the next spill.
    ///
    /// # Shape
    /// At most 64 KiB, which a caller ensures. Ordinals have 16 bits as long as
    /// [`Self::spill_if_full`] is called after at most [`DEFINED_AT_ONCE_MAX`] entries.
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
        self.open[partition * page_rows::<R>() + len] = row;
        self.open_len[partition] += 1;
        if len + 1 < page_rows::<R>() {
            Ok(())
        } else {
            self.put_away(partition)
        }
    }

    /// Moves a partition's full page to the pool.
    fn put_away(&mut self, partition: usize) -> Result<()> {
        let page = match self.spare.pop() {
            Some(page) => page,
            None => self.next_spare()?,
        };
        let start = partition * page_rows::<R>();
        let rows = &self.open[start..start + page_rows::<R>()];
        self.scratch.pages.write(&page, rows);
        self.open_len[partition] = 0;
        self.held[partition].full.push(page);
        self.len_bytes += PAGE_LEN;
        Ok(())
    }

    #[cold]
    fn next_spare(&mut self) -> Result<PageId> {
        self.spare = self.scratch.pages.take()?;
        Ok(self.spare.pop().expect("a pool gives some pages or fails"))
    }

    /// Spills if the memory or a dictionary's ordinals are used up, and returns whether it did:
    /// then the dictionaries have started afresh, and entries must be defined again before rows
    /// refer to them.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    #[inline]
    pub fn spill_if_full(&mut self) -> Result<bool> {
        let is_full = self.is_full_beside(0);
        if is_full {
            self.spill()?;
        }
        Ok(is_full)
    }

    /// Returns about how much memory is used.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }

    /// Returns whether the ordinals of a dictionary are used up, or the memory is, of which something
    /// else uses `beside_bytes`.
    #[must_use]
    #[inline]
    pub fn is_full_beside(&self, beside_bytes: usize) -> bool {
        self.len_bytes + beside_bytes >= self.budget_bytes
            || self.longest_dictionary > ENTRIES_MAX - DEFINED_AT_ONCE_MAX
    }

    /// Spills everything, as [`Self::spill_if_full`] does.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    pub fn spill(&mut self) -> Result<()> {
        let mut spill = match self.spill.take() {
            Some(spill) => spill,
            None => SpillWriter::create(&self.scratch.folder)?,
        };
        let mut ranges = Vec::with_capacity(self.held.len());
        let mut buffer = vec![R::zeroed(); page_rows::<R>()];
        for partition in 0..self.held.len() {
            let Held {
                dictionary, full, ..
            } = std::mem::take(&mut self.held[partition]);
            let offset = spill.len();
            spill.append(&dictionary)?;
            let len_dictionary = spill.len() - offset;
            for page in &full {
                self.scratch.pages.read(page, &mut buffer);
                spill.append(bytemuck::cast_slice(&buffer))?;
            }
            spill.append(bytemuck::cast_slice(self.open_rows(partition)))?;
            ranges.push(SegmentRange {
                offset,
                len_dictionary,
                len_rows: spill.len() - offset - len_dictionary,
            });
            self.spare.extend(full);
            self.open_len[partition] = 0;
        }
        self.spill = Some(spill);
        self.spilled.push(ranges);
        self.len_bytes = 0;
        self.longest_dictionary = 0;
        Ok(())
    }

    /// Returns the rows of a partition's open page.
    fn open_rows(&self, partition: usize) -> &[R] {
        let start = partition * page_rows::<R>();
        &self.open[start..start + self.open_len[partition] as usize]
    }

    pub(super) fn into_deposit(mut self) -> Result<Deposit<R>> {
        let spill = self.spill.take().map(SpillWriter::finish).transpose()?;
        self.scratch.pages.give_back(self.spare.drain(..));
        let held = std::mem::take(&mut self.held);
        let held = held
            .into_iter()
            .enumerate()
            .map(|(partition, held)| Segment {
                rows_in_pages: held.full.len() * page_rows::<R>(),
                dictionary: held.dictionary,
                open: self.open_rows(partition).to_vec(),
                pages: Mutex::new(held.full),
            });
        Ok(Deposit {
            held: held.collect(),
            spill,
            spilled: self.spilled,
            scratch: self.scratch,
        })
    }
}
