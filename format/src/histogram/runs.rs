//! A sequence of counts, compressed to its runs of equal values, with the error of any stretch.

/// The largest sum of counts whose errors are computed: below it no product exceeds 128 bits.
const TOTAL_MAX: u64 = 1 << 56;
/// The longest sequence, for the same reason; the grid has fewer cells.
const CELLS_MAX: usize = 1 << 15;

/// What lies before an edge between two runs.
#[derive(Debug, Clone, Copy, Default)]
struct Edge {
    cells: u64,
    sum: u64,
    squares: u128,
}

/// The edges of the maximal runs of equal counts in a sequence, with prefix sums.
///
/// # Shape
/// Edge 0 is the beginning, edge `len()` the end of the sequence.
#[derive(Debug)]
pub(super) struct Runs {
    edges: Vec<Edge>,
    /// Whether the numerator of every error is below 2^63.
    is_narrow: bool,
}

impl Runs {
    /// Compresses `counts`.
    ///
    /// # Panics
    /// If there are 2^15 counts or more, or they add up to more than 2^56.
    pub(super) fn new(counts: &[u64]) -> Self {
        assert!(
            counts.len() < CELLS_MAX,
            "a sequence is at most as long as the grid"
        );
        let mut edges = Vec::with_capacity(counts.len() + 1);
        edges.push(Edge::default());
        let mut edge = Edge::default();
        for run in counts.chunk_by(|left, right| left == right) {
            let cells = run.len() as u64;
            let sum = run[0]
                .checked_mul(cells)
                .and_then(|sum| sum.checked_add(edge.sum));
            edge.sum = sum
                .filter(|&sum| sum <= TOTAL_MAX)
                .expect("counts add up to at most 2^56");
            edge.cells += cells;
            edge.squares += u128::from(run[0]) * u128::from(run[0]) * u128::from(cells);
            edges.push(edge);
        }
        let largest = u128::from(edge.cells) * edge.squares;
        Self {
            edges,
            is_narrow: largest < 1 << 63,
        }
    }

    /// Returns the number of runs.
    pub(super) fn len(&self) -> usize {
        self.edges.len() - 1
    }

    /// Returns the number of cells before an edge.
    pub(super) fn position(&self, edge: usize) -> usize {
        usize::try_from(self.edges[edge].cells).expect("fewer cells than 2^15")
    }

    /// Returns the sum of squared deviations from the mean between two edges, `left < right`.
    ///
    /// The numerator `n * sum(x^2) - sum(x)^2` is an exact integer, so nothing is lost where the
    /// two nearly cancel; it is rounded to a double once, and the quotient once.
    #[inline]
    pub(super) fn error(&self, left: usize, right: usize) -> f64 {
        let (left, right) = (&self.edges[left], &self.edges[right]);
        let cells = right.cells - left.cells;
        let sum = right.sum - left.sum;
        let numerator = if self.is_narrow {
            // Modulo 2^64 is enough for a number below 2^63: the halves left out cancel.
            let squares = low_half(right.squares).wrapping_sub(low_half(left.squares));
            let numerator = cells
                .wrapping_mul(squares)
                .wrapping_sub(sum.wrapping_mul(sum));
            numerator.cast_signed() as f64
        } else {
            // Below 2^128 by the limits on cells and sum: the wrapping forms never wrap.
            let sum = u128::from(sum);
            let squares = right.squares.wrapping_sub(left.squares);
            u128::from(cells)
                .wrapping_mul(squares)
                .wrapping_sub(sum.wrapping_mul(sum)) as f64
        };
        numerator / cells as f64
    }

    /// Returns the error of a partition, given by its edges from 0 to `len()`, added up from the
    /// last bucket to the first as the exact method does.
    pub(super) fn error_of(&self, partition: &[usize]) -> f64 {
        partition
            .windows(2)
            .rev()
            .fold(0.0, |rest, pair| self.error(pair[0], pair[1]) + rest)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half is what is asked for"
)]
const fn low_half(number: u128) -> u64 {
    number as u64
}
