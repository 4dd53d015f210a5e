//! When a process is killed, and where that was.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::support::{proxy::Side, random::Random};

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So long after it began.
    Delay(Duration),
    /// At a step, once so many of its kind have passed.
    Step {
        step: &'static str,
        passing: usize,
        side: Side,
    },
}

/// How one kind of process goes where nobody kills it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Course {
    /// How long it takes.
    pub(crate) duration: Duration,
    /// What it asks of storage, in order.
    pub(crate) steps: Vec<String>,
}

/// Chooses moments for one kind of process: each of its steps in turn, on both sides, the first of its
/// kind and then any, and every third time whatever the clock says.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: &'static [&'static str],
    turn: usize,
    pub(crate) hits: Hits,
}

impl Plan {
    pub(crate) fn new(steps: &'static [&'static str]) -> Self {
        Self {
            steps,
            turn: 0,
            hits: Hits::default(),
        }
    }

    /// Returns the next moment.
    pub(crate) fn next(&mut self, course: &Course, random: &mut Random) -> Moment {
        let turn = self.turn;
        self.turn += 1;
        if turn % 3 == 2 {
            let longest_us = usize::try_from(course.duration.as_micros()).unwrap();
            let us = random.below(longest_us.max(1)) as u64;
            return Moment::Delay(Duration::from_micros(us));
        }
        let turn = turn - turn / 3;
        let step = self.steps[turn % self.steps.len()];
        let count = course.steps.iter().filter(|seen| *seen == step).count();
        let round = turn / self.steps.len();
        Moment::Step {
            step,
            passing: match round % 4 {
                0 | 1 => 0,
                _ => random.below(count.max(1)),
            },
            side: match round % 2 {
                0 => Side::After,
                _ => Side::Before,
            },
        }
    }

    /// Checks that every step was hit, where there were kills enough.
    pub(crate) fn was_carried_out(&self, told: &str) {
        let aimed = self.turn - self.turn / 3;
        let missed = |step: &&&str| !self.hits.0.contains_key(**step);
        if aimed >= 2 * self.steps.len() {
            let missed: Vec<_> = self.steps.iter().filter(missed).collect();
            assert!(missed.is_empty(), "{told}: never killed at {missed:?}");
        }
    }
}

/// How many kills fell into each step: the last one that was seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Hits(BTreeMap<String, usize>);

impl Hits {
    pub(crate) fn count(&mut self, step: &str) {
        *self.0.entry(step.to_owned()).or_default() += 1;
    }
}

impl fmt::Display for Hits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: usize = self.0.values().sum();
        write!(f, "{total} kills:")?;
        self.0
            .iter()
            .try_for_each(|(step, count)| write!(f, " {step} {count},"))
    }
}
