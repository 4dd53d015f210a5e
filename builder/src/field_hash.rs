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

/// The keys of one field: for the two words of each of two blocks.
type Keys = [[u64; 2]; 2];

/// The keys of so many fields.
///
/// # Source
/// NH of UMAC (Black, Halevi, Krawczyk, Krovetz, Rogaway: "UMAC: Fast and Secure Message
/// Authentication", 1999) with words of 64 bits: without the keys, nobody finds two different
/// rows whose sums agree with a chance above 2^-63. Deviation: a text is ended by a byte that no
/// UTF-8 has rather than by its length, and one of 32 bytes and more is digested by xxh3-128.
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
        let fields = (0..fields)
            .map(|_| [[word(), word()], [word(), word()]])
            .collect();
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
        self.add(self.keys.fields[field][0], numbers);
    }

    /// Adds a field that is a text; an empty one leaves no trace, as if there were no such field.
    #[inline(always)]
    pub(crate) fn text(&mut self, field: usize, text: Padded<'_>) {
        if text.len() == 0 {
            return;
        }
        let keys = &self.keys.fields[field];
        if text.len() < BLOCK_LEN {
            self.add(keys[0], ended(words(&text.first()), text.len()));
        } else {
            self.long(keys, text);
        }
    }

    #[inline]
    fn long(&mut self, keys: &Keys, text: Padded<'_>) {
        if text.len() >= 2 * BLOCK_LEN {
            let digest = xxh3_128_with_seed(text.as_bytes(), self.keys.seed);
            return self.add(keys[0], halves(digest));
        }
        let bytes: [u8; 2 * BLOCK_LEN] = text.first();
        let (blocks, _) = bytes.as_chunks::<BLOCK_LEN>();
        self.add(keys[0], words(&blocks[0]));
        self.add(keys[1], ended(words(&blocks[1]), text.len() - BLOCK_LEN));
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

/// Returns the low and the high word.
#[inline(always)]
pub(crate) fn halves(value: u128) -> [u64; 2] {
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

/// Ends a text after the first `len` bytes of a block, and clears what stands behind.
#[inline(always)]
fn ended(block: [u64; 2], len: usize) -> [u64; 2] {
    let Ending { kept, end } = ENDINGS[len];
    [block[0] & kept[0] | end[0], block[1] & kept[1] | end[1]]
}

/// Which bytes of a block a text has, and the byte after them: all ones, as in no UTF-8.
#[derive(Clone, Copy)]
struct Ending {
    kept: [u64; 2],
    end: [u64; 2],
}

static ENDINGS: [Ending; BLOCK_LEN] = {
    let mut endings = [Ending {
        kept: [0; 2],
        end: [0; 2],
    }; BLOCK_LEN];
    let mut kept = [0; 2];
    let mut len = 0;
    while len < BLOCK_LEN {
        let byte = 0xff << (8 * (len % WORD_LEN));
        endings[len].kept = kept;
        endings[len].end[len / WORD_LEN] = byte;
        kept[len / WORD_LEN] |= byte;
        len += 1;
    }
    endings
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
                for byte in [b'y', 0, 0x80] {
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
            let bytes: Vec<u8> = (0..200).map(|byte| byte % 0x80).collect();
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
