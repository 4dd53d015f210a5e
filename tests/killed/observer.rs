//! A server that is never killed, and a client that never stops asking it.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    scene::PATIENCE,
    support::{
        client::Client,
        server::{self, TestServer},
    },
};

/// What is asked: how many rows there are.
const QUESTION: &str = "/v1/markets/all/statistics?group_by=all";

/// The server and its client.
pub(crate) struct Observer {
    server: TestServer,
    seen: Arc<Mutex<Seen>>,
    stopped: Arc<AtomicBool>,
    client: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    answers: u64,
    /// The generation that answered last.
    last: String,
    /// How many rows each generation counted.
    counts: BTreeMap<String, u64>,
    /// What was no whole answer of one generation.
    problem: Option<String>,
}

impl Observer {
    /// Has a client ask a server until it goes away.
    pub(crate) fn of(server: TestServer) -> Self {
        let (seen, stopped) = (Arc::<Mutex<Seen>>::default(), Arc::<AtomicBool>::default());
        let (of_client, is_over) = (Arc::clone(&seen), Arc::clone(&stopped));
        let address = server.address();
        let client = thread::spawn(move || {
            let mut client = Client::connect(address);
            while !is_over.load(Relaxed) {
                let (status, document) = client.get(QUESTION);
                of_client.lock().unwrap().note(status, &document);
                // Not to take the processor from what is killed.
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self {
            server,
            seen,
            stopped,
            client: Some(client),
        }
    }

    /// Returns the generation that answers, to a question that was asked after this was called.
    pub(crate) fn generation(&self) -> String {
        let answers = || self.seen.lock().unwrap().answers;
        let (begun, before) = (Instant::now(), answers());
        // The next one may have been asked before.
        while answers() < before + 2 {
            assert!(begun.elapsed() < PATIENCE, "the server does not answer");
            thread::yield_now();
        }
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.problem, None);
        seen.last.clone()
    }

    /// Waits until a generation answers.
    pub(crate) fn wait_for(&self, generation: &str) {
        let begun = Instant::now();
        while self.generation() != generation {
            assert!(
                begun.elapsed() < PATIENCE,
                "{generation} is not served: {:?}",
                self.server.log()
            );
        }
    }

    /// Checks that every generation that ever answered was whole.
    pub(crate) fn saw_nothing_but(&self, truth: &BTreeMap<String, u64>) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.problem, None);
        for (generation, count) in &seen.counts {
            assert_eq!(truth.get(generation), Some(count), "{generation}");
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stopped.store(true, Relaxed);
        if let Some(client) = self.client.take() {
            // A client that failed has said so.
            let _failed = client.join();
        }
    }
}

impl Seen {
    fn note(&mut self, status: u16, document: &serde_json::Value) {
        self.answers += 1;
        let count = document["data"]["rows"][0]["count"].as_u64();
        let generation = document["generation"].as_str();
        let (200, Some(count), Some(generation)) = (status, count, generation) else {
            self.problem = Some(format!("status {status}: {document}"));
            return;
        };
        self.last = generation.to_owned();
        let known = *self.counts.entry(generation.to_owned()).or_insert(count);
        if known != count {
            self.problem = Some(format!("{generation} counts {known}, then {count}"));
        }
    }
}

/// Starts a server that keeps what it fetches in `cache`.
pub(crate) fn serve(mut program: Command, uri: &str, cache: &Path, config: &Path) -> TestServer {
    program.arg("serve");
    TestServer::spawn_command(server::serve(program, uri, cache, config))
}
