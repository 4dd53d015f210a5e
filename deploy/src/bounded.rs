//! Many operations on storage, a bounded number of them at a time.

use std::{future::Future, panic};

use tokio::task::{JoinError, JoinSet};

use crate::{Error, Result};

/// Operations on storage under way at once: what it takes to hide the latency of syncing.
const OPERATIONS_MAX: usize = 16;

/// Runs `operation` on every item and returns the results in the items' order.
///
/// # Errors
/// That of the earliest item of those begun before one failed; no further ones are begun then.
pub(crate) async fn run<T, R, F>(
    items: impl IntoIterator<Item = T>,
    operation: impl Fn(T) -> F,
) -> Result<Vec<R>>
where
    R: Send + 'static,
    F: Future<Output = Result<R>> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    let mut done = Vec::new();
    let mut failed = false;
    for (index, item) in items.into_iter().enumerate() {
        if under_way.len() == OPERATIONS_MAX
            && let Some(joined) = under_way.join_next().await
        {
            failed |= collect(joined, &mut done)?;
        }
        if failed {
            break;
        }
        let operation = operation(item);
        under_way.spawn(async move { (index, operation.await) });
    }
    while let Some(joined) = under_way.join_next().await {
        collect(joined, &mut done)?;
    }
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Keeps a result and returns whether it is an error.
fn collect<R>(
    joined: Result<(usize, Result<R>), JoinError>,
    done: &mut Vec<(usize, Result<R>)>,
) -> Result<bool> {
    let joined = unwind(joined)?;
    let failed = joined.1.is_err();
    done.push(joined);
    Ok(failed)
}

/// Runs `work` where it may block and use every processor.
pub(crate) async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R> {
    unwind(tokio::task::spawn_blocking(work).await)
}

/// Goes on with a task's panic here.
fn unwind<R>(joined: Result<R, JoinError>) -> Result<R> {
    joined.map_err(|error| match error.try_into_panic() {
        Ok(panicked) => panic::resume_unwind(panicked),
        Err(_cancelled) => Error::Interrupted,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn results_keep_their_order_and_concurrency_its_bound() {
        let running = Arc::new(AtomicUsize::new(0));
        let results = run(0..200_usize, |item| {
            let running = running.clone();
            async move {
                let now = running.fetch_add(1, Ordering::SeqCst);
                assert!(now < OPERATIONS_MAX);
                for _ in 0..item % 7 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(item)
            }
        });
        assert!(results.await.unwrap().into_iter().eq(0..200));
    }

    #[tokio::test]
    async fn the_first_error_stops_what_has_not_begun() {
        let begun = Arc::new(AtomicUsize::new(0));
        let results = run(0..200_usize, |item| {
            begun.fetch_add(1, Ordering::SeqCst);
            async move {
                if item < 3 {
                    Ok(())
                } else {
                    Err(Error::NothingSelected {
                        location: item.to_string(),
                    })
                }
            }
        });
        let error = results.await.unwrap_err().to_string();
        assert!(error.ends_with(" 3"), "{error}");
        assert!(begun.load(Ordering::SeqCst) <= 2 * OPERATIONS_MAX);
    }
}
