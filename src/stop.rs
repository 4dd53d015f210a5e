//! Being told to stop: by SIGTERM or SIGINT.

use std::{future::Future, io};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Whether this process was told to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Has signals to stop heard, which end the process by themselves no more.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let (told, stop) = watch::channel(false);
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            told.send_replace(true);
            // Nobody is left to tell once the channel is closed.
            told.closed().await;
        });
        Ok(Self(stop))
    }

    /// Returns whether it was told.
    pub(crate) fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Does something, unless this process is told to stop before it is done.
    pub(crate) async fn unless_told<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut told = self.0.clone();
        tokio::select! {
            biased;
            // The sender lives as long as the receivers do.
            Ok(_) = told.wait_for(|told| *told) => None,
            done = work => Some(done),
        }
    }
}
