//! A server in a thread of its own.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use nightshard_format::manifest::GenerationId;
use nightshard_server::{Config, Scrub, Server, Source, Switch};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle};

use crate::client::Client;

pub(crate) struct Harness {
    runtime: Runtime,
    pub(crate) address: SocketAddr,
    switch: Arc<Switch>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<bool>>,
}

/// The configuration of tests: selections are noticed at once.
pub(crate) fn config() -> Config {
    Config {
        poll_ms: 5.try_into().unwrap(),
        // Tests that damage files say so.
        scrub: Scrub {
            bytes_per_second: 0,
            ..Scrub::default()
        },
        ..Config::default()
    }
}

impl Harness {
    pub(crate) fn start(config: Config, source: Arc<dyn Source>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let server = Server::new(config);
        let switch = Arc::clone(server.switch());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(server.follower(source).run());
        runtime.spawn(server.scrubber().run());
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(server.serve(listener, async {
            let _sender_gone = stopped.await;
        }));
        Self {
            runtime,
            address,
            switch,
            stop: Some(stop),
            serving: Some(serving),
        }
    }

    /// Starts a server and waits until it serves.
    pub(crate) fn ready(config: Config, source: Arc<dyn Source>, selection: u64) -> Self {
        let harness = Self::start(config, source);
        harness.wait_for(selection);
        harness
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until a selection is served, and returns its generation.
    pub(crate) fn wait_for(&self, selection: u64) -> GenerationId {
        let mut served = self.switch.subscribe();
        self.runtime.block_on(async {
            let reached = served.wait_for(|served| {
                served
                    .as_ref()
                    .is_some_and(|(number, _)| *number >= selection)
            });
            let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
            reached.unwrap().unwrap().clone().unwrap().1
        })
    }

    pub(crate) fn switch(&self) -> &Switch {
        &self.switch
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take();
    }

    /// Waits for a stopped server; returns whether all requests finished.
    pub(crate) fn join(&mut self) -> bool {
        let serving = self.serving.take().unwrap();
        self.runtime.block_on(serving).unwrap()
    }
}
