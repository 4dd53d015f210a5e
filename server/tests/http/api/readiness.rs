//! A server without a generation.

use std::sync::Arc;

use super::{payments, shops};
use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

#[test]
fn a_server_without_a_generation_lives_but_is_not_ready() {
    let fixture = Arc::new(Fixture::new());
    let harness = Harness::start(config(), fixture.clone());
    let mut client = harness.connect();
    assert_eq!(client.get("/healthz").status, 200);
    for target in ["/readyz", "/v1/stores/a", "/v1/stores?limit=0"] {
        let reply = client.get(target);
        assert_eq!(reply.problem(), (503, None), "{target}");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    assert!(text.contains("nightshard_ready 0\n"));
    let id = fixture.write(&shops(), &payments());
    fixture.select(7, &id);
    harness.wait_for(7);
    assert_eq!(client.get("/readyz").status, 200);
    let reply = client.get("/v1/stores/a");
    assert_eq!(
        (reply.status, reply.header("nightshard-selection")),
        (200, Some("7"))
    );
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    assert!(text.contains("nightshard_ready 1\n") && text.contains("nightshard_swaps_total 1\n"));
    assert!(text.contains(&format!("nightshard_selection{{generation=\"{id}\"}} 7\n")));
    let counted = r#"nightshard_requests_total{resource="/v1/stores/{id}",status="200"} 1"#;
    assert!(text.contains(counted), "{text}");
}
