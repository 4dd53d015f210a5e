//! Where the cards of a store's month come from (docs/format.md, "Origins").

use super::labelled_cards::{LabelledCards, put_cells, read_cells};
use crate::{Error, Result, bytes::Bytes};

const STRUCTURE: &str = "origins";

/// The cells of a store's month: all cards with a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginsRecord<'a> {
    /// Ascending by region, at least one. No card is in two.
    pub cells: Vec<LabelledCards<'a>>,
}

/// Appends the record of a month.
///
/// # Shape
/// Cells ascend by region, each once.
pub fn encode_origins(cells: &[LabelledCards<'_>], out: &mut Vec<u8>) {
    put_cells(cells, out);
}

impl<'a> OriginsRecord<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let cells = read_cells(&mut bytes, STRUCTURE)?;
        if cells.is_empty() {
            return Err(corrupt("it has no cell"));
        }
        if !bytes.is_empty() {
            return Err(corrupt("bytes are left over"));
        }
        Ok(Self { cells })
    }

    /// Returns the cards of all cells.
    #[must_use]
    pub fn cards(&self) -> u64 {
        self.cells.iter().map(|cell| cell.cards).sum()
    }
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::record::Label;

    type Given = BTreeMap<Label<Vec<u8>>, u32>;

    fn given() -> impl Strategy<Value = Given> {
        let label = prop_oneof![
            Just(Label::Merged),
            Just(Label::Unknown),
            "[a-cé]{1,3}".prop_map(|text| Label::Text(text.into_bytes())),
        ];
        prop::collection::btree_map(label, 1..=u32::MAX, 1..9)
    }

    fn cells(given: &Given) -> Vec<LabelledCards<'_>> {
        let cells = given.iter().map(|(label, cards)| LabelledCards {
            label: match label {
                Label::Merged => Label::Merged,
                Label::Unknown => Label::Unknown,
                Label::Text(text) => Label::Text(text.as_slice()),
            },
            cards: u64::from(*cards),
        });
        cells.collect()
    }

    fn encoded(given: &Given) -> Vec<u8> {
        let mut out = Vec::new();
        encode_origins(&cells(given), &mut out);
        out
    }

    proptest! {
        #[test]
        fn records_read_back_whole_and_cut_ones_are_errors(given in given()) {
            let mut out = encoded(&given);
            let record = OriginsRecord::parse(&out).unwrap();
            prop_assert_eq!(&record.cells, &cells(&given));
            prop_assert_eq!(record.cards(), given.values().map(|it| u64::from(*it)).sum::<u64>());
            for len in 0..out.len() {
                prop_assert!(OriginsRecord::parse(&out[..len]).is_err(), "{}", len);
            }
            out.push(0);
            prop_assert!(OriginsRecord::parse(&out).is_err());
        }

        #[test]
        fn a_record_of_other_bytes_is_one_that_is_written_so_or_none(
            given in given(), at in any::<prop::sample::Index>(), other in any::<u8>(),
        ) {
            let mut out = encoded(&given);
            let at = at.index(out.len());
            out[at] = other;
            if let Ok(record) = OriginsRecord::parse(&out) {
                let mut again = Vec::new();
                encode_origins(&record.cells, &mut again);
                // A number may be written longer than it has to be.
                prop_assert_eq!(OriginsRecord::parse(&again).unwrap(), record);
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let right = [3, 0, 1, 1, 4, 2, b'f', 9];
        assert_eq!(OriginsRecord::parse(&right).unwrap().cards(), 2 + 5 + 10);
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let too_many = [&[1, 1][..], &most].concat();
        for (problem, value) in [
            ("no cell", &[0][..]),
            ("a region repeated", &[2, 1, 4, 1, 4]),
            ("regions out of order", &[2, 2, b'f', 0, 1, 0]),
            ("a region that is no UTF-8", &[1, 2, 255, 0]),
            ("too many cards", &too_many),
        ] {
            assert!(OriginsRecord::parse(value).is_err(), "{problem}");
        }
    }
}
