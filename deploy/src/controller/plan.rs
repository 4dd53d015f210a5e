//! Which step of a night comes next, from what storage says alone.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use nightshard_format::manifest::GenerationId;
use serde::{Deserialize, Serialize};

/// A step of a run, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The run begins; begun again, what came before no longer counts.
    Begin,
    /// Build and publish the day's generation: the candidate.
    Build,
    /// Read every byte of the candidate.
    Verify,
    /// Compare the candidate with the last good generation.
    Gate,
    /// Make the candidate current.
    Select,
    /// Ask the servers how they do with it.
    Watch,
    /// Mark the candidate good.
    MarkGood,
    /// Mark the candidate bad.
    MarkBad,
    /// Make the last good generation current.
    RollBack,
    /// Somebody wants the run to stop.
    Cancel,
    /// The run is over.
    End,
    /// What a later release does.
    #[serde(other)]
    Unknown,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was begun: without more, whoever did it died.
    Started,
    /// It did what it was to do.
    Done,
    /// It could not be done; another attempt may.
    Failed,
    /// It was done, and says no: damage, a check of the gate, servers in trouble.
    #[serde(other)]
    Refused,
}

/// A record of a run: what was begun, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The business day.
    pub day: String,
    /// Its number among those of the day, which is in its name, too.
    pub number: u64,
    /// The step.
    pub step: Step,
    /// What came of it.
    pub outcome: Outcome,
    /// The candidate, once there is one; of a roll back, the generation gone back to.
    pub generation: Option<GenerationId>,
    /// What happened, for people.
    pub detail: String,
    /// When, by the writer's clock.
    pub at: Timestamp,
    /// The epoch of the lease under which it was written, 0 without one.
    pub epoch: u64,
    /// Who wrote it.
    pub by: String,
    /// What tells the writer's own record from others'.
    pub nonce: String,
}

/// What a repository says of generations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The current generation.
    pub current: Option<GenerationId>,
    /// Generations marked bad.
    pub bad: BTreeSet<GenerationId>,
    /// Generations marked good and not bad, by their last selection, the newest last.
    pub good: Vec<GenerationId>,
}

/// How often and how long things are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Attempts of each step, at least 1.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each.
    pub backoff: SignedDuration,
    /// The longest pause.
    pub backoff_max: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempts: 3,
            backoff: SignedDuration::from_secs(60),
            backoff_max: SignedDuration::from_secs(30 * 60),
        }
    }
}

impl Limits {
    /// Returns the pause after so many failures.
    fn pause(&self, failures: u32) -> SignedDuration {
        let doubled = 1_i32
            .checked_shl(failures.saturating_sub(1))
            .filter(|times| *times > 0);
        let pause = self.backoff.checked_mul(doubled.unwrap_or(i32::MAX));
        pause.unwrap_or(self.backoff_max).min(self.backoff_max)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The day's generation is current, watched and good.
    Served(GenerationId),
    /// The gate refused the day's generation; what was current is so still.
    Refused(GenerationId),
    /// Servers did badly with the day's generation, and the last good one is current again.
    RolledBack(GenerationId),
    /// Somebody selected something else, or marked the candidate bad: that is not fought over.
    Superseded,
    /// Somebody stopped it.
    Cancelled,
    /// A step failed for good.
    Failed(Step),
    /// Servers do badly, and there is no good generation to go back to.
    Stuck(GenerationId),
}

impl Ending {
    /// Returns what the last record of a run says: its outcome, the generation that it is about,
    /// and what happened, for people.
    #[must_use]
    pub fn describe(&self) -> (Outcome, Option<GenerationId>, String) {
        let (outcome, generation, detail) = match self {
            Self::Served(id) => (Outcome::Done, Some(id), "is served and good".to_owned()),
            Self::Refused(id) => {
                let detail = "is refused by the quality gate, published and not selected";
                (Outcome::Refused, Some(id), detail.to_owned())
            }
            Self::RolledBack(id) => {
                let detail = "is current again: servers did badly with what was built";
                (Outcome::Refused, Some(id), detail.to_owned())
            }
            Self::Superseded => {
                let detail = "somebody selected another generation, or marked this one bad";
                (Outcome::Refused, None, detail.to_owned())
            }
            Self::Cancelled => (Outcome::Refused, None, "cancelled".to_owned()),
            Self::Failed(step) => {
                let detail = format!("{step:?} failed too often").to_lowercase();
                (Outcome::Failed, None, detail)
            }
            Self::Stuck(id) => {
                let detail = "does badly, and there is no good generation to go back to";
                (Outcome::Failed, Some(id), detail.to_owned())
            }
        };
        (outcome, generation.cloned(), detail)
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A step, of this generation where it is one's.
    Do(Step, Option<GenerationId>),
    /// Nothing until then.
    Wait(Timestamp),
    /// Say that the run is over.
    End(Ending),
    /// Nothing: it was said.
    Over,
}

/// Returns the next step of a day's run.
///
/// It depends on nothing else, so that whoever reads the same finds the same; and what storage
/// says of generations counts, not what the run's records say was done to them.
///
/// # Shape
/// `records` are those of the day, ascending.
#[must_use]
pub fn next(records: &[RunRecord], seen: &Seen, limits: &Limits, now: Timestamp) -> Next {
    let begun = records
        .iter()
        .rposition(|record| record.step == Step::Begin);
    let Some(begun) = begun else {
        return Next::Do(Step::Begin, None);
    };
    let run = Run {
        records: &records[begun..],
        seen,
        limits,
        now,
    };
    if run.has(Step::End) {
        return Next::Over;
    }
    run.next_or_give_up().unwrap_or_else(|next| next)
}

/// Whether a day's run is to be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It was begun and is not over.
    Resume,
    /// It is to be begun, if it was before: anew.
    Begin,
    /// It is over.
    Not,
}

/// Returns what is to be done about a day's run that is due at `due`: whatever ended that was begun
/// since then is not begun again.
///
/// # Shape
/// `records` are those of the day, ascending.
#[must_use]
pub fn due(records: &[RunRecord], due: Timestamp) -> Due {
    let begun = records
        .iter()
        .rposition(|record| record.step == Step::Begin);
    let Some(begun) = begun else {
        return Due::Begin;
    };
    let is_over = records[begun..]
        .iter()
        .any(|record| record.step == Step::End);
    match (is_over, records[begun].at >= due) {
        (false, _) => Due::Resume,
        (true, false) => Due::Begin,
        (true, true) => Due::Not,
    }
}

/// The records of a run and what they are judged by.
struct Run<'a> {
    records: &'a [RunRecord],
    seen: &'a Seen,
    limits: &'a Limits,
    now: Timestamp,
}

/// What is next; an error is the same, come to early.
type Found = Result<Next, Next>;

impl Run<'_> {
    fn next_or_give_up(&self) -> Found {
        let candidate = self.candidate();
        let is_current = candidate.is_some() && self.seen.current.as_ref() == candidate;
        if let Some(candidate) = candidate
            && (self.is_refused(Step::Watch) || self.has(Step::MarkBad))
        {
            return self.go_back(candidate, is_current);
        }
        if self.has(Step::Cancel) {
            return Ok(Next::End(Ending::Cancelled));
        }
        let Some(candidate) = candidate else {
            return self.attempt(Step::Build, None);
        };
        if self.seen.bad.contains(candidate) {
            return Ok(Next::End(Ending::Superseded));
        }
        if !self.is_done(Step::Verify) {
            return self.attempt(Step::Verify, Some(candidate));
        }
        if self.is_refused(Step::Gate) {
            return Ok(Next::End(Ending::Refused(candidate.clone())));
        }
        if !self.is_done(Step::Gate) {
            return self.attempt(Step::Gate, Some(candidate));
        }
        if !is_current {
            // Selected once and not current any more: somebody wanted that.
            return match self.is_done(Step::Select) || self.has(Step::Watch) {
                true => Ok(Next::End(Ending::Superseded)),
                false => self.attempt(Step::Select, Some(candidate)),
            };
        }
        if !self.is_done(Step::Watch) {
            return self.attempt(Step::Watch, Some(candidate));
        }
        match self.seen.good.contains(candidate) {
            true => Ok(Next::End(Ending::Served(candidate.clone()))),
            false => self.attempt(Step::MarkGood, Some(candidate)),
        }
    }

    /// Leaves a candidate that servers do badly with: marks it first, so that nobody else chooses
    /// it, whatever happens next.
    fn go_back(&self, candidate: &GenerationId, is_current: bool) -> Found {
        if !self.seen.bad.contains(candidate) {
            return self.attempt(Step::MarkBad, Some(candidate));
        }
        if !is_current {
            let ending = match (&self.seen.current, self.has(Step::RollBack)) {
                (Some(current), true) => Ending::RolledBack(current.clone()),
                _ => Ending::Superseded,
            };
            return Ok(Next::End(ending));
        }
        let good = self.seen.good.iter().rev();
        let mut good = good.filter(|good| *good != candidate && !self.seen.bad.contains(good));
        match good.next() {
            Some(good) => self.attempt(Step::RollBack, Some(good)),
            None => Ok(Next::End(Ending::Stuck(candidate.clone()))),
        }
    }

    /// Returns the step, unless it was tried too often, or too short a time ago.
    fn attempt(&self, step: Step, generation: Option<&GenerationId>) -> Found {
        let mut of_step = self.records.iter().filter(|record| record.step == step);
        let attempts = of_step
            .clone()
            .filter(|it| it.outcome == Outcome::Started)
            .count();
        let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
        if attempts >= self.limits.attempts.max(1) {
            return Err(Next::End(Ending::Failed(step)));
        }
        // After one that died there is no pause: it was none that the step itself needs.
        let failed = of_step
            .next_back()
            .filter(|last| last.outcome != Outcome::Started);
        if let Some(failed) = failed {
            let pause = self.limits.pause(attempts);
            let until = failed.at.saturating_add(pause).unwrap_or(failed.at);
            // A clock that was set back makes no pause longer than it is.
            let latest = self.now.saturating_add(pause).unwrap_or(self.now);
            if self.now < until {
                return Err(Next::Wait(until.min(latest)));
            }
        }
        Ok(Next::Do(step, generation.cloned()))
    }

    /// Returns the generation that was built last, unless it was found damaged since: building
    /// mends it.
    fn candidate(&self) -> Option<&GenerationId> {
        let of = |step, outcome| {
            let mut records = self.records.iter();
            records.rposition(|record| (record.step, record.outcome) == (step, outcome))
        };
        let built = of(Step::Build, Outcome::Done)?;
        match of(Step::Verify, Outcome::Refused) {
            Some(damaged) if damaged > built => None,
            _ => self.records[built].generation.as_ref(),
        }
    }

    fn has(&self, step: Step) -> bool {
        self.records.iter().any(|record| record.step == step)
    }

    fn is_done(&self, step: Step) -> bool {
        self.has_outcome(step, Outcome::Done)
    }

    fn is_refused(&self, step: Step) -> bool {
        self.has_outcome(step, Outcome::Refused)
    }

    /// Returns whether the step had this outcome with the candidate as it was built last.
    fn has_outcome(&self, step: Step, outcome: Outcome) -> bool {
        let built = self
            .records
            .iter()
            .rposition(|record| record.step == Step::Build);
        let since = &self.records[built.unwrap_or_default()..];
        let mut since = since.iter();
        since.any(|record| (record.step, record.outcome) == (step, outcome))
    }
}
