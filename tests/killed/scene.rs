//! Where a process is seen at its work, and killed: by what it asks of object storage, or by what
//! changes in a folder.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    moment::{Course, Moment},
    support::{
        program::Outcome,
        proxy::{Effect, Proxy, Trap},
    },
};

/// Nothing that is waited for takes so long: better to fail than to hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where a process is seen at its work.
pub(crate) enum Scene {
    /// It reaches object storage through this.
    Proxy(Proxy),
    /// It works in this folder.
    Folder(PathBuf),
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The process itself.
    Itself,
    /// The one that it has begun.
    Child,
}

/// How a process ended that was to be killed.
#[derive(Debug)]
pub(crate) struct Killed {
    pub(crate) outcome: Outcome,
    /// Whether that was before it ended by itself.
    pub(crate) in_time: bool,
    /// The last step that was seen of the victim.
    pub(crate) step: String,
}

/// How a process went.
struct Watched {
    outcome: Outcome,
    /// Whether its victim was killed before it ended by itself.
    in_time: bool,
    steps: Vec<String>,
    /// How many steps were seen when the victim was dead.
    steps_of_victim: usize,
}

impl Scene {
    /// Runs a command that nobody kills.
    pub(crate) fn run(&self, command: Command) -> (Outcome, Course) {
        let begun = Instant::now();
        let Watched { outcome, steps, .. } = self.watch(command, None);
        let duration = begun.elapsed();
        (outcome, Course { duration, steps })
    }

    /// Runs a command and kills it.
    pub(crate) fn kill(&self, command: Command, moment: Moment, victim: Victim) -> Killed {
        let watched = self.watch(command, Some((moment, victim)));
        let steps = &watched.steps[..watched.steps_of_victim];
        let step = steps.last().map_or("before any", String::as_str).to_owned();
        Killed {
            outcome: watched.outcome,
            in_time: watched.in_time,
            step,
        }
    }

    fn watch(&self, mut command: Command, plan: Option<(Moment, Victim)>) -> Watched {
        let changes = match self {
            Self::Proxy(proxy) => {
                proxy.set(None);
                None
            }
            Self::Folder(folder) => Some(Changes::in_folder(folder)),
        };
        let piped = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let begun = Instant::now();
        let killer = Killer::of(&child, plan.map_or(Victim::Itself, |(_, victim)| victim));
        let (mut changes, mut steps_of_child) = (changes, None);
        if let (Self::Proxy(proxy), Some((Moment::Step { .. }, _))) = (self, plan) {
            proxy.set(plan.map(|(moment, _)| killer.trap(moment)));
        }
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "{command:?} does not end");
            if let Some(changes) = &mut changes {
                changes.look();
            }
            let is_time = match plan.map(|(moment, _)| moment) {
                None => false,
                Some(Moment::Delay(delay)) => begun.elapsed() >= delay,
                Some(Moment::Step { step, passing, .. }) => changes
                    .as_ref()
                    .is_some_and(|changes| changes.count(step) > passing),
            };
            if is_time {
                killer.kill();
            }
            // The next child takes steps, too.
            if steps_of_child.is_none() && killer.has_killed_a_child() {
                steps_of_child = Some(self.steps_until_now(changes.as_mut()));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
        let steps = match (self, changes) {
            (Self::Proxy(proxy), _) => {
                let seen = proxy.seen();
                proxy.set(None);
                seen
            }
            (_, changes) => changes.map(|mut changes| changes.last_look()).unwrap(),
        };
        let output = child.wait_with_output().unwrap();
        let was_killed = output.status.signal() == Some(Signal::KILL.as_raw());
        Watched {
            outcome: Outcome::from(output),
            in_time: was_killed || killer.has_killed_a_child(),
            steps_of_victim: steps_of_child.unwrap_or(steps.len()),
            steps,
        }
    }

    /// Returns how many steps were seen so far.
    fn steps_until_now(&self, changes: Option<&mut Changes>) -> usize {
        match (self, changes) {
            (Self::Proxy(proxy), _) => proxy.seen().len(),
            (Self::Folder(_), changes) => changes.map_or(0, |changes| {
                changes.look();
                changes.seen.len()
            }),
        }
    }
}

/// Kills a process once.
#[derive(Clone)]
pub(crate) struct Killer {
    process: u32,
    victim: Victim,
    done: Arc<AtomicBool>,
}

impl Killer {
    fn of(child: &Child, victim: Victim) -> Self {
        Self::of_process(child.id(), victim)
    }

    /// Makes one for a process by its id.
    pub(crate) fn of_process(process: u32, victim: Victim) -> Self {
        Self {
            process,
            victim,
            done: Arc::default(),
        }
    }

    pub(crate) fn kill(&self) {
        let victim = match self.victim {
            Victim::Itself => Some(self.process),
            Victim::Child => child_of(self.process),
        };
        let Some(victim) = victim.filter(|_| !self.done.load(Relaxed)) else {
            return;
        };
        let victim = Pid::from_raw(i32::try_from(victim).unwrap()).unwrap();
        // It may just have ended.
        if kill_process(victim, Signal::KILL).is_ok() {
            self.done.store(true, Relaxed);
        }
    }

    fn has_killed_a_child(&self) -> bool {
        self.victim == Victim::Child && self.done.load(Relaxed)
    }

    /// Returns what has storage kill at a step.
    pub(crate) fn trap(&self, moment: Moment) -> Trap {
        let Moment::Step {
            step,
            passing,
            side,
        } = moment
        else {
            panic!("{moment:?} is no step");
        };
        let killer = self.clone();
        Trap {
            step: step.to_owned(),
            passing,
            side,
            effect: Effect::Act(Box::new(move || killer.kill())),
        }
    }
}

/// Returns the process that one has begun, if there is any.
fn child_of(process: u32) -> Option<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let mut children = tasks.flatten().filter_map(|task| {
        let children = fs::read_to_string(task.path().join("children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    });
    children.next()
}

/// What appears in a folder and goes, named as requests to object storage are.
pub(crate) struct Changes {
    folder: PathBuf,
    known: BTreeSet<PathBuf>,
    seen: Vec<String>,
}

impl Changes {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let mut changes = Self {
            folder: folder.to_owned(),
            known: BTreeSet::new(),
            seen: Vec::new(),
        };
        changes.look();
        changes.seen.clear();
        changes
    }

    pub(crate) fn look(&mut self) {
        let mut now = BTreeSet::new();
        collect(&self.folder, &mut now);
        let mut note = |method: &str, path: &Path| {
            let name = path.strip_prefix(&self.folder).unwrap().to_string_lossy();
            let kind = match name.split('/').next().unwrap() {
                // What is written there is a step once it has its name.
                "tmp" => return,
                "generations" if name.ends_with("/manifest.json") => "manifest",
                "generations" => "beside",
                folder => folder,
            };
            self.seen.push(format!("{method} {kind}"));
        };
        now.difference(&self.known)
            .for_each(|path| note("PUT", path));
        self.known
            .difference(&now)
            .for_each(|path| note("DELETE", path));
        self.known = now;
    }

    pub(crate) fn count(&self, step: &str) -> usize {
        self.seen.iter().filter(|seen| *seen == step).count()
    }

    fn last_look(&mut self) -> Vec<String> {
        self.look();
        std::mem::take(&mut self.seen)
    }
}

/// Adds the files below a folder in which others are at work.
fn collect(folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), files),
            Ok(_file) => drop(files.insert(entry.path())),
            Err(_gone) => {}
        }
    }
}
