//! Cold values through bincode: the only module that imports it.
//!
//! The configuration is frozen (variable-length little-endian integers), a limit bounds what a
//! hostile length can allocate, and every byte must be used.

use bincode::config;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// No cold value is longer, in bytes.
const LEN_MAX: usize = 1 << 20;

/// Returns the bytes of `value`.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    bincode::serde::encode_to_vec(value, config::standard().with_limit::<LEN_MAX>())
        .map_err(|error| Error::invalid("cold value", error.to_string()))
}

/// Returns the value that `bytes` hold, whole.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let (value, used) =
        bincode::serde::decode_from_slice(bytes, config::standard().with_limit::<LEN_MAX>())
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
    fn hostile_lengths_and_left_over_bytes_are_errors() {
        assert!(decode::<String>(&[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
        let mut bytes = encode(&"name".to_owned()).unwrap();
        assert_eq!(bytes, [4, b'n', b'a', b'm', b'e']);
        bytes.push(0);
        assert!(decode::<String>(&bytes).is_err());
    }
}
