//! How many stores have a record of a month, in the `current` span of datasets that have no summaries.

use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
};

const STRUCTURE: &str = "number of stores";

/// Appends the record of how many stores have one in a month, at least 1.
pub fn encode_month_stores(stores: u64, out: &mut Vec<u8>) {
    put_varint(out, stores - 1);
}

/// Reads how many stores have a record in a month.
///
/// # Errors
/// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
pub fn parse_month_stores(bytes: &[u8]) -> Result<u64> {
    let mut bytes = Bytes::new(bytes, STRUCTURE);
    let stores = bytes.varint()?.checked_add(1);
    let stores = stores.ok_or_else(|| Error::corrupt(STRUCTURE, "there are too many"))?;
    match bytes.is_empty() {
        true => Ok(stores),
        false => Err(Error::corrupt(STRUCTURE, "bytes are left over")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_what_cannot_be_is_refused() {
        for stores in [1, 2, 128, 129, u64::MAX] {
            let mut out = Vec::new();
            encode_month_stores(stores, &mut out);
            assert_eq!(parse_month_stores(&out).unwrap(), stores);
            out.push(0);
            assert!(parse_month_stores(&out).is_err());
        }
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert!(parse_month_stores(&most).is_err());
        assert!(parse_month_stores(&[]).is_err());
    }
}
