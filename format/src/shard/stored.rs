//! A record as it stands in its section (docs/format.md, "Records").

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{Record, Value, dictionary::Dictionary};
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
    key::KEY_LEN_MAX,
};

/// Bytes of the check at a record's end.
const CHECK_LEN: usize = 4;

/// Appends what stands before a record's key.
pub(super) fn put_lengths(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    put_varint(out, key.len() as u64);
    put_varint(out, value.len() as u64);
}

/// Returns the check over the parts of a record before it.
pub(super) fn check_of(parts: &[&[u8]]) -> [u8; CHECK_LEN] {
    let sum = match parts {
        // Many times as fast for short ones.
        [whole] => xxh3_64(whole),
        parts => {
            let mut hasher = Xxh3::new();
            parts.iter().for_each(|part| hasher.update(part));
            hasher.digest()
        }
    };
    let [a, b, c, d, ..] = sum.to_le_bytes();
    [a, b, c, d]
}

/// A record whose check was not yet compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredRecord<'a> {
    pub(super) key: &'a [u8],
    /// What stands for the value.
    pub(super) value: &'a [u8],
    /// All of it, with its check.
    bytes: &'a [u8],
}

/// Bytes in which [`StoredRecord::glance`] wants both lengths: the shortest record has as many.
const GLANCE_LEN: usize = 5;

impl<'a> StoredRecord<'a> {
    /// Reads the record that `bytes` begin with, and leaves them behind it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it does not end within them.
    pub(super) fn read(bytes: &mut Bytes<'a>) -> Result<Self> {
        let all = bytes.rest();
        let (key_len, value_len) = (bytes.length()?, bytes.length()?);
        if key_len > KEY_LEN_MAX {
            return Err(Error::corrupt("record", "its key is too long"));
        }
        let (key, value) = (bytes.take(key_len)?, bytes.take(value_len)?);
        bytes.take(CHECK_LEN)?;
        Ok(Self {
            key,
            value,
            bytes: &all[..all.len() - bytes.rest().len()],
        })
    }

    /// Reads the record that `bytes` begin with, as fast as can be, if its key is `key`; `None` if
    /// not, or if it is not of the common kind, with a key below 128 bytes and a value below
    /// 256 MiB, or is damaged.
    ///
    /// No branch depends on how long the value is: that would be mispredicted, and lookups that
    /// could wait for memory together would wait one after the other.
    #[inline]
    pub(super) fn glance(bytes: &'a [u8], key: &[u8]) -> Option<Self> {
        let [key_len, lengths @ ..] = *bytes.first_chunk::<GLANCE_LEN>()?;
        let lengths = u32::from_le_bytes(lengths);
        // The byte that ends the value's length is the first without its highest bit.
        let ends = !lengths & 0x8080_8080;
        if usize::from(key_len) != key.len() || key_len >= 0x80 || ends == 0 {
            return None;
        }
        let told = lengths & (ends ^ (ends - 1));
        let value_len = (told & 0x7f)
            | (told >> 1 & 0x7f << 7)
            | (told >> 2 & 0x7f << 14)
            | (told >> 3 & 0x7f << 21);
        let key_start = 1 + (ends.trailing_zeros() as usize + 1) / 8;
        let value_start = key_start + key.len();
        let bytes = bytes.get(..value_start + value_len as usize + CHECK_LEN)?;
        let found = Self {
            key: &bytes[key_start..value_start],
            value: &bytes[value_start..bytes.len() - CHECK_LEN],
            bytes,
        };
        (found.key == key).then_some(found)
    }

    /// Bytes of the whole record.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Returns the record as others see it, with what its value may be compressed with.
    pub(super) fn record(self, dictionary: Option<&'a Dictionary>) -> Record<'a> {
        Record {
            key: self.key,
            value: Value::new(self.value, dictionary),
        }
    }

    /// Returns the record if its check is right.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it is not.
    pub(super) fn check(self) -> Result<Self> {
        match self.bytes.split_last_chunk::<CHECK_LEN>() {
            Some((checked, check)) if xxh3_64(checked).to_le_bytes().starts_with(check) => Ok(self),
            _ => Err(Error::corrupt("record", "its check does not match")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_sees_what_reading_does_or_nothing() {
        // Miri would take hours for the longer ones.
        let value_len_max = if cfg!(miri) { 128 } else { usize::MAX };
        let value_lens = [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152];
        for key_len in [0, 1, 2, 16, 127, 128, 300] {
            for value_len in value_lens.into_iter().filter(|len| *len <= value_len_max) {
                let (key, value) = (vec![7; key_len], vec![9; value_len]);
                let mut bytes = Vec::new();
                put_lengths(&mut bytes, &key, &value);
                bytes.extend(&key);
                bytes.extend(&value);
                bytes.extend(check_of(&[&bytes]));
                let end = bytes.len();
                bytes.extend([0xff; GLANCE_LEN]);
                let read = StoredRecord::read(&mut Bytes::new(&bytes, "test")).unwrap();
                assert_eq!(read.len(), end as u64);
                let checked = read.check().unwrap();
                assert_eq!((checked.key, checked.value), (&key[..], &value[..]));
                match StoredRecord::glance(&bytes, &key) {
                    Some(seen) => assert_eq!(seen, read),
                    None => assert!(key_len >= 128, "{key_len} {value_len}"),
                }
                let longer = [&key[..], &[7]].concat();
                let other = [&[8], &key[1.min(key_len)..]].concat();
                for wrong in [longer, other] {
                    assert!(StoredRecord::glance(&bytes, &wrong).is_none());
                }
                for len in 0..end.min(40) {
                    assert!(StoredRecord::glance(&bytes[..len], &key).is_none());
                    assert!(StoredRecord::read(&mut Bytes::new(&bytes[..len], "test")).is_err());
                }
            }
        }
    }

    #[test]
    fn lengths_that_do_not_end_are_not_glanced_at() {
        let bytes = [0xff; 64];
        for key_len in [0, 5, 0x80] {
            let mut bytes = bytes;
            bytes[0] = key_len;
            let key = vec![0xff; key_len.into()];
            assert!(StoredRecord::glance(&bytes, &key).is_none());
        }
    }
}
