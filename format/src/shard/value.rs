//! The value of a record: as it stands in the shard, or compressed (docs/format.md, "Records").

use std::borrow::Cow;

use super::dictionary::Dictionary;
use crate::{
    Error, Result,
    bytes::{Bytes, varint_len},
};

/// The longest value that is compressed; longer ones are stored as they are.
///
/// # Units
/// Bytes.
pub const COMPRESSED_LEN_MAX: usize = 16 << 20;

/// A value that was found.
///
/// Finding it has read nothing of it: whoever needs it reads it where it stands, or has it
/// decompressed.
///
/// # Examples
/// ```
/// # use nightshard_format::shard::Value;
/// # fn main() -> nightshard_format::Result<()> {
/// # let found = Value::from(&b"paris"[..]);
/// // In a shard of which compression is known not to be used:
/// assert_eq!(found.in_place()?, b"paris");
/// // In any shard:
/// assert_eq!(&*found.read()?, b"paris");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    stored: &'a [u8],
    /// With which the value may be compressed.
    dictionary: Option<&'a Dictionary>,
}

impl<'a> From<&'a [u8]> for Value<'a> {
    /// Makes a value of bytes that are not compressed.
    fn from(bytes: &'a [u8]) -> Self {
        Self::new(bytes, None)
    }
}

impl<'a> Value<'a> {
    #[inline]
    pub(super) fn new(stored: &'a [u8], dictionary: Option<&'a Dictionary>) -> Self {
        Self { stored, dictionary }
    }

    /// Returns the value where it stands.
    ///
    /// # Errors
    /// [`Error::Compressed`] if it is compressed, [`Error::Corrupt`] if it is damaged.
    #[inline]
    pub fn in_place(self) -> Result<&'a [u8]> {
        if self.dictionary.is_none() {
            return Ok(self.stored);
        }
        match self.parts()? {
            (0, value) => Ok(value),
            _ => Err(Error::Compressed),
        }
    }

    /// Returns the value, decompressed if need be.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is damaged.
    #[inline]
    pub fn read(self) -> Result<Cow<'a, [u8]>> {
        match self.dictionary {
            None => Ok(Cow::Borrowed(self.stored)),
            Some(dictionary) => self.read_with(dictionary),
        }
    }

    fn read_with(self, dictionary: &Dictionary) -> Result<Cow<'a, [u8]>> {
        match self.parts()? {
            (0, value) => Ok(Cow::Borrowed(value)),
            (len, frame) => dictionary.decompress(frame, len).map(Cow::Owned),
        }
    }

    /// Returns how many bytes the value has, as far as is said of it without decompressing it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if nothing is.
    #[inline]
    pub fn len_bytes(self) -> Result<usize> {
        if self.dictionary.is_none() {
            return Ok(self.stored.len());
        }
        Ok(match self.parts()? {
            (0, value) => value.len(),
            (len, _) => len,
        })
    }

    /// Returns the value as it is stored, which is only of use to whoever counts bytes.
    #[inline]
    #[must_use]
    pub fn stored(self) -> &'a [u8] {
        self.stored
    }

    /// Returns the length of what is compressed, or 0, and what comes after it.
    fn parts(self) -> Result<(usize, &'a [u8])> {
        let mut bytes = Bytes::new(self.stored, "value");
        let len = bytes.varint()?;
        let rest = bytes.rest();
        if self.stored.len() - rest.len() != varint_len(len) {
            let problem = format!("its length {len} is written longer than it needs to be");
            return Err(Error::corrupt("value", problem));
        }
        match usize::try_from(len) {
            Ok(len) if len <= COMPRESSED_LEN_MAX => Ok((len, rest)),
            _ => {
                let problem = format!("{len} bytes are more than are ever compressed");
                Err(Error::corrupt("value", problem))
            }
        }
    }
}
