//! Which tokens are good.

use nightshard_server::Claims;

use super::{Guarded, NOW, ask, fixture, key, serving, token};
use crate::{client::Reply, harness::config};

/// Checks that an answer says that there is no good token, and nothing else.
#[track_caller]
fn is_refused(reply: &Reply) {
    assert_eq!(reply.problem(), (401, None));
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.header("nightshard-generation").is_some());
    let detail = "the token is missing or wrong: Authorization: Bearer TOKEN";
    assert_eq!(reply.json()["detail"], detail);
}

#[test]
fn every_token_that_is_not_good_has_one_answer() {
    let guarded = Guarded::start(10);
    let mut client = guarded.harness.connect();
    let mut refused = |token: &str| {
        is_refused(&ask(&mut client, token, ("GET", "/v1/stores/a"), &[], b""));
    };
    let good = guarded.token("analyst");
    let claims = |not_before, expires| Claims {
        scope: "analyst".parse().unwrap(),
        not_before,
        expires,
    };
    // Expired, and not good yet.
    refused(&claims(0, NOW).sign(&guarded.key));
    refused(&claims(NOW + 1, u64::MAX).sign(&guarded.key));
    refused(&claims(NOW + 1, NOW).sign(&guarded.key));
    // Of a key that is unknown, and of another secret under a known name.
    refused(&token("analyst", &key("third", "1")));
    refused(&token("analyst", &key("first", "3")));
    // Cut, lengthened, and with the code or the claims of another.
    for len in 0..good.len() {
        refused(&good[..len]);
    }
    refused(&format!("{good}A"));
    refused(&format!("{good}="));
    let admin = guarded.token("admin");
    let (claims, _) = good.rsplit_once('.').unwrap();
    let (_, code) = admin.rsplit_once('.').unwrap();
    refused(&format!("{claims}.{code}"));
    // Each bit of it flipped, as far as a header can hold it.
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if bytes[bit / 8].is_ascii_graphic() {
            refused(&String::from_utf8(bytes).unwrap());
        }
    }
    assert_eq!(guarded.get("analyst", "/v1/stores/a").status, 200);
}

#[test]
fn without_one_bearer_token_nobody_is_answered() {
    let guarded = Guarded::start(10);
    let mut client = guarded.harness.connect();
    let good = format!("Bearer {}", guarded.token("analyst"));
    let bare = guarded.token("analyst");
    let basic = format!("Basic {bare}");
    for headers in [
        &[][..],
        &[("authorization", "")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", &*bare)],
        &[("authorization", &*basic)],
        &[("authorization", &*good), ("authorization", &*good)],
    ] {
        is_refused(&client.request("GET", "/v1/stores/a", headers, b""));
        let head = client.request("HEAD", "/v1/stores/a", headers, b"");
        assert_eq!(head.status, 401);
        assert_eq!(head.header("www-authenticate"), Some("Bearer"));
    }
    // Which paths and methods there are is not told either.
    for (method, target) in [("GET", "/v1/nothing"), ("DELETE", "/v1/stores")] {
        is_refused(&client.request(method, target, &[], b""));
    }
    // A token in the query is none (RFC 6750 has it, and logs would).
    is_refused(&client.get(&format!("/v1/stores/a?access_token={bare}")));
    let lower = [("authorization", &*format!("bearer {bare}"))];
    let reply = client.request("GET", "/v1/stores/a", &lower, b"");
    assert_eq!(reply.status, 200);
}

#[test]
fn keys_are_rotated_without_a_token_that_fails_in_between() {
    let (old, new) = (key("old", "1"), key("new", "2"));
    let tokens = [&old, &new].map(|key| token("analyst", key));
    let statuses = |keys: &[&nightshard_server::Key]| {
        let keys = keys.iter().map(|key| (*key).clone()).collect();
        let harness = serving(fixture(), config(), keys, 10, None);
        let mut client = harness.connect();
        [0, 1].map(|index: usize| {
            ask(&mut client, &tokens[index], ("GET", "/v1/stores"), &[], b"").status
        })
    };
    assert_eq!(statuses(&[&old]), [200, 401]);
    assert_eq!(statuses(&[&old, &new]), [200, 200]);
    assert_eq!(statuses(&[&new, &old]), [200, 200]);
    assert_eq!(statuses(&[&new]), [401, 200]);
}
