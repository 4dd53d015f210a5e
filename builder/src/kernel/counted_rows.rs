//! The rows of a day that come bit by bit.

use nightshard_format::{
    histogram::{Cell, FineHistogram},
    record::DAY_AMOUNTS_MAX,
    statistics::Statistics,
};

use super::store_days::DayRows;

/// The rows of one day, gathered until they are too many.
#[derive(Debug)]
pub(super) enum CountedRows {
    /// Amounts.
    Amounts(Vec<i64>),
    /// Totals and histogram.
    Totals(Box<(Statistics, FineHistogram)>),
}

impl Default for CountedRows {
    fn default() -> Self {
        Self::Amounts(Vec::new())
    }
}

impl CountedRows {
    /// Adds a row.
    pub(super) fn add(&mut self, amount: i64) {
        match self {
            Self::Amounts(amounts) if amounts.len() < DAY_AMOUNTS_MAX => amounts.push(amount),
            _ => count(self.totals(), amount),
        }
    }

    /// Adds the totals of rows whose cells are added, too.
    pub(super) fn add_totals(&mut self, totals: &Statistics) {
        self.totals().0.merge(totals);
    }

    /// Adds rows of a cell.
    pub(super) fn add_cell(&mut self, cell: Cell, rows: u64) {
        self.totals().1.add(cell, rows);
    }

    /// Returns the totals, into which amounts are counted first.
    fn totals(&mut self) -> &mut (Statistics, FineHistogram) {
        if let Self::Amounts(amounts) = self {
            let mut totals = (Statistics::default(), FineHistogram::default());
            amounts
                .iter()
                .for_each(|amount| count(&mut totals, *amount));
            *self = Self::Totals(Box::new(totals));
        }
        match self {
            Self::Totals(totals) => totals,
            Self::Amounts(_) => unreachable!("amounts have just become totals"),
        }
    }

    /// Puts amounts in order.
    pub(super) fn sort(&mut self) {
        if let Self::Amounts(amounts) = self {
            amounts.sort_unstable();
        }
    }

    /// Returns the rows, after [`CountedRows::sort`].
    pub(super) fn as_rows(&self) -> DayRows<'_> {
        match self {
            Self::Amounts(amounts) => DayRows::Amounts(amounts),
            Self::Totals(totals) => DayRows::Totals(&totals.0, &totals.1),
        }
    }
}

fn count(totals: &mut (Statistics, FineHistogram), amount: i64) {
    totals.0.push(amount);
    totals.1.add(Cell::of(amount), 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_totals_add_up_whichever_come_first() {
        let (amounts, others) = ([-300, 0, 5, 5, 1_000], [7, -1]);
        let all = [-300, -1, 0, 5, 5, 7, 1_000];
        let mut bins = FineHistogram::default();
        all.iter().for_each(|amount| bins.add(Cell::of(*amount), 1));
        for totals_first in [false, true] {
            let mut rows = CountedRows::default();
            let add_amounts = |rows: &mut CountedRows| amounts.iter().for_each(|it| rows.add(*it));
            if !totals_first {
                add_amounts(&mut rows);
                rows.sort();
                assert!(matches!(rows.as_rows(), DayRows::Amounts(it) if it == amounts));
            }
            rows.add_totals(&Statistics::of(&others));
            others
                .iter()
                .for_each(|amount| rows.add_cell(Cell::of(*amount), 1));
            if totals_first {
                add_amounts(&mut rows);
            }
            rows.sort();
            let DayRows::Totals(totals, cells) = rows.as_rows() else {
                panic!("totals do not become amounts");
            };
            assert_eq!((totals, cells), (&Statistics::of(&all), &bins));
        }
    }
}
