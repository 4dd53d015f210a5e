//! How the rows of a place divide, as far as it may be told: rounded shares (docs/privacy.md, "Shares of hours").

use nightshard_format::{
    privacy::{OTHER_MERCHANTS_MIN, leaves_open, percents},
    record::PatternCell,
};

/// Shares of the hours or the weekdays of a place, or of the values of a dimension.
///
/// # Units
/// Whole percents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shares {
    /// Of each, `None` where it is told together with others.
    pub(crate) each: Vec<Option<u64>>,
    /// Of all that are told together.
    pub(crate) together: u64,
}

impl Shares {
    /// Returns the shares of cells as they may be told, or `None` if they may not: each is of k cards at least as far
    /// as rounding goes, and of merchants who hide one another.
    pub(crate) fn of(cells: &[PatternCell], k: u64) -> Option<Self> {
        Self::beside(cells, PatternCell::default(), k)
    }

    /// Returns the same where there are other rows, which are never told but together.
    pub(crate) fn beside(cells: &[PatternCell], others: PatternCell, k: u64) -> Option<Self> {
        let is_alone = separate(cells, others)?;
        let mut together = others;
        let mut told = Vec::new();
        for (cell, is_alone) in cells.iter().zip(&is_alone) {
            match is_alone {
                true => told.push(*cell),
                false => together.add(*cell),
            }
        }
        if told.len() < cells.len() || others.count > 0 {
            told.push(together);
        }
        let counts = told.iter().map(|cell| u128::from(cell.count));
        let all: u128 = counts.sum();
        // What a merchant has itself, there is.
        let parts: Vec<(u64, u64)> = told.iter().map(|it| (it.count, it.largest)).collect();
        if all == 0 || !leaves_open(&parts, k) {
            return None;
        }
        let share_of = |cell: PatternCell| rounded(cell.count.into(), all);
        let each = cells.iter().zip(is_alone);
        Some(Self {
            each: each
                .map(|(cell, is_alone)| is_alone.then(|| share_of(*cell)))
                .collect(),
            together: share_of(together),
        })
    }
}

/// Returns which cells are told by themselves: those whose merchants hide one another, but for the smallest of them
/// where the rest, of which `others` are, does not do so together. `None` if none is.
fn separate(cells: &[PatternCell], others: PatternCell) -> Option<Vec<bool>> {
    let mut is_alone: Vec<bool> = cells.iter().map(is_enough).collect();
    loop {
        let mut together = others;
        let rest = cells.iter().zip(&is_alone).filter(|(_, alone)| !**alone);
        rest.for_each(|(cell, _)| together.add(*cell));
        let alone = (0..cells.len()).filter(|at| is_alone[*at]);
        // Of equals, the first.
        let smallest = alone.min_by_key(|at| cells[*at].count)?;
        if together.count == 0 || is_enough(&together) {
            return Some(is_alone);
        }
        is_alone[smallest] = false;
    }
}

/// Returns whether, whichever one merchant is taken out, five are left, none of them with more than half of the rows
/// that are left.
fn is_enough(cell: &PatternCell) -> bool {
    let of_three = u128::from(cell.largest) * 2 + u128::from(cell.second);
    cell.merchants > OTHER_MERCHANTS_MIN.into() && of_three <= cell.count.into()
}

/// Returns a share in whole percents, halves up; that of nothing is 0.
fn rounded(count: u128, all: u128) -> u64 {
    let percents = percents(count, all).and_then(|it| u64::try_from(it).ok());
    percents.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows of ten merchants alike.
    fn cell(count: u64) -> PatternCell {
        PatternCell {
            count,
            largest: count / 10,
            second: count / 10,
            merchants: 10,
        }
    }

    fn told(cells: &[PatternCell], k: u64) -> Option<(Vec<Option<u64>>, u64)> {
        Shares::of(cells, k).map(|shares| (shares.each, shares.together))
    }

    #[test]
    fn shares_are_told_where_a_percent_is_of_k_rows_and_more() {
        let thousands = [5, 3, 2].map(|count| cell(count * 1_000));
        let expected = [50, 30, 20].map(Some).to_vec();
        assert_eq!(told(&thousands, 10), Some((expected.clone(), 0)));
        // Of 1,000 rows, 50 % are 495 to 504.
        let hundreds = [5, 3, 2].map(|count| cell(count * 100));
        assert_eq!(told(&hundreds, 9), Some((expected, 0)));
        assert_eq!(told(&hundreds, 10), None);
        assert_eq!(told(&[PatternCell::default(); 24], 2), None);
    }

    #[test]
    fn hours_of_few_merchants_are_told_together_with_the_smallest_other() {
        let night = PatternCell::of([100]);
        let cells = [cell(5_000), night, cell(3_000), cell(2_000)];
        // 5,000, 3,000 and 2,100 of 10,100.
        let expected = vec![Some(50), None, Some(30), None];
        assert_eq!(told(&cells, 10), Some((expected, 21)));
        let closed = [cell(5_000), PatternCell::default(), cell(5_000)];
        let expected = vec![Some(50), None, Some(50)];
        assert_eq!(told(&closed, 10), Some((expected, 0)));
        let one_is_most = PatternCell::of([900, 10, 10, 10, 10, 10, 10]);
        assert_eq!(told(&[one_is_most, one_is_most], 2), None);
    }

    #[test]
    fn what_is_kept_together_hides_with_the_smallest_if_not_by_itself() {
        let beside = |cells: &[PatternCell], others, k| {
            Shares::beside(cells, others, k).map(|shares| (shares.each, shares.together))
        };
        let cells = [cell(5_000), cell(3_000)];
        let expected = [50, 30].map(Some).to_vec();
        assert_eq!(beside(&cells, cell(2_000), 10), Some((expected, 20)));
        let one = PatternCell::of([2_000]);
        let expected = vec![Some(50), None];
        assert_eq!(beside(&cells, one, 10), Some((expected, 50)));
        assert_eq!(beside(&[], cell(9_000), 10), None);
        // One value that all rows have is no secret, and its rows are known.
        assert_eq!(told(&cells[..1], 10), None);
    }

    #[test]
    fn shares_whose_sum_tells_the_counts_are_not_told() {
        // 50.5 % and 49.5 % are 51 and 50, and only they are.
        assert_eq!(told(&[cell(5_050), cell(4_950)], 2), None);
        assert!(told(&[cell(5_040), cell(4_960)], 2).is_some());
    }

    #[test]
    fn a_merchant_who_has_most_of_what_rounds_to_nothing_learns_nothing_of_the_rest() {
        // 0 % are at most 49 rows, of which one merchant has 20.
        let few = PatternCell {
            count: 48,
            largest: 20,
            second: 8,
            merchants: 6,
        };
        let cells = [cell(5_000), cell(4_952), few];
        assert!(told(&cells, 29).is_some());
        assert_eq!(told(&cells, 30), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn what_is_told_fits_counts_that_are_k_apart(
            counts in prop::collection::vec(0_u64..150, 3), k in 1_u64..4,
        ) {
            let cells: Vec<PatternCell> = counts
                .iter()
                .map(|count| PatternCell { count: *count, largest: 0, second: 0, merchants: 9 })
                .collect();
            let all: u64 = counts.iter().sum();
            let shares = |counts: [u64; 3]| counts.map(|it| rounded(it.into(), all.max(1).into()));
            let own = shares([counts[0], counts[1], counts[2]]);
            let mut ends = [(u64::MAX, 0); 3];
            for first in 0..=all {
                for second in 0..=all - first {
                    let other = [first, second, all - first - second];
                    if shares(other) == own {
                        for (end, count) in ends.iter_mut().zip(other) {
                            *end = (end.0.min(count), end.1.max(count));
                        }
                    }
                }
            }
            let is_vague = all > 0 && ends.iter().all(|(least, most)| most - least >= k);
            let told = told(&cells, k);
            prop_assert_eq!(told.is_some(), is_vague);
            if let Some((each, _)) = told {
                prop_assert_eq!(each, own.map(Some).to_vec());
            }
        }
    }
}
