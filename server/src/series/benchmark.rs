//! A store beside the others of its region and category.

use nightshard_format::{
    Error,
    calendar::{Month, Period},
    record::{BENCHMARKS, Benchmark, BenchmarkRecord, benchmark_month},
    shard::Span,
};

use super::Series;
use crate::problem::Result;

/// What is known of a store beside the others in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Where it stands.
    Told(Benchmark),
    /// Too little may be told of the others.
    Hidden,
    /// It cannot be compared, and why.
    Not(&'static str),
}

impl Series<'_> {
    /// Compares the store in a month, quarter or year, in data of which the last month that has ended is
    /// `ended`.
    pub(crate) fn benchmark(&self, period: Period, ended: Month) -> Result<Compared> {
        let profile = &self.summary.profile;
        let Some(month) = benchmark_month(period).filter(|month| *month <= ended) else {
            return Ok(Compared::Not("incomplete"));
        };
        if profile.region.is_none() {
            return Ok(Compared::Not("no_region"));
        }
        if profile.category.is_none() {
            return Ok(Compared::Not("no_category"));
        }
        if !self.has_sale_in(period) {
            return Ok(Compared::Not("no_sales"));
        }
        let missing = || Error::Corrupt {
            structure: "summary",
            problem: format!("there is no benchmark of {period}, though there are sales"),
        };
        let value = self
            .generation
            .get(BENCHMARKS, Span::Month(month), self.subject.key)?;
        let value = value.ok_or_else(missing)?.in_place()?;
        let found = BenchmarkRecord::parse(month, value)?.find(period);
        let benchmark = found.ok_or_else(missing)?;
        Ok(benchmark.map_or(Compared::Hidden, Compared::Told))
    }

    fn has_sale_in(&self, period: Period) -> bool {
        let days = period.days();
        self.summary.months.iter().any(|totals| {
            let is_in = days.is_none_or(|days| days.contains(totals.month.first_day()));
            is_in && totals.statistics.sale_count() > 0
        })
    }
}
