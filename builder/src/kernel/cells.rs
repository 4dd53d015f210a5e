//! Which atom the rows of a leaf on a day are in.

use nightshard_format::calendar::{Day, DayRange};

use super::places::{Leaf, PlaceKind, Places};

/// Of what an atom is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Of a leaf alone.
    Leaf,
    /// Of leaves of a region.
    Region,
    /// Of leaves of any region.
    Market,
}

impl Reach {
    /// Returns the places that an atom of this reach counts in, of which a leaf is one; the market, which comes after
    /// all places, is always one.
    pub fn places(self, places: &Places, leaf: Leaf) -> impl Iterator<Item = usize> {
        let has_atoms = move |place: &usize| match self {
            Self::Leaf => true,
            Self::Region => places.list()[*place].kind == PlaceKind::Region,
            Self::Market => false,
        };
        let of_leaf = places.of_leaf(leaf).iter().map(|place| *place as usize);
        of_leaf.filter(has_atoms).chain([places.list().len()])
    }
}

/// Days of a leaf that are in one atom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The days; the last one is the atom's, too.
    pub days: DayRange,
    /// Of what the atom is.
    pub reach: Reach,
}

/// The cells of all leaves.
#[derive(Debug, Default)]
pub struct Cells(Vec<Vec<Cell>>);

impl Cells {
    /// Makes room for so many leaves.
    #[must_use]
    pub fn new(leaves: usize) -> Self {
        Self(vec![Vec::new(); leaves])
    }

    /// Adds a cell of a leaf, later than those before.
    pub fn push(&mut self, leaf: Leaf, cell: Cell) {
        self.0[leaf as usize].push(cell);
    }

    /// Returns the cell that has the rows of a leaf on a day, if they are in an atom.
    #[must_use]
    pub fn find(&self, leaf: Leaf, day: Day) -> Option<Cell> {
        let cells = &self.0[leaf as usize];
        let after = cells.partition_point(|cell| cell.days.first <= day);
        let cell = cells[..after].last().copied();
        cell.filter(|cell| cell.days.contains(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_in_the_cell_that_has_it_or_in_none() {
        let cell = |first, last, reach| Cell {
            days: DayRange {
                first: Day(first),
                last: Day(last),
            },
            reach,
        };
        let mut cells = Cells::new(2);
        cells.push(1, cell(3, 5, Reach::Leaf));
        cells.push(1, cell(6, 6, Reach::Region));
        cells.push(1, cell(9, 30, Reach::Market));
        let found = |leaf, day| cells.find(leaf, Day(day)).map(|cell| cell.days.last.0);
        for (day, last) in [
            (2, None),
            (3, Some(5)),
            (5, Some(5)),
            (6, Some(6)),
            (7, None),
        ] {
            assert_eq!(found(1, day), last);
        }
        assert_eq!([found(1, 9), found(1, 30)], [Some(30); 2]);
        assert_eq!([found(1, 31), found(0, 4)], [None; 2]);
    }
}
