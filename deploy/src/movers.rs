//! The stores whose totals changed most between two generations.

use std::cmp::Ordering;

use nightshard_format::{
    Result, diff::Difference, record::Summary, shard::Record, statistics::Statistics,
};

/// A store whose totals of everything changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mover {
    /// Its id.
    pub store: Vec<u8>,
    /// Rows before and after.
    pub rows: [u64; 2],
    /// Net sums before and after, in minor units.
    pub sums: [i128; 2],
}

impl Mover {
    /// Reads a store's totals on both sides; where it is not there they are zero.
    ///
    /// # Errors
    /// That of a summary that cannot be read.
    pub(crate) fn of(difference: &Difference<'_, '_>) -> Result<Self> {
        let totals = |record: Option<&Record<'_>>| -> Result<Statistics> {
            match record {
                Some(record) => Ok(Summary::parse(&record.value.read()?)?.statistics()),
                None => Ok(Statistics::default()),
            }
        };
        let (old, new) = (totals(difference.old)?, totals(difference.new)?);
        Ok(Self {
            store: difference.key().to_vec(),
            rows: [old.count, new.count],
            sums: [old.sum, new.sum],
        })
    }

    /// Orders those first whose sum changed most, then whose rows did, then by their ids.
    fn order(&self, other: &Self) -> Ordering {
        let size = |mover: &Self| {
            let [old, new] = mover.sums;
            let rows = mover.rows[0].abs_diff(mover.rows[1]);
            (new.abs_diff(old), rows)
        };
        let larger = size(other).cmp(&size(self));
        larger.then_with(|| self.store.cmp(&other.store))
    }

    fn has_moved(&self) -> bool {
        self.sums[0] != self.sums[1] || self.rows[0] != self.rows[1]
    }
}

/// The first of many movers, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Movers(Vec<Mover>);

impl Movers {
    /// Adds one, of which the first `max` of all stay; one with the same totals is none.
    pub(crate) fn add(&mut self, mover: Mover, max: usize) {
        let at = self.0.partition_point(|kept| kept.order(&mover).is_lt());
        if at < max && mover.has_moved() {
            self.0.insert(at, mover);
            self.0.truncate(max);
        }
    }

    /// Returns those that stayed, whose sum changed most first.
    #[must_use]
    pub fn as_slice(&self) -> &[Mover] {
        &self.0
    }

    pub(crate) fn into_vec(self) -> Vec<Mover> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_of_all_stay_in_whatever_order_they_come(
            totals in proptest::collection::vec((0_u64..4, 0_u64..4, -4_i128..4, -4_i128..4), 0..40),
            max in 0_usize..10,
        ) {
            let all: Vec<Mover> = (0_u8..).zip(totals).map(|(id, totals)| Mover {
                store: vec![id],
                rows: [totals.0, totals.1],
                sums: [totals.2, totals.3],
            }).collect();
            let mut movers = Movers::default();
            for mover in all.iter().rev() {
                movers.add(mover.clone(), max);
            }
            let mut expected = all;
            expected.retain(|it| it.rows[0] != it.rows[1] || it.sums[0] != it.sums[1]);
            expected.sort_by_key(|it| {
                let moved = (it.sums[1] - it.sums[0]).abs();
                let rows = it.rows[1].abs_diff(it.rows[0]);
                (std::cmp::Reverse((moved, rows)), it.store.clone())
            });
            expected.truncate(max);
            prop_assert_eq!(movers.as_slice(), expected);
        }
    }
}
