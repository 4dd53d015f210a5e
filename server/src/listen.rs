//! The accept loop, from the first connection to the last.

use std::{convert::Infallible, future::Future, io, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, service::Service};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

use crate::{
    access::Access,
    admin::{Admin, Token},
    clock::{Clock, SystemClock},
    config::Config,
    connection::{self, Progress},
    follow::Follower,
    problem::Problem,
    respond,
    scrub::Scrubber,
    service::{Api, Reply, Shared},
    source::Source,
    switch::Switch,
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
    /// Makes a server that serves nothing yet, and then everyone who reaches it.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_access(config, Access::default())
    }

    /// Makes a server that asks of its callers what `access` says.
    #[must_use]
    pub fn with_access(config: Config, access: Access) -> Self {
        Self::with_clock(config, access, Arc::new(SystemClock::default()))
    }

    /// Makes a server with its own idea of the time.
    #[must_use]
    pub fn with_clock(config: Config, access: Access, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared::new(config, access, clock)),
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
            Arc::clone(&self.shared.outlook),
            Arc::clone(&self.shared.metrics),
            (
                self.shared.config.poll(),
                self.shared.config.start_patience(),
            ),
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

    /// Returns the interface for whoever switches this server, open to who has `token`, if any.
    #[must_use]
    pub fn admin(&self, token: Option<Token>) -> Admin {
        Admin::new(Arc::clone(&self.shared), token)
    }

    /// Accepts connections until `stop` ends, then lets open requests finish within the drain
    /// time of the configuration.
    ///
    /// Returns whether all of them did.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> bool {
        let connections = self.shared.config.limits.connections.get();
        let doors = Doors::new(self.shared, connections, Api::new);
        doors.accept(listener, stop).await
    }
}

/// What lets connections in, and bounds and ends them.
pub(crate) struct Doors<M> {
    shared: Arc<Shared>,
    /// Makes the service of a connection.
    make: M,
    limit: u32,
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl<M, S> Doors<M>
where
    M: FnOnce(Arc<Shared>, Arc<Progress>) -> S + Clone + Send + 'static,
    S: Service<Request<Incoming>, Response = Reply, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    /// Makes doors for up to `limit` connections at a time.
    pub(crate) fn new(shared: Arc<Shared>, limit: u32, make: M) -> Self {
        Self {
            shared,
            make,
            limit,
            connections: Arc::new(Semaphore::new(limit as usize)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            stopping: watch::Sender::new(false),
        }
    }

    /// Accepts connections until `stop` ends; returns whether all open requests finished within
    /// the drain time.
    pub(crate) async fn accept(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> bool {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _peer)) => self.admit(stream),
                    Err(error) => rest(&error).await,
                },
            }
        }
        drop(listener);
        self.stopping.send_replace(true);
        let drained = self.connections.acquire_many(self.limit);
        tokio::time::timeout(self.shared.config.drain(), drained)
            .await
            .is_ok()
    }

    fn admit(&self, stream: TcpStream) {
        // Answers are written whole: waiting to fill a packet would only delay them.
        let _unsupported = stream.set_nodelay(true);
        match Arc::clone(&self.connections).try_acquire_owned() {
            Ok(permit) => self.spawn(stream, permit),
            Err(_full) => self.turn_away(stream),
        }
    }

    fn spawn(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let (shared, make) = (Arc::clone(&self.shared), self.make.clone());
        let stopping = self.stopping.subscribe();
        tokio::spawn(async move {
            let connected = shared.metrics.connected();
            connection::serve(stream, shared, stopping, make).await;
            drop((connected, permit));
        });
    }

    fn turn_away(&self, stream: TcpStream) {
        self.shared.metrics.refused();
        let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() else {
            return;
        };
        let problem = Problem::unavailable("the server has too many connections");
        let farewell = respond::farewell(&problem, &self.shared);
        tokio::spawn(async move {
            connection::turn_away(stream, farewell).await;
            drop(permit);
        });
    }
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
