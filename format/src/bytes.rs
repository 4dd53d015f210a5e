//! Little-endian integers and LEB128 varints, the only primitives of every record.
//!
//! Reading never panics: a short or overlong input is [`Error::Corrupt`].

use crate::{Error, Result};

/// Appends `value` as LEB128, seven bits a byte, least significant first.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        out.push(low_byte(value));
    } else {
        put_long_varint(out, value);
    }
}

/// Bytes of a short varint.
const SHORT_VARINT_LEN: usize = 4;
/// The first value whose varint is not short.
pub(crate) const SHORT_VARINT_END: u64 = 1 << (7 * SHORT_VARINT_LEN);

/// Appends values below [`SHORT_VARINT_END`] as [`put_varint`] does, in less time where their
/// lengths follow no pattern.
pub(crate) fn put_short_varints(out: &mut Vec<u8>, values: impl ExactSizeIterator<Item = u64>) {
    let mut end = out.len();
    out.resize(end + SHORT_VARINT_LEN * values.len(), 0);
    for value in values {
        debug_assert!(value < SHORT_VARINT_END);
        let len = 1
            + usize::from(value >= 1 << 7)
            + usize::from(value >= 1 << 14)
            + usize::from(value >= 1 << 21);
        let spread = (value & 0x7f)
            | (value & 0x3f80) << 1
            | (value & 0x1f_c000) << 2
            | (value & 0xfe0_0000) << 3;
        let more = 0x8080_8080 & ((1 << (8 * (len - 1))) - 1);
        let [bytes @ .., _, _, _, _] = (spread | more).to_le_bytes();
        // What does not count is written over by the next value.
        out[end..end + SHORT_VARINT_LEN].copy_from_slice(&bytes);
        end += len;
    }
    out.truncate(end);
}

fn put_long_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Appends `value` as LEB128 of up to 19 bytes.
pub fn put_varint_u128(out: &mut Vec<u8>, mut value: u128) {
    while let Err(_wide) = u64::try_from(value) {
        out.push(low_byte_u128(value) | 0x80);
        value >>= 7;
    }
    if let Ok(narrow) = u64::try_from(value) {
        put_varint(out, narrow);
    }
}

/// Appends a signed value with its sign folded into the lowest bit.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Appends a signed 128-bit value with its sign folded into the lowest bit.
pub fn put_signed_i128(out: &mut Vec<u8>, value: i128) {
    put_varint_u128(out, ((value << 1) ^ (value >> 127)).cast_unsigned());
}

fn low_byte(value: u64) -> u8 {
    (value & 0x7f) as u8
}

fn low_byte_u128(value: u128) -> u8 {
    (value & 0x7f) as u8
}

/// Returns how many bytes [`put_varint`] takes for `value`.
#[must_use]
pub fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

/// Bytes of a varint that surely fit 64 bits.
const WORD_BYTES: usize = 9;
/// Bytes of the longest varint, of 128 bits.
const WIDE_BYTES: usize = 19;

/// A cursor over the bytes of one structure, named in every error.
#[derive(Debug, Clone, Copy)]
pub struct Bytes<'a> {
    rest: &'a [u8],
    structure: &'static str,
}

impl<'a> Bytes<'a> {
    /// Starts at the first byte of `bytes`, which belong to `structure`.
    #[must_use]
    pub fn new(bytes: &'a [u8], structure: &'static str) -> Self {
        Self {
            rest: bytes,
            structure,
        }
    }

    /// Returns whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns what has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn ends_early(&self) -> Error {
        Error::corrupt(self.structure, "it ends early")
    }

    /// Takes the next `len` bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if fewer are left.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, tail) = self
            .rest
            .split_at_checked(len)
            .ok_or_else(|| self.ends_early())?;
        self.rest = tail;
        Ok(head)
    }

    /// Takes as many bytes as the varint before them says.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if fewer are left.
    pub fn take_prefixed(&mut self) -> Result<&'a [u8]> {
        let len = self.length()?;
        self.take(len)
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the end.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// Reads a little-endian 16-bit integer.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the end.
    pub fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Reads a little-endian 32-bit integer.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the end.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Reads a little-endian 64-bit integer.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the end.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a fixed number of bytes.
    ///
    /// # Errors
    /// [`Error::Corrupt`] at the end.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| self.ends_early())?;
        self.rest = tail;
        Ok(*head)
    }

    /// Reads a varint.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it does not end, or does not fit.
    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        // One byte is by far the commonest: gaps, small counts and deltas.
        if let [first @ 0..=0x7f, tail @ ..] = self.rest {
            self.rest = tail;
            return Ok(u64::from(*first));
        }
        u64::try_from(self.varint_u128()?)
            .map_err(|_wide| Error::corrupt(self.structure, "an integer exceeds 64 bits"))
    }

    /// Reads a varint of up to 128 bits.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it does not end, or does not fit.
    #[inline]
    pub fn varint_u128(&mut self) -> Result<u128> {
        // Nearly all fit a word, and words are read much faster than pairs of them.
        let mut value = 0_u64;
        for (position, byte) in self.rest.iter().enumerate().take(WORD_BYTES) {
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[position + 1..];
                return Ok(value.into());
            }
        }
        self.varint_wide(value)
    }

    /// Reads the bytes of a varint after those that fit a word, which are `low`.
    #[cold]
    fn varint_wide(&mut self, low: u64) -> Result<u128> {
        let mut value = u128::from(low);
        for position in WORD_BYTES..WIDE_BYTES {
            let byte = *self.rest.get(position).ok_or_else(|| self.ends_early())?;
            let bits = u128::from(byte & 0x7f);
            if position == WIDE_BYTES - 1 && bits > 3 {
                break;
            }
            value |= bits << (7 * position);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[position + 1..];
                return Ok(value);
            }
        }
        Err(Error::corrupt(
            self.structure,
            "an integer exceeds 128 bits",
        ))
    }

    /// Reads a signed varint.
    ///
    /// # Errors
    /// [`Error::Corrupt`] as [`Bytes::varint`].
    #[inline]
    pub fn signed(&mut self) -> Result<i64> {
        let folded = self.varint()?;
        Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
    }

    /// Reads a signed varint of up to 128 bits.
    ///
    /// # Errors
    /// [`Error::Corrupt`] as [`Bytes::varint_u128`].
    pub fn signed_i128(&mut self) -> Result<i128> {
        let folded = self.varint_u128()?;
        Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
    }

    /// Reads a varint that is a length in memory.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it exceeds what is left to read.
    pub fn length(&mut self) -> Result<usize> {
        let value = self.varint()?;
        usize::try_from(value)
            .ok()
            .filter(|len| *len <= self.rest.len())
            .ok_or_else(|| self.ends_early())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_of_integer_round_trips() {
        let mut out = Vec::new();
        let values: Vec<i128> = (0..127)
            .flat_map(|bit| [1_i128 << bit, -(1_i128 << bit), (1_i128 << bit) - 1])
            .collect();
        for value in &values {
            put_signed_i128(&mut out, *value);
        }
        let mut bytes = Bytes::new(&out, "test");
        for value in &values {
            assert_eq!(bytes.signed_i128().unwrap(), *value);
        }
        assert!(bytes.is_empty());
        for value in [0, 1, -1, i64::MAX, i64::MIN, 63, 64, -64, -65] {
            out.clear();
            put_signed(&mut out, value);
            assert_eq!(Bytes::new(&out, "test").signed().unwrap(), value);
        }
    }

    #[test]
    fn stated_length_is_the_written_length() {
        for bit in 0..64 {
            for value in [1_u64 << bit, (1_u64 << bit) - 1] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                if value < SHORT_VARINT_END {
                    let mut short = Vec::new();
                    put_short_varints(&mut short, [value, value].into_iter());
                    assert_eq!(short, out.repeat(2), "{value}");
                }
            }
        }
    }

    #[test]
    fn an_endless_or_overlong_integer_is_refused() {
        assert!(Bytes::new(&[0xff; 40], "test").varint_u128().is_err());
        assert!(Bytes::new(&[0xff; 3], "test").varint().is_err());
        assert!(
            Bytes::new(
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
                "test"
            )
            .varint()
            .is_err()
        );
    }
}
