//! The histogram as it is served: a few bins of variable width.

use super::grid::Cell;

/// A bin of a histogram.
///
/// # Units
/// Edges in minor currency units.
/// # Shape
/// `[low, high)`; edges are edges of the grid. Of the last bin of a histogram `high` is said to
/// belong to it, though no row counted reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bin {
    /// The smallest amount.
    pub low: i64,
    /// The first amount above, which is the next bin's `low`.
    pub high: i64,
    /// Rows counted.
    pub count: u64,
}

/// Makes bins of the counts that begin at the cell `first`, cut at the positions `ends`.
pub(super) fn bins(first: Cell, counts: &[u64], ends: &[usize]) -> Vec<Bin> {
    let cell = |position: usize| {
        let offset = i16::try_from(position).ok();
        offset
            .and_then(|offset| Cell::from_index(first.index() + offset))
            .expect("counts lie on the grid")
    };
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts
        .zip(ends)
        .map(|(start, &end)| Bin {
            low: cell(start).low(),
            high: cell(end - 1).high(),
            count: counts[start..end].iter().sum(),
        })
        .collect()
}
