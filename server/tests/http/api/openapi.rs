//! What the interface is, for programs and for people.

use std::sync::Arc;

use serde_json::Value;

use super::server;
use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

#[test]
fn the_document_and_its_page_need_no_generation() {
    let harness = Harness::start(config(), Arc::new(Fixture::new()));
    let mut client = harness.connect();
    let document = client.get("/openapi.json");
    assert_eq!(document.status, 200);
    assert_eq!(document.header("content-type"), Some("application/json"));
    assert_eq!(document.header("nightshard-generation"), None);
    assert_eq!(document.json()["openapi"], "3.1.0");
    let page = client.get("/docs");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert_eq!(document.header("content-security-policy"), None);
}

#[test]
fn the_document_is_sent_once_in_the_encoding_that_a_client_likes() {
    let (harness, id) = server(config());
    let mut client = harness.connect();
    for path in ["/openapi.json", "/docs"] {
        let plain = client.get(path);
        assert_eq!(plain.header("nightshard-generation"), Some(id.as_str()));
        assert_eq!(plain.header("content-encoding"), None);
        let mut tags = vec![plain.header("etag").unwrap().to_owned()];
        for encoding in ["gzip", "zstd"] {
            let accept = [("accept-encoding", encoding)];
            let encoded = client.request("GET", path, &accept, b"");
            assert_eq!(encoded.header("content-encoding"), Some(encoding));
            assert!(encoded.body.len() < plain.body.len() / 3 * 2);
            tags.push(encoded.header("etag").unwrap().to_owned());
        }
        for tag in &tags {
            let reply = client.request("GET", path, &[("if-none-match", tag)], b"");
            assert_eq!((reply.status, &*reply.body), (304, &b""[..]));
            assert_eq!(reply.header("etag"), Some(&**tag));
        }
        let head = client.request("HEAD", path, &[], b"");
        let length = plain.body.len().to_string();
        assert_eq!(head.header("content-length"), Some(&*length));
    }
}

#[test]
fn the_page_asks_nobody_but_its_server() {
    let (harness, _) = server(config());
    let page = String::from_utf8(harness.connect().get("/docs").body).unwrap();
    assert!(page.contains("fetch(\"openapi.json\")"));
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_document_has_an_example_of_every_path() {
    let (harness, _) = server(config());
    let document = harness.connect().get("/openapi.json").json();
    let of_paths = document["paths"].as_object().unwrap().values();
    for item in of_paths.filter_map(Value::as_object) {
        for operation in item.values() {
            assert!(operation["x-example"].is_string(), "{operation}");
        }
    }
}
