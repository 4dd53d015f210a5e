//! Partitions reduced in any order, taken in theirs.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::Result;

/// Hands values to a taker in the order of their numbers, and holds back workers that are too
/// far ahead, so that what waits stays small.
pub struct OrderedSink<T, F> {
    state: Mutex<State<T, F>>,
    changed: Condvar,
    ahead_max: u16,
}

struct State<T, F> {
    next: u16,
    waiting: BTreeMap<u16, T>,
    take: F,
    failed: bool,
}

impl<T, F: FnMut(u16, T) -> Result<()>> OrderedSink<T, F> {
    /// Makes a sink for values numbered from 0, at most `ahead_max` of which wait.
    pub fn new(ahead_max: u16, take: F) -> Self {
        let state = State {
            next: 0,
            waiting: BTreeMap::new(),
            take,
            failed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            ahead_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `number` may be worked on; returns false if another worker has failed.
    ///
    /// # Shape
    /// Numbers are started in order, each by one worker, so the lowest is always being worked on.
    pub fn wait_for_turn(&self, number: u16) -> bool {
        let too_far = |state: &mut State<T, F>| {
            !state.failed && number > state.next.saturating_add(self.ahead_max)
        };
        let state = self.changed.wait_while(self.lock(), too_far);
        !state.unwrap_or_else(PoisonError::into_inner).failed
    }

    /// Adds a value, and takes all whose turn has come.
    ///
    /// # Errors
    /// The taker's.
    pub fn put(&self, number: u16, value: T) -> Result<()> {
        let mut state = self.lock();
        state.waiting.insert(number, value);
        while let next = state.next
            && let Some(value) = state.waiting.remove(&next)
        {
            (state.take)(next, value)?;
            state.next += 1;
        }
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Tells all workers to stop.
    pub fn fail(&self) {
        self.lock().failed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_in_order_whoever_puts_them() {
        let mut taken = Vec::new();
        let sink = OrderedSink::new(3, |number, value: u16| {
            assert_eq!(number, value);
            taken.push(value);
            Ok(())
        });
        let counter = std::sync::atomic::AtomicU16::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let number = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if number >= 500 || !sink.wait_for_turn(number) {
                            break;
                        }
                        sink.put(number, number).unwrap();
                    }
                });
            }
        });
        drop(sink);
        assert!(taken.into_iter().eq(0..500));
    }

    #[test]
    fn a_failure_wakes_whoever_waits() {
        let sink = OrderedSink::new(0, |_, (): ()| Ok(()));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| sink.wait_for_turn(5));
            sink.fail();
            assert!(!waiting.join().unwrap());
        });
    }
}
