//! Packed datasets over HTTP, in a generation without transactions.

use std::sync::Arc;

use nightshard_format::{manifest::GenerationId, shard::Samples};
use serde_json::json;

use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

const LONG: &[u8] = &[b'x'; 100_000];

/// A server of one packed dataset, under selection 1.
fn server(media_type: &str) -> (Harness, GenerationId) {
    server_of(media_type, None)
}

/// The same, with values that are compressed if there is a dictionary.
fn server_of(media_type: &str, dictionary: Option<&[u8]>) -> (Harness, GenerationId) {
    let fixture = Arc::new(Fixture::new());
    let table: [(&[u8], &[u8]); 7] = [
        (b"", b"of the empty key"),
        (b"a", b"{\"price\": 1.50}"),
        (b"a/b \xc3\xa9", b""),
        (b"\xff\0", b"of bytes"),
        (b"binary", b"\xff\xfe"),
        (b"text", b"not \"JSON\""),
        (b"long", LONG),
    ];
    let id = fixture.write_packed("prices", media_type, &table, dictionary);
    fixture.select(1, &id);
    (Harness::ready(config(), fixture, 1), id)
}

#[test]
fn values_are_answered_as_they_were_packed() {
    let mut samples = Samples::new();
    for pence in 0..1_000 {
        let price = format!(r#"{{"price": {pence}.50, "of bytes": "of the empty key"}}"#);
        samples.add(price.as_bytes());
    }
    let dictionary = samples.dictionary().unwrap().unwrap();
    for dictionary in [None, Some(&dictionary[..])] {
        assert_answered(server_of("text/x-price; charset=utf-8", dictionary));
    }
}

fn assert_answered((harness, id): (Harness, GenerationId)) {
    let mut client = harness.connect();
    for (path, expected) in [
        ("a", &b"{\"price\": 1.50}"[..]),
        ("", b"of the empty key"),
        ("a%2Fb%20%C3%A9", b""),
        ("%ff%00", b"of bytes"),
        ("binary", b"\xff\xfe"),
        ("long", LONG),
    ] {
        let target = format!("/v1/datasets/prices/{path}");
        let reply = client.get(&target);
        assert_eq!((reply.status, &reply.body[..]), (200, expected), "{path}");
        let media_type = "text/x-price; charset=utf-8";
        assert_eq!(reply.header("content-type"), Some(media_type));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(reply.header("nightshard-generation"), Some(id.as_str()));
        let etag = reply.header("etag").unwrap();

        let known = [("if-none-match", etag)];
        let unchanged = client.request("GET", &target, &known, b"");
        assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
        assert_eq!(unchanged.header("etag"), Some(etag));

        let head = client.request("HEAD", &target, &[], b"");
        assert_eq!((head.status, head.body.len()), (200, 0));
        let len = head.header("content-length").unwrap_or("0");
        assert_eq!(len, expected.len().to_string());

        let pinned = client.get(&format!("{target}?generation={id}"));
        assert_eq!(pinned.body, expected);
    }
}

#[test]
fn long_values_travel_compressed_to_who_wants_that() {
    let (harness, _) = server("text/plain");
    let accepts = [("accept-encoding", "zstd")];
    let target = "/v1/datasets/prices/long";
    let reply = harness.connect().request("GET", target, &accepts, b"");
    assert_eq!(reply.header("content-encoding"), Some("zstd"));
    assert!(reply.body.len() < LONG.len() / 10);
}

#[test]
fn what_there_is_not_is_a_problem() {
    let (harness, _) = server("text/plain");
    let mut client = harness.connect();
    for path in [
        "/v1/datasets/prices/missing",
        "/v1/datasets/others/a",
        "/v1/datasets/stores/a",
        "/v1/datasets/prices%2Fx/a",
        "/v1/datasets/prices",
        // A generation without transactions has none of their resources.
        "/v1/stores",
        "/v1/stores/a",
        "/v1/stores/a/statistics?group_by=all",
        "/v1/markets/all/histogram",
        "/v1/search?q=a",
        "/v1/info/regions",
    ] {
        assert_eq!(client.get(path).problem().0, 404, "{path}");
    }
    let unknown = client.get("/v1/datasets/prices/a?colour=red").problem();
    assert_eq!(unknown, (400, Some("colour".into())));
    let posted = client.request("POST", "/v1/datasets/prices/a", &[], b"x");
    assert_eq!(posted.problem().0, 405);
}

#[test]
fn a_generation_without_transactions_is_served_and_says_what_it_has() {
    let (harness, id) = server("text/plain");
    let mut client = harness.connect();
    assert_eq!(client.get("/readyz").status, 200);
    let metrics = client.get("/metrics").body;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("nightshard_generation_as_of_timestamp_seconds 1520208000"));
    let document = client.get("/v1/info/generation").json();
    assert_eq!(document["generation"], id.as_str());
    assert_eq!(document["as_of"], "2018-03-05");
    let data = &document["data"];
    assert_eq!(data["packed"]["prices"]["rows"]["used"], 7);
    assert_eq!(data.get("stores"), None);
}

#[test]
fn a_batch_has_json_as_json_text_as_text_and_bytes_in_base64() {
    let body = json!({ "lookups": [
        { "path": "/v1/datasets/prices/a" },
        { "path": "/v1/datasets/prices/text" },
        { "path": "/v1/datasets/prices/binary" },
        { "path": "/v1/datasets/prices/missing" },
        { "path": "/v1/stores/a" },
    ]});
    let body = serde_json::to_vec(&body).unwrap();
    let text = json!("{\"price\": 1.50}");
    for (media_type, first) in [
        ("application/json", json!({ "price": 1.5 })),
        ("Application/JSON; charset=utf-8", json!({ "price": 1.5 })),
        ("application/json-seq", text.clone()),
        ("text/plain", text),
    ] {
        let (harness, _) = server(media_type);
        let reply = harness.connect().request("POST", "/v1/batch", &[], &body);
        let rows = reply.data()["rows"].take();
        assert_eq!(rows[0], json!({ "status": 200, "data": first }));
        assert_eq!(rows[1]["data"], json!("not \"JSON\""));
        assert_eq!(rows[2]["data"], json!({ "base64": "//4=" }));
        assert_eq!(
            (&rows[3]["status"], &rows[4]["status"]),
            (&json!(404), &json!(404))
        );
    }
}
