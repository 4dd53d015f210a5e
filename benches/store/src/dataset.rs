//! The keys and values that everybody stores, and the keys that are looked up.
//!
//! Everything follows from numbers: the same on any machine, and nothing to store or read.

use clap::ValueEnum;
use serde::Serialize;

/// A key of 16 bytes that look random.
pub(crate) type Key = [u8; 16];

/// How many keys with values of what length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dataset {
    pub(crate) keys: u64,
    pub(crate) value_len: usize,
}

/// Which keys are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pattern {
    /// All keys alike.
    Hit,
    /// Keys that are not there.
    Miss,
    /// The key of rank r in proportion to 1 / r.
    ZipfHit,
    /// The same of keys that are not there.
    ZipfMiss,
}

impl Pattern {
    /// Whether the keys are there.
    pub(crate) fn hits(self) -> bool {
        matches!(self, Self::Hit | Self::ZipfHit)
    }
}

/// Spreads the bits of a number: one-to-one (the finaliser of splitmix64).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// Returns the key of a number; different numbers have different keys.
pub(crate) fn key(number: u64) -> Key {
    let first = mix(number);
    let mut key = Key::default();
    key[..8].copy_from_slice(&first.to_be_bytes());
    key[8..].copy_from_slice(&mix(!first).to_be_bytes());
    key
}

/// Words of values are of 64 printable characters, so that they are text in any encoding.
const PRINTABLE: u64 = 0x4040_4040_4040_4040;

fn value_word(number: u64, word: u64) -> u64 {
    mix(number ^ word << 48) & !(PRINTABLE << 1 | PRINTABLE) | PRINTABLE
}

impl Dataset {
    /// Makes `value` that of a number.
    pub(crate) fn put_value(self, number: u64, value: &mut Vec<u8>) {
        value.clear();
        value.reserve(self.value_len + 8);
        for word in 0..self.value_len.div_ceil(8) as u64 {
            value.extend_from_slice(&value_word(number, word + 1).to_le_bytes());
        }
        value.truncate(self.value_len);
    }

    /// Returns (first eight bytes of the key as a number, number of the key), ordered by key.
    pub(crate) fn by_key(self) -> Vec<(u64, u64)> {
        let first = |number| u64::from_be_bytes(*key(number).first_chunk().expect("16 bytes"));
        let mut keys: Vec<_> = (0..self.keys)
            .map(|number| (first(number), number))
            .collect();
        // The first eight bytes differ if the numbers do.
        keys.sort_unstable();
        keys
    }

    /// Returns the numbers of `count` keys to look up.
    pub(crate) fn numbers(self, pattern: Pattern, seed: u64, count: usize) -> Vec<u64> {
        let one = |at| {
            let random = mix(mix(seed) ^ at);
            let number = match pattern {
                Pattern::Hit | Pattern::Miss => scale(random, self.keys),
                Pattern::ZipfHit | Pattern::ZipfMiss => self.scatter(self.rank(random)),
            };
            if pattern.hits() {
                number
            } else {
                number + self.keys
            }
        };
        (0..count as u64).map(one).collect()
    }

    /// Draws a rank r with probability in proportion to ln(1 + 1 / r), which is 1 / r but for the
    /// first few: Zipf's law with exponent 1.
    fn rank(self, random: u64) -> u64 {
        let uniform = (random >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = ((self.keys as f64 + 1.0).ln() * uniform).exp() as u64;
        rank.clamp(1, self.keys) - 1
    }

    /// Takes ranks to numbers far apart, so that nobody has the frequent ones side by side.
    fn scatter(self, rank: u64) -> u64 {
        const PRIME: u64 = 2_654_435_761;
        rank * PRIME % self.keys
    }
}

/// Takes a random number to one below `end`.
fn scale(random: u64, end: u64) -> u64 {
    ((u128::from(random) * u128::from(end)) >> 64) as u64
}
