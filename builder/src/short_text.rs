//! Short texts as numbers.

/// Longest text that fits.
pub(crate) const LEN_MAX: usize = size_of::<u128>();

/// Returns the bytes of a text of up to [`LEN_MAX`] bytes, the first one lowest, and zeros.
///
/// Beginning and end are taken whole, though they overlap: a copy of unknown length costs more.
#[inline(always)]
pub(crate) fn number_of(text: &[u8]) -> Option<u128> {
    match text.len() {
        0..=3 => Some((text.iter().rev()).fold(0, |number, byte| number << 8 | u128::from(*byte))),
        len @ 4..=7 => {
            let first = u32::from_le_bytes(*text.first_chunk()?);
            let last = u32::from_le_bytes(*text.last_chunk()?);
            Some(u128::from(
                u64::from(first) | u64::from(last) << (8 * (len - 4)),
            ))
        }
        len @ 8..=LEN_MAX => {
            let first = u64::from_le_bytes(*text.first_chunk()?);
            let last = u64::from_le_bytes(*text.last_chunk()?);
            Some(u128::from(first) | u128::from(last) << (8 * (len - 8)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_as_its_bytes() {
        let text: Vec<u8> = (1..=20).collect();
        for len in 0..=LEN_MAX {
            let mut bytes = [0; LEN_MAX];
            bytes[..len].copy_from_slice(&text[..len]);
            let expected = u128::from_le_bytes(bytes);
            assert_eq!(number_of(&text[..len]), Some(expected), "length {len}");
        }
        assert_eq!(number_of(&text[..LEN_MAX + 1]), None);
    }
}
