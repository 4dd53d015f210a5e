//! What clients and caches keep, and web pages, where tokens are shown.

use nightshard_server::{Config, Cors};

use super::Guarded;
use crate::harness::config;

#[test]
fn what_one_scope_has_is_not_taken_for_what_another_would_get() {
    let guarded = Guarded::start(10);
    let tag = |scope: &str| {
        let reply = guarded.get(scope, "/v1/stores");
        assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
        assert_eq!(reply.header("vary"), Some("Accept-Encoding, Authorization"));
        reply.header("etag").unwrap().to_owned()
    };
    let scopes = ["store:a", "store:c", "merchant:m", "app", "analyst"];
    for own in scopes {
        let tag = tag(own);
        for scope in scopes {
            let known = [("if-none-match", &*tag)];
            let reply = guarded.ask(scope, "GET", "/v1/stores", &known, b"");
            let expected = if scope == own { 304 } else { 200 };
            assert_eq!(reply.status, expected, "{scope} with the tag of {own}");
        }
    }
    // Who has none is not told that nothing changed.
    let tag = tag("analyst");
    let known = [("if-none-match", &*tag)];
    let mut client = guarded.harness.connect();
    let reply = client.request("GET", "/v1/stores", &known, b"");
    assert_eq!(reply.problem(), (401, None));
    let hidden = guarded.get("analyst", "/v1/regions");
    let known = [("if-none-match", hidden.header("etag").unwrap())];
    let reply = guarded.ask("store:a", "GET", "/v1/regions", &known, b"");
    assert_eq!(reply.problem(), (403, None));
}

#[test]
fn pages_ask_without_a_token_whether_they_may_send_one() {
    let cors = Cors {
        origins: vec!["https://shop.example".to_owned()],
    };
    let guarded = Guarded::start_with(Config { cors, ..config() }, 10, None);
    let mut client = guarded.harness.connect();
    let page = [("origin", "https://shop.example")];
    let reply = client.request("OPTIONS", "/v1/stores/a", &page, b"");
    assert_eq!(reply.status, 204);
    let allowed = reply.header("access-control-allow-headers").unwrap();
    assert!(allowed.contains("Authorization"), "{allowed}");
    let refused = client.request("GET", "/v1/stores/a", &page, b"");
    assert_eq!(refused.problem(), (401, None));
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    let reply = guarded.ask("store:a", "GET", "/v1/stores/a", &page, b"");
    assert_eq!(
        reply.header("vary"),
        Some("Accept-Encoding, Authorization, Origin")
    );
    // Without pages that may ask, it is a method like others.
    let guarded = Guarded::start(10);
    let reply = guarded
        .harness
        .connect()
        .request("OPTIONS", "/v1/stores/a", &[], b"");
    assert_eq!(reply.problem(), (401, None));
}
