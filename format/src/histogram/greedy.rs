//! Greedy merging: a good partition at once, the first bound and the first guess of the others.

use super::runs::Runs;

/// Merges the two neighbours that cost least, until at most `buckets` are left; ties leftmost.
///
/// # Shape
/// The edges of the partition, from 0 to `runs.len()`.
/// # Complexity
/// O(r^2) for r runs, but a pass of the inner loop is only a scan for the least of r numbers.
pub(super) fn merge(runs: &Runs, buckets: usize) -> Vec<usize> {
    let mut edges: Vec<usize> = (0..=runs.len()).collect();
    // rises[m] is what removing edges[m + 1] adds to the error.
    let mut rises: Vec<f64> = edges.windows(3).map(|three| rise(runs, three)).collect();
    while edges.len() > buckets + 1 {
        let cheapest = first_least(&rises);
        edges.remove(cheapest + 1);
        rises.remove(cheapest);
        for changed in [cheapest.saturating_sub(1), cheapest] {
            if let Some(three) = edges.get(changed..changed + 3) {
                rises[changed] = rise(runs, three);
            }
        }
    }
    edges
}

/// What removing the middle edge of three adds to the error.
pub(super) fn rise(runs: &Runs, three: &[usize]) -> f64 {
    let parted = runs.error(three[0], three[1]) + runs.error(three[1], three[2]);
    runs.error(three[0], three[2]) - parted
}

/// Index of the first of the least values.
fn first_least(values: &[f64]) -> usize {
    const LANES: usize = 8;
    let (chunks, tail) = values.as_chunks::<LANES>();
    let mut lanes = [f64::INFINITY; LANES];
    for chunk in chunks {
        for (least, &value) in lanes.iter_mut().zip(chunk) {
            *least = if value < *least { value } else { *least };
        }
    }
    let least = tail
        .iter()
        .copied()
        .chain(lanes)
        .fold(f64::INFINITY, f64::min);
    values
        .iter()
        .position(|&value| value == least)
        .expect("some number is the least of them")
}
