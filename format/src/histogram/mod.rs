//! Histograms of amounts: fine counts that add up, reduced to a few bins of variable width.
//!
//! Rows are counted by cell of one fixed decimal log-linear grid ([`grid`]). Such fine histograms
//! ([`FineHistogram`]) of days, months and stores are added cell by cell, and the sum for any
//! range is reduced to the bins asked for ([`reduce`]) at the time of the request.
//!
//! # Which bins
//! The counts of the selected rows, from the first occupied cell to the last one, empty cells
//! between included, are a sequence. A partition of it into buckets (stretches of neighbouring
//! cells) stands for each count by the mean of its bucket, and its **error** is the sum over all
//! cells of the squared difference between the two. The **V-optimal histogram** is the partition
//! into the number of buckets asked for whose error is least. So bins end where the frequency
//! changes most: a popular round price gets a narrow bin of its own.
//!
//! The error is measured along the grid's own axis, where each cell is one step whatever its
//! width in money: one minor unit below 100, and a hundredth to a tenth of the amount above.
//!
//! There are fewer bins than asked for when the sequence has fewer runs of equal counts than that
//! (in particular, fewer cells): one bin a run has no error, and further ones would say nothing.
//!
//! [`Method::Exact`] finds the least error, [`Method::Climb`] comes within a hundredth of it on
//! average and takes less time for large histograms.
//!
//! # Source
//! H. V. Jagadish, N. Koudas, S. Muthukrishnan, V. Poosala, K. Sevcik and T. Suel, "Optimal
//! Histograms with Quality Guarantees", VLDB 1998.

mod bins;
pub mod climb;
mod fine;
mod greedy;
pub mod grid;
mod method;
mod runs;
pub mod v_optimal;

pub use bins::Bin;
pub use fine::{FineHistogram, Selection, UnknownSelection};
pub use grid::{AMOUNT_MINOR_MAX, Cell};
pub use method::{Method, UnknownMethod};

/// The fewest bins that may be asked for.
pub const BINS_MIN: usize = 2;
/// The most bins that may be asked for: more than a chart can show.
pub const BINS_MAX: usize = 64;
/// The number of bins where none is asked for.
pub const BINS_DEFAULT: usize = 8;

/// Reduces the selected rows of `fine` to at most `bins` bins.
///
/// # Shape
/// Ascending, without gaps, from the first occupied cell to the last one; the counts add up to
/// the rows selected. Empty when there are none; 0 bins are taken as 1.
/// # Panics
/// If more than 2^56 rows are selected.
///
/// # Examples
/// ```
/// use nightshard_format::histogram::{Bin, Cell, FineHistogram, Method, Selection, reduce};
///
/// let mut fine = FineHistogram::new();
/// for amount in [1_000, 1_000, 1_000, 1_000, 1_250, 1_310, 1_490, -1_000] {
///     fine.add(Cell::of(amount), 1);
/// }
/// assert_eq!(
///     reduce(&fine, Selection::Sales, 2, Method::Exact),
///     [Bin { low: 1_000, high: 1_100, count: 4 }, Bin { low: 1_100, high: 1_500, count: 3 }],
/// );
/// ```
#[must_use]
pub fn reduce(fine: &FineHistogram, selection: Selection, bins: usize, method: Method) -> Vec<Bin> {
    let Some((first, counts)) = fine.occupied(selection) else {
        return Vec::new();
    };
    let ends = match method {
        Method::Exact => v_optimal::v_optimal(counts, bins),
        Method::Climb => climb::climb(counts, bins),
    };
    bins::bins(first, counts, &ends)
}
