//! Clients that have seen a later selection elsewhere.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use nightshard_format::manifest::GenerationId;
use nightshard_server::Config;

use crate::{
    client::Reply,
    harness::{Harness, config},
    scripted::Scripted,
    swap::write,
};

/// A server that looks at the repository when it is asked to, and serves selection 1.
fn serving(wait_ms: u64) -> (Arc<Scripted>, Harness, GenerationId) {
    let source = Scripted::new();
    let first = write(&source.fixture, 10);
    source.fixture.select(1, &first);
    let config = Config {
        poll_ms: 3_600_000.try_into().unwrap(),
        at_least_wait_ms: wait_ms,
        ..config()
    };
    let harness = Harness::ready(config, source.clone(), 1);
    let second = write(&source.fixture, 20);
    (source, harness, second)
}

fn ask(harness: &Harness, number: u64, method: &str, target: &str, body: &[u8]) -> Reply {
    let number = number.to_string();
    let headers = [("nightshard-at-least", &*number)];
    harness.connect().request(method, target, &headers, body)
}

fn is_behind(reply: &Reply, asked: u64, serving: u64) {
    assert_eq!(reply.problem(), (503, None));
    assert_eq!(reply.header("retry-after"), Some("1"));
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    let expected = format!("selection {asked} is asked for, selection {serving} is served here");
    assert_eq!(detail, expected);
    assert_eq!(
        reply.header("nightshard-selection"),
        Some(&*serving.to_string())
    );
}

#[test]
fn a_request_waits_for_the_swap_to_a_prepared_candidate() {
    let batch = br#"{"lookups": [{"path": "/v1/stores/a"}]}"#;
    for (method, target, body) in [
        ("GET", "/v1/stores/a", &b""[..]),
        ("HEAD", "/v1/stores/a", b""),
        ("POST", "/v1/batch", batch),
        ("GET", "/v1/info/generation", b""),
    ] {
        let (source, harness, next) = serving(10_000);
        harness.prepare_now(&next);
        source.fixture.select(2, &next);
        let reply = ask(&harness, 2, method, target, body);
        assert_eq!(reply.status, 200, "{method} {target}");
        assert_eq!(reply.header("nightshard-selection"), Some("2"));
        assert_eq!(reply.header("nightshard-generation"), Some(next.as_str()));
    }
}

#[test]
fn a_conditional_request_that_waited_is_answered_from_what_was_swapped_to() {
    let (source, harness, next) = serving(10_000);
    let old = harness.connect().get("/v1/stores/a");
    let old = old.header("etag").unwrap();
    harness.prepare_now(&next);
    source.fixture.select(2, &next);
    let both = [("nightshard-at-least", "2"), ("if-none-match", old)];
    let mut client = harness.connect();
    let reply = client.request("GET", "/v1/stores/a", &both, b"");
    assert_eq!(
        (reply.status, reply.header("nightshard-selection")),
        (200, Some("2"))
    );
    let new = reply.header("etag").unwrap();
    let both = [("nightshard-at-least", "2"), ("if-none-match", new)];
    let reply = client.request("GET", "/v1/stores/a", &both, b"");
    assert_eq!(
        (reply.status, reply.header("nightshard-selection")),
        (304, Some("2"))
    );
    let ahead = [("nightshard-at-least", "3"), ("if-none-match", new)];
    assert_eq!(
        client.request("GET", "/v1/stores/a", &ahead, b"").status,
        503
    );
}

#[test]
fn without_a_prepared_candidate_a_request_is_refused_at_once_and_the_repository_is_looked_at() {
    let (source, harness, next) = serving(10_000);
    source.fixture.select(2, &next);
    // Whoever waited for this look would wait for longer than tests do.
    source.looks.close();
    for (method, target) in [("GET", "/v1/stores/a"), ("POST", "/v1/batch")] {
        is_behind(&ask(&harness, 2, method, target, b""), 2, 1);
    }
    source.looks.wait_for_call();
    source.looks.open();
    assert_eq!(harness.wait_for(2), next);
    assert_eq!(ask(&harness, 2, "GET", "/v1/stores/a", b"").status, 200);
}

#[test]
fn a_request_waits_no_longer_than_a_look_takes_that_leads_to_no_swap() {
    let (source, harness, next) = serving(3_600_000);
    harness.prepare_now(&next);
    // Nothing later is selected: the repository says so at once.
    is_behind(&ask(&harness, 9, "GET", "/v1/stores/a", b""), 9, 1);
    // It cannot be asked.
    source.set_broken(true);
    is_behind(&ask(&harness, 9, "GET", "/v1/stores/a", b""), 9, 1);
}

#[test]
fn a_request_waits_no_longer_than_configured() {
    for wait_ms in [0, 1] {
        let (source, harness, next) = serving(wait_ms);
        harness.prepare_now(&next);
        source.fixture.select(2, &next);
        source.looks.close();
        is_behind(&ask(&harness, 2, "GET", "/v1/stores/a", b""), 2, 1);
        source.looks.open();
    }
}

#[test]
fn clients_that_say_what_they_have_seen_never_go_back_nor_fail_while_prepared_servers_switch() {
    let source = Scripted::new();
    let ids = [10, 20].map(|rows| write(&source.fixture, rows));
    source.fixture.select(1, &ids[0]);
    let servers = [(); 2].map(|()| {
        let config = Config {
            poll_ms: 3_600_000.try_into().unwrap(),
            at_least_wait_ms: 10_000,
            // What is not served is opened anew.
            keep_mapped: 1.try_into().unwrap(),
            ..config()
        };
        Harness::ready(config, source.clone(), 1)
    });
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let clients = [(); 3].map(|()| {
            scope.spawn(|| {
                let mut clients = [servers[0].connect(), servers[1].connect()];
                let (mut seen, mut switched) = (1, 0);
                for turn in 0.. {
                    if done.load(Relaxed) {
                        break;
                    }
                    let text = u64::to_string(&seen);
                    let headers = [("nightshard-at-least", &*text)];
                    let client = &mut clients[turn % 2];
                    let reply = client.request("GET", "/v1/stores/a", &headers, b"");
                    let expected = &ids[usize::from(reply.data()["count"] == 20)];
                    assert_eq!(reply.json()["generation"], expected.as_str());
                    let selection = reply.header("nightshard-selection").unwrap();
                    let selection = selection.parse().unwrap();
                    assert!(selection >= seen, "{selection} after {seen}");
                    assert_eq!(ids[usize::from(selection % 2 == 0)], *expected);
                    switched += u64::from(selection > seen);
                    seen = selection;
                }
                switched
            })
        });
        for number in 2..=100 {
            let id = &ids[usize::from(number % 2 == 0)];
            for server in &servers {
                server.prepare_now(id);
            }
            source.fixture.select(number, id);
            // The other one is told by its clients.
            servers[0].switch().wake();
            for server in &servers {
                server.wait_for(number);
            }
        }
        done.store(true, Relaxed);
        for client in clients {
            assert!(client.join().unwrap() > 0);
        }
    });
}

#[test]
fn a_look_that_began_before_a_request_does_not_answer_it() {
    let (source, harness, next) = serving(10_000);
    harness.prepare_now(&next);
    source.looks.close();
    harness.switch().wake();
    source.looks.wait_for_call();
    // The look has read selection 1 already.
    source.fixture.select(2, &next);
    thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&harness, 2, "GET", "/v1/stores/a", b""));
        source.looks.open();
        assert_eq!(asking.join().unwrap().status, 200);
    });
}

#[test]
fn many_requests_that_are_ahead_share_few_looks() {
    let (source, harness, _next) = serving(0);
    let before = source.looks_begun();
    source.looks.close();
    ask(&harness, 2, "GET", "/v1/stores/a", b"");
    source.looks.wait_for_call();
    for _ in 0..200 {
        is_behind(&ask(&harness, 2, "GET", "/v1/stores/a", b""), 2, 1);
    }
    // One look is under way, and nobody begins another beside it.
    assert_eq!(source.looks_begun(), before + 1);
    source.looks.open();
}

#[test]
fn operators_and_named_generations_are_not_asked_what_the_client_has_seen() {
    let (_source, harness, _next) = serving(0);
    let id = harness.wait_for(1);
    let pinned = format!("/v1/stores/a?generation={id}");
    for target in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
        &*pinned,
    ] {
        for number in ["9", "x"] {
            let headers = [("nightshard-at-least", number)];
            let reply = harness.connect().request("GET", target, &headers, b"");
            assert_eq!(reply.status, 200, "{target}");
        }
    }
    let wrong = [("nightshard-at-least", "x")];
    let reply = harness
        .connect()
        .request("GET", "/v1/stores/a", &wrong, b"");
    assert_eq!(reply.problem(), (400, None));
    assert!(
        String::from_utf8(reply.body)
            .unwrap()
            .contains("Nightshard-At-Least")
    );
}
