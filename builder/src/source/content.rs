//! The digest of a row's content.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Collects the canonical values of a row in an unambiguous form, then digests them.
pub(crate) struct Content {
    seed: u64,
    /// The values so far, and room for more.
    buffer: Vec<u8>,
    len: usize,
}

/// A length that does not fit one byte is announced by this one.
const LONG: u8 = u8::MAX;

/// What a text takes besides its own bytes, at most.
const OVERHEAD: usize = 1 + size_of::<u64>();

impl Content {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            buffer: vec![0; 4096],
            len: 0,
        }
    }

    /// Begins a row with its numbers, which have a fixed width.
    #[inline]
    pub(crate) fn begin<const N: usize>(&mut self, numbers: [i64; N]) {
        self.len = size_of::<i64>() * N;
        let (words, _) = self.buffer.as_chunks_mut();
        for (word, number) in words.iter_mut().zip(numbers) {
            *word = number.to_le_bytes();
        }
    }

    /// Appends a text that every row has, empty or not.
    #[inline]
    pub(crate) fn text(&mut self, text: &[u8]) {
        let end = self.len + OVERHEAD + text.len();
        if end > self.buffer.len() {
            self.buffer.resize(end, 0);
        }
        // The length first, so that neighbours cannot be confused.
        match u8::try_from(text.len()) {
            Ok(len) if len != LONG => self.buffer[self.len] = len,
            _ => {
                let len = (text.len() as u64).to_le_bytes();
                self.buffer[self.len] = LONG;
                self.buffer[self.len + 1..self.len + OVERHEAD].copy_from_slice(&len);
                self.len += len.len();
            }
        }
        copy(&mut self.buffer[self.len + 1..], text);
        self.len += 1 + text.len();
    }

    /// Appends a text that is told from others by its tag; an empty one leaves no trace, as if
    /// the row had no such column. Tags must come in one order.
    #[inline]
    pub(crate) fn tagged(&mut self, tag: u8, text: &[u8]) {
        if !text.is_empty() {
            self.text(&[tag]);
            self.text(text);
        }
    }

    #[inline]
    pub(crate) fn digest(&self) -> u64 {
        xxh3_64_with_seed(&self.buffer[..self.len], self.seed)
    }
}

/// Copies `text` to the start of `to`; most are too short for a call of `memcpy` to pay.
#[inline]
fn copy(to: &mut [u8], text: &[u8]) {
    match text.len() {
        0 => {}
        len @ 1..8 => {
            for (to, byte) in to[..len].iter_mut().zip(text) {
                *to = *byte;
            }
        }
        len @ 8..=16 => {
            // Two words that overlap.
            to[..8].copy_from_slice(&text[..8]);
            to[len - 8..len].copy_from_slice(&text[len - 8..]);
        }
        len => to[..len].copy_from_slice(text),
    }
}
