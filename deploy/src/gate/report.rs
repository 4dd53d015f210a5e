//! What the gate said, kept beside the manifest.

use nightshard_format::manifest::GenerationId;
use nightshard_storage::{Error as StorageError, ErrorKind, ObjectName};
use serde::{Deserialize, Serialize};

use super::{Check, Measures, Verdict};
use crate::{Error, Repository, Result, names};

/// No report is longer.
const REPORT_LEN_MAX: u64 = 16 << 20;

/// How the names of these reports begin.
const KIND: &str = "gate";

/// How often another writer may take the number first.
const ATTEMPTS_MAX: u32 = 8;

/// What the gate said of a generation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Its number among the generation's reports, from 1 on; it is in its name, too.
    pub number: u32,
    /// The generation judged.
    pub generation: GenerationId,
    /// What it was compared with, if there was something.
    pub against: Option<GenerationId>,
    /// Whether no check refused it.
    pub is_passed: bool,
    /// Every check.
    pub checks: Vec<Check>,
    /// What was measured of it.
    pub measures: Measures,
    /// What was measured of the generation that it was compared with.
    pub good_measures: Option<Measures>,
    /// When, in UTC as of RFC 3339.
    pub at: String,
    /// Who judged it.
    pub by: String,
    /// What tells the writer's own record from others'.
    pub nonce: String,
}

impl GateReport {
    /// Returns the first check that refused the generation.
    #[must_use]
    pub fn refusal(&self) -> Option<&Check> {
        let mut checks = self.checks.iter();
        checks.find(|check| check.verdict == Verdict::Refused)
    }

    /// Returns the report's name within the repository.
    #[must_use]
    pub fn name(&self) -> String {
        let name = name_of(&self.generation, self.number);
        name.map_or_else(|error| error.to_string(), |name| name.to_string())
    }
}

fn name_of(id: &GenerationId, number: u32) -> Result<ObjectName> {
    Ok(names::numbered_report(id, KIND, number)?)
}

impl Repository {
    /// Returns the newest of a generation's gate reports, or `None` before the first.
    ///
    /// # Errors
    /// [`Error::Unusable`] if it is damaged or of a newer release.
    pub async fn last_gate_report(&self, id: &GenerationId) -> Result<Option<GateReport>> {
        match self.last_report_number(id, KIND).await? {
            Some(number) => self.gate_report(id, number).await,
            None => Ok(None),
        }
    }

    async fn gate_report(&self, id: &GenerationId, number: u32) -> Result<Option<GateReport>> {
        let name = name_of(id, number)?;
        let Some(bytes) = self.storage.get(&name, REPORT_LEN_MAX).await? else {
            return Ok(None);
        };
        let report = serde_json::from_slice(&bytes);
        report.map(Some).map_err(|error| self.unusable(name, error))
    }

    /// Stores a report under the next number, and returns it with that.
    pub(super) async fn store_gate_report(&self, mut report: GateReport) -> Result<GateReport> {
        let id = report.generation.clone();
        report.number = self
            .last_report_number(&id, KIND)
            .await?
            .unwrap_or_default()
            + 1;
        let mut attempts = 1..=ATTEMPTS_MAX;
        loop {
            attempts.next();
            let name = name_of(&id, report.number)?;
            let mut json = serde_json::to_vec_pretty(&report)
                .map_err(|error| self.unusable(name.clone(), error))?;
            json.push(b'\n');
            match self.storage.create(&name, json.into()).await {
                Ok(()) => return Ok(report),
                Err(StorageError::Exists { .. }) if !attempts.is_empty() => {
                    let found = self.gate_report(&id, report.number).await;
                    // Its own, whose answer was lost, or else somebody's, damaged or not.
                    if matches!(found, Ok(Some(found)) if found.nonce == report.nonce) {
                        return Ok(report);
                    }
                    report.number += 1;
                }
                Err(error) if error.kind() == ErrorKind::Unavailable && !attempts.is_empty() => {}
                Err(error) => return Err(Error::from(error)),
            }
        }
    }
}
