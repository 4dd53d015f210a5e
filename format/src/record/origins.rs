//! Where the cards of a store's month come from (docs/format.md, "Origins").

use super::Label;
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
};

const STRUCTURE: &str = "origins";

/// The cards of a store's month that come from one region. No card is in two cells of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginCell<'a> {
    /// The region.
    pub region: Label<&'a [u8]>,
    /// Distinct cards, at least 1.
    pub cards: u64,
}

/// The cells of a store's month: all cards with a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginsRecord<'a> {
    /// Ascending by region, at least one.
    pub cells: Vec<OriginCell<'a>>,
}

/// Appends the record of a month.
///
/// # Shape
/// Cells ascend by region, each once.
pub fn encode_origins(cells: &[OriginCell<'_>], out: &mut Vec<u8>) {
    debug_assert!(cells.is_sorted_by(|a, b| a.region < b.region));
    put_varint(out, cells.len() as u64);
    for cell in cells {
        match cell.region {
            Label::Merged => put_varint(out, 0),
            Label::Unknown => put_varint(out, 1),
            Label::Text(id) => {
                put_varint(out, 1 + id.len() as u64);
                out.extend_from_slice(id);
            }
        }
        put_varint(out, cell.cards - 1);
    }
}

impl<'a> OriginsRecord<'a> {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let mut cells: Vec<OriginCell<'_>> = Vec::new();
        let mut all = 0_u64;
        for _ in 0..bytes.varint()? {
            let region = read_region(&mut bytes)?;
            let cards = bytes.varint()?.checked_add(1);
            let total = cards.and_then(|cards| all.checked_add(cards));
            let (cards, total) = cards
                .zip(total)
                .ok_or_else(|| corrupt("its cells have too many cards"))?;
            if cells.last().is_some_and(|last| last.region >= region) {
                return Err(corrupt("its cells do not ascend"));
            }
            all = total;
            cells.push(OriginCell { region, cards });
        }
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

fn read_region<'a>(bytes: &mut Bytes<'a>) -> Result<Label<&'a [u8]>> {
    let len = match bytes.varint()? {
        0 => return Ok(Label::Merged),
        1 => return Ok(Label::Unknown),
        label => usize::try_from(label - 1).unwrap_or(usize::MAX),
    };
    let id = bytes.take(len)?;
    match std::str::from_utf8(id) {
        Ok(_text) => Ok(Label::Text(id)),
        Err(_) => Err(corrupt("a region is not UTF-8")),
    }
}

/// Appends the record of how many stores have one in a month, at least 1.
pub fn encode_origin_stores(stores: u64, out: &mut Vec<u8>) {
    put_varint(out, stores - 1);
}

/// Reads how many stores have a record in a month.
///
/// # Errors
/// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
pub fn parse_origin_stores(bytes: &[u8]) -> Result<u64> {
    let mut bytes = Bytes::new(bytes, STRUCTURE);
    let stores = bytes.varint()?.checked_add(1);
    let stores = stores.ok_or_else(|| corrupt("there are too many stores"))?;
    match bytes.is_empty() {
        true => Ok(stores),
        false => Err(corrupt("bytes are left over")),
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

    type Given = BTreeMap<Label<Vec<u8>>, u32>;

    fn given() -> impl Strategy<Value = Given> {
        let label = prop_oneof![
            Just(Label::Merged),
            Just(Label::Unknown),
            "[a-cé]{1,3}".prop_map(|text| Label::Text(text.into_bytes())),
        ];
        prop::collection::btree_map(label, 1..=u32::MAX, 1..9)
    }

    fn cells(given: &Given) -> Vec<OriginCell<'_>> {
        let cells = given.iter().map(|(label, cards)| OriginCell {
            region: match label {
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

        #[test]
        fn numbers_of_stores_read_back(stores in 1..=u64::MAX) {
            let mut out = Vec::new();
            encode_origin_stores(stores, &mut out);
            prop_assert_eq!(parse_origin_stores(&out).unwrap(), stores);
            out.push(0);
            prop_assert!(parse_origin_stores(&out).is_err());
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
        assert!(parse_origin_stores(&most).is_err());
        assert!(parse_origin_stores(&[]).is_err());
    }
}
