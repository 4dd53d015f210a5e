//! How long a lookup may take on the thread it runs on.
//!
//! Nearly every lookup takes microseconds and is answered at once, on the thread that read the
//! request. Those that would hold that thread's other connections up notice it by estimates
//! while they go, give up, and start again on a thread that may wait.

use std::time::Instant;

use crate::problem::{Failure, Problem, Result};

/// What may be spent on a thread that serves connections.
///
/// # Units
/// Nanoseconds, as estimated; half of what the design allows, since estimates err.
const INLINE_NS_MAX: u64 = 250_000;

/// The work that a lookup may still do.
#[derive(Debug)]
pub(crate) struct Work {
    left_ns: u64,
    deadline: Option<Instant>,
}

impl Work {
    /// Returns what a thread that serves connections may do for one lookup.
    pub(crate) fn inline() -> Self {
        Self {
            left_ns: INLINE_NS_MAX,
            deadline: None,
        }
    }

    /// Returns what a thread that may wait can do until `deadline`.
    pub(crate) fn until(deadline: Instant) -> Self {
        Self {
            left_ns: u64::MAX,
            deadline: Some(deadline),
        }
    }

    /// Takes note of work about to be done.
    ///
    /// # Errors
    /// [`Failure::Heavy`] if it is more than may be done here.
    pub(crate) fn spend(&mut self, estimate_ns: u64) -> Result<()> {
        self.left_ns = self
            .left_ns
            .checked_sub(estimate_ns)
            .ok_or(Failure::Heavy)?;
        Ok(())
    }

    /// Checks the time, between pieces of work that are long beside a look at the clock.
    ///
    /// # Errors
    /// A problem once the request's time is over.
    pub(crate) fn check_deadline(&self) -> Result<()> {
        match self.deadline {
            Some(deadline) if Instant::now() > deadline => {
                Err(Problem::unavailable("the request took too long").into())
            }
            _ => Ok(()),
        }
    }
}
