//! Where a key lives: its hash, its partition and the order of keys in a shard.

use xxhash_rust::xxh3::xxh3_64;

use crate::{Error, Result};

/// How many partitions there are, for ever.
pub const PARTITIONS: u16 = 1024;

/// The longest key.
pub const KEY_LEN_MAX: usize = 65_535;

/// Returns the hash of a key: xxh3-64 with the default seed.
#[must_use]
pub fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// Returns the partition of a key's hash: its top ten bits.
#[must_use]
pub fn partition_of(hash: u64) -> u16 {
    (hash >> PARTITION_SHIFT) as u16
}

/// The bits of a hash below its partition.
const PARTITION_SHIFT: u32 = 54;

/// Returns what the keys of a shard are ordered by: the hash, then the key itself.
///
/// Partitions ascend in this order, too.
#[must_use]
pub fn order(key: &[u8]) -> (u64, &[u8]) {
    (hash(key), key)
}

/// A contiguous run of partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionRun {
    /// The first partition.
    pub first: u16,
    /// One past the last partition.
    pub end: u16,
}

impl PartitionRun {
    /// All partitions.
    pub const ALL: Self = Self {
        first: 0,
        end: PARTITIONS,
    };

    /// Returns whether the run has `partition`.
    #[must_use]
    pub fn contains(self, partition: u16) -> bool {
        self.first <= partition && partition < self.end
    }

    /// Returns the smallest hash whose key is in the run.
    pub(crate) fn first_hash(self) -> u64 {
        u64::from(self.first) << PARTITION_SHIFT
    }

    /// Cuts all partitions into `runs` runs whose sizes differ by at most one.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `runs` is 1 to [`PARTITIONS`].
    pub fn split(runs: u16) -> Result<Vec<Self>> {
        if !(1..=PARTITIONS).contains(&runs) {
            return Err(Error::invalid(
                "partition runs",
                format!("{runs} is not 1 to {PARTITIONS}"),
            ));
        }
        let bound = |index: u16| {
            let bound = u32::from(index) * u32::from(PARTITIONS) / u32::from(runs);
            u16::try_from(bound).expect("a part of the partitions is no more than they are")
        };
        Ok((0..runs)
            .map(|index| Self {
                first: bound(index),
                end: bound(index + 1),
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_tile_all_partitions() {
        for runs in 1..=PARTITIONS {
            let split = PartitionRun::split(runs).unwrap();
            assert_eq!(split.len(), usize::from(runs));
            assert_eq!(
                (split[0].first, split[split.len() - 1].end),
                (0, PARTITIONS)
            );
            assert!(split.windows(2).all(|pair| pair[0].end == pair[1].first));
            assert!(split.iter().all(|run| run.first < run.end));
        }
        assert!(PartitionRun::split(0).is_err());
        assert!(PartitionRun::split(PARTITIONS + 1).is_err());
    }

    #[test]
    fn partition_is_the_top_ten_bits_of_the_published_hash() {
        // xxh3-64 of the empty input, from the reference implementation.
        assert_eq!(hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(partition_of(hash(b"")), 0x2d06 >> 6);
    }
}
