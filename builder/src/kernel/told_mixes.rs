//! How leaves were paid, added up by place and market.

use std::collections::BTreeMap;

use nightshard_format::{calendar::Month, record::PlaceMixes};

use super::{
    cells::Reach,
    places::{Leaf, Places},
};
use crate::Result;

/// The mixes of all places and of the market, which is the place after all others, month by month.
#[derive(Debug)]
pub struct ToldMixes {
    /// By place, in order of months: what is done is kept as its record.
    done: Vec<Vec<(Month, Vec<u8>)>>,
    /// Those of the month that leaves are added of.
    of_month: BTreeMap<usize, PlaceMixes>,
}

impl ToldMixes {
    /// Makes room for all places.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            done: vec![Vec::new(); places.list().len() + 1],
            of_month: BTreeMap::new(),
        }
    }

    /// Adds all rows of a leaf, or of leaves of which it is one, that are in atoms as far as this reach.
    pub fn add(&mut self, places: &Places, (leaf, reach): (Leaf, Reach), mixes: &PlaceMixes) {
        for place in reach.places(places, leaf) {
            self.of_month.entry(place).or_default().add(mixes);
        }
    }

    /// Ends a month, later than those before. Of a place of which no row says anything there is no record.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if what was added cannot be.
    pub fn end_month(&mut self, month: Month) -> Result<()> {
        for (place, mut mixes) in std::mem::take(&mut self.of_month) {
            if mixes.is_empty() {
                continue;
            }
            mixes.bound();
            let mut record = Vec::new();
            mixes.encode(&mut record)?;
            self.done[place].push((month, record));
        }
        Ok(())
    }

    /// Returns the records of a place, in order of months.
    #[must_use]
    pub fn months(&self, place: usize) -> &[(Month, Vec<u8>)] {
        &self.done[place]
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::{Dimension, MixValue, PatternCell, PlaceMix};

    use super::*;
    use crate::kernel::{places::PlaceKind, row::StoreOrdinal};

    fn mixes(rows: &[u64], company: Option<&str>) -> PlaceMixes {
        let all = PatternCell::of(rows.iter().copied());
        let mix = |company: &str| PlaceMix {
            values: [(MixValue::Text(company.into()), all)].into(),
            others: PatternCell::default(),
        };
        PlaceMixes {
            all,
            dimensions: company
                .map(|company| (Dimension::CardCompany, mix(company)))
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn rows_count_in_the_places_that_their_atoms_are_of() {
        let ordinal = |index| StoreOrdinal::new(1, index).unwrap();
        let stores = [
            (ordinal(0), Some("north"), Some("bar")),
            (ordinal(1), Some("north"), Some("café")),
            (ordinal(2), Some("south"), Some("bar")),
        ];
        let places = Places::of(stores, None).unwrap();
        let mut told = ToldMixes::new(&places);
        let leaf = |index| places.leaf_of(ordinal(index));
        let month = Month::new(2018, 3).unwrap();
        for (index, reach, mixes) in [
            (0, Reach::Leaf, mixes(&[8, 7], Some("amber"))),
            (1, Reach::Region, mixes(&[4], None)),
            (2, Reach::Market, mixes(&[2], Some("blue"))),
        ] {
            told.add(&places, (leaf(index), reach), &mixes);
        }
        told.end_month(month).unwrap();
        told.add(&places, (leaf(0), Reach::Leaf), &mixes(&[5], None));
        told.end_month(Month(month.0 + 1)).unwrap();
        let counts = |place| {
            let months = told.months(place).iter();
            let counts = months.map(|(of, record)| {
                let mixes = PlaceMixes::parse(record).unwrap();
                let mix = &mixes.dimensions[&Dimension::CardCompany];
                let counts = mix.values.values().map(|cell| cell.count);
                (*of, counts.collect::<Vec<_>>())
            });
            counts.collect::<Vec<_>>()
        };
        for (number, place) in places.list().iter().enumerate() {
            let expected = match (place.kind, &*place.key) {
                (PlaceKind::RegionCategory, b"north\0bar") | (PlaceKind::Category, b"bar") => {
                    vec![(month, vec![15])]
                }
                // Of the last four nothing is said.
                (PlaceKind::Region, b"north") => vec![(month, vec![15, 4])],
                _ => vec![],
            };
            assert_eq!(counts(number), expected, "{place:?}");
        }
        let market = counts(places.list().len());
        assert_eq!(market, [(month, vec![15, 2, 4])]);
    }
}
