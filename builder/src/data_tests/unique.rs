//! Values that stand more than once: their keyed hashes go through an exchange, so that equal ones
//! meet, and each partition is looked through in slices that fit in memory.

use bytemuck::{Pod, Zeroable};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::{
    tally::Tally,
    value::{Record, Value},
};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
    field_hash::halves,
    layout::Field,
    row_outcome::Location,
};

/// Partitions of the exchange: each is a page of memory of every worker.
pub(super) const PARTITIONS: u16 = 256;

/// The hash of a value, and where it was seen. The value itself goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Seen {
    hash: [u64; 2],
    line: u64,
    file: u32,
    /// Ordinal of the test.
    test: u32,
}

/// What a value takes in a table that has just grown.
const ENTRY_BYTES: usize = 3 * size_of::<Seen>();

/// A slice has room for so many values at least.
const VALUES_MIN: usize = 1 << 10;

/// There are no more slices: a partition that needs them has a thousand million values at least.
const SLICES_MAX: u64 = 1 << 20;

impl Seen {
    /// Hashes the values of some fields; `None` where one of them is null: nulls equal nothing.
    pub(super) fn of(
        row: &impl Record,
        fields: &[Field],
        (test, seed): (u32, u64),
        at: Location,
        key: &mut Vec<u8>,
    ) -> Option<Self> {
        key.clear();
        for field in fields {
            match row.value(*field) {
                Value::Null => return None,
                value => value.append_key(key),
            }
        }
        Some(Self {
            // What two tests ask of one field is not looked for in one place.
            hash: halves(xxh3_128_with_seed(key, seed ^ u64::from(test))),
            line: at.line,
            file: at.file,
            test,
        })
    }

    pub(super) fn partition(&self) -> u16 {
        // Slices are cut by the other half.
        u16::try_from(self.hash[1] % u64::from(PARTITIONS)).unwrap_or(0)
    }

    fn at(&self) -> Location {
        Location {
            file: self.file,
            line: self.line,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.hash == other.hash && self.test == other.test
    }
}

/// Adds the failures of a partition to the tallies of all tests: of the rows of one value all but
/// the first, by file and line.
pub(super) fn add_repeats(
    seen: &Exchanged<Seen>,
    partition: u16,
    budget_bytes: usize,
    tallies: &mut [Tally],
) -> Result<()> {
    let values_max = (budget_bytes / ENTRY_BYTES).max(VALUES_MIN);
    let of = count_slices(seen, partition, values_max)?;
    for number in 0..of {
        let mut first = FirstSeen {
            table: HashTable::new(),
            slice: Slice { number, of },
            tallies,
        };
        seen.visit(partition, &mut first)?;
    }
    seen.give_back(partition);
    Ok(())
}

/// Returns into how many slices a partition is cut, so that each has about `values_max` different
/// values at most.
///
/// Its rows alone do not say: all of them are read again for each slice, and of a few values that
/// stand in every row one slice is enough.
fn count_slices(seen: &Exchanged<Seen>, partition: u16, values_max: usize) -> Result<u64> {
    let rows = seen.len_rows(partition);
    let mut sample = Sample {
        table: HashTable::new(),
        slice: Slice { number: 0, of: 1 },
        values_max,
    };
    if rows > values_max as u64 {
        seen.visit(partition, &mut sample)?;
    }
    Ok(if rows == 0 { 0 } else { sample.slice.of })
}

/// A part of a partition's values, by their hashes.
#[derive(Debug, Clone, Copy)]
struct Slice {
    number: u64,
    of: u64,
}

impl Slice {
    fn has(self, seen: &Seen) -> bool {
        seen.hash[0] % self.of == self.number
    }
}

/// What a table finds values by. It asks the first and the last bits: those that all values of a
/// partition share are turned into the middle.
fn table_hash(seen: &Seen) -> u64 {
    seen.hash[1].rotate_left(32)
}

/// The different values of the first slice, which is halved until they are few enough.
struct Sample {
    table: HashTable<Seen>,
    slice: Slice,
    values_max: usize,
}

impl Visitor<Seen> for Sample {
    fn dictionary<'a>(&mut self, _none: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[Seen]) -> Result<()> {
        for row in rows {
            let hash = table_hash(row);
            if !self.slice.has(row) || self.table.find(hash, |it| it.is_same(row)).is_some() {
                continue;
            }
            self.table.insert_unique(hash, *row, table_hash);
            while self.table.len() > self.values_max && self.slice.of < SLICES_MAX {
                self.slice.of *= 2;
                let slice = self.slice;
                self.table.retain(|seen| slice.has(seen));
            }
        }
        Ok(())
    }
}

/// Where each value of a slice was seen first.
struct FirstSeen<'t> {
    table: HashTable<Seen>,
    slice: Slice,
    tallies: &'t mut [Tally],
}

impl Visitor<Seen> for FirstSeen<'_> {
    fn dictionary<'a>(&mut self, _none: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[Seen]) -> Result<()> {
        for row in rows.iter().filter(|row| self.slice.has(row)) {
            let hash = table_hash(row);
            let Some(first) = self.table.find_mut(hash, |it| it.is_same(row)) else {
                self.table.insert_unique(hash, *row, table_hash);
                continue;
            };
            // Of each two of a value the later one fails, so all but the first do.
            let later = if row.at() < first.at() {
                std::mem::replace(first, *row)
            } else {
                *row
            };
            self.tallies[later.test as usize].fail(later.at());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Outbox, Scratch};

    /// Reading all rows of a partition again for each slice of a value that stands in all of them
    /// took hours.
    #[test]
    fn a_partition_is_cut_by_its_values_and_not_by_its_rows() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(folder.path());
        for (values, least, most) in [(1, 1, 1), (1_000, 1, 1), (1_025, 2, 2), (50_000, 64, 128)] {
            let mut outbox = Outbox::new(PARTITIONS.into(), usize::MAX, &scratch);
            for row in 0..60_000_u64 {
                let value = row % values;
                let hash = halves(xxh3_128_with_seed(&value.to_le_bytes(), 7));
                let seen = Seen {
                    hash,
                    line: row,
                    file: 0,
                    test: 0,
                };
                outbox.push(5, seen).unwrap();
            }
            let seen = Exchanged::new(vec![outbox]).unwrap();
            let slices = count_slices(&seen, 5, 1_024).unwrap();
            assert!((least..=most).contains(&slices), "{values}: {slices}");
            assert_eq!(count_slices(&seen, 6, 1_024).unwrap(), 0);
            let mut tallies = [Tally::default()];
            add_repeats(&seen, 5, 1, &mut tallies).unwrap();
            assert_eq!(tallies[0].failures, 60_000 - values);
            assert_eq!(tallies[0].first_failures()[0].line, values);
        }
    }
}
