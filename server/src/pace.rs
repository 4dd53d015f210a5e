//! When to look at a repository again.

use std::time::Duration;

use tokio::time::Instant;

/// Clients that have seen a later selection elsewhere have the repository looked at no more often.
const ASKED_MIN: Duration = Duration::from_millis(20);

/// When looks began and ended, and who waits for one.
#[derive(Debug)]
pub(crate) struct Pace {
    poll: Duration,
    /// When the last look began.
    begun: Option<Instant>,
    /// When to look if nobody asks.
    poll_at: Instant,
    is_woken: bool,
    is_asked: bool,
}

impl Pace {
    /// Makes a pace of a look every `poll`, the first one at once.
    pub(crate) fn new(poll: Duration, now: Instant) -> Self {
        Self {
            poll,
            begun: None,
            poll_at: now,
            is_woken: false,
            is_asked: false,
        }
    }

    /// Has the next look begin at once.
    pub(crate) fn wake(&mut self) {
        self.is_woken = true;
    }

    /// Has the next look begin soon.
    pub(crate) fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Takes note that a look begins: it serves all who waited for one.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.begun = Some(now);
        self.is_woken = false;
        self.is_asked = false;
    }

    /// Takes note that a look ended.
    pub(crate) fn end(&mut self, now: Instant) {
        self.poll_at = now + self.poll;
    }

    /// Returns when the next look is due.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        if self.is_woken {
            return now;
        }
        let asked = self.begun.map_or(now, |begun| begun + ASKED_MIN);
        if self.is_asked {
            self.poll_at.min(asked)
        } else {
            self.poll_at
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_waits_for_the_least_time_between_looks_and_who_wakes_does_not() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(Duration::from_secs(1), start);
        assert_eq!(pace.due(start), start);
        pace.begin(at(0));
        pace.ask();
        pace.end(at(5));
        assert_eq!(pace.due(at(5)), at(20));
        pace.begin(at(20));
        pace.end(at(21));
        assert_eq!(pace.due(at(21)), at(1_021));
        pace.ask();
        assert_eq!(pace.due(at(500)), at(40));
        pace.wake();
        assert_eq!(pace.due(at(500)), at(500));
        // Who asked while a look was under way is served by the next one.
        pace.begin(at(500));
        pace.wake();
        pace.end(at(501));
        assert_eq!(pace.due(at(501)), at(501));
    }
}
