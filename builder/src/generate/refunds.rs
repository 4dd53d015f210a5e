//! Which rows are refunds, and of which earlier rows.
//!
//! Rows stand in groups; one row of each group may refund one row, never itself a refund, of an
//! earlier group. The mapping of groups is injective, so no payment is refunded twice.

use super::random::{Rng, Stream};

/// Rows in a group. Some refunds are dropped because the store is closed when they would happen;
/// about 2 % of all rows remain.
const GROUP_ROWS: u32 = 45;
/// How long after the payment: in eighths of a day, one for every class of groups.
const LAGS: [u64; 8] = [1, 8, 8, 16, 24, 56, 112, 240];

/// The refunds of a plan.
pub(super) struct Refunds {
    seed: u64,
    /// For each class of groups, how many groups earlier the payment was: multiples of the
    /// number of classes, so that a class maps to itself.
    shifts: [u64; LAGS.len()],
}

impl Refunds {
    pub(super) fn new(transactions: u64, days: usize, seed: u64) -> Self {
        let classes = LAGS.len() as u64;
        let rows_a_day = transactions / days as u64;
        let shifts = LAGS
            .map(|lag| (rows_a_day * lag / (8 * u64::from(GROUP_ROWS) * classes)).max(1) * classes);
        Self { seed, shifts }
    }

    /// The row that `row` refunds, if it is to be a refund.
    pub(super) fn original_of(&self, row: u64) -> Option<u64> {
        let group = row / u64::from(GROUP_ROWS);
        if row % u64::from(GROUP_ROWS) != self.draw(group).0 {
            return None;
        }
        let class = group % self.shifts.len() as u64;
        let shift = self.shifts.get(usize::try_from(class).ok()?)?;
        let earlier = group.checked_sub(*shift)?;
        Some(earlier * u64::from(GROUP_ROWS) + self.draw(earlier).1)
    }

    /// A group's refund and the payment in it that a later group refunds; they differ.
    fn draw(&self, group: u64) -> (u64, u64) {
        let mut rng = Rng::new(self.seed, Stream::Refund, group);
        let refund = u64::from(rng.below(GROUP_ROWS));
        let distance = 1 + u64::from(rng.below(GROUP_ROWS - 1));
        (refund, (refund + distance) % u64::from(GROUP_ROWS))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn originals_are_earlier_rows_that_are_no_refunds_and_refunded_once() {
        let refunds = Refunds::new(200_000, 100, 5);
        let mut originals = HashSet::new();
        for row in 0..200_000 {
            if let Some(original) = refunds.original_of(row) {
                assert!(original < row);
                assert!(originals.insert(original));
                assert_eq!(refunds.original_of(original), None);
            }
        }
        assert!(
            (3_500..4_500).contains(&originals.len()),
            "{}",
            originals.len()
        );
    }
}
