//! How full the lines of a point index are.

use super::{
    Shard,
    index::{LINE_LEN, MORE},
};

/// What lookups in a shard have to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Density {
    /// Lines of the point index.
    pub lines: u64,
    /// Records of which a line tells where they are.
    pub entries: u64,
    /// Most entries of one line.
    pub entries_max: u64,
    /// Lines behind whose entries more records are looked through.
    pub lines_crowded: u64,
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Counts the entries of the point index; the other records are found by reading on.
    ///
    /// # Complexity
    /// Reads the first byte of every line.
    #[must_use]
    pub fn density(&self) -> Density {
        let section = self.section_bytes(&self.point_index);
        let mut density = Density::default();
        // What stands before the lines is as long as one.
        for line in section.chunks_exact(LINE_LEN).skip(1) {
            let entries = u64::from(line[0] & !MORE);
            density.lines += 1;
            density.entries += entries;
            density.entries_max = density.entries_max.max(entries);
            density.lines_crowded += u64::from(line[0] & MORE != 0);
        }
        density
    }
}

#[cfg(test)]
mod tests {
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
        let density = Shard::open(file).unwrap().density();
        // All records are equally long: lines have room for 28.
        assert_eq!(density.lines, (10_000_u64 * 10).div_ceil(28 * 7));
        assert!((9_900..10_000).contains(&density.entries), "{density:?}");
        assert_eq!(density.entries_max, 28);
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
        assert_eq!(Shard::open(file).unwrap().density(), Density::default());
    }
}
