//! What a record of benchmarks says.

use std::fmt::Write;

use nightshard_format::{
    calendar::Month,
    record::{Benchmark, BenchmarkRecord, Standing},
};
use serde::Serialize;

/// The benchmark of a period.
#[derive(Debug, Serialize)]
pub(super) struct BenchmarkFacts {
    period: String,
    /// Nothing where it is hidden.
    others: Option<u64>,
    standings: Vec<StandingFacts>,
}

#[derive(Debug, Serialize)]
struct StandingFacts {
    figure: &'static str,
    index: Option<i128>,
    percentile: u8,
}

/// Decodes a record.
pub(super) fn benchmarks(
    month: Month,
    value: &[u8],
) -> nightshard_format::Result<Vec<BenchmarkFacts>> {
    let record = BenchmarkRecord::parse(month, value)?;
    let periods = record.periods.iter();
    Ok(periods
        .map(|(period, benchmark)| BenchmarkFacts::of(period.to_string(), benchmark.as_ref()))
        .collect())
}

impl BenchmarkFacts {
    fn of(period: String, benchmark: Option<&Benchmark>) -> Self {
        let standing = |(figure, Standing { index, percentile })| StandingFacts {
            figure,
            index,
            percentile,
        };
        let standings = benchmark.into_iter().flat_map(Benchmark::standings);
        Self {
            period,
            others: benchmark.map(|it| it.others),
            standings: standings.map(standing).collect(),
        }
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let _infallible = match self.others {
            None => writeln!(text, "\n{}, hidden", self.period),
            Some(others) => writeln!(text, "\n{}, beside {others} others", self.period),
        };
        for of in &self.standings {
            let index = of.index.map_or("none".into(), |index| index.to_string());
            let _infallible = writeln!(
                text,
                "{:<12}  index {index}, percentile {}",
                of.figure, of.percentile
            );
        }
    }
}
