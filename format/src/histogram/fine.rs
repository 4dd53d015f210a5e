//! Counts of rows by cell of the grid: exact, mergeable, the source of every histogram served.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::grid::Cell;

/// Counts are stored for whole blocks of this many cells, so that a histogram grows a few times
/// in its life and not with every new price.
const BLOCK_CELLS: i16 = 64;

/// Which rows a histogram counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Selection {
    /// Rows with an amount above zero.
    #[default]
    Sales,
    /// Rows with an amount below zero.
    Refunds,
    /// Every row.
    All,
}

/// The error of parsing a [`Selection`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown selection {actual:?}, expected sales, refunds or all")]
pub struct UnknownSelection {
    /// What was given.
    pub actual: String,
}

impl FromStr for Selection {
    type Err = UnknownSelection;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "sales" => Ok(Self::Sales),
            "refunds" => Ok(Self::Refunds),
            "all" => Ok(Self::All),
            _ => Err(UnknownSelection {
                actual: name.to_owned(),
            }),
        }
    }
}

/// A mergeable histogram with one count per cell of the grid.
///
/// # Shape
/// Counts are dense between the first and the last cell ever touched; two histograms are equal
/// when their occupied cells are.
#[derive(Debug, Clone, Default)]
pub struct FineHistogram {
    /// Index of the cell of `counts[0]`, a multiple of [`BLOCK_CELLS`].
    first: i16,
    counts: Vec<u64>,
}

impl FineHistogram {
    /// Creates an empty histogram; it allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            first: 0,
            counts: Vec::new(),
        }
    }

    /// Adds `count` rows to `cell`.
    #[inline]
    pub fn add(&mut self, cell: Cell, count: u64) {
        // A cell before the first wraps to a slot beyond any length.
        let slot = usize::from(cell.index().wrapping_sub(self.first).cast_unsigned());
        match self.counts.get_mut(slot) {
            Some(counted) => *counted += count,
            None => self.add_outside(cell, count),
        }
    }

    /// Adds the counts of `other`, cell by cell.
    pub fn merge(&mut self, other: &Self) {
        if other.counts.is_empty() {
            return;
        }
        self.cover(other.first, other.end());
        let start = slot(self.first, other.first);
        for (counted, count) in self.counts[start..].iter_mut().zip(&other.counts) {
            *counted += count;
        }
    }

    /// Returns the occupied cells in ascending order with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Cell, u64)> + '_ {
        (self.first..)
            .zip(&self.counts)
            .filter(|&(_, &count)| count > 0)
            .map(|(index, &count)| {
                (
                    Cell::from_index(index).expect("only cells of the grid are ever counted"),
                    count,
                )
            })
    }

    /// Returns the number of rows counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Tells whether no row is counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    /// Forgets all counts and keeps the memory.
    pub fn clear(&mut self) {
        self.counts.clear();
    }

    /// Returns the counts of the selected rows from the first occupied cell, which is named, to
    /// the last one; `None` when no row is selected.
    ///
    /// # Shape
    /// One count per cell, empty cells between included; the first and the last are not zero.
    #[must_use]
    pub fn occupied(&self, selection: Selection) -> Option<(Cell, &[u64])> {
        let (low, high) = match selection {
            Selection::Sales => (1, self.end().max(1)),
            Selection::Refunds => (self.first.min(0), 0),
            Selection::All => (self.first, self.end()),
        };
        let start = slot(self.first, low.max(self.first));
        let stop = slot(self.first, high.min(self.end()).max(self.first));
        let selected = self.counts.get(start..stop)?;
        let leading = selected.iter().position(|&count| count > 0)?;
        let last = selected.iter().rposition(|&count| count > 0)?;
        let index = self.first + i16::try_from(start + leading).ok()?;
        Some((Cell::from_index(index)?, &selected[leading..=last]))
    }

    /// Index of the first cell after the counts.
    fn end(&self) -> i16 {
        self.first + i16::try_from(self.counts.len()).expect("the grid has fewer cells than 2^15")
    }

    #[cold]
    fn add_outside(&mut self, cell: Cell, count: u64) {
        let block = cell.index() & !(BLOCK_CELLS - 1);
        self.cover(block, block + BLOCK_CELLS);
        self.counts[slot(self.first, cell.index())] += count;
    }

    /// Extends the counts with zeros so that they include the cells `low..high`.
    fn cover(&mut self, low: i16, high: i16) {
        if self.counts.is_empty() {
            self.first = low;
        }
        if low < self.first {
            let missing = slot(low, self.first);
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = low;
        }
        if high > self.end() {
            self.counts.resize(slot(self.first, high), 0);
        }
    }
}

/// Position of the cell `index` in counts that begin at `first`, which is not above it.
fn slot(first: i16, index: i16) -> usize {
    usize::from(index.abs_diff(first))
}

impl PartialEq for FineHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for FineHistogram {}

impl FromIterator<(Cell, u64)> for FineHistogram {
    fn from_iter<I: IntoIterator<Item = (Cell, u64)>>(counted: I) -> Self {
        let mut fine = Self::new();
        for (cell, count) in counted {
            fine.add(cell, count);
        }
        fine
    }
}
