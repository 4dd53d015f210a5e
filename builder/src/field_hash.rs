//! A keyed hash of a row's fields, one by one, where they stand.
//!
//! Rows have some twenty short fields. Putting them together to hash the whole costs more than
//! hashing, and a hash that mixes one field after the other waits for each. Here every field has
//! keys of its own, and a row's hash is a sum: nothing is copied and nothing waits.

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Sixteen bytes are taken at once; a text of more blocks is digested first.
const BLOCKS_MAX: usize = 4;
const BLOCK_LEN: usize = 16;

/// The keys of one field.
#[derive(Clone, Copy)]
struct Keys {
    len: u64,
    blocks: [[u64; 2]; BLOCKS_MAX],
}

const KEYS_LEN: usize = size_of::<u64>() * (1 + 2 * BLOCKS_MAX);

/// The keys of so many fields.
///
/// # Source
/// NH of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC: Fast and Secure Message
/// Authentication", 1999) with words of 64 bits: without the keys, nobody finds two different
/// rows whose sums agree with a chance above 2^-63. Deviation: a field of length n adds n times a
/// key rather than a block of its own, and texts beyond 64 bytes are digested by xxh3-128.
pub(crate) struct FieldKeys {
    seed: u64,
    fields: Box<[Keys]>,
}

impl FieldKeys {
    /// Derives the keys of so many fields from `seed`; other contexts have other keys.
    pub(crate) fn new(context: &str, seed: u64, fields: usize) -> Self {
        let mut random = blake3::Hasher::new_derive_key(context)
            .update(&seed.to_le_bytes())
            .finalize_xof();
        let mut keys = || {
            let mut bytes = [0; KEYS_LEN];
            random.fill(&mut bytes);
            let (words, _) = bytes.as_chunks();
            let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
            let mut word = || words.next().unwrap_or(0);
            Keys {
                len: word(),
                blocks: std::array::from_fn(|_| [word(), word()]),
            }
        };
        let fields = (0..fields).map(|_| keys()).collect();
        Self { seed, fields }
    }

    /// Begins the hash of a row.
    #[inline]
    pub(crate) fn row(&self) -> RowHash<'_> {
        RowHash { keys: self, sum: 0 }
    }
}

/// The hash of some of a row's fields; their order does not matter, their numbers do.
pub(crate) struct RowHash<'k> {
    keys: &'k FieldKeys,
    sum: u128,
}

impl RowHash<'_> {
    /// Adds a field that is two numbers.
    #[inline(always)]
    pub(crate) fn numbers(&mut self, field: usize, numbers: [u64; 2]) {
        self.add(self.keys.fields[field].blocks[0], numbers);
    }

    /// Adds a field that is a text; an empty one leaves no trace, as if there were no such field.
    #[inline(always)]
    pub(crate) fn text(&mut self, field: usize, text: &[u8]) {
        let keys = &self.keys.fields[field];
        match text.len() {
            0 => return,
            len @ 1..4 => {
                let ends = [text[0], text[len / 2], text[len - 1]].map(u64::from);
                self.add(keys.blocks[0], [ends[0] | ends[1] << 8 | ends[2] << 16, 0]);
            }
            // Two words that overlap hold any text between one and two words long.
            4..8 => self.add(keys.blocks[0], ends::<4>(text)),
            8..=BLOCK_LEN => self.add(keys.blocks[0], ends::<8>(text)),
            _ => self.long(keys, text),
        }
        self.sum = self
            .sum
            .wrapping_add(u128::from(keys.len) * text.len() as u128);
    }

    #[inline]
    fn long(&mut self, keys: &Keys, text: &[u8]) {
        if text.len() > BLOCK_LEN * BLOCKS_MAX {
            let digest = xxh3_128_with_seed(text, self.keys.seed);
            return self.add(keys.blocks[0], halves(digest));
        }
        let (blocks, _) = text.as_chunks::<BLOCK_LEN>();
        let last = &text[text.len() - BLOCK_LEN..];
        let blocks = blocks.iter().map(|block| ends::<8>(block));
        for (keys, block) in keys.blocks.iter().zip(blocks.chain([ends::<8>(last)])) {
            self.add(*keys, block);
        }
    }

    #[inline(always)]
    fn add(&mut self, keys: [u64; 2], block: [u64; 2]) {
        let [a, b] = [0, 1].map(|half| u128::from(block[half].wrapping_add(keys[half])));
        self.sum = self.sum.wrapping_add(a * b);
    }

    /// Returns the hash, of which every bit depends on the whole row.
    #[inline(always)]
    pub(crate) fn finish(self) -> u64 {
        let [low, high] = halves(self.sum);
        let [low, high] = halves(u128::from(low ^ MIX[0]) * u128::from(high ^ MIX[1]));
        let [low, high] = halves(u128::from(low ^ high ^ MIX[2]) * u128::from(MIX[3]));
        low ^ high
    }
}

/// Odd numbers without a pattern: digits of pi.
const MIX: [u64; 4] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7345,
    0xa409_3822_299f_31d1,
    0x082e_fa98_ec4e_6c89,
];

#[inline(always)]
fn halves(value: u128) -> [u64; 2] {
    [0, 64].map(|shift| u64::try_from((value >> shift) & u128::from(u64::MAX)).unwrap_or(0))
}

/// The first and the last word of a text of at least one.
#[inline(always)]
fn ends<const WORD: usize>(text: &[u8]) -> [u64; 2] {
    let word = |bytes: Option<&[u8; WORD]>| {
        let mut word = [0; size_of::<u64>()];
        if let Some(bytes) = bytes {
            word[..WORD].copy_from_slice(bytes);
        }
        u64::from_le_bytes(word)
    };
    [word(text.first_chunk()), word(text.last_chunk())]
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn hash(seed: u64, fields: &[&[u8]]) -> u64 {
        let keys = FieldKeys::new("test", seed, fields.len());
        let mut row = keys.row();
        for (field, text) in fields.iter().enumerate() {
            row.text(field, text);
        }
        row.finish()
    }

    #[test]
    fn texts_of_every_length_differ_by_each_byte_and_by_length() {
        let mut seen = HashMap::new();
        for len in 0..200 {
            let text = vec![b'x'; len];
            assert_eq!(seen.insert(hash(1, &[&text]), text.clone()), None);
            for at in 0..len {
                for byte in [b'y', 0, 0xff] {
                    let mut other = text.clone();
                    other[at] = byte;
                    assert_eq!(seen.insert(hash(1, &[&other]), other), None);
                }
            }
        }
    }

    #[test]
    fn fields_cannot_be_confused_and_empty_ones_leave_no_trace() {
        assert_ne!(hash(1, &[b"ab", b"c"]), hash(1, &[b"a", b"bc"]));
        assert_ne!(hash(1, &[b"a", b"b"]), hash(1, &[b"b", b"a"]));
        assert_ne!(hash(1, &[b"a", b""]), hash(1, &[b"", b"a"]));
        assert_eq!(hash(1, &[b"a"]), hash(1, &[b"a", b""]));
        assert_ne!(hash(1, &[b"a"]), hash(2, &[b"a"]));
    }

    #[test]
    fn numbers_differ_in_every_bit() {
        let keys = FieldKeys::new("test", 3, 2);
        let hash = |field, numbers| {
            let mut row = keys.row();
            row.numbers(field, numbers);
            row.finish()
        };
        let mut seen = HashMap::new();
        for bit in 0..64 {
            for numbers in [[1 << bit, 0], [0, 1 << bit]] {
                for field in 0..2 {
                    assert_eq!(seen.insert(hash(field, numbers), (field, numbers)), None);
                }
            }
        }
    }
}
