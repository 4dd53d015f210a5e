//! What has been sent, ready to be visited by partition.

use std::sync::PoisonError;

use bytemuck::{Pod, Zeroable};

use super::{
    Outbox,
    outbox::Deposit,
    pages::page_rows,
    spill::{SegmentRange, SpillReader},
};
use crate::Result;

/// How much of a spilled segment is read at once.
const READ_LEN: usize = 256 << 10;

/// Takes the segments of a partition.
pub trait Visitor<R> {
    /// A segment begins; its dictionary's entries come in the order of their ordinals.
    ///
    /// # Errors
    /// Whatever stops the visit.
    fn dictionary<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) -> Result<()>;

    /// Some rows of the segment.
    ///
    /// # Errors
    /// Whatever stops the visit.
    fn rows(&mut self, rows: &[R]) -> Result<()>;
}

/// All rows sent by all workers.
#[derive(Debug)]
pub struct Exchanged<R> {
    deposits: Vec<Deposit<R>>,
}

impl<R: Pod + Zeroable> Exchanged<R> {
    /// Closes the outboxes.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    pub fn new(outboxes: Vec<Outbox<R>>) -> Result<Self> {
        let deposits = outboxes
            .into_iter()
            .map(Outbox::into_deposit)
            .collect::<Result<_>>()?;
        Ok(Self { deposits })
    }

    /// Returns how many rows a partition has.
    #[must_use]
    pub fn len_rows(&self, partition: u16) -> u64 {
        let partition = usize::from(partition);
        let of_deposit = |deposit: &Deposit<R>| {
            let spilled = deposit
                .spilled
                .iter()
                .map(|ranges| ranges[partition].len_rows);
            let held = &deposit.held[partition];
            let held = held.rows_in_pages + held.open.len();
            spilled.sum::<u64>() / size_of::<R>() as u64 + held as u64
        };
        self.deposits.iter().map(of_deposit).sum()
    }

    /// Passes a partition's rows to `visitor`.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read, or the visitor's.
    pub fn visit(&self, partition: u16, visitor: &mut impl Visitor<R>) -> Result<()> {
        let partition = usize::from(partition);
        let mut buffer = Vec::new();
        for deposit in &self.deposits {
            if let Some(spill) = &deposit.spill {
                for ranges in &deposit.spilled {
                    visit_spilled(spill, ranges[partition], &mut buffer, visitor)?;
                }
            }
            let held = &deposit.held[partition];
            visitor.dictionary(entries(&held.dictionary))?;
            let pages = held.pages.lock().unwrap_or_else(PoisonError::into_inner);
            buffer.resize(page_rows::<R>(), R::zeroed());
            for page in &*pages {
                deposit.scratch.pages.read(page, &mut buffer);
                visitor.rows(&buffer)?;
            }
            visitor.rows(&held.open)?;
        }
        Ok(())
    }

    /// Passes a partition's rows to `visitor` for the last time.
    ///
    /// # Errors
    /// As [`Exchanged::visit`].
    pub fn take(&self, partition: u16, visitor: &mut impl Visitor<R>) -> Result<()> {
        self.visit(partition, visitor)?;
        self.give_back(partition);
        Ok(())
    }

    /// Returns a partition's rows, which have no dictionary, and visits them for the last time.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read.
    pub fn take_rows(&self, partition: u16) -> Result<Vec<R>> {
        let mut rows = Rows(Vec::new());
        self.take(partition, &mut rows)?;
        Ok(rows.0)
    }

    /// Lets a partition's pages serve other rows; what was spilled of it stays.
    pub fn give_back(&self, partition: u16) {
        for deposit in &self.deposits {
            let pages = &deposit.held[usize::from(partition)].pages;
            let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
            deposit.scratch.pages.give_back(pages.drain(..));
        }
    }

    /// Returns how much was written to the scratch folder, in bytes.
    #[must_use]
    pub fn spilled_bytes(&self) -> u64 {
        let spills = self
            .deposits
            .iter()
            .filter_map(|deposit| deposit.spill.as_ref());
        spills.map(SpillReader::len).sum()
    }
}

/// All rows of a partition, in the order in which they come.
struct Rows<R>(Vec<R>);

impl<R: Copy> Visitor<R> for Rows<R> {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[R]) -> Result<()> {
        self.0.extend_from_slice(rows);
        Ok(())
    }
}

fn visit_spilled<R: Pod + Zeroable>(
    spill: &SpillReader,
    range: SegmentRange,
    buffer: &mut Vec<R>,
    visitor: &mut impl Visitor<R>,
) -> Result<()> {
    if range.len_rows == 0 {
        return Ok(());
    }
    let mut dictionary = vec![0; usize::try_from(range.len_dictionary).unwrap_or(usize::MAX)];
    spill.read(range.offset, &mut dictionary)?;
    visitor.dictionary(entries(&dictionary))?;
    let mut offset = range.offset + range.len_dictionary;
    let end = offset + range.len_rows;
    while offset < end {
        let len = (end - offset).min((READ_LEN / size_of::<R>() * size_of::<R>()) as u64);
        buffer.resize(
            usize::try_from(len).unwrap_or(READ_LEN) / size_of::<R>(),
            R::zeroed(),
        );
        spill.read(offset, bytemuck::cast_slice_mut(buffer))?;
        visitor.rows(buffer)?;
        offset += len;
    }
    Ok(())
}

/// Splits a dictionary into its length-prefixed entries.
fn entries(mut dictionary: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = dictionary.split_first_chunk()?;
        let (entry, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
        dictionary = rest;
        Some(entry)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::exchange::Scratch;

    /// Resolves rows, which are ordinals, to the dictionary's text.
    #[derive(Default)]
    struct Collect {
        names: Vec<String>,
        rows: BTreeMap<String, u64>,
    }

    impl Visitor<u64> for Collect {
        fn dictionary<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
            self.names = entries
                .map(|entry| String::from_utf8_lossy(entry).into())
                .collect();
            Ok(())
        }

        fn rows(&mut self, rows: &[u64]) -> Result<()> {
            for row in rows {
                let name = &self.names[usize::try_from(*row).unwrap()];
                *self.rows.entry(name.clone()).or_default() += 1;
            }
            Ok(())
        }
    }

    #[test]
    fn rows_come_out_of_their_partition_whether_spilled_or_held() {
        let scratch = tempfile::tempdir().unwrap();
        for budget in [1, 100_000, usize::MAX] {
            let mut outboxes = Vec::new();
            for _worker in 0..3 {
                let mut outbox = Outbox::new(7, budget, &Scratch::new(scratch.path()));
                let mut defined = BTreeMap::new();
                for index in 0..20_000_u32 {
                    let partition = u16::try_from(index % 7).unwrap();
                    let name = format!("{partition}-{}", index % 35);
                    if outbox.spill_if_full().unwrap() {
                        defined.clear();
                    }
                    let ordinal = *defined
                        .entry(name.clone())
                        .or_insert_with(|| outbox.define(partition, name.as_bytes()));
                    outbox.push(partition, u64::from(ordinal)).unwrap();
                }
                outboxes.push(outbox);
            }
            let exchanged = Exchanged::new(outboxes).unwrap();
            let mut expected = BTreeMap::<String, u64>::new();
            for index in 0..20_000_u32 {
                *expected
                    .entry(format!("{}-{}", index % 7, index % 35))
                    .or_default() += 3;
            }
            let mut all = BTreeMap::new();
            for partition in 0..7 {
                let len_rows = exchanged.len_rows(partition);
                let mut collect = Collect::default();
                exchanged.visit(partition, &mut collect).unwrap();
                assert_eq!(collect.rows.values().sum::<u64>(), len_rows);
                let prefix = format!("{partition}-");
                assert!(collect.rows.keys().all(|name| name.starts_with(&prefix)));
                all.extend(collect.rows);
            }
            assert_eq!(all, expected, "budget {budget}");
        }
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_scratch_folder_is_named() {
        let nowhere = Scratch::new(std::path::Path::new("/nowhere/at/all"));
        let mut outbox = Outbox::new(1, 0, &nowhere);
        outbox.push(0, 1_u64).unwrap();
        let error = outbox.spill_if_full().unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/at/all: "), "{error}");
    }
}
