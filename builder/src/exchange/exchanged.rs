//! What has been sent, ready to be drained by partition.

use std::sync::{Mutex, PoisonError};

use bytemuck::{Pod, Zeroable};

use super::{
    Outbox,
    outbox::{Deposit, Held},
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
    len_rows: Vec<u64>,
    /// By partition, what each worker still holds in memory.
    held: Vec<Mutex<Vec<Held<R>>>>,
    spills: Vec<(SpillReader, Vec<Vec<SegmentRange>>)>,
}

impl<R: Pod + Zeroable> Exchanged<R> {
    /// Closes the outboxes.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    pub fn new(outboxes: Vec<Outbox<R>>, partitions: usize) -> Result<Self> {
        let mut len_rows = vec![0_u64; partitions];
        let mut held: Vec<Vec<Held<R>>> = (0..partitions).map(|_| Vec::new()).collect();
        let mut spills = Vec::new();
        for outbox in outboxes {
            let Deposit {
                held: of_worker,
                spill,
                spilled,
            } = outbox.into_deposit()?;
            for (partition, rows) in of_worker.into_iter().enumerate() {
                len_rows[partition] += rows.len_rows() as u64;
                held[partition].push(rows);
            }
            for (partition, range) in spilled.iter().flat_map(|ranges| ranges.iter().enumerate()) {
                len_rows[partition] += range.len_rows / size_of::<R>() as u64;
            }
            spills.extend(spill.map(|spill| (spill, spilled)));
        }
        Ok(Self {
            len_rows,
            held: held.into_iter().map(Mutex::new).collect(),
            spills,
        })
    }

    /// Returns how many rows a partition has.
    #[must_use]
    pub fn len_rows(&self, partition: u16) -> u64 {
        self.len_rows[usize::from(partition)]
    }

    /// Passes a partition's rows to `visitor` and frees their memory.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read, or the visitor's.
    pub fn drain(&self, partition: u16, visitor: &mut impl Visitor<R>) -> Result<()> {
        let partition = usize::from(partition);
        let mut buffer = Vec::new();
        for (spill, spilled) in &self.spills {
            for ranges in spilled {
                visit_spilled(spill, ranges[partition], &mut buffer, visitor)?;
            }
        }
        let held = std::mem::take(
            &mut *self.held[partition]
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for held in held {
            visitor.dictionary(entries(&held.dictionary))?;
            for page in held.pages {
                visitor.rows(&page)?;
            }
        }
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
                let mut outbox = Outbox::new(7, budget, scratch.path());
                let mut defined = BTreeMap::new();
                for index in 0..20_000_u32 {
                    let partition = u16::try_from(index % 7).unwrap();
                    let name = format!("{partition}-{}", index % 35);
                    outbox.spill_if_full().unwrap();
                    let ordinal = *defined
                        .entry((outbox.epoch(), name.clone()))
                        .or_insert_with(|| outbox.define(partition, name.as_bytes()));
                    outbox.push(partition, u64::from(ordinal)).unwrap();
                }
                outboxes.push(outbox);
            }
            let exchanged = Exchanged::new(outboxes, 7).unwrap();
            let mut expected = BTreeMap::<String, u64>::new();
            for index in 0..20_000_u32 {
                *expected
                    .entry(format!("{}-{}", index % 7, index % 35))
                    .or_default() += 3;
            }
            let mut all = BTreeMap::new();
            for partition in 0..7 {
                let mut collect = Collect::default();
                exchanged.drain(partition, &mut collect).unwrap();
                assert_eq!(
                    collect.rows.values().sum::<u64>(),
                    exchanged.len_rows(partition)
                );
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
        let mut outbox = Outbox::new(1, 0, std::path::Path::new("/nowhere/at/all"));
        outbox.push(0, 1_u64).unwrap();
        let error = outbox.spill_if_full().unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/at/all: "), "{error}");
    }
}
