//! Controllers: processes that make nights, die, sleep, and go on where others died.

use std::{pin::pin, time::Duration};

use jiff::{SignedDuration, Timestamp};
use nightshard_deploy::{
    Error, ErrorKind, Reclaim, Repository, Result, Selection,
    controller::{
        BuildFailure, Course, Due, Effects, Ending, Lease, LeaseTerms, Limits, Night, Opinion,
        Outcome, Performed, Repositories, RunRecord, Seen, Site, Step, drive, plan,
    },
    servers::Watched,
};
use nightshard_format::{calendar::Day, manifest::GenerationId};
use nightshard_storage::{ObjectName, Storage};

use crate::{
    actors::FLOOR,
    promises,
    world::{Random, World},
};

/// How far clocks of controllers are off, in seconds, that are kept from each other whatever happens.
pub(crate) const CLOCK_ERROR_MAX: u64 = 25;

const TERMS: LeaseTerms = LeaseTerms {
    duration: SignedDuration::from_secs(60),
    clock_error: SignedDuration::from_secs(60),
};

const LIMITS: Limits = Limits {
    attempts: 3,
    backoff: SignedDuration::from_secs(5),
    backoff_max: SignedDuration::from_secs(60),
};

/// What the gate refuses of the pool, and what servers do badly with.
const HALVED: usize = 5;
const SLOW: usize = 4;

/// Makes the night that is due, as a process that may be stopped for a while.
pub(crate) async fn control(
    world: &World<'_>,
    repository: Repository,
    random: Random,
) -> Result<()> {
    let day = Day(20_000 + i32::try_from(world.begun.elapsed().as_secs() / 7_200).unwrap());
    let site = Model {
        world,
        built: usize::try_from(random.below(6)).unwrap(),
        random: random.clone(),
        is_disturbed: true,
    };
    let night = make(world, repository, site, day, random.below(2) == 0);
    let mut night = pin!(night);
    if random.below(4) > 0 {
        return night.await.map(drop);
    }
    let awake = Duration::from_millis(random.below(240_000));
    match tokio::time::timeout(awake, &mut night).await {
        Ok(done) => done.map(drop),
        Err(_asleep) => {
            tokio::time::sleep(Duration::from_secs(random.below(1_800))).await;
            night.await.map(drop)
        }
    }
}

/// Makes a day's night, or ends the one that was begun.
pub(crate) async fn make<'a>(
    world: &'a World<'a>,
    repository: Repository,
    site: Model<'a>,
    day: Day,
    reclaims: bool,
) -> Result<Option<Ending>> {
    let recorded = repository.run_history(day).await?;
    if plan::due(&recorded.records, Timestamp::MIN) == Due::Not {
        return Ok(None);
    }
    let lease = Lease::take(&repository, TERMS).await?;
    let repositories = Repositories {
        published: repository.clone(),
        apart: None,
        reclaim: reclaims.then_some(Reclaim {
            keep: 1,
            floor: FLOOR,
            ..Reclaim::default()
        }),
    };
    let course: Course = repositories.course(LIMITS);
    let mut night = Night::new(repositories, site, lease, day).await?;
    let due = plan::due(&night.history().records, Timestamp::MIN);
    if due == Due::Begin {
        night.begin().await?;
    }
    let mut checked = Checked {
        world,
        night,
        bad_before: Vec::new(),
    };
    let ending = match due {
        Due::Not => None,
        Due::Begin | Due::Resume => persist(&mut checked, &course).await?,
    };
    let happened = (due == Due::Resume).then_some("gone on with").into_iter();
    let happened = happened.chain(ending.as_ref().map(name));
    world.nights.borrow_mut().extend(happened);
    let _expires = checked.night.release().await;
    Ok(ending)
}

/// Drives a night to its end, also while storage does not answer for as long as the lease holds.
async fn persist(checked: &mut Checked<'_>, course: &Course) -> Result<Option<Ending>> {
    loop {
        match drive(checked, course).await {
            Err(error) if error.kind() == ErrorKind::Unavailable && checked.night.is_held() => {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            driven => return driven,
        }
    }
}

fn name(ending: &Ending) -> &'static str {
    match ending {
        Ending::Served(_) => "served",
        Ending::Blocked(_) => "blocked",
        Ending::Refused(_) => "refused",
        Ending::RolledBack(_) => "rolled back",
        Ending::Superseded => "superseded",
        Ending::Cancelled => "cancelled",
        Ending::Failed(_) => "failed",
        Ending::Stuck(_) => "stuck",
    }
}

/// A night whose steps are held against the truth.
struct Checked<'a> {
    world: &'a World<'a>,
    night: Night<Model<'a>>,
    /// What was marked bad before the night looked.
    bad_before: Vec<GenerationId>,
}

impl Checked<'_> {
    fn check_step(&self, step: Step, generation: Option<&GenerationId>) {
        let world = self.world;
        // Who knows that its lease is over does nothing more, whatever it has begun.
        if !world.has_wild_clocks && self.night.is_held() {
            let epoch = self.night.epoch();
            assert_eq!(
                promises::highest_epoch(world),
                epoch,
                "who lost the lease goes on"
            );
        }
        let Some(id) = generation.filter(|_| matches!(step, Step::Select | Step::RollBack)) else {
            return;
        };
        let is_bad = self.bad_before.contains(id) && promises::bad(world).contains(id);
        assert!(!is_bad, "{id} is marked bad, and chosen by {step:?}");
        let is_verified = world.verified.borrow().contains(id);
        assert!(
            is_verified || step == Step::RollBack,
            "{id} is chosen and was not verified"
        );
        let is_halved = world.pool.staged[HALVED].manifest.id == *id;
        assert!(
            !is_halved || step == Step::RollBack,
            "{id} is chosen and was refused"
        );
    }
}

impl Effects for Checked<'_> {
    type Error = Error;

    fn now(&self) -> Timestamp {
        self.night.now()
    }

    async fn check(&mut self) -> Result<()> {
        self.night.check().await
    }

    async fn see(&mut self) -> Result<Seen> {
        self.bad_before = promises::bad(self.world);
        self.night.see().await
    }

    async fn records(&mut self) -> Result<Vec<RunRecord>> {
        self.night.records().await
    }

    async fn append(
        &mut self,
        step: Step,
        outcome: Outcome,
        generation: Option<GenerationId>,
        detail: String,
    ) -> Result<bool> {
        self.night.append(step, outcome, generation, detail).await
    }

    async fn perform(&mut self, step: Step, generation: Option<GenerationId>) -> Result<Performed> {
        self.check_step(step, generation.as_ref());
        self.night.perform(step, generation).await
    }

    async fn wait(&mut self, until: Timestamp) -> Result<()> {
        self.night.wait(until).await
    }
}

/// A site of which everything is known: builds publish a generation of the pool.
pub(crate) struct Model<'a> {
    pub(crate) world: &'a World<'a>,
    /// What it builds, of the pool.
    pub(crate) built: usize,
    pub(crate) random: Random,
    /// Whether things go wrong.
    pub(crate) is_disturbed: bool,
}

impl Model<'_> {
    fn fails(&self, of: u64) -> bool {
        self.is_disturbed && self.random.below(of) == 0
    }

    fn at(&self, id: &GenerationId) -> usize {
        let mut pool = self.world.pool.staged.iter();
        pool.position(|staged| staged.manifest.id == *id).unwrap()
    }
}

impl Site for Model<'_> {
    async fn build(&self, _day: Day, run: &str) -> Result<GenerationId, BuildFailure> {
        if self.fails(8) {
            return Err(BuildFailure::Failed("the input is not there".into()));
        }
        if self.fails(16) {
            return Err(BuildFailure::Refused("a data test blocks".into()));
        }
        tokio::time::sleep(Duration::from_secs(self.random.below(200))).await;
        let staged = &self.world.pool.staged[self.built];
        let id = &staged.manifest.id;
        // A process of its own.
        let (repository, _) = self.world.repository("build");
        let built = async {
            repository.publish(staged).await?;
            repository.note_run(id, run).await
        };
        let built: Result<()> = built.await;
        built
            .map(|()| id.clone())
            .map_err(|error| BuildFailure::Failed(error.to_string()))
    }

    async fn verify(&self, repository: &Repository, id: &GenerationId) -> Result<Opinion> {
        let manifest = repository.manifest(id).await?;
        for entry in &manifest.shards {
            let name: ObjectName = format!("blobs/{}", entry.blob).parse()?;
            let read = self
                .world
                .storage
                .get_range(&name, 0..entry.size_bytes)
                .await?;
            if read.as_ref() != Some(&self.world.pool.blobs[&entry.blob]) {
                return Ok(Opinion::Wrong(format!("{name} is damaged")));
            }
        }
        self.world.verified.borrow_mut().insert(id.clone());
        Ok(Opinion::Right("every byte is right".into()))
    }

    async fn judge(
        &self,
        (_, candidate): (&Repository, &GenerationId),
        _good: Option<(&Repository, &GenerationId)>,
    ) -> Result<Opinion> {
        Ok(match self.at(candidate) {
            HALVED => Opinion::Wrong("half of it is missing".into()),
            _ => Opinion::Right("it is like the last one".into()),
        })
    }

    async fn prepare(&self, id: &GenerationId) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(self.random.below(30))).await;
        match self.fails(10) {
            true => Err(Error::NoQuorum {
                id: id.clone(),
                ready: 0,
                quorum: 1,
                problems: "it is away".into(),
            }),
            false => Ok(()),
        }
    }

    async fn tell(&self, _selection: &Selection) {}

    async fn watch(&self, id: &GenerationId) -> Watched {
        tokio::time::sleep(Duration::from_secs(60)).await;
        if self.fails(10) {
            return Watched::Unknown("no server can be asked".into());
        }
        match self.at(id) == SLOW || self.fails(10) {
            true => Watched::Badly("errors".into()),
            false => Watched::Well("no errors".into()),
        }
    }
}
