//! How full the lines of a point index are.

use super::{
    Shard,
    index::{COUNT_BITS, LINE_LEN, MORE},
};
use crate::Result;

/// What lookups in a shard have to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Density {
    /// Lines of the point index.
    pub lines: u64,
    /// Records of which a line tells where they are.
    pub entries: u64,
    /// Most records of one line, with those behind its entries: what a lookup may look through.
    pub records_max: u64,
    /// Lines behind whose entries more records are looked through.
    pub lines_crowded: u64,
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Counts the entries of the point index, and the records of lines that have not one for each.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if such a record is damaged.
    ///
    /// # Complexity
    /// Reads the first word of every line, and the records of the few crowded ones.
    pub fn density(&self) -> Result<Density> {
        let section = self.section_bytes(&self.point_index);
        // What stands before the lines is as long as one.
        let mut lines = section.chunks_exact(LINE_LEN).skip(1).peekable();
        let mut density = Density::default();
        while let Some(line) = lines.next() {
            let entries = u64::from(line[0] & !MORE);
            density.lines += 1;
            density.entries += entries;
            let mut records = entries;
            if line[0] & MORE != 0 {
                let end = lines
                    .peek()
                    .map_or(self.records.len_bytes, |line| offset(line));
                records = self.count_records(offset(line), end)?;
                density.lines_crowded += 1;
            }
            density.records_max = density.records_max.max(records);
        }
        Ok(density)
    }

    /// Counts the records between two offsets.
    fn count_records(&self, start: u64, end: u64) -> Result<u64> {
        let mut records = self.iter_from(start);
        let mut count = 0;
        while records.offset() < end
            && let Some(record) = records.next()
        {
            record?;
            count += 1;
        }
        Ok(count)
    }
}

/// Returns where the records of a line begin.
fn offset(line: &[u8]) -> u64 {
    let header = line
        .first_chunk()
        .map_or(0, |header| u64::from_le_bytes(*header));
    header >> COUNT_BITS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        key::{self, PARTITIONS, PartitionRun},
        shard::{Identity, ShardWriter, Span},
    };

    #[test]
    fn most_records_have_an_entry_and_lines_are_seven_tenths_full() {
        let mut keys: Vec<Vec<u8>> = (0..10_000_u32).map(|n| n.to_le_bytes().into()).collect();
        keys.sort_by(|a, b| key::order(a).cmp(&key::order(b)));
        let identity = Identity {
            dataset: "numbers".into(),
            span: Span::Current,
            run: PartitionRun {
                first: 0,
                end: PARTITIONS,
            },
        };
        let mut file = Vec::new();
        let mut writer = ShardWriter::new(&mut file, &identity).unwrap();
        keys.iter().for_each(|key| writer.append(key, b"").unwrap());
        writer.finish().unwrap();
        let density = Shard::open(file).unwrap().density().unwrap();
        // All records are equally long: lines have room for 28.
        assert_eq!(density.lines, (10_000_u64 * 10).div_ceil(28 * 7));
        assert!((9_900..10_000).contains(&density.entries), "{density:?}");
        // A line has 19.6 on average: the fullest of 511 has some twice as many.
        let mut of_lines = BTreeMap::<u128, u64>::new();
        for key in &keys {
            let line = (u128::from(key::hash(key)) * 511) >> 64;
            *of_lines.entry(line).or_default() += 1;
        }
        assert_eq!(of_lines.into_values().max(), Some(density.records_max));
        assert!(density.records_max > 28);
        assert!((1..50).contains(&density.lines_crowded), "{density:?}");
    }

    #[test]
    fn a_shard_without_records_has_no_lines() {
        let identity = Identity {
            dataset: "nothing".into(),
            span: Span::Current,
            run: PartitionRun { first: 0, end: 1 },
        };
        let mut file = Vec::new();
        ShardWriter::new(&mut file, &identity)
            .unwrap()
            .finish()
            .unwrap();
        let density = Shard::open(file).unwrap().density().unwrap();
        assert_eq!(density, Density::default());
    }
}
