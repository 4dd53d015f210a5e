//! What the rows of a store say of it, once for many rows: the entry of a segment's dictionary.

/// Store, category, region and currency, as they stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowProfile<'a> {
    /// The store's id.
    pub store: &'a [u8],
    /// The category, or empty.
    pub category: &'a [u8],
    /// The region, or empty.
    pub region: &'a [u8],
    /// ISO 4217.
    pub currency: &'a [u8],
}

impl<'a> RowProfile<'a> {
    /// Appends the entry's bytes: each field after its length.
    pub fn append(&self, out: &mut Vec<u8>) {
        for field in [self.store, self.category, self.region, self.currency] {
            // Sources cut no field of more than 64 KiB through.
            let len = u16::try_from(field.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(&field[..len.into()]);
        }
    }

    /// Reads what [`RowProfile::append`] wrote; bytes that are missing read as empty fields.
    #[must_use]
    pub fn decode(mut entry: &'a [u8]) -> Self {
        let mut field = || {
            let (len, rest) = entry.split_first_chunk()?;
            let (field, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
            entry = rest;
            Some(field)
        };
        let (store, category) = (field(), field());
        let (region, currency) = (field(), field());
        Self {
            store: store.unwrap_or_default(),
            category: category.unwrap_or_default(),
            region: region.unwrap_or_default(),
            currency: currency.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip() {
        let profile = RowProfile {
            store: b"s1",
            category: b"",
            region: b"north",
            currency: b"EUR",
        };
        let mut entry = Vec::new();
        profile.append(&mut entry);
        assert_eq!(RowProfile::decode(&entry), profile);
    }
}
