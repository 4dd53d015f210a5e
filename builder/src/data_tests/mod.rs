//! Data tests: what the configuration says of every row that can be read.
//!
//! [`DataTests::compile`] checks what is declared, `RowTests` counts failures row by row while the
//! input is scanned, and `RowTests::finish` makes the results of all workers. Counts are sums and
//! the failures named are the first by file and line, so that neither threads nor memory show in
//! them. No value is kept: only hashes go through the exchange, and only places into results.

mod compile;
mod condition;
mod definition;
mod expression;
mod reference;
mod results;
mod tally;
mod tested_scan;
mod unique;
mod value;

use nightshard_format::quality::Severity;

pub use condition::Condition;
pub use definition::Definition;
pub(crate) use results::{Tested, results};
pub use tally::NAMED_MAX;
pub(crate) use tested_scan::{RowTests, TestedScan};

use self::{expression::Expression, reference::ReferenceKeys};
use crate::layout::Field;

/// The data tests of a build.
// No `Debug`: an expression may hold what nobody is to see in a log.
#[derive(Default)]
pub struct DataTests {
    tests: Vec<Test>,
    seed: u64,
}

impl std::fmt::Debug for DataTests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.tests.iter().map(|test| &test.name);
        f.debug_list().entries(names).finish()
    }
}

impl DataTests {
    /// Returns whether there is no test, and rows need not be looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Returns whether a test needs rows to meet.
    fn has_unique(&self) -> bool {
        let mut checks = self.tests.iter().map(|test| &test.check);
        checks.any(|check| matches!(check, Check::Unique(_)))
    }
}

/// One test, ready to be run.
struct Test {
    name: String,
    kind: &'static str,
    columns: Vec<String>,
    severity: Severity,
    max_failures: Option<u64>,
    max_share: Option<f64>,
    /// Of the rows those are tested of which this is true.
    filter: Option<Expression>,
    check: Check,
}

/// When a row fails: never for a value that is null, unless the check is about that.
enum Check {
    /// When this is false.
    Holds(Expression),
    /// When the field has a value that the keys do not have.
    References(Field, ReferenceKeys),
    /// When an earlier row has the same values.
    Unique(Vec<Field>),
}

#[cfg(test)]
mod tests;
