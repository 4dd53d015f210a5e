//! Many lookups in one request.

use serde_json::{Value, json};

use super::server;
use crate::harness::config;

#[test]
fn a_batch_answers_each_lookup_in_order_from_one_generation() {
    let (harness, id) = server(config());
    let mut client = harness.connect();
    let paths = [
        "/v1/stores/a/statistics?group_by=all",
        "/v1/stores/zzz",
        "/v1/stores?limit=5000",
        "/v1/markets/all",
        "/healthz",
        "/nowhere",
        "/v1/stores/a?generation=x",
        "/v1/batch",
    ];
    let lookups: Vec<Value> = paths.iter().map(|path| json!({"path": path})).collect();
    let body = json!({"lookups": lookups}).to_string();
    let reply = client.request("POST", "/v1/batch", &[], body.as_bytes());
    assert_eq!(reply.json()["generation"], id.as_str());
    let data = reply.data();
    let rows = data["rows"].as_array().unwrap();
    let statuses: Vec<u64> = rows
        .iter()
        .map(|row| row["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 404, 400, 200, 404, 404, 400, 404]);
    assert_eq!(rows[0]["data"], client.get(paths[0]).data());
    assert_eq!(rows[3]["data"], client.get(paths[3]).data());
    assert_eq!(rows[2]["problem"]["parameter"], "limit");
    assert_eq!(rows[6]["problem"]["parameter"], "generation");
    assert!(rows[1].get("data").is_none() && rows[1]["problem"]["status"] == 404);
}

#[test]
fn batches_beyond_the_limits_or_of_another_shape_are_refused() {
    let (harness, _) = server(config());
    let batch = |body: &[u8]| harness.connect().request("POST", "/v1/batch", &[], body);
    for body in [
        &b"not json"[..],
        b"{}",
        br#"{"lookups": [{"path": 1}]}"#,
        br#"{"lookups": [{"url": "/v1/stores"}]}"#,
        br#"{"lookups": [], "more": 1}"#,
        br#"[[]]"#,
        br#"[["/v1/stores"]]"#,
        br#"{"lookups": [["/v1/stores"]]}"#,
        br#"{"lookups": [{}]}"#,
        b"",
    ] {
        let reply = batch(body);
        let text = String::from_utf8_lossy(body);
        assert_eq!(reply.problem(), (400, None), "{text}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(!detail.contains("struct "), "{text}: {detail}");
    }
    let lookups = |count| {
        let lookups = vec![json!({"path": "/v1/stores/a"}); count];
        json!({"lookups": lookups}).to_string().into_bytes()
    };
    assert_eq!(
        batch(&lookups(1_000)).data()["rows"]
            .as_array()
            .unwrap()
            .len(),
        1_000
    );
    assert_eq!(
        batch(&lookups(1_001)).problem(),
        (400, Some("lookups".into()))
    );
    assert_eq!(batch(br#"{"lookups": []}"#).data(), json!({"rows": []}));
}
