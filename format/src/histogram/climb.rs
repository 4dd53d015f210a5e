//! The V-optimal partition by random-restart hill climbing: nearly optimal, nearly at once.
//!
//! This is how the system that this one replaces cut its histograms. There a climb began at random
//! cuts and moved one cut by one cell at a time, which on spiky price lists ends far from the
//! optimum. Here it begins with the greedy partition and has larger moves:
//!
//! - *settle*: a cut goes to the best place between its neighbours, until none moves;
//! - *relocate*: the cut that is missed least is taken out, and the bucket that gains most is cut.
//!
//! Where neither helps, two cuts of the best partition so far are replaced by random ones and the
//! climb begins again, a fixed number of times from a fixed seed. All cuts are between runs of
//! equal counts, where those of an optimal partition lie ([`super::v_optimal`]).

use super::greedy;
use super::runs::Runs;

/// How often the climb begins again from a disturbed partition.
const RESTARTS: usize = 6;
/// How many cuts are then replaced: enough to leave a local optimum, few enough to keep the rest.
const CUTS_DISTURBED: usize = 2;
/// A move has to lower the error it touches by this share: more than rounding can feign, so that
/// a climb always ends.
const GAIN_MIN: f64 = 1e-12;
/// Seed of the random cuts; any number does.
const SEED: u64 = 0x6e69_6768_7473_6864;

/// Returns the ends of nearly V-optimal buckets of `counts`.
///
/// # Shape
/// As [`super::v_optimal::v_optimal`].
/// # Panics
/// If there are 2^15 counts or more, or they add up to more than 2^56.
/// # Complexity
/// O(r^2) for the greedy start, with a small constant; O(r) for each round of moves.
#[must_use]
pub fn climb(counts: &[u64], buckets: usize) -> Vec<usize> {
    let runs = Runs::new(counts);
    if runs.len() == 0 {
        return Vec::new();
    }
    let buckets = buckets.clamp(1, runs.len());
    let mut best = greedy::merge(&runs, buckets);
    // With nothing to choose, or to cut, there is nothing to climb.
    if 1 < buckets && buckets < runs.len() {
        best = restart(&runs, best);
    }
    best[1..].iter().map(|&edge| runs.position(edge)).collect()
}

/// Climbs from `start`, then from disturbed copies of the best partition found.
fn restart(runs: &Runs, start: Vec<usize>) -> Vec<usize> {
    let mut best = start;
    ascend(runs, &mut best);
    let mut error = runs.error_of(&best);
    let mut random = SplitMix(SEED);
    for _ in 0..RESTARTS {
        let mut partition = best.clone();
        disturb(runs, &mut partition, &mut random);
        ascend(runs, &mut partition);
        let climbed = runs.error_of(&partition);
        if climbed < error {
            error = climbed;
            best = partition;
        }
    }
    best
}

/// Moves cuts for as long as the error falls.
fn ascend(runs: &Runs, partition: &mut Vec<usize>) {
    settle(runs, partition);
    while relocate(runs, partition) {
        settle(runs, partition);
    }
}

/// Puts every cut to the best place between its neighbours, until none moves.
fn settle(runs: &Runs, partition: &mut [usize]) {
    let mut moved = true;
    while moved {
        moved = false;
        for middle in 1..partition.len() - 1 {
            let (left, cut, right) = (
                partition[middle - 1],
                partition[middle],
                partition[middle + 1],
            );
            let error = runs.error(left, cut) + runs.error(cut, right);
            let (place, least) = best_cut(runs, left, right);
            if least < error * (1.0 - GAIN_MIN) {
                partition[middle] = place;
                moved = true;
            }
        }
    }
}

/// Takes out one cut and makes another one elsewhere if that lowers the error; tells whether.
fn relocate(runs: &Runs, partition: &mut Vec<usize>) -> bool {
    let removals = partition.windows(3).map(|three| greedy::rise(runs, three));
    let Some((removed, rise)) = least(removals.enumerate()) else {
        return false;
    };
    let removed = removed + 1;
    // Cuts of the two buckets that are joined have been tried by settling.
    let insertions = partition
        .windows(2)
        .enumerate()
        .filter_map(|(bucket, pair)| {
            let joined = bucket + 1 == removed || bucket == removed;
            if joined || pair[1] - pair[0] < 2 {
                return None;
            }
            let (place, error) = best_cut(runs, pair[0], pair[1]);
            Some((place, error - runs.error(pair[0], pair[1])))
        });
    let Some((place, fall)) = least(insertions) else {
        return false;
    };
    if rise >= -fall * (1.0 - GAIN_MIN) {
        return false;
    }
    partition.remove(removed);
    let index = partition.partition_point(|&cut| cut < place);
    partition.insert(index, place);
    true
}

/// The first best single cut between two edges at least two runs apart, and the error left.
fn best_cut(runs: &Runs, left: usize, right: usize) -> (usize, f64) {
    let errors = (left + 1..right).map(|cut| (cut, runs.error(left, cut) + runs.error(cut, right)));
    least(errors).expect("there is an edge between")
}

/// The first of the pairs whose value is least.
fn least(mut valued: impl Iterator<Item = (usize, f64)>) -> Option<(usize, f64)> {
    let first = valued.next()?;
    Some(valued.fold(
        first,
        |least, next| if next.1 < least.1 { next } else { least },
    ))
}

/// Replaces a few cuts by random ones.
fn disturb(runs: &Runs, partition: &mut Vec<usize>, random: &mut SplitMix) {
    let cuts = partition.len() - 2;
    for _ in 0..cuts.min(CUTS_DISTURBED) {
        partition.remove(1 + random.below(cuts));
        // There are more edges than cuts, so that a free one is found.
        loop {
            let place = 1 + random.below(runs.len() - 1);
            if let Err(index) = partition.binary_search(&place) {
                partition.insert(index, place);
                break;
            }
        }
    }
}

/// The SplitMix64 generator.
///
/// # Source
/// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
struct SplitMix(u64);

impl SplitMix {
    /// A number below `limit`, which is far below 2^32: the bias does not matter here.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed >> 32).expect("32 bits fit") % limit
    }
}
