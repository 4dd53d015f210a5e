//! Nights in a world of its own, with crashes before and after everything that is done.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use futures_util::FutureExt;
use jiff::SignedDuration;
use proptest::prelude::*;

use super::{super::Limits, *};

const LIMITS: Limits = Limits {
    attempts: 3,
    backoff: SignedDuration::from_secs(60),
    backoff_max: SignedDuration::from_secs(600),
};

/// Nights of one repository, and those that build in one and publish in another, and reclaim.
const COURSES: [Course; 2] = [
    Course {
        limits: LIMITS,
        publishes: false,
        reclaims: false,
    },
    Course {
        limits: LIMITS,
        publishes: true,
        reclaims: true,
    },
];

/// What is wrong with a night, if anything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    /// Building fails so often.
    BuildFails(u8),
    /// A data test blocks the build.
    Blocked,
    /// The first build is damaged.
    Damaged,
    /// The gate says no.
    Halved,
    /// Servers do badly with it.
    Slow,
    /// Asking the servers fails so often.
    Unwatched(u8),
    /// Publishing fails so often.
    Unpublished(u8),
    /// Where builds go is lost once this one is verified: another machine goes on.
    Lost,
    /// Reclaiming fails so often.
    Unreclaimed(u8),
    /// Somebody selects what was current before, once this one is.
    Overruled,
    /// Somebody stops the run at this operation.
    Cancelled(u8),
}

#[derive(Debug)]
struct World {
    course: Course,
    now: i64,
    /// Generations where builds go, and the builds that made them.
    built: BTreeMap<GenerationId, BTreeSet<String>>,
    /// Generations where servers look.
    published: BTreeSet<GenerationId>,
    reclaimed: BTreeSet<u32>,
    /// Records by night.
    records: BTreeMap<u32, Vec<RunRecord>>,
    current: Option<GenerationId>,
    /// By their last selection.
    selected: Vec<GenerationId>,
    good: BTreeSet<GenerationId>,
    bad: BTreeSet<GenerationId>,
    verified: BTreeSet<GenerationId>,
    passed: BTreeSet<GenerationId>,
    watched: BTreeSet<GenerationId>,
    builds: u32,
    failures: u8,
    operations: u32,
}

impl World {
    fn new(course: Course) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            course,
            now: 0,
            built: BTreeMap::new(),
            published: BTreeSet::new(),
            reclaimed: BTreeSet::new(),
            records: BTreeMap::new(),
            current: None,
            selected: Vec::new(),
            good: BTreeSet::new(),
            bad: BTreeSet::new(),
            verified: BTreeSet::new(),
            passed: BTreeSet::new(),
            watched: BTreeSet::new(),
            builds: 0,
            failures: 0,
            operations: 0,
        }))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// The controller died.
    Crash,
    /// The step failed.
    Step,
}

impl std::error::Error for Fault {}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

fn id_of(night: u32) -> GenerationId {
    format!("2026-01-{:02}-{night:012x}", 1 + night % 28)
        .parse()
        .unwrap()
}

/// One life of the controller: it ends at its crash.
struct Life {
    world: Rc<RefCell<World>>,
    night: u32,
    trouble: Trouble,
    /// Operations until the crash, which comes before or after the last one.
    left: Option<u32>,
    is_after: bool,
}

impl Life {
    /// Does something, or dies before or after it.
    fn act<R>(&mut self, act: impl FnOnce(&mut World) -> Result<R, Fault>) -> Result<R, Fault> {
        let is_last = self.left == Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        if is_last && !self.is_after {
            return Err(Fault::Crash);
        }
        let mut world = self.world.borrow_mut();
        world.operations += 1;
        let done = act(&mut world);
        if is_last { Err(Fault::Crash) } else { done }
    }

    fn select(world: &mut World, id: &GenerationId) {
        world.current = Some(id.clone());
        world.selected.retain(|selected| selected != id);
        world.selected.push(id.clone());
    }

    fn step(
        &self,
        world: &mut World,
        step: Step,
        id: Option<&GenerationId>,
    ) -> Result<bool, Fault> {
        let own = id_of(self.night);
        let mut fails = |times: u8| {
            world.failures += 1;
            world.failures <= times
        };
        match step {
            Step::Build => {
                let fails = matches!(self.trouble, Trouble::BuildFails(times) if fails(times));
                world.builds += 1;
                if fails {
                    return Err(Fault::Step);
                }
                if self.trouble == Trouble::Blocked {
                    return Ok(true);
                }
                let records = &world.records[&self.night];
                let run = records.last().unwrap().nonce.clone();
                world.built.entry(own.clone()).or_default().insert(run);
                if !world.course.publishes {
                    world.published.insert(own);
                }
            }
            Step::Verify => {
                assert_eq!(id, Some(&own));
                if self.trouble == Trouble::Damaged && world.builds == 1 {
                    return Ok(true);
                }
                world.verified.insert(own.clone());
                if self.trouble == Trouble::Lost && world.course.publishes && fails(1) {
                    world.built.remove(&own);
                }
            }
            Step::Gate if self.trouble == Trouble::Halved => return Ok(true),
            Step::Gate => drop(world.passed.insert(own)),
            Step::Publish => {
                assert!(world.course.publishes && world.passed.contains(&own));
                assert!(world.built.contains_key(&own), "what is published is there");
                if matches!(self.trouble, Trouble::Unpublished(times) if fails(times)) {
                    return Err(Fault::Step);
                }
                world.published.insert(own);
            }
            Step::Select => {
                assert!(
                    world.verified.contains(&own),
                    "what is selected was verified whole"
                );
                assert!(
                    world.passed.contains(&own),
                    "what is selected has passed its gate"
                );
                assert!(world.published.contains(&own), "what is selected is there");
                Self::select(world, &own);
                if self.trouble == Trouble::Overruled {
                    let before = world.good.iter().next().cloned();
                    Self::select(world, &before.unwrap_or_else(|| id_of(99)));
                }
            }
            Step::Watch => match self.trouble {
                Trouble::Unwatched(times) if fails(times) => return Err(Fault::Step),
                Trouble::Slow => return Ok(true),
                _ => drop(world.watched.insert(own)),
            },
            Step::MarkGood => {
                assert!(world.watched.contains(&own), "what is good was watched");
                world.good.insert(own);
            }
            Step::MarkBad => {
                world.good.remove(&own);
                world.bad.insert(own);
            }
            Step::RollBack => {
                let to = id.unwrap();
                assert!(
                    world.good.contains(to) && !world.bad.contains(to),
                    "back to a good one"
                );
                Self::select(world, to);
            }
            Step::Reclaim => {
                assert!(world.course.reclaims && world.current.as_ref() == Some(&own));
                if matches!(self.trouble, Trouble::Unreclaimed(times) if fails(times)) {
                    return Err(Fault::Step);
                }
                world.reclaimed.insert(self.night);
            }
            other => panic!("{other:?} is nothing to perform"),
        }
        Ok(false)
    }
}

impl Effects for Life {
    type Error = Fault;

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.world.borrow().now).unwrap()
    }

    async fn check(&mut self) -> Result<(), Fault> {
        self.act(|_world| Ok(()))
    }

    async fn see(&mut self) -> Result<Seen, Fault> {
        self.act(|world| {
            let good = world.selected.iter();
            let good = good.filter(|id| world.good.contains(*id) && !world.bad.contains(*id));
            Ok(Seen {
                built: world.built.clone(),
                published: world.published.clone(),
                current: world.current.clone(),
                bad: world.bad.clone(),
                good: good.cloned().collect(),
            })
        })
    }

    async fn records(&mut self) -> Result<Vec<RunRecord>, Fault> {
        let (night, trouble) = (self.night, self.trouble);
        let cancels = |world: &World| matches!(trouble, Trouble::Cancelled(at) if world.operations > at.into());
        if cancels(&self.world.borrow()) {
            let mut world = self.world.borrow_mut();
            let records = world.records.entry(night).or_default();
            if records.iter().all(|record| record.step != Step::Cancel) && !records.is_empty() {
                records.push(record(night, Step::Cancel, Outcome::Done, None, 0));
            }
        }
        self.act(|world| Ok(world.records.get(&night).cloned().unwrap_or_default()))
    }

    async fn append(
        &mut self,
        step: Step,
        outcome: Outcome,
        generation: Option<GenerationId>,
        detail: String,
    ) -> Result<bool, Fault> {
        let night = self.night;
        self.act(|world| {
            let mut record = record(night, step, outcome, generation, world.now);
            let records = world.records.entry(night).or_default();
            record.nonce = format!("{night}-{}", records.len());
            record.detail = detail;
            records.push(record);
            Ok(true)
        })
    }

    async fn perform(
        &mut self,
        step: Step,
        generation: Option<GenerationId>,
    ) -> Result<Performed, Fault> {
        let (night, trouble) = (self.night, self.trouble);
        let life = Self {
            world: self.world.clone(),
            night,
            trouble,
            left: None,
            is_after: false,
        };
        let is_refused = self.act(|world| life.step(world, step, generation.as_ref()));
        // A controller that dies writes no record of it.
        let is_refused = is_refused.inspect_err(|fault| {
            if *fault == Fault::Crash {
                self.left = Some(0);
            }
        })?;
        Ok(Performed {
            is_refused,
            generation: (step == Step::Build && !is_refused).then(|| id_of(night)),
            detail: if is_refused { "why" } else { "" }.to_owned(),
        })
    }

    async fn wait(&mut self, until: Timestamp) -> Result<(), Fault> {
        self.act(|world| {
            assert!(until.as_second() > world.now, "waiting takes time");
            world.now = until.as_second();
            Ok(())
        })
    }
}

fn record(
    night: u32,
    step: Step,
    outcome: Outcome,
    generation: Option<GenerationId>,
    now: i64,
) -> RunRecord {
    RunRecord {
        day: format!("night {night}"),
        number: 0,
        step,
        outcome,
        generation,
        detail: String::new(),
        at: Timestamp::from_second(now).unwrap(),
        epoch: 1,
        by: "test".into(),
        nonce: String::new(),
    }
}

/// Lives a night through, with one life after the other, and returns how it ended.
fn night(
    world: &Rc<RefCell<World>>,
    night: u32,
    trouble: Trouble,
    crashes: &[(u32, bool)],
) -> Ending {
    let course = {
        let mut world = world.borrow_mut();
        (world.builds, world.failures, world.operations) = (0, 0, 0);
        world.now += 86_400;
        world.course
    };
    let mut lives = crashes
        .iter()
        .map(|(left, is_after)| (Some(*left), *is_after));
    loop {
        let (left, is_after) = lives.next().unwrap_or((None, false));
        let mut life = Life {
            world: world.clone(),
            night,
            trouble,
            left,
            is_after,
        };
        // Nothing of this world is waited for.
        match drive(&mut life, &course).now_or_never().unwrap() {
            Ok(Some(ending)) => return ending,
            // The last life died once the end was recorded.
            Ok(None) => {
                let world = world.borrow();
                let last = world.records[&night].last().unwrap();
                assert_eq!(last.step, Step::End);
                return match (last.outcome, &last.generation) {
                    (Outcome::Done, Some(id)) => Ending::Served(id.clone()),
                    _ => Ending::Superseded,
                };
            }
            Err(fault) => assert_eq!(fault, Fault::Crash),
        }
    }
}

fn any_trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        3 => Just(Trouble::None),
        1 => (1..5_u8).prop_map(Trouble::BuildFails),
        1 => Just(Trouble::Blocked),
        1 => Just(Trouble::Damaged),
        1 => Just(Trouble::Halved),
        2 => Just(Trouble::Slow),
        1 => (1..5_u8).prop_map(Trouble::Unwatched),
        1 => (1..5_u8).prop_map(Trouble::Unpublished),
        1 => (1..5_u8).prop_map(Trouble::Unreclaimed),
        1 => Just(Trouble::Lost),
        1 => Just(Trouble::Overruled),
        1 => (0..40_u8).prop_map(Trouble::Cancelled),
    ]
}

fn any_crashes() -> impl Strategy<Value = Vec<(u32, bool)>> {
    prop::collection::vec((0..40_u32, any::<bool>()), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever went wrong in the nights before, and wherever the controller died in them.
    #[test]
    fn bad_generations_do_not_stay_current_and_the_next_night_always_works(
        course in prop::sample::select(&COURSES[..]),
        nights in prop::collection::vec((any_trouble(), any_crashes()), 1..8)
    ) {
        let world = World::new(course);
        let mut number = 0;
        for (trouble, crashes) in nights {
            number += 1;
            let before = world.borrow().current.clone();
            let ending = night(&world, number, trouble, &crashes);
            let world = world.borrow();
            prop_assert!(world.builds <= LIMITS.attempts, "{} builds", world.builds);
            let is_bad = world.current.as_ref().is_some_and(|id| world.bad.contains(id));
            match &ending {
                Ending::Served(id) => {
                    prop_assert_eq!(world.current.as_ref(), Some(id));
                    prop_assert!(world.good.contains(id) && !is_bad);
                }
                Ending::Blocked(_) | Ending::Refused(_) => prop_assert_eq!(&world.current, &before),
                Ending::RolledBack(id) => {
                    prop_assert_eq!(world.current.as_ref(), Some(id));
                    prop_assert!(world.good.contains(id) && world.bad.contains(&id_of(number)));
                }
                Ending::Stuck(_) => prop_assert!(world.good.iter().all(|id| !world.selected.contains(id))),
                _ => prop_assert!(!is_bad || before == world.current || ending == Ending::Failed(Step::MarkBad) || ending == Ending::Failed(Step::RollBack) || ending == Ending::Superseded, "{ending:?}"),
            }
            if let Ending::Served(_) = ending
                && course.reclaims
                && !matches!(trouble, Trouble::Unreclaimed(_) | Trouble::Cancelled(_))
                && crashes.is_empty()
            {
                prop_assert!(world.reclaimed.contains(&number));
            }
            if trouble == Trouble::None && crashes.is_empty() {
                prop_assert_eq!(ending, Ending::Served(id_of(number)));
            }
        }
        number += 1;
        prop_assert_eq!(night(&world, number, Trouble::None, &[]), Ending::Served(id_of(number)));
    }
}

/// Every kind of night with a crash at every moment of it, before and after, alone.
#[test]
fn a_crash_at_any_moment_changes_nothing_of_how_a_night_ends() {
    let troubles = [
        Trouble::None,
        Trouble::BuildFails(1),
        Trouble::Damaged,
        Trouble::Halved,
        Trouble::Slow,
        Trouble::Unwatched(1),
        Trouble::Unpublished(1),
        Trouble::Unreclaimed(1),
        Trouble::Lost,
    ];
    for (trouble, course) in troubles
        .iter()
        .flat_map(|it| COURSES.map(|course| (*it, course)))
    {
        let lived = |crashes: &[(u32, bool)]| {
            let world = World::new(course);
            assert_eq!(
                night(&world, 1, Trouble::None, &[]),
                Ending::Served(id_of(1))
            );
            night(&world, 2, trouble, crashes);
            let world = Rc::into_inner(world).unwrap().into_inner();
            // What is known to be built is not built again, whoever died before saying so.
            let state = (world.current, world.good, world.bad, world.builds);
            (world.operations, state)
        };
        let (operations, undisturbed) = lived(&[]);
        for crash in 0..operations {
            for is_after in [false, true] {
                let (_, state) = lived(&[(crash, is_after)]);
                assert_eq!(
                    state, undisturbed,
                    "{trouble:?}, crash at {crash} {is_after}"
                );
            }
        }
    }
}

#[test]
fn nights_that_publish_and_reclaim_end_as_what_is_wrong_with_them_asks_for() {
    let world = World::new(COURSES[1]);
    for (number, trouble, ending) in [
        (1, Trouble::None, Ending::Served(id_of(1))),
        (2, Trouble::Unpublished(2), Ending::Served(id_of(2))),
        (3, Trouble::Unpublished(3), Ending::Failed(Step::Publish)),
        (4, Trouble::Unreclaimed(2), Ending::Served(id_of(4))),
        (5, Trouble::Unreclaimed(3), Ending::Served(id_of(5))),
        (6, Trouble::Slow, Ending::RolledBack(id_of(5))),
        (7, Trouble::Halved, Ending::Refused(id_of(7))),
        (8, Trouble::Lost, Ending::Served(id_of(8))),
    ] {
        assert_eq!(night(&world, number, trouble, &[]), ending, "{trouble:?}");
    }
    let world = world.borrow();
    assert_eq!(world.reclaimed, [1, 2, 4, 8].into());
    assert!(
        !world.published.contains(&id_of(7)),
        "what is refused does not travel"
    );
    assert_eq!(world.builds, 2, "what is lost is built again");
}

#[test]
fn nights_end_as_what_is_wrong_with_them_asks_for() {
    let world = World::new(COURSES[0]);
    let good = Ending::Served(id_of(1));
    // Nothing to go back to yet.
    assert_eq!(
        night(&world, 9, Trouble::Slow, &[]),
        Ending::Stuck(id_of(9))
    );
    assert_eq!(night(&world, 1, Trouble::None, &[]), good);
    assert_eq!(
        night(&world, 2, Trouble::Halved, &[]),
        Ending::Refused(id_of(2))
    );
    assert_eq!(
        night(&world, 3, Trouble::Slow, &[]),
        Ending::RolledBack(id_of(1))
    );
    assert_eq!(
        night(&world, 4, Trouble::BuildFails(3), &[]),
        Ending::Failed(Step::Build)
    );
    let before = world.borrow().current.clone();
    assert_eq!(
        night(&world, 10, Trouble::Blocked, &[]),
        Ending::Blocked("why".into())
    );
    assert_eq!(world.borrow().builds, 1, "the same rows are not read again");
    assert_eq!(world.borrow().current, before);
    assert_eq!(
        night(&world, 5, Trouble::BuildFails(2), &[]),
        Ending::Served(id_of(5))
    );
    assert_eq!(
        night(&world, 6, Trouble::Overruled, &[]),
        Ending::Superseded
    );
    assert_eq!(
        night(&world, 7, Trouble::Damaged, &[]),
        Ending::Served(id_of(7))
    );
    assert_eq!(world.borrow().builds, 2, "what was damaged is built again");
    assert_eq!(
        night(&world, 8, Trouble::Cancelled(0), &[]),
        Ending::Cancelled
    );
    assert_eq!(world.borrow().current, Some(id_of(7)));
}
