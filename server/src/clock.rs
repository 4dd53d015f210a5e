//! What time it is, to the second.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Tells the time of day.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Returns the time, given what the monotonic clock says now.
    ///
    /// # Units
    /// Seconds since 1970-01-01T00:00:00Z.
    fn unix_seconds(&self, now: Instant) -> u64;
}

/// The system's clock, which is read once a second: every answer asks for the time, and the
/// monotonic clock was read for it anyway.
#[derive(Debug)]
pub(crate) struct SystemClock {
    started: Instant,
    /// The second since the start in which the clock was read, from 1 on, and what it said.
    seen: AtomicU64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            seen: AtomicU64::new(0),
        }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of the server that reads the clock"
    )]
    fn unix_seconds(&self, now: Instant) -> u64 {
        // Both fit 32 bits until the year 2106.
        let second = (now.saturating_duration_since(self.started).as_secs() + 1) & LOW;
        let seen = self.seen.load(Relaxed);
        if seen >> 32 == second {
            return seen & LOW;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = time.map_or(0, |time| time.as_secs()) & LOW;
        self.seen.store(second << 32 | unix, Relaxed);
        unix
    }
}

const LOW: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_is_read_again_when_a_second_is_over() {
        let clock = SystemClock::default();
        let now = clock.started;
        let first = clock.unix_seconds(now);
        assert!(first > 1_700_000_000);
        // What was seen holds for the second in which it was.
        clock.seen.store(1 << 32 | 5, Relaxed);
        assert_eq!(clock.unix_seconds(now + Duration::from_millis(999)), 5);
        assert!(clock.unix_seconds(now + Duration::from_secs(1)) >= first);
    }
}
