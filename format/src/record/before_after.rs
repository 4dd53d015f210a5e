//! What the cards of a store's month do before and after (docs/format.md, "Before and after").

use super::labelled_cards::{LabelledCards, put_cells, read_cells};
use crate::{Error, Result, bytes::Bytes};

const STRUCTURE: &str = "before and after";

/// Lists of a record: the regions and the categories before, then those after.
pub const BESIDE_LISTS: usize = 4;

/// The cards of a store's month, by the region and the category of most of their visits before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BesideRecord<'a> {
    /// The lists in their order, each ascending by label, not all of them empty.
    pub lists: [Vec<LabelledCards<'a>>; BESIDE_LISTS],
}

impl<'a> BesideRecord<'a> {
    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.lists.iter().for_each(|list| put_cells(list, out));
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let mut lists: [Vec<LabelledCards<'_>>; BESIDE_LISTS] = Default::default();
        for list in &mut lists {
            *list = read_cells(&mut bytes, STRUCTURE)?;
        }
        if !bytes.is_empty() {
            return Err(Error::corrupt(STRUCTURE, "bytes are left over"));
        }
        match lists.iter().all(Vec::is_empty) {
            false => Ok(Self { lists }),
            true => Err(Error::corrupt(STRUCTURE, "it has no cell")),
        }
    }

    /// Returns the cards of all cells, list by list.
    #[must_use]
    pub fn cards(&self) -> [u64; BESIDE_LISTS] {
        let cards = |list: &Vec<LabelledCards<'_>>| list.iter().map(|cell| cell.cards).sum();
        self.lists.each_ref().map(cards)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::Label;

    #[test]
    fn records_read_back_whole_and_cut_ones_are_errors() {
        let cell = |label, cards| LabelledCards { label, cards };
        let [food, leeds] = [Label::Text(&b"food"[..]), Label::Text(&b"leeds"[..])];
        let record = BesideRecord {
            lists: [
                vec![cell(Label::Merged, 12), cell(leeds, 300)],
                vec![cell(Label::Unknown, 1), cell(food, 2)],
                vec![],
                vec![cell(food, u64::MAX)],
            ],
        };
        let mut out = Vec::new();
        record.encode(&mut out);
        assert_eq!(BesideRecord::parse(&out).unwrap(), record);
        assert_eq!(record.cards(), [312, 3, 0, u64::MAX]);
        for len in 0..out.len() {
            assert!(BesideRecord::parse(&out[..len]).is_err(), "{len}");
        }
        out.push(0);
        assert!(BesideRecord::parse(&out).is_err());
        assert!(BesideRecord::parse(&[0; BESIDE_LISTS]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_that_is_written_so_or_none(
            bytes in prop::collection::vec(0_u8..6, 4..24),
        ) {
            if let Ok(record) = BesideRecord::parse(&bytes) {
                let mut again = Vec::new();
                record.encode(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
