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

    /// What a text adds that does not end in its first block.
    #[inline(never)]
    fn long(&self, keys: &Keys, text: Padded<'_>) -> u128 {
        if text.len() < 2 * BLOCK_LEN {
            return two_blocks(keys, text);
        }
        let digest = xxh3_128_with_seed(text.as_bytes(), self.seed);
        product(keys[0], halves(digest), u64::MAX)
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
        self.add(self.keys.fields[field][0], numbers, u64::MAX);
    }

    /// Adds a field that is a text; an empty one leaves no trace, as if there were no such field.
    #[inline(always)]
    pub(crate) fn text(&mut self, field: usize, text: Padded<'_>) {
        let keys = &self.keys.fields[field];
        if text.len() < BLOCK_LEN {
            let block = ENDINGS[text.len()].of(text.words());
            self.add(keys[0], block, ENDINGS[text.len()].counts);
        } else {
            self.sum = self.sum.wrapping_add(self.keys.long(keys, text));
        }
    }

    /// As [`Self::text`], for texts of which some take one block and some take two: the same work
    /// for both, since which it is would be mispredicted.
    #[inline(always)]
    pub(crate) fn text_of_any_length(&mut self, field: usize, text: Padded<'_>) {
        let keys = &self.keys.fields[field];
        let product = if text.len() < 2 * BLOCK_LEN {
            two_blocks(keys, text)
        } else {
            self.keys.long(keys, text)
        };
        self.sum = self.sum.wrapping_add(product);
    }

    #[inline(always)]
    fn add(&mut self, keys: [u64; 2], block: [u64; 2], counts: u64) {
        self.sum = self.sum.wrapping_add(product(keys, block, counts));
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

/// What a text adds that ends in either of two blocks.
#[inline(always)]
fn two_blocks(keys: &Keys, text: Padded<'_>) -> u128 {
    let [first, second] = &LONG_ENDINGS[text.len()];
    let behind = text.words_from(BLOCK_LEN);
    let first = product(keys[0], first.of(text.words()), first.counts);
    first.wrapping_add(product(keys[1], second.of(behind), second.counts))
}

/// What a block adds, unless it does not count.
#[inline(always)]
fn product(keys: [u64; 2], block: [u64; 2], counts: u64) -> u128 {
    let a = block[0].wrapping_add(keys[0]) & counts;
    let b = block[1].wrapping_add(keys[1]);
    u128::from(a) * u128::from(b)
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

/// Which bytes of a block a text has, and the byte after them: all ones, as in no UTF-8.
#[derive(Clone, Copy)]
struct Ending {
    kept: [u64; 2],
    end: [u64; 2],
    /// All ones unless the block has nothing of the text, not even its end.
    counts: u64,
}

/// Of texts that end in their first block, by length; an empty one has no block.
static ENDINGS: [Ending; BLOCK_LEN] = {
    let mut endings = [Ending::NOTHING; BLOCK_LEN];
    let mut len = 1;
    while len < BLOCK_LEN {
        endings[len] = Ending::after(len);
        len += 1;
    }
    endings
};

/// Of texts that end in either of two blocks, by length.
static LONG_ENDINGS: [[Ending; 2]; 2 * BLOCK_LEN] = {
    let mut endings = [[Ending::NOTHING; 2]; 2 * BLOCK_LEN];
    let mut len = 1;
    while len < BLOCK_LEN {
        endings[len][0] = Ending::after(len);
        endings[len + BLOCK_LEN] = [Ending::WHOLE, Ending::after(len)];
        len += 1;
    }
    endings[BLOCK_LEN] = [Ending::WHOLE, Ending::after(0)];
    endings
};

impl Ending {
    /// Ends a text within a block, and clears what stands behind.
    #[inline(always)]
    fn of(&self, block: [u64; 2]) -> [u64; 2] {
        let Self { kept, end, .. } = self;
        [block[0] & kept[0] | end[0], block[1] & kept[1] | end[1]]
    }

    const NOTHING: Self = Self {
        kept: [0; 2],
        end: [0; 2],
        counts: 0,
    };

    const WHOLE: Self = Self {
        kept: [u64::MAX; 2],
        end: [0; 2],
        counts: u64::MAX,
    };

    /// The ending of a text that has so many bytes of a block, less than all.
    const fn after(len: usize) -> Self {
        let shift = 8 * (len % WORD_LEN);
        let (byte, below) = (0xff << shift, (1 << shift) - 1);
        let low = [[below, 0], [u64::MAX, below]];
        let mut end = [0; 2];
        end[len / WORD_LEN] = byte;
        Self {
            kept: low[len / WORD_LEN],
            end,
            counts: u64::MAX,
        }
    }
}

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
    fn a_text_of_any_length_is_hashed_as_any_text() {
        let keys = FieldKeys::new("test", 1, 1);
        let bytes: Vec<u8> = (0..200).map(|byte| byte % 0x80).collect();
        for len in 0..100 {
            let text = Padded::new(&bytes, len);
            let (mut row, mut other) = (keys.row(), keys.row());
            row.text(0, text);
            other.text_of_any_length(0, text);
            assert_eq!(row.finish(), other.finish(), "length {len}");
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
