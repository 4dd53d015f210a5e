//! What a build found out about its rows beside their figures: flags, and the results of data tests.
//!
//! It stands beside the manifest and is no part of the generation's id: tests change no shard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::manifest::{Input, InputRole, Manifest};

/// What was found out about the rows of a generation. No value of a row is in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// Digest of the inputs that were read: a report of other inputs is none of the generation's.
    pub inputs: String,
    /// What is odd and kept, by the flag's name.
    pub flagged: BTreeMap<String, u64>,
    /// The data tests, in the order of the configuration.
    pub tests: Vec<TestResult>,
}

/// The result of one data test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Its name, which no other test has.
    pub name: String,
    /// What is tested: `unique`, `not_null` and so on.
    pub test: String,
    /// The canonical fields that it is about; of an expression those that it names.
    pub columns: Vec<String>,
    /// What becomes of a build that fails it.
    pub severity: Severity,
    /// Whether it holds.
    pub status: Status,
    /// Rows tested: all, or those that its `where` selects.
    pub rows: u64,
    /// Rows of these that fail.
    pub failures: u64,
    /// The first of them, by file and line.
    pub first_failures: Vec<FailedRow>,
}

/// Where a row stands that fails a test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedRow {
    /// The input file.
    pub file: String,
    /// The line on which the row begins, from 1.
    pub line: u64,
}

/// What becomes of a build that fails a test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is told, and the generation is published.
    Warn,
    /// It ends, and nothing is published.
    #[default]
    Block,
}

impl Severity {
    /// Returns the severity as the configuration writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Block => "block",
        }
    }
}

/// Whether a test holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It does: no more rows fail than may.
    Passed,
    /// It does not, and its severity is to warn.
    Warned,
    /// It does not, and its severity is to block.
    Blocked,
    /// What a newer release says.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Returns the status as reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
        }
    }
}

impl QualityReport {
    /// Returns the first test that keeps the build from being published.
    #[must_use]
    pub fn blocking(&self) -> Option<&TestResult> {
        let mut tests = self.tests.iter();
        tests.find(|test| test.status == Status::Blocked)
    }

    /// Returns whether the report is of the inputs of this generation.
    #[must_use]
    pub fn is_of(&self, manifest: &Manifest) -> bool {
        self.inputs == inputs_digest(manifest)
    }
}

/// Returns the digest of what a manifest's transactions were read from.
///
/// # Shape
/// BLAKE3 in hexadecimal over a line for each file of transactions, stores and regions, in the manifest's
/// order. What was packed on top does not count, nor do atoms that were kept.
#[must_use]
pub fn inputs_digest(manifest: &Manifest) -> String {
    let mut hasher = blake3::Hasher::new();
    for input in &manifest.inputs {
        let Input::File { role, blake3, .. } = input else {
            continue;
        };
        let role = match role {
            InputRole::Transactions => "transactions",
            InputRole::Stores => "stores",
            InputRole::Regions => "regions",
            _ => continue,
        };
        hasher.update(format!("{role} {blake3}\n").as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_a_newer_release_is_read_as_unknown() {
        let status: Status = serde_json::from_str("\"postponed\"").unwrap();
        assert_eq!(status, Status::Unknown);
        for known in [Status::Passed, Status::Warned, Status::Blocked] {
            let json = format!("\"{}\"", known.as_str());
            assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), known);
        }
    }
}
