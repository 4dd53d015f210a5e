//! A keyed hash of a row's fields, one by one, where they stand.
//!
//! Rows have some twenty short fields. Putting them together to hash the whole costs more than
//! hashing, and a hash that mixes one field after the other waits for each. Here every field has
//! keys of its own, and a row's hash is a sum: nothing is copied, nothing waits, and two hashes
//! that share fields share their sum.

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::source::Padded;

const BLOCK_LEN: usize = 16;
const WORD_LEN: usize = size_of::<u64>();

/// The keys of one field: for its length, and for the two words of each of two blocks.
#[derive(Clone, Copy)]
struct Keys {
    len: u64,
    blocks: [[u64; 2]; 2],
}

/// The keys of so many fields.
///
/// # Source
/// NH of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC: Fast and Secure Message
/// Authentication", 1999) with words of 64 bits: without the keys, nobody finds two different
/// rows whose sums agree with a chance above 2^-63. Deviation: a field of length n adds n times a
/// key rather than a block of its own, and texts beyond 32 bytes are digested by xxh3-128.
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
        let mut word = || {
            let mut bytes = [0; WORD_LEN];
            random.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        let mut keys = || Keys {
            len: word(),
            blocks: [[word(), word()], [word(), word()]],
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
#[derive(Clone, Copy)]
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
    pub(crate) fn text(&mut self, field: usize, text: Padded<'_>) {
        if text.len() == 0 {
            return;
        }
        let keys = &self.keys.fields[field];
        if text.len() <= BLOCK_LEN {
            let block = masked(words(&text.first()), text.len());
            self.add(keys.blocks[0], block);
        } else {
            self.long(keys, text);
        }
        let len = text.len() as u64;
        self.sum = self
            .sum
            .wrapping_add(u128::from(keys.len) * u128::from(len));
    }

    #[inline]
    fn long(&mut self, keys: &Keys, text: Padded<'_>) {
        if text.len() > 2 * BLOCK_LEN {
            let digest = xxh3_128_with_seed(text.as_bytes(), self.keys.seed);
            return self.add(keys.blocks[0], halves(digest));
        }
        let bytes: [u8; 2 * BLOCK_LEN] = text.first();
        let (blocks, _) = bytes.as_chunks::<BLOCK_LEN>();
        self.add(keys.blocks[0], words(&blocks[0]));
        let rest = masked(words(&blocks[1]), text.len() - BLOCK_LEN);
        self.add(keys.blocks[1], rest);
    }

    #[inline(always)]
    fn add(&mut self, keys: [u64; 2], block: [u64; 2]) {
        let a = block[0].wrapping_add(keys[0]);
        let b = block[1].wrapping_add(keys[1]);
        self.sum = self.sum.wrapping_add(u128::from(a) * u128::from(b));
    }

    /// Returns the hash, of which every bit depends on all fields.
    #[inline(always)]
    pub(crate) fn finish(self) -> u64 {
        let [low, high] = halves(self.sum);
        let [low, high] = halves(u128::from(low ^ MIX[0]) * u128::from(high ^ MIX[1]));
        let [low, high] = halves(u128::from(low ^ high ^ MIX[2]) * u128::from(MIX[3]));
        low ^ high
    }
}

/// Numbers without a pattern: digits of pi.
const MIX: [u64; 4] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7345,
    0xa409_3822_299f_31d1,
    0x082e_fa98_ec4e_6c89,
];

#[inline(always)]
fn halves(value: u128) -> [u64; 2] {
    [low_half(value), low_half(value >> 64)]
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the half is wanted")]
fn low_half(value: u128) -> u64 {
    value as u64
}

#[inline(always)]
fn words(block: &[u8; BLOCK_LEN]) -> [u64; 2] {
    let (words, _) = block.as_chunks();
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
}

/// Clears what stands behind the first `len` bytes of a block.
#[inline(always)]
fn masked(block: [u64; 2], len: usize) -> [u64; 2] {
    let masks = MASKS[len];
    [block[0] & masks[0], block[1] & masks[1]]
}

/// The bytes of a block that a text of each length has.
static MASKS: [[u64; 2]; BLOCK_LEN + 1] = {
    let mut masks = [[0; 2]; BLOCK_LEN + 1];
    let mut len = 1;
    while len <= BLOCK_LEN {
        masks[len] = masks[len - 1];
        let byte = len - 1;
        masks[len][byte / WORD_LEN] |= 0xff << (8 * (byte % WORD_LEN));
        len += 1;
    }
    masks
};

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn hash(seed: u64, fields: &[&[u8]]) -> u64 {
        let keys = FieldKeys::new("test", seed, fields.len());
        let mut row = keys.row();
        for (field, text) in fields.iter().enumerate() {
            row.text(field, Padded::exact(text));
        }
        row.finish()
    }

    #[test]
    fn texts_of_every_length_differ_by_each_byte_and_by_length() {
        let mut seen = HashMap::new();
        for len in 0..100 {
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
    fn what_stands_behind_a_text_does_not_matter() {
        let keys = FieldKeys::new("test", 1, 1);
        for len in 1..100 {
            let bytes: Vec<u8> = (0..200).collect();
            let hash_with = |room: usize| {
                let mut row = keys.row();
                row.text(0, Padded::new(&bytes[..len + room], len));
                row.finish()
            };
            let alone = hash_with(0);
            assert!(
                (0..100).all(|room| hash_with(room) == alone),
                "length {len}"
            );
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
