//! `nightshard controller`: a night after the other, by itself.

use std::{
    collections::VecDeque,
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::Context;
use jiff::Timestamp;
use nightshard_deploy::{
    Cache, Environment, Error, ErrorKind, Repository, SystemEnvironment,
    controller::{
        Alert, ControllerConfig, Course, Due, Ending, Lease, Machines, Night, Outcome,
        Repositories, Schedule, Step, drive, plan,
        status::{self, Status},
    },
};
use nightshard_format::{calendar::Day, manifest::GenerationId};
use nightshard_storage::Location;
use serde_json::json;
use tokio::{net::TcpListener, sync::Mutex};

use crate::{
    config::Config,
    exit::{self, UsageError},
    output::{print, print_json},
    server_token,
    stop::Stop,
};

/// How long to wait before looking again for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// So many of the latest alerts wait for a webhook that is away.
const UNPOSTED_MAX: usize = 100;

/// How long to wait where storage does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How long giving the lease up may take: who does not manage it leaves it to expire.
const RELEASE_MAX: Duration = Duration::from_secs(10);

/// Build, verify, judge, select and watch every night, and go back if servers do badly.
///
/// What it does is recorded in the repository that is served, so that it goes on where it was ended;
/// of several, one works at a time. Told to stop, it lets another one go on at once. The exit code of
/// --once is 0 if the night's generation is served, 3 if the quality gate refused it, 4 if another
/// controller is at work, else 1.
#[derive(Debug, clap::Args)]
pub(crate) struct ControllerArgs {
    /// The configuration file, with a table `controller`.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Make one night now, or end the one that was begun, and exit.
    #[arg(long)]
    once: bool,
    /// The business day [default: the last one that is over].
    #[arg(long, value_name = "DATE")]
    day: Option<Day>,
    /// Have the night that is being made stopped, by whichever controller makes it.
    #[arg(long, conflicts_with = "once")]
    cancel: bool,
    /// Show the day's records.
    #[arg(long, conflicts_with_all = ["once", "cancel"])]
    history: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// Makes a night, or one after the other.
pub(crate) fn run(args: &ControllerArgs) -> anyhow::Result<ExitCode> {
    let config = Config::read(Some(&args.config))?;
    // Builds end with the thread that begins them: this one.
    tokio::runtime::Runtime::new()?.block_on(async {
        let controller = Controller::open(args, config).await?;
        let day = args.day.unwrap_or_else(|| controller.last_day());
        if args.cancel || args.history {
            let told = controller
                .stop
                .unless_told(controller.tell(args, day))
                .await;
            told.unwrap_or(Ok(ExitCode::FAILURE))
        } else if args.once {
            controller.once(day, args.json).await
        } else {
            controller.forever().await
        }
    })
}

/// What was told, and is not told again while it stays so.
#[derive(Debug, Default)]
struct Told {
    /// That data is too old.
    stale: Option<String>,
    /// Which of its side series are stale, if some are.
    series_of: Option<GenerationId>,
}

struct Controller {
    config: Config,
    own: ControllerConfig,
    schedule: Schedule,
    /// Where servers look, and where nights are recorded.
    repository: Repository,
    /// Where builds go, if that is elsewhere.
    apart: Option<Repository>,
    token: Option<String>,
    /// The configuration file, which builds are given, too.
    path: String,
    stop: Stop,
    /// Alerts that the webhook has not taken yet, the earliest first.
    unposted: Mutex<VecDeque<Alert>>,
}

impl Controller {
    async fn open(args: &ControllerArgs, mut config: Config) -> anyhow::Result<Self> {
        let path = args.config.display().to_string();
        let usage = |problem: String| UsageError(format!("--config {path}: {problem}"));
        let own = config.controller.take();
        let own = own.ok_or_else(|| usage("it has no table [controller]".into()))?;
        own.check().map_err(usage)?;
        let schedule = own.schedule().map_err(usage)?;
        let option = format!("--config {path}: controller.token_file");
        let token = server_token::find(own.token_file.as_deref(), &option)?;
        let repository = open(own.served(), &config).await?;
        let apart = match own.publish_to {
            Some(_) => Some(open(&own.repository, &config).await?),
            None => None,
        };
        Ok(Self {
            schedule,
            repository,
            apart,
            token,
            path,
            own,
            config,
            stop: Stop::on_signals()?,
            unposted: Mutex::default(),
        })
    }

    fn last_day(&self) -> Day {
        self.schedule.business_day(now())
    }

    async fn tell(&self, args: &ControllerArgs, day: Day) -> anyhow::Result<ExitCode> {
        match args.cancel {
            true => self.cancel(day).await,
            false => self.show(day, args.json).await,
        }
    }

    async fn cancel(&self, day: Day) -> anyhow::Result<ExitCode> {
        let mut history = self.repository.run_history(day).await?;
        if plan::due(&history.records, Timestamp::MIN) != Due::Resume {
            return Err(UsageError(format!("--cancel: no night of {day} is being made")).into());
        }
        let (step, outcome) = (Step::Cancel, Outcome::Done);
        // A record that the controller writes meanwhile has the number, then the next is tried.
        while !self
            .repository
            .append_run(&mut history, step, outcome, None, String::new(), 0)
            .await?
        {
            history = self.repository.run_history(day).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn show(&self, day: Day, as_json: bool) -> anyhow::Result<ExitCode> {
        let history = self.repository.run_history(day).await?;
        if as_json {
            print_json(&history.records)?;
            return Ok(ExitCode::SUCCESS);
        }
        let lines = history.records.iter().map(|record| {
            let name = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let (step, outcome) = (name(json!(record.step)), name(json!(record.outcome)));
            format!(
                "{}  {step:<9}  {outcome:<7}  {}\n",
                record.at, record.detail
            )
        });
        print(&lines.collect::<String>())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn once(&self, day: Day, as_json: bool) -> anyhow::Result<ExitCode> {
        // Whatever ended before now is begun anew.
        let ending = match self.night(day, Timestamp::MAX).await {
            // Another one makes it.
            Err(error @ (Error::LeaseHeld { .. } | Error::LeaseLost { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                let text = exit::one_line(&error);
                self.alert(self.alert_of("failing", day, text)).await;
                return Err(error);
            }
            Ok(ending) => ending,
        };
        let ending = ending.with_context(|| match self.stop.is_told() {
            true => format!("told to stop: the night of {day} goes on when it is started again"),
            false => "the night is over already".to_owned(),
        })?;
        let stale = self.stale().await?;
        let series = match self.current().await? {
            Some(current) => self.stale_series(&current).await?,
            None => None,
        };
        let text = text_of(&ending);
        if as_json {
            let [stale, series] = [&stale, &series].map(|it| it.as_ref().map(|alert| &alert.text));
            let day = day.to_string();
            print_json(&json!({ "day": day, "ending": text, "stale": stale, "series": series }))?;
        } else {
            print(&format!("night of {day}: {text}\n"))?;
        }
        for alert in stale.into_iter().chain(series) {
            self.alert(alert).await;
        }
        Ok(match ending {
            Ending::Served(_) => ExitCode::SUCCESS,
            Ending::Blocked(_) | Ending::Refused(_) => ExitCode::from(exit::REFUSED),
            _ => ExitCode::FAILURE,
        })
    }

    /// Makes what is due, until it is told to stop.
    async fn forever(&self) -> anyhow::Result<ExitCode> {
        let listener = match self.own.listen {
            Some(address) => Some(self.listen(address).await?),
            None => None,
        };
        let (repository, schedule) = (self.repository.clone(), self.schedule.clone());
        let read = move || {
            let (repository, schedule) = (repository.clone(), schedule.clone());
            async move { Status::read(&repository, &schedule).await }
        };
        let answering = async {
            match listener {
                Some(listener) => status::serve(listener, read).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.work() => {}
            answered = answering => answered.context("controller.listen")?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn listen(&self, address: SocketAddr) -> anyhow::Result<TcpListener> {
        let bound = TcpListener::bind(address).await;
        let bound = bound.with_context(|| format!("controller.listen {address}"))?;
        say(&format!("listening on http://{}", bound.local_addr()?));
        Ok(bound)
    }

    async fn work(&self) {
        let (mut told, mut failed) = (Told::default(), None);
        loop {
            let failure = self.look(&mut told).await.err();
            let failure = failure.map(|error| exit::one_line(&error));
            if let Some(text) = failure.clone().filter(|_| failed != failure) {
                let alert = self.alert_of("failing", self.last_day(), text);
                self.alert(alert).await;
            }
            failed = failure;
            self.post_alerts().await;
            let pause = tokio::time::sleep(LOOK_EVERY);
            if self.stop.unless_told(pause).await.is_none() {
                return;
            }
        }
    }

    /// Makes the newest night that is due, and tells once that data is too old, or series of it.
    async fn look(&self, told: &mut Told) -> anyhow::Result<()> {
        if let Some(due) = self.schedule.due(Timestamp::UNIX_EPOCH, now()) {
            let day = self.schedule.business_day(due);
            match self.night(day, due).await {
                Ok(Some(ending)) => say(&format!("night of {day}: {}", text_of(&ending))),
                Ok(None) => {}
                // Another one makes it.
                Err(Error::LeaseHeld { .. } | Error::LeaseLost { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let stale = self.stop.unless_told(self.stale()).await;
        let stale = stale.transpose()?.flatten();
        let text = stale.as_ref().map(|alert| alert.text.clone());
        if let Some(alert) = stale.filter(|_| told.stale != text) {
            self.alert(alert).await;
        }
        told.stale = text;
        let looked = self.stop.unless_told(self.look_at_series(told)).await;
        looked.unwrap_or(Ok(()))
    }

    /// Tells of stale series of a generation that is current since the last look.
    async fn look_at_series(&self, told: &mut Told) -> anyhow::Result<()> {
        let current = self.current().await?;
        if let Some(new) = current.as_ref().filter(|_| told.series_of != current)
            && let Some(alert) = self.stale_series(new).await?
        {
            self.alert(alert).await;
        }
        told.series_of = current;
        Ok(())
    }

    /// Makes a night, if it was not made since `due`, and tells if it did not end well; returns how
    /// it ended, unless it was made before, or is left to another one.
    async fn night(&self, day: Day, due: Timestamp) -> Result<Option<Ending>, Error> {
        let taken = self.stop.unless_told(self.take(day, due)).await;
        let Some(mut night) = taken.transpose()?.flatten() else {
            return Ok(None);
        };
        let ended = self.stop.unless_told(self.finish(&mut night, due)).await;
        let left = night.history().left_of_reclaim().map(str::to_owned);
        // What is not given up expires.
        let _lost = tokio::time::timeout(RELEASE_MAX, night.release()).await;
        let ending = ended.transpose()?.flatten();
        if let Some(ending) = &ending
            && !matches!(ending, Ending::Served(_))
        {
            let text = text_of(ending);
            self.alert(self.alert_of("night", day, text)).await;
        }
        if let (Some(_), Some(problem)) = (&ending, left) {
            let text = format!("what nobody needs was not reclaimed: {problem}");
            self.alert(self.alert_of("reclaim", day, text)).await;
        }
        Ok(ending)
    }

    /// Takes a night that was not made since `due`, and the lease.
    async fn take(&self, day: Day, due: Timestamp) -> Result<Option<Night<Machines>>, Error> {
        let recorded = self.repository.run_history(day).await?;
        if plan::due(&recorded.records, due) == Due::Not {
            return Ok(None);
        }
        let lease = Lease::take(&self.repository, self.own.lease_terms()).await?;
        let program = std::env::current_exe().unwrap_or_else(|_unknown| "nightshard".into());
        let more = vec!["--config".to_owned(), self.path.clone()];
        let (thresholds, token) = (self.config.gate.clone(), self.token.clone());
        let site = Machines::new(self.own.clone(), thresholds, (program, more), token);
        let night = Night::new(self.repositories(), site, lease, day);
        night.await.map(Some)
    }

    fn repositories(&self) -> Repositories {
        Repositories {
            published: self.repository.clone(),
            apart: self.apart.clone(),
            reclaim: self.own.reclaim(),
        }
    }

    /// Makes a night that was taken.
    async fn finish(
        &self,
        night: &mut Night<Machines>,
        due: Timestamp,
    ) -> Result<Option<Ending>, Error> {
        // Once more: whoever held the lease before may have made it.
        match plan::due(&night.history().records, due) {
            Due::Not => return Ok(None),
            Due::Begin => night.begin().await?,
            Due::Resume => {}
        }
        self.drive(night).await
    }

    /// Drives a night to its end, also while storage does not answer for as long as the lease holds.
    async fn drive(&self, night: &mut Night<Machines>) -> Result<Option<Ending>, Error> {
        let course: Course = self.repositories().course(self.own.limits());
        loop {
            match drive(night, &course).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && night.is_held() => {
                    say(&format!("{error}: tried again"));
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                driven => return driven,
            }
        }
    }

    /// Returns an alert if what is current is older than it may be.
    async fn stale(&self) -> anyhow::Result<Option<Alert>> {
        let hours = i64::from(self.own.freshness_max_hours);
        let Some(current) = self.repository.current().await?.filter(|_| hours > 0) else {
            return Ok(None);
        };
        let day: Day = current.generation.as_of().parse()?;
        let age = self.schedule.age(day, now()).as_hours();
        let text = format!("the current generation is of {day}, more than {hours} hours ago");
        Ok((age >= hours).then(|| self.alert_of("stale", day, text)))
    }

    async fn current(&self) -> anyhow::Result<Option<GenerationId>> {
        let current = self.repository.current().await?;
        Ok(current.map(|selection| selection.generation))
    }

    /// Returns an alert if side series of a generation are stale.
    async fn stale_series(&self, id: &GenerationId) -> anyhow::Result<Option<Alert>> {
        let manifest = self.repository.manifest(id).await?;
        let measures = self.repository.series_of(&manifest).await?;
        let day: Day = id.as_of().parse()?;
        let alert = |line| self.alert_of("series", day, format!("stale side series: {line}"));
        Ok(measures.stale_line().map(alert))
    }

    fn alert_of(&self, alert: &'static str, day: Day, text: String) -> Alert {
        Alert {
            alert,
            repository: self.repository.location().to_owned(),
            day: day.to_string(),
            text,
            at: now(),
        }
    }

    /// Says an alert on standard error, and to the webhook if there is one.
    async fn alert(&self, alert: Alert) {
        say(&format!("alert: {}: {}", alert.day, alert.text));
        if self.own.webhook.is_some() {
            let mut unposted = self.unposted.lock().await;
            unposted.push_back(alert);
            if unposted.len() > UNPOSTED_MAX {
                unposted.pop_front();
            }
        }
        self.post_alerts().await;
    }

    /// Posts what was not posted yet, in order; what is not taken now is posted another time.
    async fn post_alerts(&self) {
        let Some(webhook) = &self.own.webhook else {
            return;
        };
        let mut unposted = self.unposted.lock().await;
        while let Some(alert) = unposted.front() {
            if let Err(problem) = alert.post(webhook).await {
                return say(&format!("controller.webhook: {problem}"));
            }
            unposted.pop_front();
        }
    }
}

/// Opens a repository, made where it is not yet there; what is fetched goes to a temporary folder.
async fn open(uri: &str, config: &Config) -> anyhow::Result<Repository> {
    let repository = Repository::open_or_create(uri, &config.storage).await?;
    Ok(match Location::parse(uri)? {
        Location::Local(_) => repository,
        _ => repository.with_cache(Cache::temporary(config.fetch.clone())?),
    })
}

fn text_of(ending: &Ending) -> String {
    let (_, generation, detail) = ending.describe();
    match generation {
        Some(generation) => format!("{generation} {detail}"),
        None => detail,
    }
}

fn now() -> Timestamp {
    let since = SystemEnvironment.now().duration_since(UNIX_EPOCH);
    let second = i64::try_from(since.unwrap_or_default().as_secs());
    Timestamp::from_second(second.unwrap_or_default()).unwrap_or_default()
}

fn say(line: &str) {
    // Nobody is left to tell if standard error is closed.
    let _closed = writeln!(std::io::stderr(), "{line}");
}
