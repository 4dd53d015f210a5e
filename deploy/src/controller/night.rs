//! A night on a real repository: what its steps do.

use std::{future::Future, path::PathBuf, pin::pin, time::Duration};

use jiff::{SignedDuration, Timestamp};
use nightshard_format::{calendar::Day, manifest::GenerationId};
use serde::Deserialize;

use super::{
    ControllerConfig, Lease,
    child::BuildCommand,
    drive::{Effects, Performed},
    history::RunHistory,
    plan::{Outcome, RunRecord, Seen, Step},
};
use crate::{
    Cluster, Error, ErrorKind, Repository, Result, Verdict,
    error::one_line,
    gate::Thresholds,
    servers::{self, Watched},
};

/// How often servers are asked while they are watched.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// A night: its day, who holds it, and what it works with.
#[derive(Debug)]
pub struct Night {
    repository: Repository,
    config: ControllerConfig,
    thresholds: Thresholds,
    program: PathBuf,
    /// Arguments of the build that do not depend on the day.
    more_arguments: Vec<String>,
    token: Option<String>,
    lease: Lease,
    history: RunHistory,
}

/// What `nightshard build --json` says.
#[derive(Debug, Deserialize)]
struct Built {
    generation: GenerationId,
}

impl Night {
    /// Takes up the night of a day, under a lease that is held.
    ///
    /// `program` is `nightshard` itself, whose `build` is given `more_arguments` beside what the
    /// configuration says.
    ///
    /// # Errors
    /// [`Error::Storage`] if what is recorded of it cannot be read.
    pub async fn new(
        repository: Repository,
        config: ControllerConfig,
        thresholds: Thresholds,
        (program, more_arguments): (PathBuf, Vec<String>),
        token: Option<String>,
        (lease, day): (Lease, Day),
    ) -> Result<Self> {
        let history = repository.run_history(day).await?;
        Ok(Self {
            repository,
            config,
            thresholds,
            program,
            more_arguments,
            token,
            lease,
            history,
        })
    }

    /// Returns what is recorded of the day.
    #[must_use]
    pub fn history(&self) -> &RunHistory {
        &self.history
    }

    /// Begins the day anew, whatever came of it before.
    ///
    /// # Errors
    /// As [`Repository::append_run`], and [`Error::LeaseLost`].
    pub async fn begin(&mut self) -> Result<()> {
        self.check().await?;
        self.append(Step::Begin, Outcome::Done, None, String::new())
            .await?;
        Ok(())
    }

    /// Returns whether the lease holds still, as far as is known without asking.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.now() < self.lease.expires_at()
    }

    /// Gives the lease up.
    ///
    /// # Errors
    /// As [`Lease::release`].
    pub async fn release(self) -> Result<()> {
        self.lease.release().await
    }

    fn build_command(&self) -> BuildCommand {
        let mut arguments = vec!["build".to_owned()];
        arguments.extend(self.config.build.iter().cloned());
        arguments.extend(self.more_arguments.iter().cloned());
        let day = self.history.day.to_string();
        let own = ["--output", &self.config.repository, "--as-of", &day];
        arguments.extend(own.map(str::to_owned));
        arguments.extend(["--no-select", "--json", "--quiet"].map(str::to_owned));
        BuildCommand {
            program: self.program.clone(),
            arguments,
        }
    }

    /// Does something that may take long, while the lease is renewed and a wish to cancel obeyed.
    async fn holding<T>(&mut self, work: impl Future<Output = T>) -> Result<T, String> {
        let mut work = pin!(work);
        let renewal = Duration::from_secs(self.config.lease_seconds.into()) / 3;
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(renewal) => {}
            }
            match self.lease.renew().await {
                // What storage does not answer now it may before the lease is over.
                Err(error)
                    if error.kind() == ErrorKind::Unavailable
                        && self.now() < self.lease.expires_at() => {}
                renewed => renewed.map_err(|error| one_line(&error))?,
            }
            let recorded = self.repository.run_history(self.history.day).await;
            let new = recorded.iter().flat_map(|history| &history.records);
            let mut new = new.filter(|record| record.number > self.history.last);
            if new.any(|record| record.step == Step::Cancel) {
                return Err("cancelled".to_owned());
            }
        }
    }

    async fn build(&mut self) -> Result<Performed, String> {
        let command = self.build_command();
        let timeout = Duration::from_secs(self.config.build_timeout_seconds.into());
        let printed = self.holding(command.run(timeout)).await??;
        let built: Built = serde_json::from_str(&printed)
            .map_err(|error| format!("the build's result cannot be read: {error}"))?;
        let detail = format!("generation {} built and published", built.generation);
        Ok(Performed {
            is_refused: false,
            generation: Some(built.generation),
            detail,
        })
    }

    async fn verify(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let repository = self.repository.clone();
        let verified = self.holding(repository.verify(id, |_progress| ())).await?;
        let verified = verified.map_err(|error| one_line(&error))?;
        let first = verified.damage.first().map(|damage| damage.problem.clone());
        let count = verified.damage.len();
        Ok(match first {
            Some(first) => refused(format!("{count} things are damaged: {first}")),
            None => done(format!(
                "{} shards and {} records are right",
                verified.shards, verified.records
            )),
        })
    }

    async fn gate(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let repository = self.repository.clone();
        let thresholds = self.thresholds.clone();
        let seen = self.see().await.map_err(|error| one_line(&error))?;
        if seen.current.as_ref() == Some(id) {
            return Ok(done("it is current already".to_owned()));
        }
        let good = seen.good.iter().rev().find(|good| *good != id).cloned();
        let good = good.or(seen.current);
        let judged = self.holding(async {
            let candidate = repository.manifest(id).await?;
            let good = match good {
                Some(good) => usable(repository.manifest(&good).await)?,
                None => None,
            };
            repository
                .gate(&candidate, good.as_ref(), &thresholds)
                .await
        });
        let report = judged.await?.map_err(|error| one_line(&error))?;
        Ok(match report.refusal() {
            Some(check) => refused(format!("{}: {}, {}", check.name, check.line, report.name())),
            None => done(report.name()),
        })
    }

    /// Returns the servers that are switched together.
    fn cluster(&self) -> Cluster {
        let config = &self.config;
        let patience = Duration::from_secs(config.prepare_seconds.into());
        let (servers, token) = (config.servers.clone(), self.token.clone());
        Cluster::new(servers, token, config.quorum(), patience)
    }

    async fn watch(&mut self, id: &GenerationId) -> Result<Performed, String> {
        if self.config.servers.is_empty() {
            return Ok(done("no servers are named".to_owned()));
        }
        let config = self.config.clone();
        let token = self.token.clone();
        let watched = self.holding(async {
            let ask = || servers::ask(&config.servers, token.as_deref());
            let judge = |before: &[_], after: &[_]| {
                servers::judge(id, before, after, config.quorum(), config.errors_share_max)
            };
            let before = ask().await;
            let mut after = before.clone();
            let time = Duration::from_secs(config.watch_seconds.into());
            // What they do in the whole of that time counts, whenever they are asked.
            let asking = async {
                loop {
                    tokio::time::sleep(ASK_EVERY).await;
                    after = ask().await;
                }
            };
            let _elapsed: Result<(), _> = tokio::time::timeout(time, asking).await;
            let last = ask().await;
            // One that cannot be asked for a moment said something before.
            let after: Vec<_> = last
                .into_iter()
                .zip(after)
                .map(|(last, before)| last.or(before))
                .collect();
            judge(&before, &after)
        });
        match watched.await? {
            Watched::Well(line) => Ok(done(line)),
            Watched::Badly(line) => Ok(refused(line)),
            Watched::Unknown(line) => Err(line),
        }
    }
}

impl Effects for Night {
    type Error = Error;

    fn now(&self) -> Timestamp {
        self.repository.timestamp()
    }

    async fn check(&mut self) -> Result<()> {
        let third = SignedDuration::from_secs(i64::from(self.config.lease_seconds) / 3);
        let renew_at = self.lease.expires_at().saturating_sub(third * 2);
        match renew_at.is_ok_and(|renew_at| self.now() < renew_at) {
            true => self.lease.check().await,
            false => self.lease.renew().await,
        }
    }

    async fn see(&mut self) -> Result<Seen> {
        let marks = self.repository.marks().await?;
        let marked = |verdict| {
            let marks = marks.iter();
            marks
                .filter(move |(_, mark)| mark.mark == verdict)
                .map(|(id, _)| id.clone())
        };
        let selections = self.repository.selections().await?;
        let mut good: Vec<GenerationId> = Vec::new();
        for id in selections.iter().filter_map(|(_, id)| id.as_ref()) {
            good.retain(|earlier| earlier != id);
            if marks.get(id).is_some_and(|mark| mark.mark == Verdict::Good) {
                good.push(id.clone());
            }
        }
        Ok(Seen {
            current: selections.last().and_then(|(_, id)| id.clone()),
            bad: marked(Verdict::Bad).collect(),
            good,
        })
    }

    async fn records(&mut self) -> Result<Vec<RunRecord>> {
        self.history = self.repository.run_history(self.history.day).await?;
        Ok(self.history.records.clone())
    }

    async fn append(
        &mut self,
        step: Step,
        outcome: Outcome,
        generation: Option<GenerationId>,
        detail: String,
    ) -> Result<bool> {
        let epoch = self.lease.epoch();
        self.repository
            .append_run(&mut self.history, step, outcome, generation, detail, epoch)
            .await
    }

    async fn perform(&mut self, step: Step, generation: Option<GenerationId>) -> Result<Performed> {
        let day = self.history.day;
        let failed = |problem: String| Error::Step { step, problem };
        if step == Step::Build {
            return self.build().await.map_err(failed);
        }
        let id = generation.ok_or_else(|| failed("it is of no generation".into()))?;
        let repository = self.repository.clone();
        match step {
            Step::Verify => self.verify(&id).await.map_err(failed),
            Step::Gate => self.gate(&id).await.map_err(failed),
            Step::Watch => self.watch(&id).await.map_err(failed),
            Step::Select => {
                let cluster = self.cluster();
                let selecting = async {
                    cluster.prepare(&id).await?;
                    let selected = repository.select(&id).await?;
                    cluster.tell(selected.selection.number).await;
                    Ok::<_, Error>(selected)
                };
                let selected = self.holding(selecting).await.map_err(failed)??;
                Ok(done(format!("selection {}", selected.selection.number)))
            }
            Step::MarkGood | Step::MarkBad => {
                let (verdict, why) = match step {
                    Step::MarkGood => (Verdict::Good, "servers did well with it"),
                    _ => (Verdict::Bad, "servers did badly with it"),
                };
                let why = format!("{why} in the night of {day}");
                let mark = repository.mark(&id, verdict, &why).await?;
                Ok(done(format!("mark {}", mark.number)))
            }
            Step::RollBack => {
                let why = format!("servers did badly with it in the night of {day}");
                let cluster = self.cluster();
                let back = async {
                    let back = repository.rollback_to(&id, &why).await?;
                    cluster.tell(back.selected.selection.number).await;
                    Ok::<_, Error>(back)
                };
                let back = self.holding(back).await.map_err(failed)??;
                Ok(done(format!(
                    "selection {}",
                    back.selected.selection.number
                )))
            }
            Step::Build | Step::Begin | Step::Cancel | Step::End | Step::Unknown => {
                Err(failed("it is nothing to carry out".into()))
            }
        }
    }

    async fn wait(&mut self, until: Timestamp) -> Result<()> {
        let left = until.duration_since(self.now());
        let left = Duration::try_from(left).unwrap_or_default();
        let waited = self.holding(tokio::time::sleep(left)).await;
        // Whoever cancelled it is obeyed by what comes next; a lease that is lost is found there.
        waited.or(Ok(()))
    }
}

fn done(detail: String) -> Performed {
    Performed {
        is_refused: false,
        generation: None,
        detail,
    }
}

fn refused(detail: String) -> Performed {
    Performed {
        is_refused: true,
        ..done(detail)
    }
}

/// Returns what can be compared with: damage is no reason not to judge by what is left.
fn usable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::Data => Ok(None),
        read => read.map(Some),
    }
}
