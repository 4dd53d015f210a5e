//! What answers say of how old and how late they are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Instant,
};

use nightshard_format::manifest::GenerationId;
use nightshard_server::{Access, Clock, Config, Limits, Server};

use crate::{
    client::Client,
    harness::{Harness, config},
    scripted::Scripted,
    swap::{metric, write},
};

/// The end in UTC of the last business day of ten rows.
const END: u64 = 17_510 * 86_400;

/// A clock that a test sets.
#[derive(Debug, Default)]
struct SetClock(AtomicU64);

impl SetClock {
    fn set(&self, unix_seconds: u64) {
        self.0.store(unix_seconds, SeqCst);
    }
}

impl Clock for SetClock {
    fn unix_seconds(&self, _now: Instant) -> u64 {
        self.0.load(SeqCst)
    }
}

struct Setup {
    source: Arc<Scripted>,
    clock: Arc<SetClock>,
    harness: Harness,
    /// Generations of ten and of twenty rows, of which the first is served under selection 1.
    ids: [GenerationId; 2],
}

fn serving(config: Config) -> Setup {
    let source = Scripted::new();
    let clock = Arc::new(SetClock::default());
    let ids = [10, 20].map(|rows| write(&source.fixture, rows));
    source.fixture.select(1, &ids[0]);
    let server = Server::with_clock(config, Access::default(), clock.clone());
    let harness = Harness::run(server, source.clone(), None);
    harness.wait_for(1);
    Setup {
        source,
        clock,
        harness,
        ids,
    }
}

fn age(client: &mut Client, target: &str) -> u64 {
    let reply = client.get(target);
    let age = reply.header("nightshard-age");
    age.unwrap_or_else(|| panic!("{target} has no age"))
        .parse()
        .unwrap()
}

#[test]
fn the_age_counts_from_the_end_of_the_last_business_day_and_is_never_negative() {
    let Setup { clock, harness, .. } = serving(config());
    let mut client = harness.connect();
    for (now, expected) in [
        (0, 0),
        (END - 1, 0),
        (END, 0),
        (END + 1, 1),
        (END + 1, 1),
        (END + 90_061, 90_061),
        // A clock may be set back.
        (END + 5, 5),
    ] {
        clock.set(now);
        assert_eq!(age(&mut client, "/v1/stores/a"), expected, "{now}");
        assert_eq!(metric(&mut client, "nightshard_data_age_seconds"), expected);
    }
}

#[test]
fn every_answer_says_its_age_errors_and_refusals_too() {
    let Setup { clock, harness, .. } = serving(config());
    clock.set(END + 77);
    let mut client = harness.connect();
    let tag = client.get("/v1/stores/a");
    let tag = tag.header("etag").unwrap();
    let batch = br#"{"lookups": []}"#;
    for (method, target, headers, body, status) in [
        ("GET", "/v1/stores/a", &[][..], &b""[..], 200),
        ("HEAD", "/v1/stores/a", &[], b"", 200),
        ("GET", "/v1/stores/a", &[("if-none-match", tag)], b"", 304),
        ("POST", "/v1/batch", &[], batch, 200),
        ("POST", "/v1/batch", &[], b"x", 400),
        ("GET", "/v1/stores/none", &[], b"", 404),
        ("GET", "/v1/stores/a?x=1", &[], b"", 400),
        ("PUT", "/v1/stores/a", &[], b"", 405),
        (
            "GET",
            "/v1/stores/a",
            &[("nightshard-at-least", "9")],
            b"",
            503,
        ),
        ("GET", "/healthz", &[], b"", 200),
        ("GET", "/readyz", &[], b"", 200),
        ("GET", "/metrics", &[], b"", 200),
    ] {
        let reply = client.request(method, target, headers, body);
        assert_eq!(reply.status, status, "{method} {target}");
        assert_eq!(
            reply.header("nightshard-age"),
            Some("77"),
            "{method} {target}"
        );
        assert_eq!(reply.header("nightshard-behind"), None);
    }
    let mut broken = harness.connect();
    broken.send(b"GARBAGE\r\n\r\n");
    let reply = broken.read(false);
    assert_eq!(
        (reply.status, reply.header("nightshard-age")),
        (400, Some("77"))
    );
}

#[test]
fn connections_that_are_turned_away_are_told_the_age() {
    let Setup { clock, harness, .. } = serving(Config {
        limits: Limits {
            connections: 1.try_into().unwrap(),
            ..Limits::default()
        },
        ..config()
    });
    clock.set(END + 77);
    let mut only = harness.connect();
    assert_eq!(only.get("/healthz").status, 200);
    let reply = harness.connect().read(false);
    assert_eq!(
        (reply.status, reply.header("nightshard-age")),
        (503, Some("77"))
    );
    assert_eq!(reply.header("nightshard-selection"), Some("1"));
}

#[test]
fn a_named_generation_has_an_age_of_its_own() {
    let Setup {
        source,
        clock,
        harness,
        ids,
    } = serving(config());
    source.fixture.select(2, &ids[1]);
    harness.wait_for(2);
    clock.set(END + 20 * 86_400);
    let mut client = harness.connect();
    let current = age(&mut client, "/v1/stores/a");
    let named = format!("/v1/stores/a?generation={}", ids[0]);
    assert_eq!(age(&mut client, &named), 20 * 86_400);
    assert_eq!(current, 10 * 86_400);
    // A batch is answered aside.
    let target = format!("/v1/batch?generation={}", ids[0]);
    let reply = client.request("POST", &target, &[], br#"{"lookups": []}"#);
    assert_eq!(reply.header("nightshard-age"), Some("1728000"));
}

#[test]
fn a_late_server_says_how_late_until_it_has_caught_up() {
    let Setup {
        source,
        harness,
        ids,
        ..
    } = serving(config());
    source.opens.close();
    for (selection, behind) in [(2, "1"), (4, "3")] {
        source.fixture.select(selection, &ids[1]);
        harness.state_until(|state| state["repository"]["selection"] == selection);
        let mut client = harness.connect();
        for target in ["/v1/stores/a", "/v1/stores/none", "/healthz"] {
            let reply = client.get(target);
            assert_eq!(reply.header("nightshard-behind"), Some(behind), "{target}");
            assert_eq!(reply.header("nightshard-selection"), Some("1"));
        }
        let ready = client.get("/readyz");
        let text =
            format!("ready\nbehind by {behind}: selection 1 is served, {selection} is known\n");
        assert_eq!((ready.status, &*ready.body), (200, text.as_bytes()));
        let known = metric(&mut client, "nightshard_selection_known");
        assert_eq!(known, selection);
    }
    source.opens.open();
    harness.wait_for(4);
    let mut client = harness.connect();
    assert_eq!(client.get("/v1/stores/a").header("nightshard-behind"), None);
    assert_eq!(client.get("/readyz").body, b"ready\n");
}

#[test]
fn a_repository_that_cannot_be_reached_is_told_and_what_is_served_goes_on() {
    let Setup {
        source, harness, ..
    } = serving(config());
    let reachable = |client: &mut Client| metric(client, "nightshard_source_reachable") == 1;
    let mut client = harness.connect();
    assert!(reachable(&mut client));
    source.set_broken(true);
    harness.state_until(|state| state["repository"]["reachable"] == false);
    assert!(!reachable(&mut client));
    let ready = client.get("/readyz");
    assert_eq!(
        (ready.status, &*ready.body),
        (200, &b"ready\nthe repository cannot be reached\n"[..])
    );
    assert_eq!(client.get("/v1/stores/a").status, 200);
    assert_eq!(metric(&mut client, "nightshard_candidates_failed_total"), 0);
    source.set_broken(false);
    harness.state_until(|state| state["repository"]["reachable"] == true);
    assert_eq!(client.get("/readyz").body, b"ready\n");
}
