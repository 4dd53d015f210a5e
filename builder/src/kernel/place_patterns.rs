//! The patterns of leaves, added up by place and market.

use std::collections::BTreeMap;

use nightshard_format::{calendar::Month, record::PlacePattern};

use super::{
    cells::Reach,
    places::{Leaf, Places},
};
use crate::Result;

/// The patterns of all places and of the market, which is the place after all others, month by month.
#[derive(Debug)]
pub struct PlacePatterns {
    /// By place, in order of months: what is done is kept as its record.
    done: Vec<Vec<(Month, Vec<u8>)>>,
    /// Those of the month that leaves are added of.
    of_month: BTreeMap<usize, PlacePattern>,
}

impl PlacePatterns {
    /// Makes room for all places.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            done: vec![Vec::new(); places.list().len() + 1],
            of_month: BTreeMap::new(),
        }
    }

    /// Adds rows in atoms of a leaf, or in an atom of some reach that has rows of a leaf; there may be none.
    pub fn add(&mut self, places: &Places, (leaf, reach): (Leaf, Reach), pattern: &PlacePattern) {
        if pattern.is_empty() {
            return;
        }
        for place in reach.places(places, leaf) {
            self.of_month.entry(place).or_default().add(pattern);
        }
    }

    /// Ends a month, later than those before.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if what was added cannot be.
    pub fn end_month(&mut self, month: Month) -> Result<()> {
        for (place, pattern) in std::mem::take(&mut self.of_month) {
            let mut record = Vec::new();
            pattern.encode(&mut record)?;
            self.done[place].push((month, record));
        }
        Ok(())
    }

    /// Returns the records of a place by month.
    #[must_use]
    pub fn months(&self, place: usize) -> BTreeMap<Month, Vec<u8>> {
        self.done[place].iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::PatternCell;

    use super::*;
    use crate::kernel::{places::PlaceKind, row::StoreOrdinal};

    fn pattern(rows: &[u64]) -> PlacePattern {
        let mut pattern = PlacePattern::default();
        pattern.hours[12] = PatternCell::of(rows.iter().copied());
        pattern.weekdays[3] = pattern.hours[12];
        pattern
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
        let mut patterns = PlacePatterns::new(&places);
        let leaf = |index| places.leaf_of(ordinal(index));
        let month = Month::new(2018, 3).unwrap();
        for (index, reach, rows) in [
            (0, Reach::Leaf, &[8_u64, 7][..]),
            (1, Reach::Region, &[4]),
            (2, Reach::Market, &[2]),
            (1, Reach::Leaf, &[]),
        ] {
            patterns.add(&places, (leaf(index), reach), &pattern(rows));
        }
        patterns.end_month(month).unwrap();
        patterns.end_month(Month(month.0 + 1)).unwrap();
        let counts = |place| {
            let months = patterns.months(place).into_iter();
            let count = |(of, record): (Month, Vec<u8>)| {
                (of, PlacePattern::parse(&record).unwrap().hours[12].count)
            };
            months.map(count).collect::<Vec<_>>()
        };
        for (number, place) in places.list().iter().enumerate() {
            let expected = match (place.kind, &*place.key) {
                (PlaceKind::RegionCategory, b"north\0bar") | (PlaceKind::Category, b"bar") => 15,
                (PlaceKind::Region, b"north") => 19,
                _ => 0,
            };
            let expected = (expected > 0).then_some((month, expected));
            assert!(expected.into_iter().eq(counts(number)), "{place:?}");
        }
        assert_eq!(counts(places.list().len()), [(month, 21)]);
    }
}
