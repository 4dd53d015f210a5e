//! The exact V-optimal partition, by dynamic programming.
//!
//! `best(k, i)`, the least error of the runs from `i` to the end in `k` buckets, is the least of
//! `error(i, j) + best(k - 1, j)` over the ends `j` of the first bucket. Plainly that takes
//! O(r^2 b) steps; three observations, none of which gives up exactness, leave a small part:
//!
//! 1. **Runs.** Some optimal partition into at most as many buckets as there are runs cuts only
//!    between runs. Take a cut inside a run of value `v`, `t` of its cells to the left and the
//!    others, `T - t`, to the right, and let `A` and `B` be the rest of its two buckets. A bucket
//!    of `A` and `t` cells of `v` has the error `error(A) + |A| t / (|A| + t) * (mean(A) - v)^2`,
//!    concave in `t`, and likewise to the right in `T - t`; a concave function is least at an end,
//!    so the cut can move to `t = 0` or `t = T` without loss. If `A` is empty, it moves to `T` (the
//!    left bucket stays constant, the right one shrinks), if `B` is, to 0; if both are, the cut is
//!    useless and can move to any edge between runs that has none, which exists because at most
//!    `r - 1` cuts are made. Each move leaves one cut fewer inside a run.
//! 2. **Bound.** Errors only add up: a suffix dearer than the greedy partition of the whole is
//!    never part of the best.
//! 3. **Early stop.** `error(i, j)` grows with `j`: the search ends where it alone is as dear as
//!    the best so far, and it begins with a good one, the bucket that was best for `i + 1`.
//!
//! Errors are doubles, each the quotient of two exact integers, added up from the last bucket to
//! the first: the error found exceeds the least one by less than 2^-46 of it, whatever the counts.
//! Only `+ - * /` are used, so every machine finds the same. Of equal sums the smaller first cut
//! wins, then the smaller second one, and so on.

use super::greedy;
use super::runs::Runs;

/// How far above the greedy error a suffix is still kept, so that rounding never drops a suffix
/// that belongs to a partition as good as the greedy one.
const BOUND_SLACK: f64 = 1.0 + 1e-9;
/// Ends of a bucket that are compared at once: a few vector instructions.
const BLOCK: usize = 16;

/// Returns the ends of the V-optimal buckets of `counts`.
///
/// # Shape
/// Ascending positions in `counts`, the last one its length; as many as `buckets`, or as there
/// are runs of equal counts when these are fewer (their error is 0). Empty when `counts` is, and
/// 0 buckets are taken as 1.
/// # Panics
/// If there are 2^15 counts or more, or they add up to more than 2^56.
/// # Complexity
/// O(r^2 b) for r runs and b buckets at worst, in practice a small part of it; O(r b) memory.
/// # Source
/// Jagadish et al., "Optimal Histograms with Quality Guarantees", VLDB 1998.
///
/// # Examples
/// ```
/// use nightshard_format::histogram::v_optimal::v_optimal;
///
/// assert_eq!(v_optimal(&[1, 2, 1, 9, 8, 9], 2), [3, 6]);
/// ```
#[must_use]
pub fn v_optimal(counts: &[u64], buckets: usize) -> Vec<usize> {
    let runs = Runs::new(counts);
    if runs.len() == 0 {
        return Vec::new();
    }
    let buckets = buckets.clamp(1, runs.len());
    let bound = runs.error_of(&greedy::merge(&runs, buckets)) * BOUND_SLACK;
    let mut table = Table::new(&runs, buckets, bound);
    for start in (0..runs.len()).rev() {
        table.add_start(start);
    }
    table
        .partition()
        .into_iter()
        .map(|edge| runs.position(edge))
        .collect()
}

/// The table of the dynamic program.
struct Table<'a> {
    runs: &'a Runs,
    buckets: usize,
    /// Suffixes with a larger error are not kept.
    bound: f64,
    /// The layer for each number of buckets, from none upwards.
    layers: Vec<Layer>,
    /// `error(start, end)` by end, from `start + 1` to the last one within the bound.
    first_errors: Vec<f64>,
}

/// The best partitions of suffixes into one number of buckets.
struct Layer {
    /// The least error from each edge to the end.
    errors: Vec<f64>,
    /// The end of the first bucket from each edge.
    ends: Vec<usize>,
    /// The first edge whose suffix is kept so far; all edges up to the last one are.
    reach: usize,
}

impl<'a> Table<'a> {
    fn new(runs: &'a Runs, buckets: usize, bound: f64) -> Self {
        let end = runs.len();
        let layer = |buckets: usize| Layer {
            errors: vec![f64::INFINITY; end + 1],
            ends: vec![end; end + 1],
            // The last suffix with as many runs as buckets begins here, and is yet to come.
            reach: end - buckets + 1,
        };
        let mut layers: Vec<Layer> = (0..=buckets).map(layer).collect();
        layers[0].errors[end] = 0.0;
        layers[0].reach = end;
        Self {
            runs,
            buckets,
            bound,
            layers,
            first_errors: Vec::with_capacity(end),
        }
    }

    /// Fills in the suffixes that begin at `start`, after those that begin later.
    fn add_start(&mut self, start: usize) {
        let errors = (start + 1..=self.runs.len()).map(|end| self.runs.error(start, end));
        self.first_errors.clear();
        self.first_errors
            .extend(errors.take_while(|&error| error <= self.bound));
        // As many runs as there are other buckets stay to the left of a suffix.
        for buckets in self.buckets.saturating_sub(start).max(1)..=self.buckets {
            // A layer ends for good with its first suffix beyond the bound.
            if self.layers[buckets].reach != start + 1 {
                continue;
            }
            if let Some((end, error)) = self.first_bucket(start, buckets) {
                let layer = &mut self.layers[buckets];
                layer.errors[start] = error;
                layer.ends[start] = end;
                layer.reach = start;
            }
        }
    }

    /// Finds where the first of so many buckets from `start` best ends, and the error of that
    /// suffix; `None` when every such suffix is beyond the bound.
    fn first_bucket(&self, start: usize, buckets: usize) -> Option<(usize, f64)> {
        let rest = &self.layers[buckets - 1];
        let low = rest.reach.max(start + 1);
        let high = (start + self.first_errors.len()).min(self.runs.len() + 1 - buckets);
        let errors = self.first_errors.get(low - start - 1..high - start)?;
        let rests = &rest.errors[low..=high];
        let hint = self.layers[buckets].ends[start + 1].saturating_sub(low);
        let hinted = errors
            .get(hint)
            .map_or(self.bound, |error| error + rests[hint]);
        // Anything below a sum just above one that is known to be reached: the first such counts.
        let (offset, error) = first_least_sum(errors, rests, hinted.min(self.bound).next_up())?;
        Some((low + offset, error))
    }

    /// Follows the ends of the buckets from the beginning.
    fn partition(&self) -> Vec<usize> {
        let layers = self.layers[1..].iter().rev();
        let next = |edge: &mut usize, layer: &Layer| {
            *edge = layer.ends[*edge];
            Some(*edge)
        };
        layers.scan(0, next).collect()
    }
}

/// The first least sum of two numbers at one index, and that index, if a sum is below `limit`.
///
/// `rising` ascends and neither slice has a negative number, so the search ends where `rising`
/// alone is too large.
fn first_least_sum(rising: &[f64], others: &[f64], limit: f64) -> Option<(usize, f64)> {
    let mut least = limit;
    let mut found = None;
    for (block, (left, right)) in rising.chunks(BLOCK).zip(others.chunks(BLOCK)).enumerate() {
        if left[0] >= least {
            break;
        }
        let sum = least_sum(left, right);
        if sum < least {
            least = sum;
            found = Some(block * BLOCK);
        }
    }
    let block = found?;
    let mut sums = rising[block..]
        .iter()
        .zip(&others[block..])
        .map(|(left, right)| left + right);
    Some((block + sums.position(|sum| sum == least)?, least))
}

/// The least sum of two numbers at one index, by independent lanes: the compiler vectorises that.
fn least_sum(left: &[f64], right: &[f64]) -> f64 {
    const LANES: usize = 4;
    let (left, left_tail) = left.as_chunks::<LANES>();
    let (right, right_tail) = right.as_chunks::<LANES>();
    let mut least = [f64::INFINITY; LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            let sum = left[lane] + right[lane];
            least[lane] = if sum < least[lane] { sum } else { least[lane] };
        }
    }
    let tail = left_tail
        .iter()
        .zip(right_tail)
        .map(|(left, right)| left + right);
    tail.chain(least).fold(f64::INFINITY, f64::min)
}
