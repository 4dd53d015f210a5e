//! Cold values through bincode: the only module that imports it.
//!
//! The configuration is frozen (variable-length little-endian integers), a limit bounds what is
//! written and what a hostile length can allocate, and every byte must be used.

use bincode::config;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// No cold value is longer, in bytes.
const LEN_MAX: usize = 1 << 20;

/// What bincode may take a value to need while reading: it counts an integer as wide as it is in
/// memory, eight bytes at most, however few it takes.
const READ_MAX: usize = 8 * LEN_MAX;

/// Returns the bytes of `value`.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    // A limit in the configuration bounds reading only.
    let bytes = bincode::serde::encode_to_vec(value, config::standard())
        .map_err(|error| Error::invalid("cold value", error.to_string()))?;
    if bytes.len() <= LEN_MAX {
        Ok(bytes)
    } else {
        let len = bytes.len();
        Err(Error::invalid(
            "cold value",
            format!("its {len} bytes exceed {LEN_MAX}"),
        ))
    }
}

/// Returns the value that `bytes` hold, whole.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if bytes.len() > LEN_MAX {
        return Err(Error::corrupt("cold value", "it is too long"));
    }
    let (value, used) =
        bincode::serde::decode_from_slice(bytes, config::standard().with_limit::<READ_MAX>())
            .map_err(|error| Error::corrupt("cold value", error.to_string()))?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(Error::corrupt("cold value", "bytes are left over"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_value_is_read_back_and_longer_ones_are_not_written() {
        // The length of a text of this length takes five bytes.
        let longest = "x".repeat(LEN_MAX - 5);
        let bytes = encode(&longest).unwrap();
        assert_eq!(bytes.len(), LEN_MAX);
        assert_eq!(decode::<String>(&bytes).unwrap(), longest);
        let longer = longest + "x";
        assert!(matches!(encode(&longer), Err(Error::Invalid { .. })));
        let bytes = bincode::serde::encode_to_vec(&longer, config::standard()).unwrap();
        assert!(matches!(
            decode::<String>(&bytes),
            Err(Error::Corrupt { .. })
        ));
        // Many short integers are wide in memory.
        let integers = vec![1_u64; LEN_MAX - 5];
        let bytes = encode(&integers).unwrap();
        assert_eq!(decode::<Vec<u64>>(&bytes).unwrap(), integers);
    }

    #[test]
    fn hostile_lengths_and_left_over_bytes_are_errors() {
        assert!(decode::<String>(&[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
        let mut bytes = encode(&"name".to_owned()).unwrap();
        assert_eq!(bytes, [4, b'n', b'a', b'm', b'e']);
        bytes.push(0);
        assert!(decode::<String>(&bytes).is_err());
    }
}
