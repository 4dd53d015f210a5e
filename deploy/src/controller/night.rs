//! A night on real repositories: what its steps do.

use std::{future::Future, pin::pin, time::Duration};

use jiff::Timestamp;
use nightshard_format::{calendar::Day, manifest::GenerationId};

use super::{
    BuildFailure, Lease,
    drive::{Effects, Performed},
    history::RunHistory,
    plan::{Course, Limits, Outcome, RunRecord, Seen, Step},
    site::{Opinion, Site},
};
use crate::{
    Error, ErrorKind, Reclaim, Reclaimed, Repository, Result, SelectionNumber, Verdict,
    error::one_line, servers::Watched,
};

/// The repositories of nights.
#[derive(Debug, Clone)]
pub struct Repositories {
    /// Where servers look, and where nights are recorded.
    pub published: Repository,
    /// Where builds go, if that is elsewhere.
    pub apart: Option<Repository>,
    /// What is deleted from them at the end of a night, if anything.
    pub reclaim: Option<Reclaim>,
}

impl Repositories {
    /// Returns what a night of theirs is asked to do.
    #[must_use]
    pub fn course(&self, limits: Limits) -> Course {
        Course {
            limits,
            publishes: self.apart.is_some(),
            reclaims: self.reclaim.is_some(),
        }
    }

    /// Returns where builds go.
    fn built(&self) -> &Repository {
        self.apart.as_ref().unwrap_or(&self.published)
    }
}

/// A night: its day, who holds it, and what it works with.
#[derive(Debug)]
pub struct Night<S> {
    repositories: Repositories,
    site: S,
    lease: Lease,
    history: RunHistory,
    /// The highest selection when this night last looked.
    seen: SelectionNumber,
}

impl<S: Site> Night<S> {
    /// Takes up the night of a day, under a lease of the published repository that is held.
    ///
    /// # Errors
    /// [`Error::Storage`] if what is recorded of it cannot be read.
    pub async fn new(repositories: Repositories, site: S, lease: Lease, day: Day) -> Result<Self> {
        let history = repositories.published.run_history(day).await?;
        Ok(Self {
            repositories,
            site,
            lease,
            history,
            seen: SelectionNumber::default(),
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

    /// Returns the epoch of the lease under which steps are taken.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.lease.epoch()
    }

    /// Returns whether the lease holds still, as far as is known without asking.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.lease.is_held()
    }

    /// Gives the lease up.
    ///
    /// # Errors
    /// As [`Lease::release`].
    pub async fn release(self) -> Result<()> {
        self.lease.release().await
    }

    async fn build(&mut self) -> Result<Performed, String> {
        let day = self.history.day;
        // The record with which this attempt began.
        let run = self.history.records.last();
        let run = run.map_or_else(String::new, |record| record.nonce.clone());
        let (lease, history) = (&mut self.lease, &self.history);
        let built = match holding(lease, history, self.site.build(day, &run)).await? {
            Ok(built) => built,
            Err(BuildFailure::Refused(line)) => return Ok(refused(line)),
            Err(BuildFailure::Failed(line)) => return Err(line),
        };
        let detail = format!("generation {built} built");
        Ok(Performed {
            generation: Some(built),
            ..done(detail)
        })
    }

    /// Returns the repository that has a generation: that of builds, unless another machine made
    /// it, which published it.
    async fn holder(&self, id: &GenerationId) -> Result<Repository> {
        let built = self.repositories.built();
        Ok(match built.has_manifest(id).await? {
            true => built.clone(),
            false => self.repositories.published.clone(),
        })
    }

    async fn verify(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let holder = self.holder(id).await.map_err(|error| one_line(&error))?;
        let verified = self.site.verify(&holder, id);
        opinion(holding(&mut self.lease, &self.history, verified).await?)
    }

    async fn gate(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let looked = async { Ok::<_, Error>((self.holder(id).await?, self.look().await?)) };
        let (holder, seen) = looked.await.map_err(|error| one_line(&error))?;
        if seen.current.as_ref() == Some(id) {
            return Ok(done("it is current already".to_owned()));
        }
        let good = seen.good.iter().rev().find(|good| *good != id).cloned();
        let good = good.or(seen.current);
        let published = &self.repositories.published;
        let good = good.as_ref().map(|good| (published, good));
        let judged = self.site.judge((&holder, id), good);
        opinion(holding(&mut self.lease, &self.history, judged).await?)
    }

    async fn publish(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let repositories = &self.repositories;
        let publishing = repositories.published.publish_of(repositories.built(), id);
        let published = holding(&mut self.lease, &self.history, publishing).await?;
        let published = published.map_err(|error| one_line(&error))?;
        Ok(done(format!(
            "{} blobs stored ({} bytes), {} already there, {} mended",
            published.blobs_new,
            published.bytes_new,
            published.blobs_present,
            published.mended.len()
        )))
    }

    async fn select(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let (site, repository) = (&self.site, &self.repositories.published);
        // What was selected since this night looked is not overruled: it looks again.
        let seen = self.seen;
        let selecting = async {
            site.prepare(id).await?;
            let selected = repository.select_over(seen, id).await?;
            site.tell(&selected.selection).await;
            Ok::<_, Error>(selected.selection.number)
        };
        selection(holding(&mut self.lease, &self.history, selecting).await?)
    }

    async fn watch(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let watched = self.site.watch(id);
        match holding(&mut self.lease, &self.history, watched).await? {
            Watched::Well(line) => Ok(done(line)),
            Watched::Badly(line) => Ok(refused(line)),
            Watched::Unknown(line) => Err(line),
        }
    }

    async fn mark(&mut self, id: &GenerationId, verdict: Verdict) -> Result<Performed, String> {
        let how = match verdict {
            Verdict::Good => "well",
            _ => "badly",
        };
        let why = format!("servers did {how} with it in the night of {}", self.day());
        let repository = &self.repositories.published;
        let marking = async {
            match verdict {
                Verdict::Good => repository.mark_unless_bad(id, &why).await,
                verdict => repository.mark(id, verdict, &why).await,
            }
        };
        let mark = holding(&mut self.lease, &self.history, marking).await?;
        let mark = mark.map_err(|error| one_line(&error))?;
        Ok(done(format!("mark {}", mark.number)))
    }

    async fn roll_back(&mut self, id: &GenerationId) -> Result<Performed, String> {
        let why = format!("servers did badly with it in the night of {}", self.day());
        let (site, repository) = (&self.site, &self.repositories.published);
        let mut records = self.history.records.iter();
        // It is marked by now. What somebody selects meanwhile is not left.
        let left = records.rfind(|record| record.step == Step::MarkBad);
        let left = left.and_then(|record| record.generation.clone());
        let left = left.ok_or("no generation was marked bad")?;
        let back = async {
            let back = repository.rollback_from(&left, id, &why).await?;
            site.tell(&back.selected.selection).await;
            Ok::<_, Error>(back.selected.selection.number)
        };
        selection(holding(&mut self.lease, &self.history, back).await?)
    }

    async fn reclaim(&mut self) -> Result<Performed, String> {
        let Repositories {
            published,
            apart,
            reclaim,
        } = &self.repositories;
        let Some(rules) = reclaim else {
            return Ok(done("nothing is to be reclaimed".to_owned()));
        };
        let reclaiming = async {
            let mut line = describe(&published.reclaim(rules).await?);
            if let Some(apart) = apart {
                let of_builds = describe(&apart.reclaim(rules).await?);
                line = format!("{line}; where builds go {of_builds}");
            }
            Ok::<_, Error>(line)
        };
        let reclaimed = holding(&mut self.lease, &self.history, reclaiming).await?;
        reclaimed.map(done).map_err(|error| one_line(&error))
    }

    fn day(&self) -> Day {
        self.history.day
    }

    async fn look(&mut self) -> Result<Seen> {
        let published = &self.repositories.published;
        let marks = published.marks().await?;
        let marked = |verdict| {
            let marks = marks.iter();
            marks
                .filter(move |(_, mark)| mark.mark == verdict)
                .map(|(id, _)| id.clone())
        };
        let selections = published.selections().await?;
        let mut good: Vec<GenerationId> = Vec::new();
        for id in selections.iter().filter_map(|(_, id)| id.as_ref()) {
            good.retain(|earlier| earlier != id);
            if marks.get(id).is_some_and(|mark| mark.mark == Verdict::Good) {
                good.push(id.clone());
            }
        }
        let made = published.made().await?;
        // One that is gone cannot be gone back to.
        good.retain(|id| made.contains_key(id));
        self.seen = selections
            .last()
            .map(|(number, _)| *number)
            .unwrap_or_default();
        Ok(Seen {
            published: made.keys().cloned().collect(),
            built: match &self.repositories.apart {
                Some(apart) => apart.made().await?,
                None => made,
            },
            current: selections.last().and_then(|(_, id)| id.clone()),
            bad: marked(Verdict::Bad).collect(),
            good,
        })
    }
}

impl<S: Site> Effects for Night<S> {
    type Error = Error;

    fn now(&self) -> Timestamp {
        self.repositories.published.timestamp()
    }

    async fn check(&mut self) -> Result<()> {
        let third = self.lease.terms().duration / 3;
        let renew_at = self.lease.expires_at().saturating_sub(third * 2);
        match renew_at.is_ok_and(|renew_at| self.now() < renew_at) {
            true => self.lease.check().await,
            false => self.lease.renew().await,
        }
    }

    async fn see(&mut self) -> Result<Seen> {
        self.look().await
    }

    async fn records(&mut self) -> Result<Vec<RunRecord>> {
        self.history = self.repositories.published.run_history(self.day()).await?;
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
        self.repositories
            .published
            .append_run(&mut self.history, step, outcome, generation, detail, epoch)
            .await
    }

    async fn perform(&mut self, step: Step, generation: Option<GenerationId>) -> Result<Performed> {
        let performed = match (step, &generation) {
            (Step::Build, _) => self.build().await,
            (Step::Verify, Some(id)) => self.verify(id).await,
            (Step::Gate, Some(id)) => self.gate(id).await,
            (Step::Publish, Some(id)) => self.publish(id).await,
            (Step::Select, Some(id)) => self.select(id).await,
            (Step::Watch, Some(id)) => self.watch(id).await,
            (Step::MarkGood, Some(id)) => self.mark(id, Verdict::Good).await,
            (Step::MarkBad, Some(id)) => self.mark(id, Verdict::Bad).await,
            (Step::RollBack, Some(id)) => self.roll_back(id).await,
            (Step::Reclaim, _) => self.reclaim().await,
            _ => Err("it is nothing to carry out".to_owned()),
        };
        performed.map_err(|problem| Error::Step { step, problem })
    }

    async fn wait(&mut self, until: Timestamp) -> Result<()> {
        let left = until.duration_since(self.now());
        let sleep = tokio::time::sleep(Duration::try_from(left).unwrap_or_default());
        let waited = holding(&mut self.lease, &self.history, sleep).await;
        // Whoever cancelled it is obeyed by what comes next; a lease that is lost is found there.
        waited.or(Ok(()))
    }
}

/// Does something that may take long, while the lease is renewed and a wish to cancel obeyed.
async fn holding<T>(
    lease: &mut Lease,
    history: &RunHistory,
    work: impl Future<Output = T>,
) -> Result<T, String> {
    let mut work = pin!(work);
    let third = Duration::try_from(lease.terms().duration / 3).unwrap_or_default();
    loop {
        tokio::select! {
            // Who was asleep for long looks at the lease before it goes on.
            biased;
            () = tokio::time::sleep(third) => {}
            done = &mut work => return Ok(done),
        }
        match lease.renew().await {
            // What storage does not answer now it may before the lease is over.
            Err(error) if error.kind() == ErrorKind::Unavailable && lease.is_held() => {}
            renewed => renewed.map_err(|error| one_line(&error))?,
        }
        let recorded = lease.repository().run_history(history.day).await;
        let new = recorded.iter().flat_map(|history| &history.records);
        let mut new = new.filter(|record| record.number > history.last);
        if new.any(|record| record.step == Step::Cancel) {
            return Err("cancelled".to_owned());
        }
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

fn opinion(looked: Result<Opinion>) -> Result<Performed, String> {
    match looked.map_err(|error| one_line(&error))? {
        Opinion::Right(line) => Ok(done(line)),
        Opinion::Wrong(line) => Ok(refused(line)),
    }
}

fn selection(selected: Result<SelectionNumber>) -> Result<Performed, String> {
    let number = selected.map_err(|error| one_line(&error))?;
    Ok(done(format!("selection {number}")))
}

fn describe(reclaimed: &Reclaimed) -> String {
    format!(
        "{} generations and {} blobs ({} bytes) reclaimed",
        reclaimed.generations.len(),
        reclaimed.blobs,
        reclaimed.bytes
    )
}
