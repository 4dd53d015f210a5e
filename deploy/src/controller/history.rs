//! The records of runs in object storage.

use nightshard_format::{calendar::Day, manifest::GenerationId};
use nightshard_storage::ObjectName;

use super::plan::{Outcome, RunRecord, Step};
use crate::{Error, Repository, Result, bounded};

/// What is recorded of a day's runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHistory {
    /// The day.
    pub day: Day,
    /// The records that can be read, ascending.
    pub records: Vec<RunRecord>,
    /// The highest number there is, 0 before the first.
    pub last: u64,
}

impl RunHistory {
    /// Returns why the last run left behind what it was to reclaim, if it did.
    #[must_use]
    pub fn left_of_reclaim(&self) -> Option<&str> {
        let since = self.records.iter().rev();
        let mut since = since.take_while(|record| record.step != Step::Begin);
        let last = since
            .find(|record| record.step == Step::Reclaim && record.outcome != Outcome::Started)?;
        (last.outcome != Outcome::Done).then_some(&*last.detail)
    }
}

impl Repository {
    /// Returns what is recorded of a day's runs.
    ///
    /// # Errors
    /// [`Error::Storage`] if storage cannot be read; a damaged record is left out.
    pub async fn run_history(&self, day: Day) -> Result<RunHistory> {
        let listed = self.storage.list(&format!("runs/{day}").parse()?).await?;
        let mut numbers: Vec<u64> = listed.iter().filter_map(|it| number_of(&it.name)).collect();
        numbers.sort_unstable();
        let last = numbers.last().copied().unwrap_or_default();
        let read = bounded::run(numbers, |number| {
            let repository = self.clone();
            async move {
                match repository.read_record(&name_of(day, number)?).await {
                    Err(Error::Unusable { .. }) => Ok(None),
                    read => read,
                }
            }
        });
        let records = read.await?.into_iter().flatten().collect();
        Ok(RunHistory { day, records, last })
    }

    /// Adds a record after those of `history`, and to it; returns whether it is there: another
    /// writer may have been first.
    ///
    /// # Errors
    /// [`Error::Storage`] if storage fails.
    pub async fn append_run(
        &self,
        history: &mut RunHistory,
        step: Step,
        outcome: Outcome,
        generation: Option<GenerationId>,
        detail: String,
        epoch: u64,
    ) -> Result<bool> {
        let record = RunRecord {
            day: history.day.to_string(),
            number: history.last.saturating_add(1),
            step,
            outcome,
            generation,
            detail,
            at: self.timestamp(),
            epoch,
            by: self.environment.writer(),
            nonce: self.environment.nonce(),
        };
        let name = name_of(history.day, record.number)?;
        let is_mine = self.create_record(&name, &record).await?;
        if is_mine {
            history.last = record.number;
            history.records.push(record);
        }
        Ok(is_mine)
    }
}

fn name_of(day: Day, number: u64) -> Result<ObjectName> {
    Ok(format!("runs/{day}/{number:020}.json").parse()?)
}

fn number_of(name: &ObjectName) -> Option<u64> {
    let number = name.last_part().strip_suffix(".json")?;
    let is_number = number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.parse().ok()).flatten()
}
