//! How long a lookup may take on the thread it runs on.
//!
//! Nearly every lookup takes microseconds and is answered at once, on the thread that read the
//! request. Those that would hold that thread's other connections up notice it by estimates
//! while they go, give up, and start again on a thread that may wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::problem::{Failure, Problem, Result};

/// What may be spent on a thread that serves connections.
///
/// # Units
/// Nanoseconds, as estimated; half of what the design allows, since estimates err.
const INLINE_NS_MAX: u64 = 250_000;

/// After so much work, as estimated, a thread that may wait looks at the clock.
const CHECK_NS: u64 = 1_000_000;

/// The work that a lookup may still do.
#[derive(Debug)]
pub(crate) struct Work {
    left_ns: u64,
    limit: Option<Limit>,
}

/// What ends work that may wait.
#[derive(Debug)]
struct Limit {
    deadline: Instant,
    given_up: Arc<AtomicBool>,
    unchecked_ns: u64,
}

/// Whoever waits for an answer: once it is dropped, work on the answer ends.
#[derive(Debug, Default)]
pub(crate) struct Waiter(Arc<AtomicBool>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Work {
    /// Returns what a thread that serves connections may do for one lookup.
    pub(crate) fn inline() -> Self {
        Self {
            left_ns: INLINE_NS_MAX,
            limit: None,
        }
    }

    /// Returns what a thread that may wait can do until `deadline`, or until nobody waits.
    pub(crate) fn until(deadline: Instant, waiter: &Waiter) -> Self {
        Self {
            left_ns: u64::MAX,
            limit: Some(Limit {
                deadline,
                given_up: Arc::clone(&waiter.0),
                unchecked_ns: 0,
            }),
        }
    }

    /// Takes note of work about to be done, and looks at the clock from time to time.
    ///
    /// # Errors
    /// [`Failure::Heavy`] if it is more than may be done here, a problem once the request's time
    /// is over.
    pub(crate) fn spend(&mut self, estimate_ns: u64) -> Result<()> {
        self.left_ns = self
            .left_ns
            .checked_sub(estimate_ns)
            .ok_or(Failure::Heavy)?;
        if let Some(limit) = &mut self.limit {
            limit.unchecked_ns += estimate_ns;
            if limit.unchecked_ns >= CHECK_NS {
                limit.unchecked_ns = 0;
                self.check_deadline()?;
            }
        }
        Ok(())
    }

    /// Checks the time, between pieces of work that are long beside a look at the clock.
    ///
    /// # Errors
    /// A problem once the request's time is over.
    pub(crate) fn check_deadline(&self) -> Result<()> {
        let is_over =
            |limit: &Limit| limit.given_up.load(Relaxed) || Instant::now() > limit.deadline;
        if self.limit.as_ref().is_some_and(is_over) {
            return Err(Problem::unavailable("the request took too long").into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_ends_at_its_deadline_or_when_nobody_waits() {
        let waiter = Waiter::default();
        let mut late = Work::until(Instant::now(), &waiter);
        assert!((0..1_000_000_000).any(|_| late.spend(CHECK_NS).is_err()));
        let hour = std::time::Duration::from_secs(3_600);
        let mut work = Work::until(Instant::now() + hour, &waiter);
        assert!(work.spend(CHECK_NS).is_ok());
        drop(waiter);
        assert!(work.spend(CHECK_NS / 2).is_ok());
        assert!(work.spend(CHECK_NS / 2).is_err());
    }
}
