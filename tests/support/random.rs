//! Random numbers that a seed repeats.

/// SplitMix64.
///
/// # Source
/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a number below `end`; so few of 2^64 are off that nothing here notices.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// Returns one of some values.
    pub(crate) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }
}

/// Returns the seed of a test: its own, or the one that `NIGHTSHARD_TEST_SEED` gives.
///
/// Whoever fails prints it; nights may try others.
pub(crate) fn seed(own: u64) -> u64 {
    match std::env::var("NIGHTSHARD_TEST_SEED") {
        Ok(seed) => seed.parse().expect("NIGHTSHARD_TEST_SEED is a number"),
        Err(_unset) => own,
    }
}
