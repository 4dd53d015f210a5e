//! Partitions reduced in any order, taken in theirs.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crate::Result;

/// Hands values to a taker in the order of their numbers, and holds back workers that are too
/// far ahead, so that what waits stays small.
///
/// Taking writes files, so it is done outside the lock that workers wait for: whoever puts the
/// next value takes it, and whatever others put meanwhile.
pub struct OrderedSink<T, F> {
    state: Mutex<State<T>>,
    changed: Condvar,
    take: Mutex<F>,
    ahead_max: u16,
}

struct State<T> {
    next: u16,
    waiting: BTreeMap<u16, T>,
    is_taking: bool,
    failed: bool,
}

/// Leave to work on one number; dropped before its value is put, it tells all workers to stop,
/// also when a worker panics.
pub struct Turn<'a, T, F: FnMut(u16, T) -> Result<()>> {
    sink: &'a OrderedSink<T, F>,
    number: u16,
    is_done: bool,
}

impl<T, F: FnMut(u16, T) -> Result<()>> OrderedSink<T, F> {
    /// Makes a sink for values numbered from 0, at most `ahead_max` of which wait.
    pub fn new(ahead_max: u16, take: F) -> Self {
        let state = State {
            next: 0,
            waiting: BTreeMap::new(),
            is_taking: false,
            failed: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            take: Mutex::new(take),
            ahead_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `number` may be worked on; returns `None` if another worker has failed.
    ///
    /// # Shape
    /// Numbers are started in order, each by one worker, so the lowest is always being worked on.
    pub fn turn(&self, number: u16) -> Option<Turn<'_, T, F>> {
        let too_far = |state: &mut State<T>| {
            !state.failed && number > state.next.saturating_add(self.ahead_max)
        };
        let state = self.changed.wait_while(self.lock(), too_far);
        let failed = state.unwrap_or_else(PoisonError::into_inner).failed;
        (!failed).then_some(Turn {
            sink: self,
            number,
            is_done: false,
        })
    }

    /// Returns the next value if it is there and nobody else is taking.
    fn next(&self) -> Option<(u16, T)> {
        let mut state = self.lock();
        let next = state.next;
        let value = state.waiting.remove(&next);
        state.is_taking = value.is_some();
        value.map(|value| (next, value))
    }

    fn take_all(&self) -> Result<()> {
        let mut take = self.take.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((number, value)) = self.next() {
            take(number, value)?;
            self.lock().next += 1;
            self.changed.notify_all();
        }
        Ok(())
    }
}

impl<T, F: FnMut(u16, T) -> Result<()>> Turn<'_, T, F> {
    /// Adds the value, and takes all whose turn has come, unless another worker is taking.
    ///
    /// # Errors
    /// The taker's.
    pub fn put(mut self, value: T) -> Result<()> {
        let mut state = self.sink.lock();
        state.waiting.insert(self.number, value);
        let is_taking = std::mem::replace(&mut state.is_taking, true);
        drop(state);
        if !is_taking {
            self.sink.take_all()?;
        }
        self.is_done = true;
        Ok(())
    }
}

impl<T, F: FnMut(u16, T) -> Result<()>> Drop for Turn<'_, T, F> {
    fn drop(&mut self) {
        if !self.is_done {
            self.sink.lock().failed = true;
            self.sink.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::atomic::{AtomicU16, Ordering},
        thread,
    };

    use super::*;
    use crate::Error;

    #[test]
    fn values_are_taken_in_order_whoever_is_first() {
        for threads in [1, 2, 7] {
            let mut taken = Vec::new();
            let sink = OrderedSink::new(3, |number, value: u16| {
                taken.push((number, value));
                Ok(())
            });
            let next = AtomicU16::new(0);
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        while let number = next.fetch_add(1, Ordering::Relaxed)
                            && number < 500
                        {
                            sink.turn(number).unwrap().put(number * 2).unwrap();
                        }
                    });
                }
            });
            drop(sink);
            let expected: Vec<_> = (0..500).map(|number| (number, number * 2)).collect();
            assert_eq!(taken, expected);
        }
    }

    /// Number 0 fails while another worker waits for its turn far ahead.
    fn waiting_worker_hears_of(fail: impl FnOnce(Turn<'_, (), fn(u16, ()) -> Result<()>>)) {
        let take: fn(u16, ()) -> Result<()> = |_, ()| Err(Error::NoRows("test".into()));
        let sink = OrderedSink::new(1, take);
        let turn = sink.turn(0).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| sink.turn(9).is_none());
            fail(turn);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn workers_that_wait_hear_of_a_failure() {
        waiting_worker_hears_of(|turn| drop(turn));
        waiting_worker_hears_of(|turn| assert!(turn.put(()).is_err()));
        waiting_worker_hears_of(|turn| {
            let panics = catch_unwind(AssertUnwindSafe(|| {
                let _turn = turn;
                panic!("a worker panics, as this test wants it to");
            }));
            assert!(panics.is_err());
        });
    }
}
