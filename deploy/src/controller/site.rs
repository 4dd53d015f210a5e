//! What a night works with beside the records of repositories: a program that builds, what reads
//! generations, and servers.

use std::{future::Future, path::PathBuf, time::Duration};

use nightshard_format::{calendar::Day, manifest::GenerationId};
use serde::Deserialize;

use super::{
    ControllerConfig,
    child::{BuildCommand, BuildFailure},
};
use crate::{
    Cluster, Error, ErrorKind, Repository, Result, Selection,
    gate::Thresholds,
    servers::{self, Watched},
};

/// How often servers are asked while they are watched.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// What became of a generation that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// It is right, and why.
    Right(String),
    /// It is not, and why.
    Wrong(String),
}

/// What builds, looks at generations, and serves them: machines, or their model in a simulation.
pub trait Site {
    /// Builds a day's generation, notes there that `run` made it ([`Repository::note_run`]), and
    /// returns it.
    ///
    /// # Errors
    /// Why not, in one line.
    fn build(
        &self,
        day: Day,
        run: &str,
    ) -> impl Future<Output = Result<GenerationId, BuildFailure>>;

    /// Reads every byte of a generation of `repository`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn verify(
        &self,
        repository: &Repository,
        id: &GenerationId,
    ) -> impl Future<Output = Result<Opinion>>;

    /// Judges a generation, beside a good one where there is one, each with its repository.
    ///
    /// # Errors
    /// If one of them cannot be read.
    fn judge(
        &self,
        candidate: (&Repository, &GenerationId),
        good: Option<(&Repository, &GenerationId)>,
    ) -> impl Future<Output = Result<Opinion>>;

    /// Has servers get a generation ready.
    ///
    /// # Errors
    /// [`crate::Error::NoQuorum`] if too few have.
    fn prepare(&self, id: &GenerationId) -> impl Future<Output = Result<()>>;

    /// Tells servers of a selection.
    fn tell(&self, selection: &Selection) -> impl Future<Output = ()>;

    /// Finds out how servers do with a generation that is current.
    fn watch(&self, id: &GenerationId) -> impl Future<Output = Watched>;
}

/// A site of real machines, as the configuration names them.
#[derive(Debug)]
pub struct Machines {
    config: ControllerConfig,
    thresholds: Thresholds,
    program: PathBuf,
    /// Arguments of builds and packs that do not depend on the day.
    more_arguments: Vec<String>,
    token: Option<String>,
}

/// What `--json` says of a generation that was made.
#[derive(Debug, Deserialize)]
struct Made {
    generation: GenerationId,
}

impl Machines {
    /// Makes a site; `program` is `nightshard` itself, whose `build` and `pack` are given
    /// `more_arguments` beside what the configuration says, and `token` is what servers want to see.
    #[must_use]
    pub fn new(
        config: ControllerConfig,
        thresholds: Thresholds,
        (program, more_arguments): (PathBuf, Vec<String>),
        token: Option<String>,
    ) -> Self {
        Self {
            config,
            thresholds,
            program,
            more_arguments,
            token,
        }
    }

    /// Runs one of the program's commands that make a generation, and returns that.
    async fn make(
        &self,
        command: &str,
        given: &[String],
        own: &[&str],
    ) -> Result<GenerationId, BuildFailure> {
        let mut arguments = vec![command.to_owned()];
        arguments.extend(given.iter().chain(&self.more_arguments).cloned());
        let fixed = [
            "--output",
            &self.config.repository,
            "--no-select",
            "--json",
            "--quiet",
        ];
        arguments.extend(own.iter().chain(&fixed).map(|it| (*it).to_owned()));
        let command = BuildCommand {
            program: self.program.clone(),
            arguments,
        };
        let timeout = Duration::from_secs(self.config.build_timeout_seconds.into());
        let printed = command.run(timeout).await?;
        let made: Made = serde_json::from_str(&printed)
            .map_err(|error| format!("the build's result cannot be read: {error}"))?;
        Ok(made.generation)
    }

    /// Finds the servers that are switched together.
    async fn cluster(&self) -> Result<Cluster, String> {
        let config = &self.config;
        let servers = Cluster::resolve_all(&config.servers).await?;
        let patience = Duration::from_secs(config.prepare_seconds.into());
        let quorum = config.quorum(servers.len());
        Ok(Cluster::new(servers, self.token.clone(), quorum, patience))
    }
}

impl Site for Machines {
    async fn build(&self, day: Day, run: &str) -> Result<GenerationId, BuildFailure> {
        let day = day.to_string();
        // The last one makes the day's generation, and says so.
        let note = ["--run", run];
        let note_of = |left: usize| if left == 0 { &note[..] } else { &[] };
        let packs = &self.config.pack;
        let mut own = [&["--as-of", &day], note_of(packs.len())].concat();
        if let Some(served) = &self.config.publish_to
            && !self
                .config
                .build
                .iter()
                .any(|given| says_whose_atoms(given))
        {
            // Nothing is ever current where builds go.
            own.extend(["--atoms-from", served]);
        }
        let mut made = self.make("build", &self.config.build, &own).await?;
        for (at, given) in (1..).zip(packs) {
            let onto = made.to_string();
            let own = [&["--onto", &onto], note_of(packs.len() - at)].concat();
            made = self.make("pack", given, &own).await?;
        }
        Ok(made)
    }

    async fn verify(&self, repository: &Repository, id: &GenerationId) -> Result<Opinion> {
        let verified = repository.verify(id, |_progress| ()).await?;
        Ok(match verified.damage.first() {
            Some(first) => Opinion::Wrong(format!(
                "{} things are damaged: {}",
                verified.damage.len(),
                first.problem
            )),
            None => Opinion::Right(format!(
                "{} shards and {} records are right",
                verified.shards, verified.records
            )),
        })
    }

    async fn judge(
        &self,
        (repository, candidate): (&Repository, &GenerationId),
        good: Option<(&Repository, &GenerationId)>,
    ) -> Result<Opinion> {
        let candidate = repository.manifest(candidate).await?;
        let manifest = match good {
            Some((its, good)) => usable(its.manifest(good).await)?,
            None => None,
        };
        let good = good.zip(manifest.as_ref());
        let good = good.map(|((its, _), manifest)| (its, manifest));
        let judged = repository.gate_beside(&candidate, good, &self.thresholds);
        let report = judged.await?;
        Ok(match report.refusal() {
            Some(check) => {
                Opinion::Wrong(format!("{}: {}, {}", check.name, check.line, report.name()))
            }
            None => Opinion::Right(report.name()),
        })
    }

    async fn prepare(&self, id: &GenerationId) -> Result<()> {
        match self.cluster().await {
            Ok(cluster) => cluster.prepare(id).await,
            Err(problems) => Err(Error::NoQuorum {
                id: id.clone(),
                ready: 0,
                quorum: self.config.quorum(1),
                problems,
            }),
        }
    }

    async fn tell(&self, selection: &Selection) {
        // Those that cannot be found now find the selection at their next poll.
        if let Ok(cluster) = self.cluster().await {
            cluster.tell(selection).await;
        }
    }

    async fn watch(&self, id: &GenerationId) -> Watched {
        let config = &self.config;
        if config.servers.is_empty() {
            return Watched::Well("no servers are named".to_owned());
        }
        let servers = match Cluster::resolve_all(&config.servers).await {
            Ok(servers) => servers,
            Err(problem) => return Watched::Unknown(format!("servers cannot be found: {problem}")),
        };
        let ask = || servers::ask(&servers, self.token.as_deref());
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
        let (quorum, share_max) = (config.quorum(servers.len()), config.errors_share_max);
        servers::judge(id, &before, &after, quorum, share_max)
    }
}

/// Returns whether an argument of a build is an option, with or without its value, for the atoms to go on from.
fn says_whose_atoms(argument: &str) -> bool {
    let option = argument
        .split_once('=')
        .map_or(argument, |(option, _)| option);
    ["--atoms-from", "--fresh-atoms"].contains(&option)
}

/// Returns what can be compared with: damage is no reason not to judge by what is left.
fn usable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::Data => Ok(None),
        read => read.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::says_whose_atoms;

    #[test]
    fn options_for_atoms_are_known_with_their_values_and_apart() {
        for given in [
            "--atoms-from",
            "--atoms-from=s3://bucket/served",
            "--fresh-atoms",
        ] {
            assert!(says_whose_atoms(given), "{given}");
        }
        for other in [
            "--atoms",
            "--atoms-from-elsewhere",
            "s3://bucket/--atoms-from",
            "--output",
        ] {
            assert!(!says_whose_atoms(other), "{other}");
        }
    }
}
