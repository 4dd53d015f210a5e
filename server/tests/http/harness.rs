//! A server in a thread of its own.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use nightshard_format::manifest::GenerationId;
use nightshard_server::{Config, Scrub, Server, Source, Switch, Token};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle};

use crate::client::Client;

pub(crate) struct Harness {
    runtime: Runtime,
    pub(crate) address: SocketAddr,
    /// Where whoever switches the server reaches it.
    pub(crate) admin: SocketAddr,
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
        Self::start_with(config, source, None)
    }

    /// Starts a server whose admin interface asks for a token, if there is one.
    pub(crate) fn start_with(
        config: Config,
        source: Arc<dyn Source>,
        token: Option<Token>,
    ) -> Self {
        Self::run(Server::new(config), source, token)
    }

    /// Starts a server as it was made.
    pub(crate) fn run(server: Server, source: Arc<dyn Source>, token: Option<Token>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let switch = Arc::clone(server.switch());
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (listener, admin_listener) = (bind(), bind());
        let address = listener.local_addr().unwrap();
        let admin = admin_listener.local_addr().unwrap();
        let never = std::future::pending();
        runtime.spawn(server.admin(token).serve(admin_listener, never));
        runtime.spawn(server.follower(source).run());
        runtime.spawn(server.scrubber().run());
        let (stop, stopped) = oneshot::channel();
        let serving = runtime.spawn(server.serve(listener, async {
            let _sender_gone = stopped.await;
        }));
        Self {
            runtime,
            address,
            admin,
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

    /// Returns what the server says of itself.
    pub(crate) fn state(&self) -> Value {
        let reply = Client::connect(self.admin).get("/v1/state");
        assert_eq!(reply.status, 200);
        reply.json()
    }

    /// Waits until what the server says of itself is as `wanted` says, and returns it.
    #[track_caller]
    pub(crate) fn state_until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut client = Client::connect(self.admin);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let state = client.get("/v1/state").json();
            if wanted(&state) {
                return state;
            }
            assert!(Instant::now() < deadline, "{state}");
        }
    }

    /// Has a generation prepared, and returns the state at once.
    pub(crate) fn prepare(&self, id: &GenerationId) -> Value {
        let body = json!({"generation": id.as_str()}).to_string();
        let mut client = Client::connect(self.admin);
        let reply = client.request("POST", "/v1/prepare", &[], body.as_bytes());
        assert_eq!(reply.status, 202);
        reply.json()
    }

    /// Has a generation prepared, and waits until it is.
    #[track_caller]
    pub(crate) fn prepare_now(&self, id: &GenerationId) -> Value {
        self.prepare(id);
        self.state_until(|state| names(&state["prepared"], id))
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

/// Returns whether a list of ids names one.
pub(crate) fn names(ids: &Value, id: &GenerationId) -> bool {
    let ids = ids.as_array().unwrap();
    ids.iter().any(|known| *known == id.as_str())
}
