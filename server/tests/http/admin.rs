//! The interface for whoever switches servers, over real sockets.

use std::sync::Arc;

use nightshard_server::{Config, Token};
use serde_json::{Value, json};

use crate::{
    client::Client,
    fixture::replace,
    harness::{Harness, config},
    scripted::Scripted,
    swap::write,
};

const SECRET: &str = "correct-horse-battery-staple";

fn serving(config: Config, token: Option<Token>) -> (Arc<Scripted>, Harness) {
    let source = Scripted::new();
    let id = write(&source.fixture, 10);
    source.fixture.select(3, &id);
    let harness = Harness::start_with(config, source.clone(), token);
    harness.wait_for(3);
    (source, harness)
}

fn admin(harness: &Harness) -> Client {
    Client::connect(harness.admin)
}

#[test]
fn the_state_has_all_that_a_switch_goes_by() {
    let (_source, harness) = serving(config(), None);
    let id = harness.wait_for(3).to_string();
    let mut client = harness.connect();
    assert_eq!(client.get("/v1/stores/a").status, 200);
    assert_eq!(client.get("/v1/stores/none").status, 404);
    let ahead = [("nightshard-at-least", "4")];
    assert_eq!(
        client.request("GET", "/v1/stores/a", &ahead, b"").status,
        503
    );
    assert_eq!(client.get("/healthz").status, 200);
    let state = harness.state_until(|state| state["requests"]["total"] == 3);
    assert_eq!(
        state,
        json!({
            "serving": {"selection": 3, "generation": id, "as_of": &id[..10]},
            "repository": {"selection": 3, "reachable": true, "problem": null},
            "prepared": [], "preparing": null, "failed": null, "kept": [id],
            "source": "repository",
            "requests": {"total": 3, "errors_5xx": 1, "behind_503": 1},
        })
    );
    let head = admin(&harness).request("HEAD", "/v1/state", &[], b"");
    assert_eq!(
        (head.status, head.header("cache-control")),
        (200, Some("no-store"))
    );
}

#[test]
fn a_server_without_a_generation_says_so() {
    let source = Scripted::new();
    let harness = Harness::start(config(), source.clone());
    let state = harness.state_until(|state| state["repository"]["reachable"] == true);
    assert_eq!(state["serving"], Value::Null);
    assert_eq!(state["repository"]["selection"], Value::Null);
    source.set_broken(true);
    let state = harness.state_until(|state| state["repository"]["reachable"] == false);
    let problem = state["repository"]["problem"].as_str().unwrap();
    assert!(problem.contains("the bucket is on fire"), "{problem}");
}

#[test]
fn a_server_that_is_told_looks_at_once() {
    let (source, harness) = serving(
        Config {
            poll_ms: 3_600_000.try_into().unwrap(),
            ..config()
        },
        None,
    );
    let id = write(&source.fixture, 20);
    source.fixture.select(4, &id);
    for body in [&b"{}"[..], b""] {
        let reply = admin(&harness).request("POST", "/v1/follow", &[], body);
        assert_eq!(reply.status, 202);
        assert!(reply.json()["serving"].is_object());
    }
    assert_eq!(harness.wait_for(4), id);
}

#[test]
fn a_server_that_is_told_tries_what_failed_again_at_once() {
    let (source, harness) = serving(
        Config {
            poll_ms: 3_600_000.try_into().unwrap(),
            ..config()
        },
        None,
    );
    let id = write(&source.fixture, 20);
    let file = source.fixture.shard_file(&id, "stores");
    let whole = std::fs::read(&file).unwrap();
    replace(&file, &whole[1..]);
    source.fixture.select(4, &id);
    let tell = || admin(&harness).request("POST", "/v1/follow", &[], b"");
    assert_eq!(tell().status, 202);
    let state = harness.state_until(|state| !state["failed"].is_null());
    assert_eq!(state["failed"]["generation"], id.as_str());
    assert_eq!(state["serving"]["selection"], 3);
    replace(&file, &whole);
    assert_eq!(tell().status, 202);
    assert_eq!(harness.wait_for(4), id);
    assert_eq!(harness.state()["failed"], Value::Null);
}

#[test]
fn what_cannot_be_done_is_a_problem_document() {
    let (_source, harness) = serving(config(), None);
    let mut client = admin(&harness);
    let id = br#"{"generation": "2018-01-01-0123456789ab"}"#;
    for (method, target, body, status, parameter) in [
        ("GET", "/v1/stores/a", &b""[..], 404, None),
        ("GET", "/metrics", b"", 404, None),
        ("POST", "/v1/state", b"", 405, None),
        ("GET", "/v1/prepare", b"", 405, None),
        ("OPTIONS", "/v1/prepare", b"", 405, None),
        ("POST", "/v1/prepare?wait=1", id, 400, Some("wait")),
        ("POST", "/v1/prepare", b"", 400, None),
        ("POST", "/v1/prepare", b"[]", 400, None),
        (
            "POST",
            "/v1/prepare",
            br#"{"generation": "x"}"#,
            400,
            Some("generation"),
        ),
        ("POST", "/v1/follow", br#"{"now": true}"#, 400, None),
    ] {
        let reply = client.request(method, target, &[], body);
        let expected = (status, parameter.map(str::to_owned));
        assert_eq!(reply.problem(), expected, "{method} {target}");
    }
    let long = vec![b' '; (1 << 20) + 1];
    let head = format!(
        "POST /v1/prepare HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        long.len()
    );
    client.send(head.as_bytes());
    assert_eq!(client.read(false).problem(), (413, None));
    let state = harness.state();
    assert_eq!(
        (&state["preparing"], &state["failed"]),
        (&Value::Null, &Value::Null)
    );
    // Nothing of this counts as requests of callers.
    assert_eq!(state["requests"]["total"], 0);
}

#[test]
fn without_a_token_neither_other_hosts_nor_web_pages_are_answered() {
    let (_source, harness) = serving(config(), None);
    let mut client = admin(&harness);
    client.send(b"GET /v1/state HTTP/1.1\r\nhost: evil.example\r\n\r\n");
    assert_eq!(client.read(false).problem(), (421, None));
    let id = br#"{"generation": "2018-01-01-0123456789ab"}"#;
    let page = [("origin", "https://evil.example")];
    let reply = client.request("POST", "/v1/prepare", &page, id);
    assert_eq!(reply.problem(), (403, None));
    assert_eq!(harness.state()["failed"], Value::Null);
}

#[test]
fn with_a_token_only_who_shows_it_is_answered() {
    let (_source, harness) = serving(config(), Some(Token::new(SECRET).unwrap()));
    let mut client = admin(&harness);
    let right = format!("Bearer {SECRET}");
    for (headers, status) in [
        (&[][..], 401),
        (
            &[("authorization", "Bearer correct-horse-battery-stapl")],
            401,
        ),
        (&[("authorization", SECRET)], 401),
        (
            &[("authorization", &*right), ("authorization", &*right)],
            401,
        ),
        (&[("authorization", &*right)], 200),
    ] {
        let reply = client.request("GET", "/v1/state", headers, b"");
        assert_eq!(reply.status, status, "{headers:?}");
        if status == 401 {
            assert_eq!(reply.problem(), (401, None));
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    // Paths that there are not are no secret, but not told either.
    assert_eq!(client.get("/v1/nothing").status, 401);
    let request =
        format!("GET /v1/state HTTP/1.1\r\nhost: a.example\r\nauthorization: {right}\r\n\r\n");
    client.send(request.as_bytes());
    assert_eq!(client.read(false).status, 200);
}
