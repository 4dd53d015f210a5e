//! S3 that hangs or is restarted, under a publisher and three servers.

use std::{
    thread,
    time::{Duration, Instant},
};

use nightshard_storage::Config;
use tempfile::TempDir;

use crate::{
    publishing::{BLOBS, Commands, Local, Patience, nothing_else_is_stored},
    support::{
        random::{self, Random},
        server::TestServer,
        servers::{self, S3},
    },
};

/// The variable of how many seconds an outage takes at least.
const SECONDS: &str = "NIGHTSHARD_TEST_OUTAGE_SECONDS";

const REPOSITORY: &str = "s3://nightshard/repository";

/// What is asked of servers: a value of the only generation that there is before the outage.
const VALUE: &str = "/v1/datasets/table/key-0";

/// How the server goes away.
#[derive(Debug, Clone, Copy)]
enum Outage {
    /// It takes connections and says nothing, and goes on in the end.
    Hanging,
    /// It is killed, and started again on what it has stored.
    Killed,
}

impl Outage {
    fn begin(self, s3: &S3) {
        match self {
            Self::Hanging => s3.signal("-STOP"),
            Self::Killed => s3.signal("-KILL"),
        }
    }

    fn end(self, s3: &mut S3) {
        match self {
            Self::Hanging => s3.signal("-CONT"),
            Self::Killed => s3.start_again(),
        }
    }
}

#[test]
fn servers_go_on_and_a_publish_waits_while_storage_hangs() {
    outage_is_waited_for(Outage::Hanging, 62);
}

#[test]
fn servers_go_on_and_a_publish_waits_while_storage_is_restarted() {
    outage_is_waited_for(Outage::Killed, 63);
}

fn outage_is_waited_for(outage: Outage, seed: u64) {
    let seed = random::seed(seed);
    let mut s3 = S3::start();
    let commands = commands(&s3);
    publish(&commands, &Local::with_one_row());
    let servers = Servers::start(&commands);
    let local = Local::with_long_blobs(seed);
    let mut publishing = begin(&s3, &commands, &local, Patience::Much, seed);

    outage.begin(&s3);
    let begun = Instant::now();
    publishing.goes_on();
    servers.wait_for_readiness("ready\nthe repository cannot be reached\n");
    while begun.elapsed() < Duration::from_secs(seconds()) {
        servers.answer("first");
        thread::sleep(Duration::from_millis(20));
    }
    publishing.goes_on();
    outage.end(&mut s3);

    let outcome = publishing.outcome().succeeded();
    servers.wait_for_readiness("ready\n");
    servers.wait_for_another_answer_than("first");
    commands.verifies(REPOSITORY);
    nothing_else_is_stored(REPOSITORY, &config(&s3), 1 + BLOBS);
    eprintln!("{outage:?} for {} s: {outcome:?}", seconds());
}

#[test]
fn a_publish_that_does_not_wait_says_why_and_can_be_run_again() {
    let seed = random::seed(64);
    for outage in [Outage::Hanging, Outage::Killed] {
        let mut s3 = S3::start();
        let commands = commands(&s3);
        publish(&commands, &Local::with_one_row());
        let local = Local::with_long_blobs(seed);
        let mut publishing = begin(&s3, &commands, &local, Patience::Little, seed);
        outage.begin(&s3);
        publishing.goes_on();
        let given_up = format!("in {REPOSITORY}: given up after ");
        publishing.outcome().failed(1, &[&given_up]);
        let looked = commands.run(&["generations", REPOSITORY], Patience::Little);
        looked.failed(1, &[&given_up]);
        outage.end(&mut s3);

        // What was published before is whole and current, and nobody sees a trace of the other.
        commands.verifies(REPOSITORY);
        let listed = commands.run(&["generations", REPOSITORY, "--json"], Patience::Much);
        let listed = listed.succeeded().json();
        assert_eq!(
            listed["generations"].as_array().unwrap().len(),
            1,
            "{listed}"
        );
        publish(&commands, &local);
        commands.verifies(REPOSITORY);
        nothing_else_is_stored(REPOSITORY, &config(&s3), 1 + BLOBS);
    }
}

fn seconds() -> u64 {
    let seconds = std::env::var(SECONDS);
    seconds.map_or(3, |seconds| seconds.parse().expect("it is a number"))
}

fn commands(s3: &S3) -> Commands {
    Commands::new(&[("AWS_ENDPOINT_URL", s3.url())])
}

fn config(s3: &S3) -> Config {
    let mut config = Config::default();
    config.s3.endpoint = Some(s3.url());
    config
}

#[track_caller]
fn publish(commands: &Commands, local: &Local) {
    let publishing = commands.publish(local, REPOSITORY, Patience::Much);
    publishing.outcome().succeeded();
}

/// Begins to publish, and returns in the middle of it.
fn begin(
    s3: &S3,
    commands: &Commands,
    local: &Local,
    patience: Patience,
    seed: u64,
) -> crate::publishing::Publishing {
    let moment = 1 + Random::new(seed).below(30 << 20) as u64;
    eprintln!("NIGHTSHARD_TEST_SEED={seed}: an outage after {moment} bytes");
    let before = s3.bytes_stored();
    let publishing = commands.publish(local, REPOSITORY, patience);
    servers::wait_until("blobs are being stored", || {
        s3.bytes_stored() >= before + moment
    });
    publishing
}

/// Three servers of the repository, each with a cache of its own.
struct Servers {
    servers: Vec<TestServer>,
    _caches: Vec<TempDir>,
}

impl Servers {
    fn start(commands: &Commands) -> Self {
        let caches: Vec<TempDir> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let start = |cache: &TempDir| {
            let cache = cache.path().display().to_string();
            let arguments = [
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--from",
                REPOSITORY,
                "--cache",
                &cache,
            ];
            let command = commands.command(&arguments, Patience::Little);
            let server = TestServer::spawn_command(command);
            server.wait_for("serving generation ");
            server
        };
        Self {
            servers: caches.iter().map(start).collect(),
            _caches: caches,
        }
    }

    /// Checks that all answer with a value.
    #[track_caller]
    fn answer(&self, value: &str) {
        for server in &self.servers {
            assert_eq!(server.connect().text(VALUE), (200, value.to_owned()));
        }
    }

    /// Waits until none answers with this value any more.
    fn wait_for_another_answer_than(&self, value: &str) {
        for server in &self.servers {
            servers::wait_until("the next generation is served", || {
                let (status, text) = server.connect().text(VALUE);
                status == 200 && text != value
            });
        }
    }

    /// Waits until all say this of their readiness.
    fn wait_for_readiness(&self, text: &str) {
        for server in &self.servers {
            let expected = (200, text.to_owned());
            servers::wait_until(text, || server.connect().text("/readyz") == expected);
        }
    }
}
