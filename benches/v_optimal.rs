//! V-optimal histograms: the plain dynamic program, the exact method and the climb.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use nightshard_format::histogram::climb::climb;
use nightshard_format::histogram::v_optimal::v_optimal;

/// Fine cells and bins.
const SIZES: [(usize, usize); 4] = [(64, 8), (128, 8), (256, 16), (1_300, 64)];
/// Arrays over which the quality of the climb is averaged.
const QUALITY_ARRAYS: u64 = 200;

fn methods(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("v_optimal");
    group.sample_size(10);
    for (cells, bins) in SIZES {
        let counts = prices(cells, 1);
        let size = format!("{cells}-to-{bins}");
        let mut method = |name: &str, cut: fn(&[u64], usize) -> Vec<usize>| {
            group.bench_function(BenchmarkId::new(name, &size), |bencher| {
                bencher.iter(|| cut(black_box(&counts), bins));
            });
        };
        method("naive", naive);
        method("exact", v_optimal);
        method("climb", climb);
    }
    group.finish();
    report_quality();
}

/// Prints the mean of least error / climbed error, on standard error beside criterion's notes.
fn report_quality() {
    let (cells, bins) = (128, 8);
    let qualities = (0..QUALITY_ARRAYS).map(|seed| {
        let counts = prices(cells, seed);
        error_of(&counts, &v_optimal(&counts, bins)) / error_of(&counts, &climb(&counts, bins))
    });
    let mean = qualities.sum::<f64>() / QUALITY_ARRAYS as f64;
    eprintln!("climb, {cells} cells to {bins} bins: {mean:.4} of the optimum on average");
}

/// Counts as a shop with round prices has them: a bell with noise and spikes.
fn prices(cells: usize, seed: u64) -> Vec<u64> {
    let mut state = seed;
    let mut random = |limit: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    let count = |cell: usize| {
        let distance = cell.abs_diff(cells * 2 / 5) * 100 / cells;
        let bell = 20_000 / (100 + distance * distance) as u64;
        let spike = match cell {
            cell if cell % 10 == 0 => 8,
            cell if cell % 5 == 0 => 3,
            _ => 1 + 7 * u64::from(random(20) == 0),
        };
        1 + bell * spike * (50 + random(100)) / 100
    };
    (0..cells).map(count).collect()
}

fn error_of(counts: &[u64], ends: &[usize]) -> f64 {
    let bucket_error = |bucket: &[u64]| -> f64 {
        let mean = bucket.iter().sum::<u64>() as f64 / bucket.len() as f64;
        bucket
            .iter()
            .map(|&count| (count as f64 - mean).powi(2))
            .sum()
    };
    let starts = std::iter::once(&0).chain(ends);
    starts
        .zip(ends)
        .map(|(&start, &end)| bucket_error(&counts[start..end]))
        .sum()
}

/// The textbook dynamic program: prefix sums, then every cut of every prefix for every bucket.
fn naive(counts: &[u64], buckets: usize) -> Vec<usize> {
    let mut sums = vec![(0.0, 0.0)];
    for &count in counts {
        let (sum, squares) = sums[sums.len() - 1];
        let count = count as f64;
        sums.push((sum + count, squares + count * count));
    }
    let error = |start: usize, end: usize| {
        let sum = sums[end].0 - sums[start].0;
        sums[end].1 - sums[start].1 - sum * sum / (end - start) as f64
    };
    let cells = counts.len();
    let mut best: Vec<f64> = (0..=cells).map(|end| error(0, end.max(1))).collect();
    let mut cuts = vec![vec![0; cells + 1]; buckets];
    for (bucket, cuts) in cuts.iter_mut().enumerate().skip(1) {
        for end in (bucket + 1..=cells).rev() {
            best[end] = f64::INFINITY;
            for cut in bucket..end {
                let candidate = best[cut] + error(cut, end);
                if candidate < best[end] {
                    best[end] = candidate;
                    cuts[end] = cut;
                }
            }
        }
    }
    let mut ends = vec![cells];
    for cuts in cuts[1..].iter().rev() {
        ends.push(cuts[ends[ends.len() - 1]]);
    }
    ends.reverse();
    ends
}

criterion_group!(benches, methods);
criterion_main!(benches);
