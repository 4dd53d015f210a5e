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
    index: Option<f64>,
    percentile: Option<f64>,
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
        let standings = benchmark.into_iter().flat_map(|benchmark| {
            let of = |(figure, standing): (&'static str, Standing)| StandingFacts {
                figure,
                index: standing.index(),
                percentile: standing.percentile(benchmark.others),
            };
            benchmark.standings().map(of)
        });
        Self {
            period,
            others: benchmark.map(|it| it.others),
            standings: standings.collect(),
        }
    }

    /// Writes it for people.
    pub(super) fn write(&self, text: &mut String) {
        let _infallible = match self.others {
            None => writeln!(text, "\n{}, hidden", self.period),
            Some(others) => writeln!(text, "\n{}, beside {others} others", self.period),
        };
        for of in &self.standings {
            let said = |figure: Option<f64>| figure.map_or("none".into(), |it| it.to_string());
            let (index, percentile) = (said(of.index), said(of.percentile));
            let _infallible = writeln!(
                text,
                "{:<12}  index {index}, percentile {percentile}",
                of.figure
            );
        }
    }
}
