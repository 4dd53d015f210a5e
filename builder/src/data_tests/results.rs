//! What all workers found out together.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
};

use nightshard_format::quality::{FailedRow, Severity, Status, TestResult};
use rayon::ThreadPool;

use super::{
    DataTests, RowTests, Test,
    tally::Tally,
    unique::{self, Seen},
};
use crate::{Error, Result, exchange::Exchanged};

/// The results of data tests.
#[derive(Debug, Default)]
pub(crate) struct Tested {
    /// One for each test, in the order of the configuration.
    pub(crate) results: Vec<TestResult>,
    /// What was written to the scratch folder for want of memory, in bytes.
    pub(crate) spilled_bytes: u64,
}

impl Tested {
    /// Returns the error of the first test that keeps the build from going on.
    pub(crate) fn check(&self) -> Result<()> {
        let mut results = self.results.iter();
        match results.find(|result| result.status == Status::Blocked) {
            Some(blocking) => Err(Error::DataTest {
                name: blocking.name.clone(),
                problem: describe(blocking),
                results: self.results.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// Says how a test failed, in one line.
fn describe(result: &TestResult) -> String {
    let TestResult { failures, rows, .. } = result;
    let first = result.first_failures.first();
    let first = first.map_or_else(String::new, |row| {
        format!(", the first at {}:{}", row.file, row.line)
    });
    format!("{failures} of {rows} rows fail{first}")
}

/// Adds up what the workers counted, and looks for values that stand more than once on all threads
/// of `pool`, each within `budget_bytes`.
///
/// # Errors
/// [`Error::File`] if the scratch folder fails.
pub(crate) fn results(
    tests: &DataTests,
    workers: Vec<RowTests<'_>>,
    files: &[PathBuf],
    (pool, budget_bytes): (&ThreadPool, usize),
) -> Result<Tested> {
    let mut tallies = vec![Tally::default(); tests.tests.len()];
    let mut outboxes = Vec::new();
    for worker in workers {
        add(&mut tallies, &worker.tallies);
        outboxes.extend(worker.seen);
    }
    let seen = Exchanged::new(outboxes)?;
    let spilled_bytes = seen.spilled_bytes();
    if tests.has_unique() {
        for counted in count_repeats(&seen, tests.tests.len(), (pool, budget_bytes))? {
            add(&mut tallies, &counted);
        }
    }
    let results = tests.tests.iter().zip(&tallies);
    Ok(Tested {
        results: results
            .map(|(test, tally)| test.result(tally, files))
            .collect(),
        spilled_bytes,
    })
}

fn add(tallies: &mut [Tally], others: &[Tally]) {
    let pairs = tallies.iter_mut().zip(others);
    pairs.for_each(|(tally, other)| tally.merge(other));
}

fn count_repeats(
    seen: &Exchanged<Seen>,
    tests: usize,
    (pool, budget_bytes): (&ThreadPool, usize),
) -> Result<Vec<Vec<Tally>>> {
    let next = AtomicU16::new(0);
    let counted = pool.broadcast(|_thread| {
        let mut tallies = vec![Tally::default(); tests];
        while let partition = next.fetch_add(1, Ordering::Relaxed)
            && partition < unique::PARTITIONS
        {
            unique::add_repeats(seen, partition, budget_bytes, &mut tallies)?;
        }
        Ok(tallies)
    });
    counted.into_iter().collect()
}

impl Test {
    fn result(&self, tally: &Tally, files: &[PathBuf]) -> TestResult {
        let status = match (self.allows(tally), self.severity) {
            (true, _) => Status::Passed,
            (false, Severity::Warn) => Status::Warned,
            (false, Severity::Block) => Status::Blocked,
        };
        let first_failures = tally.first_failures().into_iter().map(|at| FailedRow {
            file: (files.get(at.file as usize))
                .map_or_else(String::new, |file| file.to_string_lossy().into_owned()),
            line: at.line,
        });
        TestResult {
            name: self.name.clone(),
            test: self.kind.to_owned(),
            columns: self.columns.clone(),
            severity: self.severity,
            status,
            rows: tally.rows,
            failures: tally.failures,
            first_failures: first_failures.collect(),
        }
    }

    /// Whether no more rows failed than may.
    fn allows(&self, tally: &Tally) -> bool {
        let (most, share) = (self.max_failures, self.max_share);
        let default_most = if share.is_some() { u64::MAX } else { 0 };
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        // As a quotient: 29 of 100 are 0.29, of which a hundredfold is less than 29.
        let is_within =
            |share| tally.failures == 0 || tally.failures as f64 / tally.rows as f64 <= share;
        tally.failures <= most.unwrap_or(default_most) && share.is_none_or(is_within)
    }
}
