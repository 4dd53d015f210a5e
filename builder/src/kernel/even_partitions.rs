//! The partitions of an exchange by what is numbered.

use std::ops::Range;

/// Most partitions: as many buffers as fit a worker's cache.
const PARTITIONS_MAX: usize = 128;

/// So many numbers in each partition, one run after the other.
#[derive(Debug, Clone, Copy)]
pub struct EvenPartitions {
    each: usize,
    numbers: usize,
}

impl EvenPartitions {
    /// Shares out the numbers below `numbers`.
    #[must_use]
    pub fn new(numbers: usize) -> Self {
        Self {
            each: numbers.div_ceil(PARTITIONS_MAX).max(1),
            numbers,
        }
    }

    /// Returns how many partitions there are.
    #[must_use]
    pub fn count(self) -> u16 {
        u16::try_from(self.numbers.div_ceil(self.each)).unwrap_or(u16::MAX)
    }

    /// Returns the partition of a number.
    #[inline]
    pub(super) fn of(self, number: u32) -> u16 {
        u16::try_from(number as usize / self.each).unwrap_or(u16::MAX)
    }

    /// Returns the numbers of a partition.
    #[must_use]
    pub fn numbers(self, partition: u16) -> Range<usize> {
        let start = usize::from(partition) * self.each;
        start..(start + self.each).min(self.numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_one_partition() {
        for numbers in [0, 1, 127, 128, 129, 1_067, 100_000] {
            let partitions = EvenPartitions::new(numbers);
            let mut next = 0;
            for partition in 0..partitions.count() {
                let range = partitions.numbers(partition);
                assert_eq!(range.start, next);
                assert!(!range.is_empty());
                for number in range.clone() {
                    assert_eq!(partitions.of(u32::try_from(number).unwrap()), partition);
                }
                next = range.end;
            }
            assert_eq!(next, numbers);
        }
    }
}
