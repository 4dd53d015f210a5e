//! Values one after the other, each behind its length: for rivals that only find offsets.

use std::io::{self, Write};

use crate::{dataset::Dataset, files};

const LEN_BYTES: usize = 4;

/// Values over any bytes.
pub(crate) struct Arena<B>(pub(crate) B);

impl Arena<Vec<u8>> {
    pub(crate) fn with_room_for(dataset: Dataset) -> Self {
        let records = usize::try_from(dataset.keys).expect("it fits into memory");
        Self(Vec::with_capacity(
            records * (LEN_BYTES + dataset.value_len),
        ))
    }

    /// Appends a value and returns where it is.
    pub(crate) fn push(&mut self, value: &[u8]) -> u64 {
        let offset = self.0.len() as u64;
        put(&mut self.0, value).expect("memory does not fail");
        offset
    }
}

impl<B: AsRef<[u8]>> Arena<B> {
    #[inline]
    pub(crate) fn get(&self, offset: u64) -> &[u8] {
        let bytes = &self.0.as_ref()[offset as usize..];
        let (len, rest) = bytes.split_first_chunk().expect("a value was put there");
        &rest[..u32::from_le_bytes(*len) as usize]
    }

    pub(crate) fn touch(&self) {
        files::touch(self.0.as_ref());
    }
}

/// Writes a value, and returns how many bytes that took.
pub(crate) fn put(output: &mut impl Write, value: &[u8]) -> io::Result<u64> {
    let len = u32::try_from(value.len()).expect("values are short");
    output.write_all(&len.to_le_bytes())?;
    output.write_all(value)?;
    Ok((LEN_BYTES + value.len()) as u64)
}
