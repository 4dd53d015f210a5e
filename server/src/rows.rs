//! Rows as far as their number and their sum matter.

use std::cmp::Ordering;

use nightshard_format::statistics::nearest_quotient;

/// Some rows.
///
/// # Units
/// `sum` in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// How many.
    pub(crate) count: u64,
    /// Net sum of their amounts.
    pub(crate) sum: i128,
}

impl Rows {
    /// Adds others.
    pub(crate) fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// Returns the mean amount, or `None` without rows.
    pub(crate) fn mean(&self) -> Option<f64> {
        let magnitude = nearest_quotient(self.sum.unsigned_abs(), self.count)?;
        Some(if self.sum < 0 { -magnitude } else { magnitude })
    }

    /// Compares mean amounts exactly; both have rows.
    pub(crate) fn compare_means(self, other: Self) -> Ordering {
        let parts = |rows: Self| {
            let count = i128::from(rows.count.max(1));
            (rows.sum.div_euclid(count), rows.sum.rem_euclid(count))
        };
        let ((whole, rest), (other_whole, other_rest)) = (parts(self), parts(other));
        // Each is below 2^64, and so is a count.
        let [rest, other_rest] = [rest, other_rest].map(i128::unsigned_abs);
        let [count, other_count] = [self, other].map(|rows| u128::from(rows.count.max(1)));
        let by_rest = (rest * other_count).cmp(&(other_rest * count));
        whole.cmp(&other_whole).then(by_rest)
    }

    /// Returns which share of all rows, and of their sum, these have; none of a sum that is not above
    /// zero.
    pub(crate) fn shares_of(self, all: Self) -> [Option<f64>; 2] {
        let of_count = nearest_quotient(self.count.into(), all.count);
        let whole = u128::try_from(all.sum).unwrap_or(0);
        // Bits that no double keeps.
        let excess = u64::BITS.saturating_sub(whole.leading_zeros());
        let whole = u64::try_from(whole >> excess).unwrap_or(u64::MAX);
        let of_sum = nearest_quotient(self.sum.unsigned_abs() >> excess, whole);
        [
            of_count,
            of_sum.map(|it| if self.sum < 0 { -it } else { it }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64, sum: i128) -> Rows {
        Rows { count, sum }
    }

    #[test]
    fn means_are_compared_exactly() {
        let huge = u64::MAX;
        for (a, b, expected) in [
            (rows(3, 10), rows(6, 20), Ordering::Equal),
            (rows(3, -10), rows(3, -9), Ordering::Less),
            (rows(1, 0), rows(huge, 1), Ordering::Less),
            (rows(huge, 7), rows(huge - 1, 7), Ordering::Less),
            (rows(huge, i128::MAX), rows(1, -1), Ordering::Greater),
        ] {
            assert_eq!(a.compare_means(b), expected, "{a:?} {b:?}");
            assert_eq!(b.compare_means(a), expected.reverse());
        }
    }

    #[test]
    fn shares_are_of_sums_above_zero_and_never_overflow() {
        assert_eq!(rows(1, -2).shares_of(rows(4, 8)), [Some(0.25), Some(-0.25)]);
        for sum in [0, -1, i128::MIN] {
            assert_eq!(rows(4, 5).shares_of(rows(4, sum)), [Some(1.0), None]);
        }
        let large = i128::MAX;
        assert_eq!(
            rows(0, large).shares_of(rows(4, large)),
            [Some(0.0), Some(1.0)]
        );
        assert_eq!(rows(0, 0).shares_of(rows(4, large))[1], Some(0.0));
        assert_eq!(rows(0, 0).shares_of(rows(0, 0)), [None, None]);
    }
}
