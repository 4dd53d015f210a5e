//! A text with what stands behind it in memory.

/// A text, and whatever bytes follow it in the block that it was read from.
///
/// Reading on beyond its end spares asking how long it is wherever many bytes are taken together.
#[derive(Clone, Copy)]
pub(crate) struct Padded<'b> {
    bytes: &'b [u8],
    len: usize,
}

impl<'b> Padded<'b> {
    /// No text.
    pub(crate) const EMPTY: Self = Self {
        bytes: &[0; 32],
        len: 0,
    };

    /// The first `len` of `bytes`.
    #[inline(always)]
    pub(crate) fn new(bytes: &'b [u8], len: usize) -> Self {
        Self { bytes, len }
    }

    /// A text with nothing known behind it.
    pub(crate) fn exact(text: &'b [u8]) -> Self {
        Self::new(text, text.len())
    }

    /// The first `len` bytes of the text.
    #[inline(always)]
    pub(crate) fn cut(self, len: usize) -> Self {
        Self { len, ..self }
    }

    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The text and no more.
    #[inline(always)]
    pub(crate) fn as_bytes(self) -> &'b [u8] {
        &self.bytes[..self.len]
    }

    /// The first bytes, whatever they are beyond the text.
    #[inline(always)]
    pub(crate) fn first<const LEN: usize>(self) -> [u8; LEN] {
        match self.bytes.first_chunk() {
            Some(bytes) => *bytes,
            None => self.last_of_block(),
        }
    }

    /// The first bytes as two words.
    #[inline(always)]
    pub(crate) fn words(self) -> [u64; 2] {
        self.words_from(0)
    }

    /// Two words of what stands at `from`, which may lie behind the text.
    #[inline(always)]
    pub(crate) fn words_from(self, from: usize) -> [u64; 2] {
        let words = |bytes: &[u8; 16]| {
            let (words, _) = bytes.as_chunks();
            [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
        };
        let bytes = self.bytes.get(from..).unwrap_or_default();
        match bytes.first_chunk() {
            Some(bytes) => words(bytes),
            None => words(&Padded::exact(bytes).last_of_block()),
        }
    }

    #[cold]
    #[inline(never)]
    fn last_of_block<const LEN: usize>(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..self.bytes.len()].copy_from_slice(self.bytes);
        bytes
    }
}
