//! The scan with data tests: rows are tested before they are sent on.

use super::{Check, DataTests, tally::Tally, unique::Seen, value::Record};
use crate::{
    Error, Result,
    data_tests::value::Value,
    exchange::{Outbox, Scratch},
    row_outcome::{Field, Flag, Location, Reason, RowSink, Rule},
    transaction::Transaction,
};

/// What one worker has found out about its rows.
pub(crate) struct RowTests<'a> {
    tests: &'a DataTests,
    pub(super) tallies: Vec<Tally>,
    /// Values that must be unique, if there are any.
    pub(super) seen: Option<Outbox<Seen>>,
    key: Vec<u8>,
}

impl<'a> RowTests<'a> {
    /// Begins to test. What has to be unique is held in so many bytes, then in the scratch folder.
    pub(crate) fn new(tests: &'a DataTests, budget_bytes: usize, scratch: &Scratch) -> Self {
        let outbox = || Outbox::new(super::unique::PARTITIONS.into(), budget_bytes, scratch);
        Self {
            tests,
            tallies: vec![Tally::default(); tests.tests.len()],
            seen: tests.has_unique().then(outbox),
            key: Vec::new(),
        }
    }

    /// Tests a row.
    ///
    /// # Errors
    /// [`Error::File`] if the scratch folder takes no more.
    pub(super) fn test(&mut self, at: Location, row: &impl Record) -> Result<()> {
        let seed = self.tests.seed;
        let tests = self.tests.tests.iter().zip(&mut self.tallies);
        for (ordinal, (test, tally)) in (0..).zip(tests) {
            let filter = test.filter.as_ref();
            if filter.is_some_and(|filter| filter.of(row) != Some(true)) {
                continue;
            }
            match &test.check {
                Check::Holds(expression) => tally.count(at, expression.of(row) != Some(false)),
                Check::References(field, keys) => {
                    let is_known = match row.value(*field) {
                        Value::Text(text) => keys.contains(text),
                        _ => true,
                    };
                    tally.count(at, is_known);
                }
                Check::Unique(fields) => {
                    tally.count(at, true);
                    let seen = Seen::of(row, fields, (ordinal, seed), at, &mut self.key);
                    if let Some((seen, outbox)) = seen.zip(self.seen.as_mut()) {
                        outbox.push(seen.partition(), seen)?;
                    }
                }
            }
        }
        if let Some(outbox) = &mut self.seen {
            outbox.spill_if_full()?;
        }
        Ok(())
    }
}

/// Tests the rows that another sink takes, and those that are excluded as cancelled.
pub(crate) struct TestedScan<'a, S> {
    pub(crate) scan: S,
    pub(crate) tests: RowTests<'a>,
}

impl<S: RowSink<Error = Error>> RowSink for TestedScan<'_, S> {
    type Error = Error;

    fn transaction(&mut self, at: Location, row: &Transaction<'_>) -> Result<()> {
        self.tests.test(at, row)?;
        self.scan.transaction(at, row)
    }

    fn cancelled(&mut self, at: Location, row: &Transaction<'_>) -> Result<()> {
        self.tests.test(at, row)?;
        self.scan.cancelled(at, row)
    }

    fn flagged(&mut self, flag: Flag) {
        self.scan.flagged(flag);
    }

    fn rejected(&mut self, at: Location, field: Field, reason: Reason) {
        self.scan.rejected(at, field, reason);
    }

    fn excluded(&mut self, at: Location, rule: Rule) {
        self.scan.excluded(at, rule);
    }
}
