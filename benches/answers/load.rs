//! A server under load: first as much as it can do, then half of that.

use std::time::{Duration, Instant};

use crate::{
    dice::Dice,
    resources::{Asked, Resource, World},
    support::{Server, client::Client},
};

const CONNECTIONS: u32 = 8;
/// So many requests of a resource are made up for each connection.
const ASKED_EACH: usize = 64;

/// What clients saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Duration>,
    body_bytes: usize,
}

pub(crate) fn print_header() {
    println!(
        "{:>42} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "at half of the capacity", "most /s", "p50 ms", "p99 ms", "most ms", "bytes"
    );
}

/// Measures one resource, prints a line, and returns the 99th percentile in milliseconds.
pub(crate) fn measure(
    server: &Server,
    resource: &Resource,
    world: &World,
    dice: &mut Dice,
    is_test: bool,
) -> f64 {
    let asked: Vec<Vec<Asked>> = (0..CONNECTIONS)
        .map(|_| {
            (0..ASKED_EACH)
                .map(|_| (resource.asked)(world, dice))
                .collect()
        })
        .collect();
    let [warm, full, half] = match is_test {
        true => [1, 5, 5],
        false => [300, 1_000, 3_000],
    };
    let [warm, full, half] = [warm, full, half].map(Duration::from_millis);
    ask(server, &asked, warm, Duration::ZERO);
    let seen = ask(server, &asked, full, Duration::ZERO);
    // Each connection asks half as often as it could.
    let share = 2 * CONNECTIONS;
    let most = u32::try_from(seen.latencies.len()).unwrap().max(1);
    let interval = full * share / most;
    let mut seen = ask(server, &asked, half, interval);
    seen.latencies.sort_unstable();
    let last = seen.latencies.len() - 1;
    let at = |percent: usize| seen.latencies[last * percent / 100].as_secs_f64() * 1e3;
    println!(
        "{:>42} {:>9.0} {:>9.3} {:>9.3} {:>9.3} {:>9}",
        resource.name,
        f64::from(most) / full.as_secs_f64(),
        at(50),
        at(99),
        at(100),
        seen.body_bytes / seen.latencies.len(),
    );
    at(99)
}

/// Asks on all connections for so long, on each at steady intervals, or at once where these are none.
fn ask(server: &Server, asked: &[Vec<Asked>], during: Duration, interval: Duration) -> Seen {
    let begin = Instant::now();
    let of_connections: Vec<Seen> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .zip(asked)
            .map(|(number, asked)| {
                // Connections take turns.
                let due = begin + interval * number / CONNECTIONS;
                let end = begin + during;
                scope.spawn(move || ask_steadily(server, asked, end, (due, interval)))
            })
            .collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let mut all = Seen::default();
    for seen in of_connections {
        all.latencies.extend(seen.latencies);
        all.body_bytes += seen.body_bytes;
    }
    all
}

/// Asks on one connection until `end`, at least once.
fn ask_steadily(
    server: &Server,
    asked: &[Asked],
    end: Instant,
    (mut due, interval): (Instant, Duration),
) -> Seen {
    let mut client = Client::connect(server.address);
    let mut seen = Seen::default();
    for request in asked.iter().cycle() {
        if !seen.latencies.is_empty() && due.max(Instant::now()) >= end {
            break;
        }
        if interval.is_zero() {
            due = Instant::now();
        } else {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        seen.body_bytes += request.ask(&mut client);
        seen.latencies.push(due.elapsed());
        due += interval;
    }
    seen
}
