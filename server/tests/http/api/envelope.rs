//! What every answer has: the envelope, headers, entity tags, compression, exact integers.

use std::{io::Read, sync::Arc};

use serde_json::json;

use super::{payment, server};
use crate::{
    fixture::{Fixture, Payment, Shop},
    harness::{Harness, config},
};

#[test]
fn the_envelope_names_the_generation_and_headers_repeat_it() {
    let (harness, id) = server(config());
    let reply = harness.connect().get("/v1/stores/a");
    let document = reply.json();
    assert_eq!(document["generation"], id.as_str());
    assert_eq!(document["as_of"], "2018-03-05");
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("nightshard-generation"), Some(id.as_str()));
    assert_eq!(reply.header("nightshard-selection"), Some("1"));
    assert_eq!(
        document["data"],
        json!({
            "id": "a", "name": "Marks & Spencer", "merchant_id": null, "category": "food",
            "region": "leeds", "lat": null, "lon": null,
            "first_date": "2018-01-29", "last_date": "2018-03-05",
            "currency": "GBP", "currency_exponent": 2,
            "count": 5, "sum": 3500, "cards": 3, "available": ["statistics", "histogram", "unit_price", "comparison", "consumption_pattern", "best_time", "loyalty", "benchmark", "payment_mix", "demographics", "origins", "before_after", "settlements"],
        })
    );
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for target in ["/v1/stores/a", "/v1/stores/zzz", "/healthz"] {
        let full = client.get(target);
        let head = client.request("HEAD", target, &[], b"");
        assert_eq!(head.status, full.status);
        assert_eq!(
            head.header("content-length"),
            Some(&*full.body.len().to_string())
        );
        for name in ["etag", "content-type", "nightshard-generation"] {
            assert_eq!(head.header(name), full.header(name));
        }
    }
}

#[test]
fn what_a_client_has_already_is_not_sent_again() {
    let (harness, id) = server(config());
    let mut client = harness.connect();
    let target = "/v1/stores/a/statistics";
    let tag = client.get(target).header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let reply = client.request("GET", target, &[("if-none-match", &known)], b"");
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{known}");
        assert_eq!(reply.header("etag"), Some(&*tag));
        assert_eq!(reply.header("nightshard-generation"), Some(id.as_str()));
        assert_eq!(reply.header("nightshard-selection"), Some("1"));
    }
    let reply = client.request("GET", target, &[("if-none-match", "\"x\"")], b"");
    assert_eq!(reply.status, 200);
    // A tag is its own resource's: errors stay errors.
    for other in [
        "/v1/stores/zzz/statistics",
        "/v1/stores/a/statistics?bins=8",
    ] {
        let reply = client.request("GET", other, &[("if-none-match", &tag)], b"");
        assert!(reply.status >= 400, "{other}");
    }
}

#[test]
fn long_bodies_are_compressed_for_who_accepts_it() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let target = "/v1/stores/a/statistics?group_by=day&fill=zero";
    let plain = client.get(target);
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    let mut tags = vec![plain.header("etag").unwrap().to_owned()];
    for encoding in ["gzip", "zstd"] {
        let accepted = [("accept-encoding", encoding)];
        let reply = client.request("GET", target, &accepted, b"");
        assert_eq!(reply.header("content-encoding"), Some(encoding));
        assert!(reply.body.len() < plain.body.len() / 3);
        let mut body = Vec::new();
        match encoding {
            "gzip" => {
                flate2::read::GzDecoder::new(&reply.body[..])
                    .read_to_end(&mut body)
                    .unwrap();
            }
            _ => body = zstd::bulk::decompress(&reply.body, 1 << 20).unwrap(),
        }
        assert_eq!(body, plain.body);
        let tag = reply.header("etag").unwrap().to_owned();
        let again = [("accept-encoding", encoding), ("if-none-match", &*tag)];
        let reply = client.request("GET", target, &again, b"");
        assert_eq!((reply.status, reply.header("etag")), (304, Some(&*tag)));
        tags.push(tag);
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "each encoding has its own strong tag");
    let short = client.request("GET", "/v1/stores/a", &[("accept-encoding", "gzip")], b"");
    assert_eq!(short.header("content-encoding"), None);
}

#[test]
fn integers_are_exact_and_quoted_on_request() {
    let fixture = Arc::new(Fixture::new());
    let large = 100_000_000_000_000;
    let mut payments: Vec<Payment> = (0..100)
        .map(|card| payment(0, "2018-01-01", card, large))
        .collect();
    payments.push(payment(0, "2018-01-02", 1, 1));
    let id = fixture.write(&[Shop::new("x", "", "", "")], &payments);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let text = |reply: crate::client::Reply| String::from_utf8(reply.body).unwrap();
    let plain = text(client.get("/v1/stores/x/statistics?group_by=all"));
    assert!(plain.contains(r#""sum":10000000000000001,"#), "{plain}");
    let quoted = text(client.get("/v1/stores/x/statistics?group_by=all&numbers=string"));
    assert!(quoted.contains(r#""sum":"10000000000000001","#), "{quoted}");
    assert!(quoted.contains(r#""max":100000000000000,"#), "{quoted}");
    let body = br#"{"lookups": [{"path": "/v1/stores/x"}]}"#;
    let reply = client.request("POST", "/v1/batch?numbers=string", &[], body);
    assert!(text(reply).contains(r#""sum":"10000000000000001""#));
}
