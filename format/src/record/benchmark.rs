//! Stores beside the others of their region and category, by period (docs/format.md, "Benchmark").

use std::collections::BTreeSet;

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed_i128, put_varint},
    calendar::{Day, Month, Period, quarter_of},
    statistics::nearest_quotient,
};

const STRUCTURE: &str = "benchmark";

/// How far the bit of a period is from the one that says that its figures are hidden.
const HIDDEN_SHIFT: u32 = 3;

/// The bit of a record that says that its figures are exact.
const EXACT: u8 = 64;

/// Added to the percentile of a figure that has no index.
const NO_INDEX: u8 = 128;

/// Where a store stands among the others by one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As far as it may be told where the others hide each other.
    Rounded {
        /// 100 x its own figure / the median of the others, rounded; `None` where that median is not above 0, or is
        /// not told.
        index: Option<i128>,
        /// Percent of the others that it is above of, in steps; an equal one counts half.
        percentile: u8,
    },
    /// Where nothing is hidden.
    Exact {
        /// Its own figure.
        own: i128,
        /// Twice the median of the others.
        twice_median: i128,
        /// Twice the number of others that have less, and once those that have as much.
        twice_below: u64,
    },
}

impl Standing {
    /// Returns 100 x its own figure / the median of the others, or `None` where that is not told.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "an index of so many digits is rounded, too"
    )]
    pub fn index(self) -> Option<f64> {
        match self {
            Self::Rounded { index, .. } => index.map(|index| index as f64),
            Self::Exact {
                own, twice_median, ..
            } => exact_index(own, twice_median),
        }
    }

    /// Returns the percent of so many others that it is above of.
    #[must_use]
    pub fn percentile(self, others: u64) -> Option<f64> {
        match self {
            Self::Rounded { percentile, .. } => Some(percentile.into()),
            Self::Exact { twice_below, .. } => {
                nearest_quotient(u128::from(twice_below) * 50, others)
            }
        }
    }
}

/// Returns 100 x a figure / half of a number, to the nearest double; `None` if that number is not above 0.
fn exact_index(own: i128, twice_median: i128) -> Option<f64> {
    let divisor = u128::try_from(twice_median).ok().filter(|it| *it > 0)?;
    let dividend = own.unsigned_abs().saturating_mul(200);
    // Of a divisor beyond 64 bits the first 64 tell more than a double keeps.
    let shift = 64_u32.saturating_sub(divisor.leading_zeros());
    let divisor = u64::try_from(divisor >> shift).ok()?;
    let quotient = nearest_quotient(dividend >> shift, divisor)?;
    Some(if own < 0 { -quotient } else { quotient })
}

/// A store beside the others in one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Benchmark {
    /// How many others have a sale.
    pub others: u64,
    /// By net sales.
    pub net_sales: Standing,
    /// By number of sales.
    pub sales_count: Standing,
    /// By the mean of a sale.
    pub ticket: Standing,
}

impl Benchmark {
    /// Returns where the store stands by each figure, with its name.
    #[must_use]
    pub fn standings(&self) -> [(&'static str, Standing); 3] {
        [
            ("net_sales", self.net_sales),
            ("sales_count", self.sales_count),
            ("ticket", self.ticket),
        ]
    }
}

/// The periods that end with one month and in which a store has a sale, in order; those of which too little
/// may be told have no benchmark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BenchmarkRecord {
    /// The periods.
    pub periods: Vec<(Period, Option<Benchmark>)>,
}

/// Returns the periods that end with a month, in order, each with its bit.
pub fn benchmark_periods(month: Month) -> impl Iterator<Item = (u8, Period)> {
    let ends_quarter = month.number().is_multiple_of(3);
    let quarter = ends_quarter.then(|| (2, Period::Quarter(quarter_of(month))));
    let year = (month.number() == 12).then(|| (4, Period::Year(month.year())));
    [(1, Period::Month(month))]
        .into_iter()
        .chain(quarter)
        .chain(year)
}

/// Returns the last month of a month, quarter or year, whose record has it; `None` for other periods.
#[must_use]
pub fn benchmark_month(period: Period) -> Option<Month> {
    match period {
        Period::Month(month) => Some(month),
        Period::Quarter(first) => Some(Month(first.0 + 2)),
        Period::Year(year) => Some(Month(year * 12 + 11)),
        Period::Day(_) | Period::Week(_) | Period::Range(_) | Period::All => None,
    }
}

/// Returns the months of the records of a store of a known region and category that has sales in `months`, in
/// data whose last row is of a day.
#[must_use]
pub fn benchmark_months(months: impl Iterator<Item = Month>, last_row: Day) -> BTreeSet<Month> {
    let periods = months.flat_map(|month| {
        [
            Period::Month(month),
            Period::Quarter(quarter_of(month)),
            Period::Year(month.year()),
        ]
    });
    let ended = Month::last_ended(last_row);
    let months = periods.filter_map(benchmark_month);
    months.filter(|month| *month <= ended).collect()
}

/// Appends the record of a month.
///
/// # Errors
/// [`Error::Invalid`] for periods that do not end with the month, or are out of order, and where some are exact and
/// some are not.
pub fn encode_benchmarks(
    month: Month,
    periods: &[(Period, Option<Benchmark>)],
    out: &mut Vec<u8>,
) -> Result<()> {
    let mask_at = out.len();
    let told = periods.iter().filter_map(|(_, benchmark)| *benchmark);
    let mut standings = told.flat_map(|benchmark| benchmark.standings());
    let is_exact = standings.any(|(_, standing)| matches!(standing, Standing::Exact { .. }));
    out.push(if is_exact { EXACT } else { 0 });
    let mut rest = periods.iter().peekable();
    for (bit, period) in benchmark_periods(month) {
        let Some((_, benchmark)) = rest.next_if(|(given, _)| *given == period) else {
            continue;
        };
        let hidden = u8::from(benchmark.is_none()) * (bit << HIDDEN_SHIFT);
        out[mask_at] |= bit | hidden;
        if let Some(benchmark) = benchmark {
            put_varint(out, benchmark.others);
            for (_, standing) in benchmark.standings() {
                put_standing(out, standing, is_exact)?;
            }
        }
    }
    match rest.next() {
        None => Ok(()),
        Some((period, _)) => {
            let problem = format!("{period} is out of order, or does not end with {month}");
            Err(Error::invalid(STRUCTURE, problem))
        }
    }
}

fn put_standing(out: &mut Vec<u8>, standing: Standing, is_exact: bool) -> Result<()> {
    match standing {
        Standing::Exact {
            own,
            twice_median,
            twice_below,
        } => {
            put_varint(out, twice_below);
            put_signed_i128(out, own);
            put_signed_i128(out, twice_median);
        }
        Standing::Rounded { .. } if is_exact => {
            let problem = "some figures are exact, and some are rounded";
            return Err(Error::invalid(STRUCTURE, problem));
        }
        Standing::Rounded {
            index: None,
            percentile,
        } => out.push(percentile | NO_INDEX),
        Standing::Rounded {
            index: Some(index),
            percentile,
        } => {
            out.push(percentile);
            put_signed_i128(out, index);
        }
    }
    Ok(())
}

impl BenchmarkRecord {
    /// Reads the record of a month.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, has bytes left over, or says what cannot be.
    pub fn parse(month: Month, bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let mask = bytes.u8()?;
        let is_exact = mask & EXACT != 0;
        let mut known = 0;
        let mut periods = Vec::new();
        for (bit, period) in benchmark_periods(month).filter(|(bit, _)| mask & bit != 0) {
            let is_hidden = mask & (bit << HIDDEN_SHIFT) != 0;
            let benchmark = (!is_hidden).then(|| read_benchmark(&mut bytes, is_exact));
            periods.push((period, benchmark.transpose()?));
            known |= bit | bit << HIDDEN_SHIFT;
        }
        if is_exact && periods.iter().any(|(_, benchmark)| benchmark.is_some()) {
            known |= EXACT;
        }
        if mask & !known != 0 {
            return Err(corrupt("it has a period that does not end with its span"));
        }
        if periods.is_empty() {
            return Err(corrupt("it has no period"));
        }
        if !bytes.is_empty() {
            return Err(corrupt("bytes are left over"));
        }
        Ok(Self { periods })
    }

    /// Returns what is told of a period, or `None` if the store has no sale in it.
    #[must_use]
    pub fn find(&self, period: Period) -> Option<Option<Benchmark>> {
        let found = self.periods.iter().find(|(known, _)| *known == period);
        found.map(|(_, benchmark)| *benchmark)
    }
}

fn read_benchmark(bytes: &mut Bytes<'_>, is_exact: bool) -> Result<Benchmark> {
    let others = bytes.varint()?;
    if others == 0 {
        return Err(corrupt("it compares a store with none"));
    }
    let mut standing = || match is_exact {
        true => read_exact(bytes, others),
        false => read_rounded(bytes),
    };
    Ok(Benchmark {
        others,
        net_sales: standing()?,
        sales_count: standing()?,
        ticket: standing()?,
    })
}

fn read_exact(bytes: &mut Bytes<'_>, others: u64) -> Result<Standing> {
    let twice_below = bytes.varint()?;
    if twice_below > others.saturating_mul(2) {
        return Err(corrupt("more of the others have less than there are"));
    }
    Ok(Standing::Exact {
        twice_below,
        own: bytes.signed_i128()?,
        twice_median: bytes.signed_i128()?,
    })
}

fn read_rounded(bytes: &mut Bytes<'_>) -> Result<Standing> {
    let first = bytes.u8()?;
    let percentile = first & !NO_INDEX;
    if percentile > 100 {
        return Err(corrupt("a percentile is above 100"));
    }
    let has_index = first & NO_INDEX == 0;
    let index = has_index.then(|| bytes.signed_i128()).transpose()?;
    Ok(Standing::Rounded { index, percentile })
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn december() -> Month {
        Month::new(2018, 12).unwrap()
    }

    fn benchmark(index: Option<i128>) -> Benchmark {
        let standing = |percentile| Standing::Rounded { index, percentile };
        Benchmark {
            others: 300,
            net_sales: standing(0),
            sales_count: standing(50),
            ticket: standing(100),
        }
    }

    #[test]
    fn records_read_back_whole_and_cut_ones_are_errors() {
        let all: Vec<Period> = benchmark_periods(december()).map(|(_, it)| it).collect();
        let labels: Vec<String> = all.iter().map(Period::to_string).collect();
        assert_eq!(labels, ["2018-12", "2018-Q4", "2018"]);
        let given = [
            None,
            Some(benchmark(None)),
            Some(benchmark(Some(-7))),
            Some(benchmark(Some(i128::MAX))),
        ];
        for (of_month, of_year) in given
            .iter()
            .flat_map(|it| given.iter().map(move |too| (it, too)))
        {
            let periods = vec![(all[0], *of_month), (all[2], *of_year)];
            let mut out = Vec::new();
            encode_benchmarks(december(), &periods, &mut out).unwrap();
            let record = BenchmarkRecord::parse(december(), &out).unwrap();
            assert_eq!(record.find(all[1]), None);
            assert_eq!(record.find(all[2]), Some(*of_year));
            assert_eq!(record, BenchmarkRecord { periods });
            for len in 0..out.len() {
                assert!(
                    BenchmarkRecord::parse(december(), &out[..len]).is_err(),
                    "{len}"
                );
            }
            out.push(0);
            assert!(BenchmarkRecord::parse(december(), &out).is_err());
        }
    }

    #[test]
    fn exact_figures_read_back_and_stand_beside_no_rounded_ones() {
        let standing = |own, twice_median, twice_below| Standing::Exact {
            own,
            twice_median,
            twice_below,
        };
        let exact = Benchmark {
            others: 3,
            net_sales: standing(600, 1_000, 4),
            sales_count: standing(-1, 3, 1),
            ticket: standing(i128::MAX, i128::MIN, 6),
        };
        let all: Vec<Period> = benchmark_periods(december()).map(|(_, it)| it).collect();
        let periods = vec![(all[0], Some(exact)), (all[1], None), (all[2], Some(exact))];
        let mut out = Vec::new();
        encode_benchmarks(december(), &periods, &mut out).unwrap();
        let record = BenchmarkRecord::parse(december(), &out).unwrap();
        assert_eq!(record, BenchmarkRecord { periods });
        for len in 0..out.len() {
            assert!(BenchmarkRecord::parse(december(), &out[..len]).is_err());
        }
        let mixed = [(all[0], Some(exact)), (all[1], Some(benchmark(None)))];
        assert!(encode_benchmarks(december(), &mixed, &mut Vec::new()).is_err());
    }

    #[test]
    fn an_exact_index_is_the_nearest_double() {
        for (own, twice_median, expected) in [
            (600, 1_000, Some(120.0)),
            (300, 900, Some(200.0 / 3.0)),
            (-300, 900, Some(-200.0 / 3.0)),
            (7, 0, None),
            (7, -2, None),
            (1 << 100, 1 << 101, Some(100.0)),
            (3 << 100, 2 << 70, Some(300.0 * f64::from(1 << 30))),
        ] {
            let standing = Standing::Exact {
                own,
                twice_median,
                twice_below: 5,
            };
            assert_eq!(standing.index(), expected, "{own} {twice_median}");
            assert_eq!(standing.percentile(3), Some(250.0 / 3.0));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let november = Month(december().0 - 1);
        for (month, value) in [
            (december(), &[0][..]),
            // Hidden, and not there.
            (december(), &[1 | 16]),
            (december(), &[128]),
            // Exact, and nothing is told.
            (december(), &[1 | 8 | 64]),
            // The quarter of a month that ends none.
            (november, &[2 | 16]),
            // No others, and a percentile of 101.
            (november, &[1, 0, 128, 128, 128]),
            (november, &[1, 9, 128 | 101, 128, 128]),
            // Of nine others 19 halves.
            (november, &[1 | 64, 9, 19, 0, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            assert!(BenchmarkRecord::parse(month, value).is_err(), "{value:?}");
        }
        assert!(BenchmarkRecord::parse(november, &[1, 9, 128, 128, 128]).is_ok());
        let halves = [1 | 64, 9, 18, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(BenchmarkRecord::parse(november, &halves).is_ok());
        let quarter = [(Period::Quarter(Month(december().0 - 2)), None)];
        assert!(encode_benchmarks(november, &quarter, &mut Vec::new()).is_err());
        assert!(encode_benchmarks(december(), &quarter, &mut Vec::new()).is_ok());
    }

    #[test]
    fn months_of_records_are_the_last_of_periods_that_have_ended() {
        let month = |number| Month::new(2018, number).unwrap();
        let of = |months: &[u32], last: &str| {
            let months = months.iter().map(|number| month(*number));
            let records = benchmark_months(months, last.parse().unwrap());
            records.into_iter().map(Month::number).collect::<Vec<_>>()
        };
        assert_eq!(of(&[1, 5], "2018-12-31"), [1, 3, 5, 6, 12]);
        assert_eq!(of(&[1, 5], "2018-12-30"), [1, 3, 5, 6]);
        assert_eq!(of(&[1, 5], "2018-05-30"), [1, 3]);
        assert_eq!(benchmark_month(Period::All), None);
        for number in 1..=12 {
            for (_, period) in benchmark_periods(month(number)) {
                assert_eq!(benchmark_month(period), Some(month(number)));
            }
        }
    }
}
