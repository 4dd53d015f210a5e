//! How a build or an export goes on: a bar on a terminal, a line a stage elsewhere, nothing when quiet.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

use indicatif::{ProgressBar, ProgressStyle};
use nightshard_builder::build::{Progress, Stage};

/// Shows progress on standard error.
#[derive(Debug)]
pub(crate) struct Shown {
    quiet: bool,
    bar: Mutex<ProgressBar>,
}

impl Shown {
    /// Shows nothing when `quiet`.
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            bar: Mutex::new(ProgressBar::hidden()),
        }
    }

    /// Says something in a line of its own.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            self.bar().suspend(|| {
                let _closed = writeln!(std::io::stderr(), "{line}");
            });
        }
    }

    /// Begins something that has so many steps, which a bar counts as `count` says.
    pub(crate) fn start(&self, name: &str, total: u64, count: &str) {
        self.bar().finish_and_clear();
        if self.quiet {
            return;
        }
        if !std::io::stderr().is_terminal() {
            self.say(name);
            return;
        }
        let style = ProgressStyle::with_template(&format!("{name:8}{{bar:30}} {count}"));
        let style = style.unwrap_or_else(|_wrong| ProgressStyle::default_bar());
        *self.bar() = ProgressBar::new(total).with_style(style);
    }

    /// Says that so many steps more are done.
    pub(crate) fn step(&self, steps: u64) {
        self.bar().inc(steps);
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, ProgressBar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Shown {
    fn begin(&self, stage: Stage, total: u64) {
        let count = match stage {
            Stage::Read => "{bytes} of {total_bytes}, {bytes_per_sec}",
            Stage::Stores
            | Stage::Cards
            | Stage::Places
            | Stage::Elsewhere
            | Stage::Spend
            | Stage::Customers
            | Stage::Finish => "{pos} of {len}",
        };
        self.start(stage.as_str(), total, count);
    }

    fn advance(&self, steps: u64) {
        self.step(steps);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar().finish_and_clear();
    }
}
