//! By what stores and places are ordered.

use std::cmp::Ordering;

use nightshard_format::record::{Growth, RankBy};

use super::catalog::StoreFacts;
use crate::kernel::leaf_month::Totals;

/// How large a store is, or a place, which is as large as its stores together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    /// Rows or minor units; 0 of orders by growth.
    total: i128,
    /// Of orders by growth, the sums compared.
    pub(super) growth: Option<Growth>,
}

impl Size {
    pub(super) fn of(by: RankBy, store: &StoreFacts) -> Self {
        let total = |total| Self {
            total,
            growth: None,
        };
        let growth = |growth| Self {
            total: 0,
            growth: Some(growth),
        };
        match by {
            RankBy::Transactions => total(store.transactions.into()),
            RankBy::Amount => total(store.amount),
            RankBy::Growth => growth(store.growth.month),
            RankBy::YearGrowth => growth(store.growth.year),
        }
    }

    /// Returns the size of a place of which totals are told, or none: it comes last. Growth is not told.
    pub(super) fn told(by: RankBy, totals: Option<Totals>) -> Option<Self> {
        let total = match by {
            RankBy::Transactions => totals.map(|it| it.count.into()),
            RankBy::Amount => totals.map(|it| it.sum),
            RankBy::Growth | RankBy::YearGrowth => return None,
        };
        Some(Self {
            total: total.unwrap_or(i128::MIN),
            growth: None,
        })
    }

    /// Adds the size of another store by the same order.
    pub(super) fn add(&mut self, other: Self) {
        self.total += other.total;
        if let Some(growth) = other.growth {
            self.growth.get_or_insert_default().add(growth);
        }
    }

    /// Orders sizes by one order, the largest first.
    pub(super) fn descending(&self, other: &Self) -> Ordering {
        let growth = |size: &Self| size.growth.unwrap_or_default();
        let by_total = other.total.cmp(&self.total);
        by_total.then_with(|| growth(other).compare(growth(self)))
    }
}
