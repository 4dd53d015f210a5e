//! A limit on how much is fetched in a second, by everything together.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

/// Lets so many bytes pass in a second; the first second's may pass at once.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// 0: no limit.
    bytes_per_second: u64,
    /// When all that passed so far would have passed at the limit.
    paid_until: Mutex<Option<Instant>>,
}

impl Throttle {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second,
            paid_until: Mutex::new(None),
        }
    }

    /// Waits until so many bytes may pass.
    pub(crate) async fn pass(&self, bytes: u64) {
        if self.bytes_per_second == 0 {
            return;
        }
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let cost = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let mut paid_until = self.paid_until.lock().await;
        let now = Instant::now();
        let from = paid_until.map_or(now, |paid| paid.max(now));
        *paid_until = Some(from + cost);
        drop(paid_until);
        tokio::time::sleep_until(from).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn all_together_pass_no_more_than_the_limit() {
        let throttle = Arc::new(Throttle::new(1_000));
        let begun = Instant::now();
        let passing: Vec<_> = (0..21)
            .map(|_| {
                let throttle = throttle.clone();
                tokio::spawn(async move { throttle.pass(500).await })
            })
            .collect();
        for pass in passing {
            pass.await.unwrap();
        }
        assert_eq!(begun.elapsed().as_secs(), 10);
        // What was not used is not saved up.
        tokio::time::sleep(Duration::from_secs(60)).await;
        let begun = Instant::now();
        throttle.pass(1_000).await;
        throttle.pass(1).await;
        assert_eq!(begun.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nothing_waits() {
        let throttle = Throttle::new(0);
        let begun = Instant::now();
        throttle.pass(u64::MAX).await;
        throttle.pass(u64::MAX).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
