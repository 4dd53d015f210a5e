//! Random numbers that are the same for ever and on every machine: integers only, addressed by
//! what they are for, so that any row can be drawn without drawing those before it.

/// What a sequence of random numbers is for; the numbers keep two uses of one index apart.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Row = 1,
    Store = 2,
    Card = 3,
    Day = 4,
    Refund = 5,
    Chain = 6,
    Shuffle = 7,
    FollowUp = 8,
}

/// The finaliser of SplitMix64: a bijection whose output bits all depend on all input bits.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014).
pub(super) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A SplitMix64 sequence.
pub(super) struct Rng {
    state: u64,
}

impl Rng {
    /// The sequence of item `index` of `stream` under `seed`.
    pub(super) fn new(seed: u64, stream: Stream, index: u64) -> Self {
        let key = mix(seed.wrapping_add((stream as u64).wrapping_mul(GOLDEN_GAMMA)));
        Self {
            state: mix(key ^ index.wrapping_mul(GOLDEN_GAMMA)),
        }
    }

    /// The sequence that belongs to one random number drawn earlier.
    pub(super) fn from_bits(bits: u64) -> Self {
        Self { state: bits }
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// A number in `0..bound` (0 when `bound` is 0); the bias is below 2^-32 * bound.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        scale(self.bits(), bound)
    }

    /// True in `chance` of a thousand draws.
    pub(super) fn permille(&mut self, chance: u32) -> bool {
        self.below(1000) < chance
    }
}

/// Maps the upper half of `bits` to `0..bound`.
pub(super) const fn scale(bits: u64, bound: u32) -> u32 {
    (((bits >> 32) * bound as u64) >> 32) as u32
}

/// Draws an index with probability proportional to its weight, in constant time.
///
/// Source: Vose, "A linear algorithm for generating random numbers with a given distribution"
/// (1991), in integers.
pub(super) struct AliasTable {
    /// For each column: below which 32-bit threshold it keeps the draw, and who gets it otherwise.
    columns: Vec<(u32, u32)>,
}

impl AliasTable {
    /// Without any positive weight every index is equally likely.
    pub(super) fn new(weights: &[u64]) -> Self {
        let count = weights.len() as u128;
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        let mut columns: Vec<(u32, u32)> =
            (0..).take(weights.len()).map(|i| (u32::MAX, i)).collect();
        if total == 0 {
            return Self { columns };
        }
        let mut scaled: Vec<u128> = weights.iter().map(|&w| u128::from(w) * count).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..)
            .take(weights.len())
            .partition(|&i: &u32| scaled[i as usize] < total);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            let threshold = (scaled[poor as usize] << 32) / total;
            columns[poor as usize] = (u32::try_from(threshold).unwrap_or(u32::MAX), rich);
            scaled[rich as usize] -= total - scaled[poor as usize];
            if scaled[rich as usize] < total {
                large.pop();
                small.push(rich);
            }
        }
        Self { columns }
    }

    /// The index that `bits` draws; 0 from an empty table.
    pub(super) fn pick(&self, bits: u64) -> usize {
        let count = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let column = scale(bits, count);
        match self.columns.get(column as usize) {
            Some(&(threshold, alias)) if (bits & 0xffff_ffff) >= u64::from(threshold) => {
                alias as usize
            }
            _ => column as usize,
        }
    }
}

/// Numerator of every Zipf weight, large enough that rank 10^9 still has one.
const ZIPF_SCALE: u64 = 1 << 40;

/// The weight of `rank` (from 0) in a Zipf-Mandelbrot law with exponent one.
pub(super) const fn zipf_weight(rank: u64, offset: u64) -> u64 {
    ZIPF_SCALE / (rank + offset)
}

/// Draws ranks in `0..count` by a Zipf-Mandelbrot law. Neighbouring ranks share one weight (to
/// within a sixteenth of the rank), so the table stays at a few hundred entries for any count.
pub(super) struct Zipf {
    starts: Vec<u32>,
    table: AliasTable,
}

impl Zipf {
    pub(super) fn new(count: u32, offset: u64) -> Self {
        let (mut starts, mut weights, mut start) = (vec![0], Vec::new(), 0_u32);
        while start < count {
            let length = (start / 16).max(1).min(count - start);
            let middle = u64::from(start) + u64::from(length) / 2;
            weights.push(u64::from(length) * zipf_weight(middle, offset));
            start += length;
            starts.push(start);
        }
        Self {
            starts,
            table: AliasTable::new(&weights),
        }
    }

    pub(super) fn pick(&self, rng: &mut Rng) -> u32 {
        let bin = self.table.pick(rng.bits());
        let start = self.starts[bin];
        start + rng.below(self.starts[bin + 1] - start)
    }
}

/// A cheap permutation of `0..count`, so that an id says nothing about its rank.
pub(super) struct Shuffle {
    count: u64,
    multiplier: u64,
    shift: u64,
}

impl Shuffle {
    pub(super) fn new(count: u32, seed: u64) -> Self {
        let count = u64::from(count);
        let mut rng = Rng::new(seed, Stream::Shuffle, count);
        let mut multiplier = rng.bits() % count + 1;
        while gcd(multiplier, count) != 1 {
            multiplier += 1;
        }
        Self {
            count,
            multiplier,
            shift: rng.bits() % count,
        }
    }

    pub(super) fn at(&self, rank: u32) -> u32 {
        let place = (u64::from(rank) * self.multiplier + self.shift) % self.count;
        (place & 0xffff_ffff) as u32
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alias_table_draws_in_proportion_to_the_weights() {
        let table = AliasTable::new(&[1, 0, 3, 6]);
        let mut rng = Rng::from_bits(1);
        let mut counts = [0_u32; 4];
        for _ in 0..100_000 {
            counts[table.pick(rng.bits())] += 1;
        }
        assert_eq!(counts[1], 0);
        for (count, expected) in counts.into_iter().zip([10_000, 0, 30_000, 60_000]) {
            assert!(count.abs_diff(expected) < 600, "{counts:?}");
        }
    }

    #[test]
    fn shuffle_is_a_permutation() {
        for count in [1, 2, 7, 100, 4096] {
            let shuffle = Shuffle::new(count, 3);
            let mut places: Vec<u32> = (0..count).map(|rank| shuffle.at(rank)).collect();
            places.sort_unstable();
            assert!(places.into_iter().eq(0..count));
        }
    }

    #[test]
    fn zipf_covers_its_range_and_falls_with_the_rank() {
        let zipf = Zipf::new(1000, 10);
        let mut rng = Rng::from_bits(2);
        let mut counts = vec![0_u32; 1000];
        for _ in 0..200_000 {
            counts[zipf.pick(&mut rng) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| count > 0));
        // Weight ratio of ranks 0..10 to 90..100 is about (1/14.5) / (1/104.5) = 7.2.
        let (head, tail): (u32, u32) = (counts[..10].iter().sum(), counts[90..100].iter().sum());
        assert!((6 * tail..9 * tail).contains(&head), "{head} {tail}");
    }

    #[test]
    fn the_sequence_is_splitmix64() {
        // First outputs for state 1234567, from the reference implementation by S. Vigna.
        let mut rng = Rng::from_bits(1_234_567);
        assert_eq!(rng.bits(), 6_457_827_717_110_365_317);
        assert_eq!(rng.bits(), 3_203_168_211_198_807_973);
    }
}
