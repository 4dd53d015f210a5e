//! Web pages of other origins.

use nightshard_server::{Config, Cors};

use super::server;
use crate::harness::config;

#[test]
fn pages_of_configured_origins_may_read_answers_and_others_not() {
    let cors = |origins: &[&str]| Config {
        cors: Cors {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        },
        ..config()
    };
    let (harness, _) = server(cors(&["https://shop.example"]));
    let mut client = harness.connect();
    let own = [("origin", "https://shop.example")];
    let reply = client.request("GET", "/v1/stores/a", &own, b"");
    assert_eq!(
        reply.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    let exposed = reply.header("access-control-expose-headers").unwrap();
    for name in [
        "ETag",
        "Nightshard-Generation",
        "Nightshard-Selection",
        "Nightshard-Age",
        "Nightshard-Behind",
        "Retry-After",
    ] {
        assert!(exposed.contains(name));
    }
    assert_eq!(reply.header("vary"), Some("Accept-Encoding, Origin"));
    let reply = client.request(
        "GET",
        "/v1/stores/a",
        &[("origin", "https://evil.example")],
        b"",
    );
    assert_eq!(reply.header("access-control-allow-origin"), None);
    let reply = client.request("OPTIONS", "/v1/batch", &own, b"");
    assert_eq!(reply.status, 204);
    assert!(
        reply
            .header("access-control-allow-methods")
            .unwrap()
            .contains("POST")
    );
    assert!(
        reply
            .header("access-control-allow-headers")
            .unwrap()
            .contains("Nightshard-At-Least")
    );

    let (harness, _) = server(cors(&["*"]));
    let reply = harness
        .connect()
        .request("GET", "/v1/stores/zzz", &own, b"");
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let (harness, _) = server(config());
    let reply = harness.connect().request("GET", "/v1/stores/a", &own, b"");
    assert_eq!(reply.header("access-control-allow-origin"), None);
}
