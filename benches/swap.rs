//! Latency while generations are swapped, beside latency while they are not, in the same run.
//!
//! A server follows its repository while requests come at a steady rate on keep-alive
//! connections; selections alternate between two generations as fast as the server follows. Every
//! swap opens the candidate anew, since one generation only is kept mapped. Every answer has to
//! be, byte for byte, that of the generation that it names. Latency counts from when a request
//! was due, so that a server that stalls is charged for all it delayed. `--test` only shows that
//! it works.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and may fail"
)]

mod support;

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use support::{Repository, Server, client::Client, print_machine};

const CONNECTIONS: u32 = 8;
/// Each connection asks so often.
const INTERVAL: Duration = Duration::from_millis(4);
const STORES: u32 = 200;

/// The bytes of an answer's body, by generation and target.
type Truth = HashMap<(String, String), Vec<u8>>;

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let (rows, swaps) = if is_test {
        (20_000, 5)
    } else {
        (500_000, 1_000)
    };
    let repository = Repository::new();
    let ids = [1, 2].map(|seed| repository.build(STORES, rows, seed));
    let mut server = repository.serve(&["--keep-mapped", "1", "--poll-ms", "5"]);
    let targets: Vec<String> = (0..STORES)
        .flat_map(|store| {
            let path = format!("/v1/stores/s{store:06}");
            [
                format!("{path}/statistics"),
                format!("{path}/statistics?group_by=week"),
            ]
        })
        .chain(["/v1/markets/all/statistics".to_owned()])
        .collect();
    let mut selections = Selections {
        repository: &repository,
        number: 2,
    };
    let mut truth = Truth::new();
    for id in &ids {
        selections.select(id, &mut server);
        let mut client = Client::connect(server.address);
        for target in &targets {
            let (generation, body) = client.ask(target);
            assert_eq!(generation, *id);
            truth.insert((generation, target.clone()), body);
        }
    }
    let address = server.address;
    let started = Instant::now();
    let swapping = measure(address, &targets, &truth, || {
        (0..swaps).for_each(|swap| selections.select(&ids[swap % 2], &mut server));
    });
    let elapsed = started.elapsed();
    let steady = measure(address, &targets, &truth, || std::thread::sleep(elapsed));

    print_machine();
    println!(
        "{swaps} swaps in {:.1} s, {} requests a second, no failed and no mixed answer",
        elapsed.as_secs_f64(),
        f64::from(CONNECTIONS) / INTERVAL.as_secs_f64()
    );
    println!(
        "{:>16} {:>10} {:>9} {:>9} {:>9}",
        "", "requests", "p50 us", "p99 us", "max us"
    );
    for (name, latencies) in [("while swapping", swapping), ("without swaps", steady)] {
        let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_micros();
        let (p50, p99, max) = (at(50), at(99), at(100));
        println!(
            "{name:>16} {:>10} {p50:>9} {p99:>9} {max:>9}",
            latencies.len()
        );
    }
}

/// Writes selections as a publisher elsewhere would, who takes no processor time here.
struct Selections<'a> {
    repository: &'a Repository,
    number: u64,
}

impl Selections<'_> {
    /// Selects a generation and waits until it is served.
    fn select(&mut self, generation: &str, server: &mut Server) {
        self.number += 1;
        let folder = self.repository.path().join("selections");
        let first = fs::read(Self::file(&folder, 1)).unwrap();
        let mut selection: serde_json::Value = serde_json::from_slice(&first).unwrap();
        selection["number"] = self.number.into();
        selection["generation"] = generation.into();
        let aside = folder.join("aside");
        fs::write(&aside, selection.to_string()).unwrap();
        fs::rename(aside, Self::file(&folder, self.number)).unwrap();
        while server.wait_for("serving generation ") != generation {}
        // Listing thousands of selections is not what is measured.
        if self.number > 3 {
            fs::remove_file(Self::file(&folder, self.number - 1)).unwrap();
        }
    }

    fn file(folder: &Path, number: u64) -> std::path::PathBuf {
        folder.join(format!("{number:020}.json"))
    }
}

/// Asks at a steady rate while `work` goes on; returns the latencies, ascending.
fn measure(
    address: SocketAddr,
    targets: &[String],
    truth: &Truth,
    work: impl FnOnce(),
) -> Vec<Duration> {
    let done = AtomicBool::new(false);
    let mut latencies = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..CONNECTIONS)
            .map(|connection| {
                let done = &done;
                scope.spawn(move || ask_steadily(address, targets, truth, connection, done))
            })
            .collect();
        work();
        done.store(true, Relaxed);
        asking
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    latencies.sort_unstable();
    latencies
}

fn ask_steadily(
    address: SocketAddr,
    targets: &[String],
    truth: &Truth,
    connection: u32,
    done: &AtomicBool,
) -> Vec<Duration> {
    let mut client = Client::connect(address);
    let mut latencies = Vec::new();
    let mut due = Instant::now() + INTERVAL * connection / CONNECTIONS;
    while !done.load(Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let target = &targets[(latencies.len() * 13 + connection as usize * 29) % targets.len()];
        let (generation, body) = client.ask(target);
        latencies.push(due.elapsed());
        assert!(
            truth[&(generation, target.clone())] == body,
            "{target} mixes generations"
        );
        due += INTERVAL;
    }
    latencies
}
