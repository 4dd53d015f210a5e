//! Probes, monitors, and whoever switches servers.

use nightshard_server::Token;

use super::{Guarded, ask};
use crate::{client::Client, harness::config};

#[test]
fn probes_and_the_monitor_of_this_machine_need_no_token() {
    let guarded = Guarded::start(10);
    let mut client = guarded.harness.connect();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(client.get(path).status, 200, "{path}");
        // A token that is not good is no hindrance there.
        let wrong = [("authorization", "Bearer x")];
        assert_eq!(client.request("GET", path, &wrong, b"").status, 200);
    }
    // Under another name a page may ask, and a proxy on this machine.
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 401)] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: shop.example\r\n\r\n");
        client.send(request.as_bytes());
        assert_eq!(client.read(false).status, status, "{path}");
    }
    // A proxy often names the loopback address that it asks.
    for added in [
        "forwarded: for=1.2.3.4",
        "x-forwarded-for: 1.2.3.4",
        "via: 1.1 proxy",
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\n{added}\r\n\r\n");
        client.send(request.as_bytes());
        assert_eq!(client.read(false).status, 401, "{added}");
    }
    for (scope, status) in [
        ("admin", 200),
        ("analyst", 200),
        ("store:a", 403),
        ("app", 403),
    ] {
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: shop.example\r\nauthorization: Bearer {}\r\n\r\n",
            guarded.token(scope)
        );
        client.send(request.as_bytes());
        assert_eq!(client.read(false).status, status, "{scope}");
    }
}

#[test]
fn without_a_host_nobody_is_the_monitor_of_this_machine() {
    let guarded = Guarded::start(10);
    let mut client = guarded.harness.connect();
    client.send(b"GET /metrics HTTP/1.0\r\n\r\n");
    assert_eq!(client.read(false).status, 401);
}

#[test]
fn with_keys_any_host_is_answered() {
    let guarded = Guarded::start(10);
    let mut client = guarded.harness.connect();
    let request = |host: &str| {
        format!(
            "GET /v1/stores/a HTTP/1.1\r\n{host}authorization: Bearer {}\r\n\r\n",
            guarded.token("analyst")
        )
    };
    client.send(request("host: shop.example\r\n").as_bytes());
    assert_eq!(client.read(false).status, 200);
    client.send(request("").as_bytes());
    assert_eq!(client.read(false).problem(), (400, None));
}

#[test]
fn requests_are_counted_by_the_kind_of_their_scope_and_tokens_never_shown() {
    let guarded = Guarded::start(10);
    let mut client = guarded.harness.connect();
    let tokens = ["store:secretstore", "merchant:m", "analyst"].map(|scope| guarded.token(scope));
    for token in &tokens {
        ask(&mut client, token, ("GET", "/v1/stores/a"), &[], b"");
        ask(&mut client, token, ("GET", "/v1/search?q=ma"), &[], b"");
    }
    ask(&mut client, "wrong", ("GET", "/v1/stores/a"), &[], b"");
    client.get("/v1/stores/a");
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    for line in [
        "nightshard_requests_by_scope_total{scope=\"store\"} 2",
        "nightshard_requests_by_scope_total{scope=\"merchant\"} 2",
        "nightshard_requests_by_scope_total{scope=\"analyst\"} 2",
        "nightshard_requests_by_scope_total{scope=\"none\"} 2",
        "nightshard_tokens_refused_total 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    assert!(!text.contains("secretstore"));
    assert!(tokens.iter().all(|token| !text.contains(&**token)));
}

#[test]
fn whoever_switches_a_server_with_keys_shows_a_token_of_the_scope_admin() {
    let guarded = Guarded::start(10);
    let mut client = Client::connect(guarded.harness.admin);
    let state = ("GET", "/v1/state");
    // A proxy often names the loopback address that it asks.
    for added in [
        "forwarded: for=1.2.3.4",
        "x-forwarded-for: 1.2.3.4",
        "via: 1.1 proxy",
    ] {
        let request = format!("GET /metrics HTTP/1.1\r\nhost: localhost\r\n{added}\r\n\r\n");
        client.send(request.as_bytes());
        assert_eq!(client.read(false).status, 401, "{added}");
    }
    for (scope, status) in [
        ("admin", 200),
        ("analyst", 403),
        ("store:a", 403),
        ("customer", 403),
    ] {
        let reply = ask(&mut client, &guarded.token(scope), state, &[], b"");
        assert_eq!(reply.status, status, "{scope}");
    }
    for reply in [
        client.get("/v1/state"),
        ask(&mut client, "wrong", state, &[], b""),
    ] {
        assert_eq!(reply.problem(), (401, None));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
}

#[test]
fn a_secret_of_the_admin_interface_is_as_good_as_a_token_there_and_nowhere_else() {
    let secret = "correct-horse-battery-staple";
    let token = Token::new(secret).unwrap();
    let guarded = Guarded::start_with(config(), 10, Some(token));
    let mut client = Client::connect(guarded.harness.admin);
    for (shown, status) in [
        (secret, 200),
        (&*guarded.token("admin"), 200),
        (&*guarded.token("app"), 403),
        ("incorrect-horse-battery-staple", 401),
    ] {
        let reply = ask(&mut client, shown, ("GET", "/v1/state"), &[], b"");
        assert_eq!(reply.status, status, "{shown}");
    }
    let mut client = guarded.harness.connect();
    let reply = ask(&mut client, secret, ("GET", "/v1/stores"), &[], b"");
    assert_eq!(reply.problem(), (401, None));
}
