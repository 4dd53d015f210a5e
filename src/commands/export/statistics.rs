//! The columns that every table of totals has.

use nightshard_format::{Result, histogram::AMOUNT_MINOR_MAX, statistics::Statistics};

use super::{
    error::corrupt,
    rows::Cell,
    schema::{Field, Kind, optional, required},
};

/// As in a statistics row of the HTTP interface, and what unit prices need beside it.
pub(super) const STATISTICS: [Field; 11] = [
    required("count", Kind::Integer),
    required("sum", Kind::Decimal),
    optional("mean", Kind::Double),
    required("min", Kind::Integer),
    required("max", Kind::Integer),
    optional("std", Kind::Double),
    required("cards", Kind::Integer),
    required("refund_count", Kind::Integer),
    required("refund_sum", Kind::Decimal),
    required("zero_count", Kind::Integer),
    required("buyers", Kind::Integer),
];

/// The figures of a period.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Figures {
    /// Totals of its rows.
    pub(super) statistics: Statistics,
    /// Distinct cards that have a row.
    pub(super) cards: u64,
    /// Those that have a sale.
    pub(super) buyers: u64,
}

impl Figures {
    /// Adds rows of other days; cards and buyers are those that the days before have not.
    pub(super) fn add(&mut self, other: &Self) {
        self.statistics.merge(&other.statistics);
        self.cards = self.cards.saturating_add(other.cards);
        self.buyers = self.buyers.saturating_add(other.buyers);
    }
}

/// So many amounts, and their squares, add up within 128 bits: no figure of them overflows.
const ROWS_MAX: u64 = 10_000_000_000;

/// Returns the cells of [`STATISTICS`].
///
/// # Errors
/// [`nightshard_format::Error::Corrupt`] for totals that no rows add up to.
pub(super) fn cells(figures: &Figures) -> Result<[Cell<'static>; 11]> {
    let statistics = &figures.statistics;
    if !is_plausible(statistics) {
        return Err(corrupt("statistics", "no rows add up to them"));
    }
    Ok([
        integer(statistics.count)?,
        Cell::Decimal(statistics.sum),
        Cell::optional_double(statistics.mean()),
        Cell::Integer(statistics.min),
        Cell::Integer(statistics.max),
        Cell::optional_double(statistics.std()),
        integer(figures.cards)?,
        integer(statistics.refund_count)?,
        Cell::Decimal(statistics.refund_sum),
        integer(statistics.zero_count)?,
        integer(figures.buyers)?,
    ])
}

/// Returns the cell of a number of things.
pub(super) fn integer(count: u64) -> Result<Cell<'static>> {
    let count = i64::try_from(count);
    let count = count.map_err(|_beyond| corrupt("statistics", "a number exceeds 2^63"))?;
    Ok(Cell::Integer(count))
}

/// Returns whether totals are such as amounts within their bounds may have; sums have 24 digits then,
/// of the 38 that their column has.
fn is_plausible(statistics: &Statistics) -> bool {
    let amount = u128::from(AMOUNT_MINOR_MAX.unsigned_abs());
    let sum_max = u128::from(statistics.count.min(ROWS_MAX)) * amount;
    statistics.count <= ROWS_MAX
        && statistics.sum.unsigned_abs() <= sum_max
        && statistics.refund_sum.unsigned_abs() <= sum_max
        && statistics.sum_squares <= sum_max * amount
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_that_no_rows_have_are_an_error_and_overflow_nothing() {
        let amount = i128::from(AMOUNT_MINOR_MAX);
        let rows = i128::from(ROWS_MAX);
        let most = Statistics {
            count: ROWS_MAX,
            sum: rows * amount,
            sum_squares: (rows * amount * amount).unsigned_abs(),
            min: AMOUNT_MINOR_MAX,
            max: AMOUNT_MINOR_MAX,
            ..Statistics::default()
        };
        let with = |statistics, cards| Figures {
            statistics,
            cards,
            buyers: 0,
        };
        let cells_of_most = cells(&with(most, 1)).unwrap();
        assert_eq!(cells_of_most[1], Cell::Decimal(10_i128.pow(24)));
        assert_eq!(cells_of_most[5], Cell::Double(0.0));
        let least = Statistics {
            sum: -most.sum,
            refund_sum: -most.sum,
            ..most
        };
        cells(&with(least, 1)).unwrap();
        for beyond in [
            Statistics {
                count: ROWS_MAX + 1,
                ..most
            },
            Statistics {
                count: u64::MAX,
                ..most
            },
            Statistics {
                sum: i128::MIN,
                ..most
            },
            Statistics {
                refund_sum: i128::MAX,
                ..most
            },
            Statistics {
                sum_squares: u128::MAX,
                ..most
            },
        ] {
            cells(&with(beyond, 0)).unwrap_err();
        }
        cells(&with(most, 1 << 63)).unwrap_err();
    }
}
