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
    /// The first `len` of `bytes`.
    #[inline(always)]
    pub(crate) fn new(bytes: &'b [u8], len: usize) -> Self {
        Self { bytes, len }
    }

    /// A text with nothing known behind it.
    pub(crate) fn exact(text: &'b [u8]) -> Self {
        Self::new(text, text.len())
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

    #[cold]
    #[inline(never)]
    fn last_of_block<const LEN: usize>(self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..self.bytes.len()].copy_from_slice(self.bytes);
        bytes
    }
}
