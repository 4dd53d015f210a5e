//! How long a request may take, and when it is tried again: one policy for every server.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{self, Instant};

use crate::{Config, Error, Result};

/// How long the first pause between two attempts is, at most.
const PAUSE_FIRST: Duration = Duration::from_millis(200);

/// How long the later pauses are, at most.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Why something failed.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// How an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The next attempt may succeed.
    Transient(Cause),
    /// No attempt will succeed before somebody puts this right.
    Refused {
        /// What is wrong, and the remedy.
        problem: &'static str,
        /// What the server said.
        cause: Cause,
    },
    /// It was decided, and nothing is to be tried again.
    Final(Error),
}

/// What is attempted, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    /// What is asked, as a verb.
    pub(crate) action: &'static str,
    /// The object or folder of objects.
    pub(crate) name: &'a str,
    /// The storage.
    pub(crate) location: &'a str,
}

/// Where an attempt says that it gets on.
#[derive(Debug, Clone)]
pub(crate) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    fn begin() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    /// Says that something happened just now.
    pub(crate) fn made(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When an attempt is given up, and for how long there are others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry {
    stall: Duration,
    retry: Duration,
}

impl Retry {
    /// Takes the limits of the configuration.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            stall: config.stall(),
            retry: config.retry(),
        }
    }

    /// Returns the same limit of an attempt, of which there is one.
    #[cfg(feature = "s3")]
    pub(crate) fn once(self) -> Self {
        let retry = Duration::ZERO;
        Self { retry, ..self }
    }

    /// Attempts something until it succeeds, is refused, or has failed for too long.
    ///
    /// An attempt that makes no progress for the time of a stall is dropped, and has failed.
    ///
    /// # Errors
    /// [`Error::Refused`], [`Error::Failed`], or the attempt's own.
    pub(crate) async fn run<T, F>(
        self,
        task: Task<'_>,
        mut attempt: impl FnMut(Progress) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut first_failure = None;
        let mut pause_max = PAUSE_FIRST;
        for attempts in 1_u32.. {
            let progress = Progress::begin();
            let cause = match self.watch(attempt(progress.clone()), &progress).await {
                Ok(done) => return Ok(done),
                Err(Failure::Transient(cause)) => cause,
                Err(failure) => return Err(task.error(failure)),
            };
            let now = Instant::now();
            let pause = jittered(pause_max);
            let failing = now.duration_since(*first_failure.get_or_insert(now));
            if failing + pause > self.retry {
                return Err(task.error(Failure::Transient(given_up(cause, attempts, failing))));
            }
            time::sleep(pause).await;
            pause_max = (pause_max * 2).min(PAUSE_MAX);
        }
        unreachable!("attempts are bounded by time")
    }

    /// Waits for an attempt as long as it gets on.
    async fn watch<T>(
        self,
        attempt: impl Future<Output = Result<T, Failure>>,
        progress: &Progress,
    ) -> Result<T, Failure> {
        let mut attempt = std::pin::pin!(attempt);
        loop {
            let deadline = progress.last() + self.stall;
            if let Ok(done) = time::timeout_at(deadline, &mut attempt).await {
                return done;
            }
            if progress.last() + self.stall <= Instant::now() {
                let stalled = format!("no progress for {} ms", self.stall.as_millis());
                return Err(Failure::Transient(stalled.into()));
            }
        }
    }
}

impl Task<'_> {
    /// Returns the error that a failure is to whoever asked.
    pub(crate) fn error(self, failure: Failure) -> Error {
        let (action, name) = (self.action, self.name.to_owned());
        let location = self.location.to_owned();
        match failure {
            Failure::Transient(source) => Error::Failed {
                action,
                name,
                location,
                source,
            },
            Failure::Refused { problem, cause } => Error::Refused {
                action,
                name,
                location,
                problem,
                source: cause,
            },
            Failure::Final(error) => error,
        }
    }
}

/// Says of the last attempt's cause how many there were.
fn given_up(cause: Cause, attempts: u32, failing: Duration) -> Cause {
    if attempts == 1 {
        return cause;
    }
    let seconds = failing.as_secs_f64();
    format!("given up after {attempts} attempts in {seconds:.1} s: {cause}").into()
}

/// Returns a pause between a half and the whole of `pause_max`: who failed together does not
/// come back together.
fn jittered(pause_max: Duration) -> Duration {
    // Without randomness the pause is the longest.
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause_max.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::ErrorKind;

    const TASK: Task<'_> = Task {
        action: "create",
        name: "blobs/00",
        location: "s3://bucket",
    };

    fn retry(stall: u64, retry: u64) -> Retry {
        Retry {
            stall: Duration::from_secs(stall),
            retry: Duration::from_secs(retry),
        }
    }

    fn transient() -> Failure {
        Failure::Transient("connection reset".into())
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_for_a_while_succeeds_in_the_end() {
        let attempts = AtomicU32::new(0);
        let done = retry(30, 300).run(TASK, |_progress| async {
            match attempts.fetch_add(1, Ordering::Relaxed) {
                8 => Ok("done"),
                _ => Err(transient()),
            }
        });
        assert_eq!(done.await.unwrap(), "done");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_end_after_the_time_for_them_and_grow_apart() {
        let (begun, attempts) = (Instant::now(), AtomicU32::new(0));
        let failed = retry(30, 300).run(TASK, |_progress| async {
            attempts.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(transient())
        });
        let error = failed.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.to_string(), "cannot create blobs/00 in s3://bucket");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        let attempts = attempts.into_inner();
        assert!(cause.starts_with(&format!("given up after {attempts} attempts in")));
        assert!(cause.ends_with("connection reset"));
        assert!((30..=70).contains(&attempts), "{attempts}");
        let taken = begun.elapsed();
        assert!(taken <= Duration::from_secs(300) && taken > Duration::from_secs(285));
    }

    #[tokio::test(start_paused = true)]
    async fn without_time_for_others_there_is_one_attempt() {
        let attempts = AtomicU32::new(0);
        let failed = retry(30, 0).run(TASK, |_progress| async {
            attempts.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(transient())
        });
        let error = failed.await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!((attempts.into_inner(), &*cause), (1, "connection reset"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_not_tried_again() {
        let attempts = AtomicU32::new(0);
        let refused = retry(30, 300).run(TASK, |_progress| async {
            attempts.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Failure::Refused {
                problem: "there is no such bucket",
                cause: "NoSuchBucket".into(),
            })
        });
        let error = refused.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            "cannot create blobs/00 in s3://bucket: there is no such bucket"
        );
        assert_eq!(attempts.into_inner(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_without_progress_is_given_up() {
        let (begun, attempts) = (Instant::now(), AtomicU32::new(0));
        let stalled = retry(30, 100).run(TASK, |_progress| async {
            attempts.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<Result<(), Failure>>().await
        });
        let error = stalled.await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.ends_with("no progress for 30000 ms"), "{cause}");
        // The first fails after 30 s; others begin within 100 s of that.
        assert_eq!(attempts.into_inner(), 5);
        assert!(begun.elapsed() < Duration::from_secs(160));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_gets_on_may_take_for_ever() {
        let slow = retry(30, 0).run(TASK, |progress| async move {
            for _ in 0..1_000 {
                time::sleep(Duration::from_secs(29)).await;
                progress.made();
            }
            Ok(())
        });
        slow.await.unwrap();
    }

    #[test]
    fn pauses_differ_within_their_bounds() {
        let pauses: Vec<Duration> = (0..100).map(|_| jittered(PAUSE_MAX)).collect();
        assert!(
            pauses
                .iter()
                .all(|pause| (PAUSE_MAX / 2..=PAUSE_MAX).contains(pause))
        );
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
