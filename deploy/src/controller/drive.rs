//! Carries a run's steps out, one after the other, and records each.

use std::future::Future;

use jiff::Timestamp;
use nightshard_format::manifest::GenerationId;

use super::plan::{self, Course, Ending, Next, Outcome, RunRecord, Seen, Step};
use crate::error::one_line;

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    /// Whether it says no: a data test, damage, a check of the gate, servers in trouble.
    pub is_refused: bool,
    /// The generation that it was about; of a build, the one that was made.
    pub generation: Option<GenerationId>,
    /// What happened, for people.
    pub detail: String,
}

/// What a run needs of the world.
///
/// Every step may be carried out again after one that was cut off, whatever it had done by then.
pub trait Effects {
    /// Why something could not be done.
    type Error: std::error::Error;

    /// Returns the time.
    fn now(&self) -> Timestamp;

    /// Fails if somebody else may be at work: asked before each step.
    fn check(&mut self) -> impl Future<Output = Result<(), Self::Error>>;

    /// Looks at the repository.
    fn see(&mut self) -> impl Future<Output = Result<Seen, Self::Error>>;

    /// Returns the day's records, ascending.
    fn records(&mut self) -> impl Future<Output = Result<Vec<RunRecord>, Self::Error>>;

    /// Adds a record after those that [`Effects::records`] returned last, and returns whether it is
    /// there: another writer may have been first, and then it is all read again.
    fn append(
        &mut self,
        step: Step,
        outcome: Outcome,
        generation: Option<GenerationId>,
        detail: String,
    ) -> impl Future<Output = Result<bool, Self::Error>>;

    /// Carries out a step.
    fn perform(
        &mut self,
        step: Step,
        generation: Option<GenerationId>,
    ) -> impl Future<Output = Result<Performed, Self::Error>>;

    /// Waits until then, or until there is another reason to look again.
    fn wait(&mut self, until: Timestamp) -> impl Future<Output = Result<(), Self::Error>>;
}

/// Carries a day's run to its end, from wherever it stands; returns how it ended, or `None` if it
/// had ended before.
///
/// What is recorded stays when this fails, and driving the run again goes on from there.
///
/// # Errors
/// What [`Effects`] fail with, except [`Effects::perform`], whose failures are recorded and tried
/// again within the limits of `course`.
pub async fn drive<E: Effects>(
    effects: &mut E,
    course: &Course,
) -> Result<Option<Ending>, E::Error> {
    loop {
        effects.check().await?;
        let records = effects.records().await?;
        let seen = effects.see().await?;
        match plan::next(&records, &seen, course, effects.now()) {
            Next::Over => return Ok(None),
            Next::Wait(until) => effects.wait(until).await?,
            Next::End(ending) => {
                let (outcome, generation, detail) = ending.describe();
                if effects
                    .append(Step::End, outcome, generation, detail)
                    .await?
                {
                    return Ok(Some(ending));
                }
            }
            Next::Do(Step::Begin, _) => {
                let detail = String::new();
                effects
                    .append(Step::Begin, Outcome::Done, None, detail)
                    .await?;
            }
            Next::Do(step, generation) => take(effects, step, generation).await?,
        }
    }
}

async fn take<E: Effects>(
    effects: &mut E,
    step: Step,
    generation: Option<GenerationId>,
) -> Result<(), E::Error> {
    let started = effects.append(step, Outcome::Started, generation.clone(), String::new());
    if !started.await? {
        return Ok(());
    }
    // Once more: writing the record may have taken long.
    effects.check().await?;
    let (outcome, generation, detail) = match effects.perform(step, generation.clone()).await {
        Ok(performed) => {
            let outcome = match performed.is_refused {
                true => Outcome::Refused,
                false => Outcome::Done,
            };
            (
                outcome,
                performed.generation.or(generation),
                performed.detail,
            )
        }
        Err(error) => (Outcome::Failed, generation, one_line(&error)),
    };
    // Where another record came first the step counts as cut off, and is taken again if need be.
    effects.append(step, outcome, generation, detail).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
