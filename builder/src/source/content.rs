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
        self.append([], text);
    }

    /// Appends a text that is told from others by its tag; an empty one leaves no trace, as if
    /// the row had no such column. Tags must come in one order.
    #[inline]
    pub(crate) fn tagged(&mut self, tag: u8, text: &[u8]) {
        if !text.is_empty() {
            self.append([tag], text);
        }
    }

    /// Appends `head`, the length of `text`, so that neighbours cannot be confused, and `text`.
    #[inline]
    fn append<const N: usize>(&mut self, head: [u8; N], text: &[u8]) {
        let end = self.len + N + 1 + size_of::<u64>() + text.len();
        if end > self.buffer.len() {
            self.buffer.resize(end, 0);
        }
        let (to, rest) = self.buffer[self.len..].split_at_mut(N + 1);
        to[..N].copy_from_slice(&head);
        self.len += N + 1 + text.len();
        match u8::try_from(text.len()) {
            Ok(len) if len != LONG => {
                to[N] = len;
                copy(rest, text);
            }
            _ => {
                to[N] = LONG;
                let (len, rest) = rest.split_at_mut(size_of::<u64>());
                len.copy_from_slice(&(text.len() as u64).to_le_bytes());
                copy(rest, text);
                self.len += size_of::<u64>();
            }
        }
    }

    #[inline]
    pub(crate) fn digest(&self) -> u64 {
        xxh3_64_with_seed(&self.buffer[..self.len], self.seed)
    }
}

/// Copies `text` to the start of `to`. Most are too short for a call of `memcpy` to pay: two
/// words that overlap hold any text between one and two words long.
#[inline(always)]
fn copy(to: &mut [u8], text: &[u8]) {
    match text.len() {
        0 => {}
        len @ 1..4 => {
            (to[0], to[len / 2], to[len - 1]) = (text[0], text[len / 2], text[len - 1]);
        }
        4..8 => overlap::<4>(to, text),
        8..16 => overlap::<8>(to, text),
        16..=32 => overlap::<16>(to, text),
        len => to[..len].copy_from_slice(text),
    }
}

#[inline]
fn overlap<const WORD: usize>(to: &mut [u8], text: &[u8]) {
    let last = text.len() - WORD;
    to[..WORD].copy_from_slice(&text[..WORD]);
    to[last..last + WORD].copy_from_slice(&text[last..]);
}
