//! The grid, the fine histograms and the V-optimal bins against independent definitions.

use std::collections::BTreeMap;

use nightshard_format::histogram::climb::climb;
use nightshard_format::histogram::v_optimal::v_optimal;
use nightshard_format::histogram::{
    AMOUNT_MINOR_MAX, BINS_MAX, Bin, Cell, FineHistogram, Method, Selection, reduce,
};
use proptest::prelude::*;

// ---- the grid

fn all_cells() -> impl Iterator<Item = Cell> {
    (Cell::MIN.index()..=Cell::MAX.index()).filter_map(Cell::from_index)
}

#[test]
fn cells_tile_the_line_without_gap_or_overlap() {
    let mut edge = -1_000_000_000_000_000;
    for cell in all_cells() {
        assert_eq!(cell.low(), edge);
        assert!(cell.high() > cell.low());
        edge = cell.high();
    }
    assert_eq!(edge, 1_000_000_000_000_000);
}

/// With cells that tile the line, and `of` ascending, the two ends of each cell decide them all.
#[test]
fn the_ends_of_every_cell_lie_in_it() {
    for cell in all_cells() {
        assert_eq!(Cell::of(cell.low()), cell);
        assert_eq!(Cell::of(cell.high() - 1), cell);
        assert_eq!(Cell::of((cell.low() + cell.high() - 1) / 2), cell);
    }
}

#[test]
fn indices_outside_the_grid_are_no_cells() {
    assert_eq!(Cell::from_index(Cell::MAX.index() + 1), None);
    assert_eq!(Cell::from_index(Cell::MIN.index() - 1), None);
    assert_eq!(Cell::MAX.index(), 99 + 13 * 90);
    assert_eq!(Cell::MIN.index(), !Cell::MAX.index());
}

#[test]
fn amounts_of_two_digits_have_a_cell_each() {
    for amount in 0..100_i16 {
        let cell = Cell::of(i64::from(amount));
        assert_eq!(cell.index(), amount);
        assert_eq!(
            (cell.low(), cell.high()),
            (i64::from(amount), i64::from(amount) + 1)
        );
    }
}

#[test]
fn every_decade_has_90_cells_of_equal_width() {
    for decade in 2..=14 {
        let (low, width) = (10_i64.pow(decade), 10_i64.pow(decade - 1));
        let first = Cell::of(low);
        assert_eq!(Cell::of(low - 1).index() + 1, first.index());
        for step in 0..90_i16 {
            let cell = Cell::from_index(first.index() + step).unwrap();
            assert_eq!(cell.low(), low + i64::from(step) * width);
            assert_eq!(cell.high() - cell.low(), width);
        }
    }
}

#[test]
fn round_amounts_are_edges_on_both_sides_of_zero() {
    for edge in [
        500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000,
    ] {
        assert_eq!(Cell::of(edge).low(), edge);
        assert_eq!(Cell::of(edge - 1).high(), edge);
        assert_eq!(Cell::of(-edge).low(), -edge);
        assert_eq!(Cell::of(-edge - 1).high(), -edge);
    }
}

#[test]
fn the_largest_amounts_are_on_the_grid() {
    assert_eq!(Cell::of(AMOUNT_MINOR_MAX).low(), AMOUNT_MINOR_MAX);
    assert_eq!(Cell::of(-AMOUNT_MINOR_MAX).low(), -AMOUNT_MINOR_MAX);
    assert!(Cell::of(AMOUNT_MINOR_MAX) < Cell::MAX);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn an_amount_beyond_the_grid_is_never_counted_in_a_wrong_cell() {
    let _ = Cell::of(1_000_000_000_000_000);
}

#[test]
fn cells_part_refunds_zero_and_sales() {
    assert_eq!((Cell::of(0).low(), Cell::of(0).high()), (0, 1));
    assert_eq!((Cell::of(-1).low(), Cell::of(-1).high()), (-1, 0));
    assert_eq!((Cell::of(1).low(), Cell::of(1).high()), (1, 2));
}

proptest! {
    #[test]
    fn an_amount_lies_in_its_cell(amount in -AMOUNT_MINOR_MAX..=AMOUNT_MINOR_MAX) {
        let cell = Cell::of(amount);
        prop_assert!(cell.low() <= amount && amount < cell.high());
    }
}

// ---- fine histograms

/// Amounts of all magnitudes, often the same ones.
fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3..=3_i64,
        prop::sample::select(vec![-5_000, 500, 990, 1_000, 1_999, 2_000]),
        -30_000..30_000_i64,
        -AMOUNT_MINOR_MAX..=AMOUNT_MINOR_MAX,
    ]
}

fn counted(amounts: &[i64]) -> FineHistogram {
    amounts
        .iter()
        .map(|&amount| (Cell::of(amount), 1))
        .collect()
}

proptest! {
    #[test]
    fn fine_counts_equal_those_of_a_map(amounts in prop::collection::vec(amount(), 0..200)) {
        let fine = counted(&amounts);
        let mut map = BTreeMap::new();
        for &amount in &amounts {
            *map.entry(Cell::of(amount)).or_insert(0) += 1;
        }
        prop_assert_eq!(fine.iter().collect::<Vec<_>>(), map.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(fine.total(), amounts.len() as u64);
        prop_assert_eq!(fine.is_empty(), amounts.is_empty());
    }

    #[test]
    fn merged_parts_equal_the_whole(
        left in prop::collection::vec(amount(), 0..60),
        right in prop::collection::vec(amount(), 0..60),
    ) {
        let mut merged = counted(&left);
        merged.merge(&counted(&right));
        let mut reverse = counted(&right);
        reverse.merge(&counted(&left));
        let whole = counted(&[left, right].concat());
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(&reverse, &whole);
    }

    #[test]
    fn a_cleared_histogram_counts_as_a_new_one(
        before in prop::collection::vec(amount(), 0..60),
        after in prop::collection::vec(amount(), 0..60),
    ) {
        let mut fine = counted(&before);
        fine.clear();
        prop_assert!(fine.is_empty());
        fine.merge(&counted(&after));
        prop_assert_eq!(&fine, &counted(&after));
    }

    #[test]
    fn selected_counts_are_those_of_the_selected_amounts(
        amounts in prop::collection::vec(amount(), 0..60),
    ) {
        let fine = counted(&amounts);
        for selection in [Selection::Sales, Selection::Refunds, Selection::All] {
            let selected = select(&amounts, selection);
            match fine.occupied(selection) {
                None => prop_assert!(selected.is_empty()),
                Some((first, counts)) => {
                    prop_assert!(counts[0] > 0 && counts[counts.len() - 1] > 0);
                    let cells = (first.index()..).map(|index| Cell::from_index(index).unwrap());
                    let fine: FineHistogram = cells.zip(counts.iter().copied()).collect();
                    prop_assert_eq!(fine, counted(&selected));
                }
            }
        }
    }
}

fn select(amounts: &[i64], selection: Selection) -> Vec<i64> {
    let is_selected = |amount: &i64| match selection {
        Selection::Sales => *amount > 0,
        Selection::Refunds => *amount < 0,
        Selection::All => true,
    };
    amounts.iter().copied().filter(is_selected).collect()
}

// ---- arrays to cut

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// The shapes that are hard for one method or another.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Equal,
    Spikes,
    Alternating,
    Monotone,
    Small,
    Huge,
    Steps,
    RoundPrices,
    Noise,
    Bell,
}

const SHAPES: [Shape; 10] = [
    Shape::Equal,
    Shape::Spikes,
    Shape::Alternating,
    Shape::Monotone,
    Shape::Small,
    Shape::Huge,
    Shape::Steps,
    Shape::RoundPrices,
    Shape::Noise,
    Shape::Bell,
];

/// `len` counts of a shape; the ends are occupied, as those of a real sequence are.
fn counts(shape: Shape, len: usize, random: &mut Random) -> Vec<u64> {
    let mut level = random.below(100);
    let mut counts: Vec<u64> = (0..len as u64)
        .map(|cell| match shape {
            Shape::Equal => 7,
            Shape::Spikes if random.below(8) == 0 => random.below(100_000),
            Shape::Spikes => 0,
            Shape::Alternating => 1 + (cell % 2) * 1_000,
            Shape::Monotone => {
                level += random.below(5);
                level
            }
            Shape::Small => random.below(3),
            Shape::Huge => random.below(1 << 30),
            Shape::Steps => {
                if random.below(6) == 0 {
                    level = random.below(100);
                }
                level
            }
            Shape::RoundPrices => {
                let spike = if cell % 10 == 0 {
                    12
                } else if cell % 5 == 0 {
                    5
                } else {
                    1
                };
                spike * (random.below(40) + 400 / (cell + 4))
            }
            Shape::Noise => random.below(1_000),
            Shape::Bell => {
                let distance = cell.abs_diff(len as u64 / 3);
                10_000 / (10 + distance * distance / 8) + random.below(20)
            }
        })
        .collect();
    for end in [0, len - 1] {
        counts[end] = counts[end].max(1);
    }
    counts
}

fn runs(counts: &[u64]) -> usize {
    counts.chunk_by(|left, right| left == right).count()
}

fn assert_is_partition(counts: &[u64], buckets: usize, ends: &[usize]) {
    assert_eq!(ends.len(), buckets.min(runs(counts)));
    assert!(ends[0] > 0 && ends.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(ends[ends.len() - 1], counts.len());
}

// ---- the plain dynamic program

/// A common multiple of all bucket lengths up to 40: with it every error is an integer.
const MULTIPLE: i128 = 5_342_931_457_063_200;
const LEN_EXACT: usize = 40;

/// The error of a bucket times [`MULTIPLE`], by definition: sum of squares about the mean.
fn integer_error(bucket: &[u64]) -> i128 {
    let len = bucket.len() as i128;
    let sum: i128 = bucket.iter().map(|&count| i128::from(count)).sum();
    let squares: i128 = bucket.iter().map(|&count| i128::from(count).pow(2)).sum();
    assert_eq!(MULTIPLE % len, 0);
    (len * squares - sum * sum) * (MULTIPLE / len)
}

fn float_error(bucket: &[u64]) -> f64 {
    let mean = bucket.iter().sum::<u64>() as f64 / bucket.len() as f64;
    bucket
        .iter()
        .map(|&count| (count as f64 - mean).powi(2))
        .sum()
}

/// Adds up the errors of the buckets that end at `ends`.
fn total<E: std::iter::Sum>(counts: &[u64], ends: &[usize], error: fn(&[u64]) -> E) -> E {
    let starts = std::iter::once(&0).chain(ends);
    starts
        .zip(ends)
        .map(|(&start, &end)| error(&counts[start..end]))
        .sum()
}

/// The least error of at most so many buckets, in O(n^2 b), over all cells.
fn naive<E>(counts: &[u64], buckets: usize, error: fn(&[u64]) -> E) -> E
where
    E: Copy + PartialOrd + std::ops::Add<Output = E>,
{
    let errors: Vec<Vec<E>> = (0..counts.len())
        .map(|start| {
            (start + 1..=counts.len())
                .map(|end| error(&counts[start..end]))
                .collect()
        })
        .collect();
    let mut best: Vec<E> = errors[0].clone();
    for _ in 1..buckets {
        let previous = best.clone();
        for last in 0..counts.len() {
            for cut in 0..last {
                let candidate = previous[cut] + errors[cut + 1][last - cut - 1];
                if candidate < best[last] {
                    best[last] = candidate;
                }
            }
        }
    }
    best[counts.len() - 1]
}

// ---- the exact method

#[test]
fn exact_equals_the_naive_program_on_a_thousand_arrays() {
    let mut random = Random(1);
    for case in 0..1_000 {
        let shape = SHAPES[case % SHAPES.len()];
        let len = 1 + case % LEN_EXACT;
        let buckets = 1 + usize::try_from(random.below(12)).unwrap();
        let counts = counts(shape, len, &mut random);
        let ends = v_optimal(&counts, buckets);
        assert_is_partition(&counts, buckets, &ends);
        assert_eq!(
            total(&counts, &ends, integer_error),
            naive(&counts, buckets, integer_error),
            "{shape:?} {counts:?} into {buckets}: {ends:?}",
        );
    }
}

#[test]
fn exact_equals_the_naive_program_on_long_arrays() {
    let mut random = Random(2);
    for (case, shape) in SHAPES.into_iter().cycle().take(30).enumerate() {
        let counts = counts(shape, 90 + case * 3, &mut random);
        for buckets in [2, 8, 33] {
            let ends = v_optimal(&counts, buckets);
            assert_is_partition(&counts, buckets, &ends);
            let (found, least) = (
                total(&counts, &ends, float_error),
                naive(&counts, buckets, float_error),
            );
            assert!(
                found <= least * (1.0 + 1e-12),
                "{shape:?} {counts:?}: {found} {least}"
            );
        }
    }
}

/// Scaling by a power of two scales every error by its square and changes no rounding, while the
/// larger counts need the wider integers.
#[test]
fn huge_counts_are_cut_as_their_small_multiples() {
    let mut random = Random(3);
    for shape in SHAPES {
        let counts = match shape {
            Shape::Huge => counts(Shape::Noise, 200, &mut random),
            _ => counts(shape, 200, &mut random),
        };
        let scaled: Vec<u64> = counts.iter().map(|count| count << 26).collect();
        assert!(scaled.iter().all(|&count| count < 1 << 43));
        assert_eq!(v_optimal(&scaled, 12), v_optimal(&counts, 12), "{shape:?}");
        assert_eq!(climb(&scaled, 12), climb(&counts, 12), "{shape:?}");
    }
}

#[test]
#[should_panic(expected = "at most 2^56")]
fn counts_that_could_overflow_are_refused() {
    let _ = v_optimal(&[u64::MAX, 1], 2);
}

#[test]
fn of_equal_partitions_the_leftmost_is_taken() {
    // Either cut leaves one cell of 1 beside a 2.
    assert_eq!(v_optimal(&[1, 2, 1], 2), [1, 3]);
    // Three pairs (1, 3) and two singles: the singles are as far left as can be.
    assert_eq!(v_optimal(&[1, 3, 1, 3, 1, 3, 1], 4), [1, 2, 3, 7]);
}

#[test]
fn one_bucket_per_run_is_enough() {
    assert_eq!(v_optimal(&[5, 5, 7, 7, 7], 8), [2, 5]);
    assert_eq!(climb(&[5, 5, 7, 7, 7], 8), [2, 5]);
    assert_eq!(v_optimal(&[3; 100], 8), [100]);
    assert_eq!(climb(&[3; 100], 8), [100]);
}

#[test]
fn nothing_is_cut_into_nothing_and_no_buckets_are_one() {
    for method in [v_optimal, climb] {
        assert!(method(&[], 8).is_empty());
        assert_eq!(method(&[9], 8), [1]);
        assert_eq!(method(&[9, 1, 4], 0), [3]);
        assert_eq!(method(&[9, 1, 4], 1), [3]);
    }
}

#[test]
fn more_buckets_never_have_a_larger_error() {
    let mut random = Random(4);
    for shape in SHAPES {
        let counts = counts(shape, 150, &mut random);
        let errors =
            (1..=BINS_MAX).map(|buckets| total(&counts, &v_optimal(&counts, buckets), float_error));
        let errors: Vec<f64> = errors.collect();
        assert!(
            errors
                .windows(2)
                .all(|pair| pair[1] <= pair[0] * (1.0 + 1e-12)),
            "{shape:?}"
        );
    }
}

#[test]
fn the_largest_histogram_is_cut_into_the_most_bins() {
    let counts = counts(Shape::RoundPrices, 1_300, &mut Random(5));
    let ends = v_optimal(&counts, BINS_MAX);
    assert_is_partition(&counts, BINS_MAX, &ends);
    assert!(total(&counts, &ends, float_error) <= total(&counts, &climb(&counts, 64), float_error));
}

// ---- the climb

/// Least error / climbed error, where nothing / nothing is 1.
fn quality(counts: &[u64], buckets: usize) -> f64 {
    let ends = climb(counts, buckets);
    assert_is_partition(counts, buckets, &ends);
    assert_eq!(ends, climb(counts, buckets));
    let least = total(counts, &v_optimal(counts, buckets), float_error);
    let climbed = total(counts, &ends, float_error);
    if climbed == 0.0 { 1.0 } else { least / climbed }
}

#[test]
fn the_climb_reaches_on_average_99_percent_of_the_optimum() {
    for (len, buckets) in [(64, 8), (128, 8), (128, 16), (256, 16)] {
        let mut random = Random(6);
        let qualities: Vec<f64> = (0..200)
            .map(|case| quality(&counts(SHAPES[case % 10], len, &mut random), buckets))
            .collect();
        let mean = qualities.iter().sum::<f64>() / qualities.len() as f64;
        assert!(mean >= 0.99, "{len} to {buckets}: {mean}");
        assert!(
            qualities
                .iter()
                .all(|&quality| quality > 0.9 && quality < 1.0 + 1e-9)
        );
    }
}

#[test]
fn the_climb_reaches_on_average_99_percent_of_the_optimum_on_round_prices() {
    let mut random = Random(7);
    let qualities = (0..200)
        .map(|_| quality(&counts(Shape::RoundPrices, 128, &mut random), 8))
        .sum::<f64>();
    assert!(qualities / 200.0 >= 0.99, "{}", qualities / 200.0);
}

// ---- bins

proptest! {
    #[test]
    fn bins_tile_the_occupied_cells_and_count_every_selected_row(
        amounts in prop::collection::vec(amount(), 0..120),
        bins in 1..=BINS_MAX,
    ) {
        let fine = counted(&amounts);
        for selection in [Selection::Sales, Selection::Refunds, Selection::All] {
            let selected = select(&amounts, selection);
            for method in [Method::Exact, Method::Climb] {
                let rows = reduce(&fine, selection, bins, method);
                prop_assert_eq!(rows.is_empty(), selected.is_empty());
                prop_assert!(rows.len() <= bins);
                prop_assert!(rows.windows(2).all(|pair| pair[0].high == pair[1].low));
                if let (Some(least), Some(most)) = (selected.iter().min(), selected.iter().max()) {
                    prop_assert_eq!(rows[0].low, Cell::of(*least).low());
                    prop_assert_eq!(rows[rows.len() - 1].high, Cell::of(*most).high());
                }
                for Bin { low, high, count } in rows {
                    let inside = |amount: &&i64| low <= **amount && **amount < high;
                    prop_assert!(low < high);
                    prop_assert_eq!(count, selected.iter().filter(inside).count() as u64);
                }
            }
        }
    }
}

#[test]
fn a_popular_round_price_gets_a_bin_of_its_own() {
    let mut fine = FineHistogram::new();
    for amount in (1_000..2_000).step_by(100) {
        fine.add(Cell::of(amount), 10);
    }
    fine.add(Cell::of(1_500), 500);
    let rows = reduce(&fine, Selection::Sales, 3, Method::Exact);
    assert_eq!(
        rows,
        [
            Bin {
                low: 1_000,
                high: 1_500,
                count: 50
            },
            Bin {
                low: 1_500,
                high: 1_600,
                count: 510
            },
            Bin {
                low: 1_600,
                high: 2_000,
                count: 40
            },
        ],
    );
}

#[test]
fn names_are_parsed_and_written_alike() {
    assert_eq!("exact".parse(), Ok(Method::Exact));
    assert_eq!("climb".parse(), Ok(Method::Climb));
    assert_eq!(serde_json::to_string(&Method::Climb).unwrap(), "\"climb\"");
    assert_eq!("refunds".parse(), Ok(Selection::Refunds));
    assert_eq!(serde_json::to_string(&Selection::All).unwrap(), "\"all\"");
    let error = "Exact".parse::<Method>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown histogram method \"Exact\", expected exact or climb"
    );
    assert!("none".parse::<Selection>().is_err());
}
