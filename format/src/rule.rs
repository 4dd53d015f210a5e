//! What is wrong with the numbers of a rule that a configuration gives.

use std::ops::RangeInclusive;

/// Why numbers are no rule, naming the entry at fault.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct RuleError {
    key: &'static str,
    problem: String,
}

impl RuleError {
    pub(crate) fn new(key: &'static str, problem: String) -> Self {
        Self { key, problem }
    }

    /// Checks that a number is within bounds.
    ///
    /// # Errors
    /// One that names them, if it is not.
    pub(crate) fn check(
        key: &'static str,
        number: u32,
        bounds: RangeInclusive<u32>,
    ) -> Result<(), Self> {
        if bounds.contains(&number) {
            return Ok(());
        }
        let (min, max) = bounds.into_inner();
        let problem = format!("{number} is not from {min} to {max}");
        Err(Self::new(key, problem))
    }
}
