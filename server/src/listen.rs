//! The accept loop, from the first connection to the last.

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{
    config::Config, connection, follow::Follower, problem::Problem, respond, scrub::Scrubber,
    service::Shared, source::Source, switch::Switch,
};

/// How long accepting rests when the system has no more sockets to give.
const REST: Duration = Duration::from_millis(100);
/// So many connections beyond the limit are told so at a time; others are just closed.
const TURNED_AWAY_MAX: usize = 64;

/// A server: the HTTP interface over whatever its switch serves.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// Makes a server that serves nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            shared: Arc::new(Shared::new(config)),
        }
    }

    /// Returns what says which generation is served.
    #[must_use]
    pub fn switch(&self) -> &Arc<Switch> {
        &self.shared.switch
    }

    /// Returns what follows the selection of `source` for this server, once it runs.
    #[must_use]
    pub fn follower(&self, source: Arc<dyn Source>) -> Follower {
        Follower::new(
            source,
            Arc::clone(&self.shared.switch),
            Arc::clone(&self.shared.metrics),
            self.shared.config.poll(),
            self.shared.config.memory,
        )
    }

    /// Returns what reads the files in use again, once it runs.
    #[must_use]
    pub fn scrubber(&self) -> Scrubber {
        Scrubber::new(
            Arc::clone(&self.shared.switch),
            Arc::clone(&self.shared.metrics),
            self.shared.config.scrub.clone(),
        )
    }

    /// Accepts connections until `stop` ends, then lets open requests finish within the drain
    /// time of the configuration.
    ///
    /// Returns whether all of them did.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> bool {
        let limit = self.shared.config.limits.connections.get();
        let doors = Doors {
            connections: Arc::new(Semaphore::new(limit as usize)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            stopping: watch::Sender::new(false),
        };
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _peer)) => self.admit(stream, &doors),
                    Err(error) => rest(&error).await,
                },
            }
        }
        drop(listener);
        doors.stopping.send_replace(true);
        let drained = doors.connections.acquire_many(limit);
        tokio::time::timeout(self.shared.config.drain(), drained)
            .await
            .is_ok()
    }

    fn admit(&self, stream: TcpStream, doors: &Doors) {
        // Answers are written whole: waiting to fill a packet would only delay them.
        let _unsupported = stream.set_nodelay(true);
        match Arc::clone(&doors.connections).try_acquire_owned() {
            Ok(permit) => self.spawn(stream, permit, doors.stopping.subscribe()),
            Err(_full) => self.turn_away(stream, doors),
        }
    }

    fn spawn(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        stopping: watch::Receiver<bool>,
    ) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let connected = shared.metrics.connected();
            connection::serve(stream, shared, stopping).await;
            drop((connected, permit));
        });
    }

    fn turn_away(&self, stream: TcpStream, doors: &Doors) {
        self.shared.metrics.refused();
        let Ok(permit) = Arc::clone(&doors.turned_away).try_acquire_owned() else {
            return;
        };
        let problem = Problem::unavailable("the server has too many connections");
        let kept = self.shared.switch.load();
        let farewell = respond::farewell(
            &problem,
            kept.as_ref().map(|kept| &kept.current),
            &self.shared.origins,
        );
        tokio::spawn(async move {
            connection::turn_away(stream, farewell).await;
            drop(permit);
        });
    }
}

/// What bounds and ends connections.
struct Doors {
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

/// Goes on after an error of one connection, and rests where the system itself is short.
async fn rest(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    ) {
        tracing::error!(%error, "cannot accept connections");
        tokio::time::sleep(REST).await;
    }
}
