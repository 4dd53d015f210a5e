//! Which step of a night comes next, from what storage says alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use nightshard_format::manifest::GenerationId;
use serde::{Deserialize, Serialize};

/// A step of a run, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The run begins; begun again, what came before no longer counts.
    Begin,
    /// Build the day's generation: the candidate.
    Build,
    /// Read every byte of the candidate.
    Verify,
    /// Compare the candidate with the last good generation.
    Gate,
    /// Publish the candidate where servers look, if it is built elsewhere.
    Publish,
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
    /// Delete what nobody needs any more.
    Reclaim,
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
    /// It was done, and says no: a data test, damage, a check of the gate, servers in trouble.
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

/// What repositories say of generations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Generations that are where builds go, each with the builds that are known to have made it:
    /// the nonces of the records with which these began.
    pub built: BTreeMap<GenerationId, BTreeSet<String>>,
    /// Generations that are where servers look.
    pub published: BTreeSet<GenerationId>,
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

/// What a run is asked to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    /// How often and how long steps are tried.
    pub limits: Limits,
    /// Whether what is built has to be published elsewhere.
    pub publishes: bool,
    /// Whether a night whose generation is served ends with deleting what nobody needs.
    pub reclaims: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The day's generation is current, watched and good.
    Served(GenerationId),
    /// A data test blocks the day's build, as this line says; what was current is so still.
    Blocked(String),
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
            Self::Blocked(line) => (Outcome::Refused, None, line.clone()),
            Self::Refused(id) => {
                let detail = "is refused by the quality gate, and not selected";
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
pub fn next(records: &[RunRecord], seen: &Seen, course: &Course, now: Timestamp) -> Next {
    let begun = records
        .iter()
        .rposition(|record| record.step == Step::Begin);
    let Some(begun) = begun else {
        return Next::Do(Step::Begin, None);
    };
    let run = Run {
        records: &records[begun..],
        seen,
        course,
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
    course: &'a Course,
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
            return Ok(Next::End(match candidate {
                Some(served) if self.is_served(served) => Ending::Served(served.clone()),
                _ => Ending::Cancelled,
            }));
        }
        let Some(candidate) = candidate else {
            return match self.blocked() {
                Some(line) => Ok(Next::End(Ending::Blocked(line.to_owned()))),
                None => self.attempt(Step::Build, None),
            };
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
        match is_current {
            true => self.keep(candidate),
            false => self.bring(candidate),
        }
    }

    /// Makes a candidate current that has passed.
    fn bring(&self, candidate: &GenerationId) -> Found {
        // Selected once and not current any more: somebody wanted that.
        if self.is_done(Step::Select) || self.has(Step::Watch) {
            return Ok(Next::End(Ending::Superseded));
        }
        match self.is_to_publish(candidate) {
            true => self.attempt(Step::Publish, Some(candidate)),
            false => self.attempt(Step::Select, Some(candidate)),
        }
    }

    /// Finds out how servers do with a candidate that is current.
    fn keep(&self, candidate: &GenerationId) -> Found {
        if !self.is_done(Step::Watch) {
            return self.attempt(Step::Watch, Some(candidate));
        }
        if !self.is_served(candidate) {
            return self.attempt(Step::MarkGood, Some(candidate));
        }
        let served = Next::End(Ending::Served(candidate.clone()));
        if !self.course.reclaims || self.is_done(Step::Reclaim) {
            return Ok(served);
        }
        match self.attempt(Step::Reclaim, Some(candidate)) {
            // What is served is so however much is left behind.
            Err(Next::End(_)) => Ok(served),
            next => next,
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
        let limits = &self.course.limits;
        if attempts >= limits.attempts.max(1) {
            return Err(Next::End(Ending::Failed(step)));
        }
        // After one that died there is no pause: it was none that the step itself needs.
        let failed = of_step
            .next_back()
            .filter(|last| last.outcome != Outcome::Started);
        if let Some(failed) = failed {
            let pause = limits.pause(attempts);
            let until = failed.at.saturating_add(pause).unwrap_or(failed.at);
            // A clock that was set back makes no pause longer than it is.
            let latest = self.now.saturating_add(pause).unwrap_or(self.now);
            if self.now < until {
                return Err(Next::Wait(until.min(latest)));
            }
        }
        Ok(Next::Do(step, generation.cloned()))
    }

    /// Returns the generation that was built last, unless it was found damaged since, or is gone:
    /// building mends that.
    fn candidate(&self) -> Option<&GenerationId> {
        let records = self.records.iter().enumerate().rev();
        let mut built = { records }.filter_map(|(at, record)| Some((at, self.built_by(record)?)));
        let (at, candidate) = built.next()?;
        let mut since = self.records[at..].iter();
        let is_damaged = since.any(|it| (it.step, it.outcome) == (Step::Verify, Outcome::Refused));
        let is_there =
            self.seen.built.contains_key(candidate) || self.seen.published.contains(candidate);
        // What was current once is not built again, whatever became of it.
        let was_current = self.is_done(Step::Select) || self.has(Step::Watch);
        ((is_there || was_current) && !is_damaged).then_some(candidate)
    }

    /// Returns the generation that a build made, if it did: whoever began it may have died before
    /// it could say so.
    fn built_by<'b>(&'b self, record: &'b RunRecord) -> Option<&'b GenerationId> {
        match (record.step, record.outcome) {
            (Step::Build, Outcome::Done) => record.generation.as_ref(),
            (Step::Build, Outcome::Started) => {
                let mut built = self.seen.built.iter();
                let made = built.find(|(_, runs)| runs.contains(&record.nonce));
                made.map(|(id, _)| id)
            }
            _ => None,
        }
    }

    /// Returns whether the candidate has to be published: also one that is where servers look
    /// already, since publishing mends what is damaged there, unless this is not where it was built.
    fn is_to_publish(&self, candidate: &GenerationId) -> bool {
        let is_published = self.seen.published.contains(candidate);
        let is_at_hand = self.seen.built.contains_key(candidate);
        let is_left = is_at_hand && !self.is_done(Step::Publish);
        self.course.publishes && (is_left || !is_published)
    }

    /// Returns whether the candidate is current, watched and good.
    fn is_served(&self, candidate: &GenerationId) -> bool {
        let is_current = self.seen.current.as_ref() == Some(candidate);
        is_current && self.is_done(Step::Watch) && self.seen.good.contains(candidate)
    }

    fn has(&self, step: Step) -> bool {
        self.records.iter().any(|record| record.step == step)
    }

    fn is_done(&self, step: Step) -> bool {
        self.has_outcome(step, Outcome::Done)
    }

    /// Returns why the last build was refused, if it was.
    fn blocked(&self) -> Option<&str> {
        let mut records = self.records.iter();
        let built = records.rfind(|record| record.step == Step::Build)?;
        (built.outcome == Outcome::Refused).then_some(&built.detail)
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
