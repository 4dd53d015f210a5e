//! What a generation keeps of a leaf for the next one.

use std::fmt::Write;

use nightshard_format::{
    calendar::Month,
    record::{LeafAtom, LeafRecord},
};
use serde::Serialize;

use crate::output::{Column, Table};

/// The atoms of a leaf, and how many stores they may be of.
#[derive(Debug, Serialize)]
pub(super) struct LeafFacts {
    stores: usize,
    atoms: Vec<AtomFacts>,
}

/// An atom, the sum in minor units.
#[derive(Debug, Serialize)]
struct AtomFacts {
    first_day: String,
    last_day: String,
    cards: u64,
    count: u64,
    sum: i128,
}

impl AtomFacts {
    fn of(atom: &LeafAtom) -> Self {
        Self {
            first_day: atom.days.first.to_string(),
            last_day: atom.days.last.to_string(),
            cards: atom.cards,
            count: atom.count,
            sum: atom.sum,
        }
    }
}

impl LeafFacts {
    /// Decodes the record of a leaf.
    pub(super) fn of(month: Month, value: &[u8]) -> nightshard_format::Result<Self> {
        let leaf = LeafRecord::parse(month, value)?;
        Ok(Self {
            stores: leaf.stores.len(),
            atoms: leaf.atoms.iter().map(AtomFacts::of).collect(),
        })
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let mut table = Table::new(&[
            Column::Text("first day"),
            Column::Text("last day"),
            Column::Number("cards"),
            Column::Number("count"),
            Column::Number("sum"),
        ]);
        for atom in &self.atoms {
            table.row([
                atom.first_day.clone(),
                atom.last_day.clone(),
                atom.cards.to_string(),
                atom.count.to_string(),
                atom.sum.to_string(),
            ]);
        }
        let _infallible = write!(text, "{} stores\n{}", self.stores, table.to_text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_shown_with_its_atoms_and_how_many_stores_it_has() {
        let month = Month::new(2018, 3).unwrap();
        let leaf = LeafRecord {
            stores: vec![b"a".to_vec(), b"b".to_vec()],
            atoms: vec![LeafAtom {
                days: month.days(),
                cards: 14,
                count: 40,
                sum: -500,
            }],
        };
        let mut value = Vec::new();
        leaf.encode(month, &mut value).unwrap();
        let facts = LeafFacts::of(month, &value).unwrap();
        let mut text = String::new();
        facts.write(&mut text);
        assert!(text.starts_with("2 stores\n"), "{text}");
        let row: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(row, ["2018-03-01", "2018-03-31", "14", "40", "-500"]);
        assert_eq!(
            serde_json::to_value(&facts).unwrap()["atoms"][0]["cards"],
            14
        );
    }
}
