//! How long the stages of a build take.

use std::{collections::BTreeMap, time::Instant};

use crate::build::Stage;

/// A clock that is read when a stage ends.
#[derive(Debug)]
pub(super) struct Laps {
    begun: Instant,
    /// Seconds by stage.
    pub(super) seconds: BTreeMap<&'static str, f64>,
}

impl Laps {
    /// Begins the first stage.
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            seconds: BTreeMap::new(),
        }
    }

    /// Ends a stage, and begins the next one.
    pub(super) fn end(&mut self, stage: Stage) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.seconds.insert(stage.as_str(), seconds);
        self.begun = Instant::now();
    }
}
