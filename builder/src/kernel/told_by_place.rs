//! What is told of the rows of leaves, added up by place and market.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{PlaceMixes, PlacePattern},
};

use super::{
    cells::Reach,
    places::{Leaf, Places},
};
use crate::Result;

/// What is told of rows of a month: of those of several leaves it is added up.
pub trait AddsUp: Default {
    /// Returns whether there is nothing to tell.
    fn is_empty(&self) -> bool;

    /// Adds that of other rows.
    fn add(&mut self, other: &Self);

    /// Appends the record of a place.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if what was added cannot be.
    fn finish(self, out: &mut Vec<u8>) -> Result<()>;
}

impl AddsUp for PlacePattern {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.add(other);
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<()> {
        Ok(self.encode(out)?)
    }
}

impl AddsUp for PlaceMixes {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.add(other);
    }

    fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        self.bound();
        Ok(self.encode(out)?)
    }
}

/// What is told of all places and of the market, which is the place after all others, month by month.
#[derive(Debug)]
pub struct ToldByPlace<T> {
    /// By place, in order of months: what is done is kept as its record.
    done: Vec<Vec<(Month, Vec<u8>)>>,
    /// That of the month that leaves are added of.
    of_month: BTreeMap<usize, T>,
}

impl<T: AddsUp> ToldByPlace<T> {
    /// Makes room for all places.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            done: vec![Vec::new(); places.list().len() + 1],
            of_month: BTreeMap::new(),
        }
    }

    /// Adds what is told of rows of a leaf, or of leaves of which it is one, that are in atoms as far as this reach.
    /// Where there is nothing to tell of them by themselves, there may be beside other rows.
    pub fn add(&mut self, places: &Places, (leaf, reach): (Leaf, Reach), told: &T) {
        for place in reach.places(places, leaf) {
            self.of_month.entry(place).or_default().add(told);
        }
    }

    /// Ends a month, later than those before. Of a place of which there is nothing to tell there is no record.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if what was added cannot be.
    pub fn end_month(&mut self, month: Month) -> Result<()> {
        for (place, told) in std::mem::take(&mut self.of_month) {
            if told.is_empty() {
                continue;
            }
            let mut record = Vec::new();
            told.finish(&mut record)?;
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

    const MARCH: Month = Month(2018 * 12 + 2);

    fn ordinal(index: usize) -> StoreOrdinal {
        StoreOrdinal::new(1, index).unwrap()
    }

    fn places() -> Places {
        let stores = [
            (ordinal(0), Some("north"), Some("bar")),
            (ordinal(1), Some("north"), Some("café")),
            (ordinal(2), Some("south"), Some("bar")),
        ];
        Places::of(stores, None).unwrap()
    }

    /// Tells of leaves in March, then of one in April.
    fn told<T: AddsUp>(places: &Places, march: &[(usize, Reach, T)], april: &T) -> ToldByPlace<T> {
        let mut told = ToldByPlace::new(places);
        for (index, reach, of_leaf) in march {
            told.add(places, (places.leaf_of(ordinal(*index)), *reach), of_leaf);
        }
        told.end_month(MARCH).unwrap();
        let leaf = places.leaf_of(ordinal(0));
        told.add(places, (leaf, Reach::Leaf), april);
        told.end_month(Month(MARCH.0 + 1)).unwrap();
        told
    }

    fn pattern(rows: &[u64]) -> PlacePattern {
        let mut pattern = PlacePattern::default();
        pattern.hours[12] = PatternCell::of(rows.iter().copied());
        pattern.weekdays[3] = pattern.hours[12];
        pattern
    }

    #[test]
    fn patterns_count_in_the_places_that_their_atoms_are_of() {
        let places = places();
        let march = [
            (0, Reach::Leaf, pattern(&[8, 7])),
            (1, Reach::Region, pattern(&[4])),
            (2, Reach::Market, pattern(&[2])),
            (1, Reach::Leaf, pattern(&[])),
        ];
        let told = told(&places, &march, &pattern(&[]));
        let counts = |place| {
            let months = told.months(place).iter();
            let counts = months.map(|(of, record)| {
                let pattern = PlacePattern::parse(record).unwrap();
                (*of, pattern.hours[12].count)
            });
            counts.collect::<Vec<_>>()
        };
        for (number, place) in places.list().iter().enumerate() {
            let expected = match (place.kind, &*place.key) {
                (PlaceKind::RegionCategory, b"north\0bar") | (PlaceKind::Category, b"bar") => 15,
                (PlaceKind::Region, b"north") => 19,
                _ => 0,
            };
            let expected = (expected > 0).then_some((MARCH, expected));
            assert!(expected.into_iter().eq(counts(number)), "{place:?}");
        }
        assert_eq!(counts(places.list().len()), [(MARCH, 21)]);
    }

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
    fn mixes_count_in_the_places_that_their_atoms_are_of() {
        let places = places();
        let march = [
            (0, Reach::Leaf, mixes(&[8, 7], Some("amber"))),
            (1, Reach::Region, mixes(&[4], None)),
            (2, Reach::Market, mixes(&[2], Some("blue"))),
        ];
        let told = told(&places, &march, &mixes(&[5], None));
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
                    vec![(MARCH, vec![15])]
                }
                // Of the last four nothing is said.
                (PlaceKind::Region, b"north") => vec![(MARCH, vec![15, 4])],
                _ => vec![],
            };
            assert_eq!(counts(number), expected, "{place:?}");
        }
        let market = counts(places.list().len());
        assert_eq!(market, [(MARCH, vec![15, 2, 4])]);
    }
}
