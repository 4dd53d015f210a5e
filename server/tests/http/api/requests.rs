//! Requests that are wrong, or unusual, and what they are told.

use super::server;
use crate::harness::config;

#[test]
fn wrong_requests_are_told_what_is_wrong() {
    let (harness, id) = server(config());
    let mut client = harness.connect();
    for (target, status, parameter) in [
        ("/v1/stores/zzz", 404, None),
        ("/v1/stores/", 404, None),
        ("/v1/stores/%ff", 404, None),
        ("/v1/markets/food", 404, None),
        ("/v1/stores/a/", 404, None),
        ("/v1/nothing", 404, None),
        ("/", 404, None),
        ("/v1/stores/a?colour=red", 400, Some("colour")),
        (
            "/v1/stores/a/statistics?group_by=month&group_by=day",
            400,
            Some("group_by"),
        ),
        (
            "/v1/stores/a/statistics?group_by=decade",
            400,
            Some("group_by"),
        ),
        ("/v1/stores/a/statistics?group_by=", 400, Some("group_by")),
        ("/v1/stores/a/statistics?fill=one", 400, Some("fill")),
        (
            "/v1/stores/a/statistics?min_date=2018-02-30",
            400,
            Some("min_date"),
        ),
        (
            "/v1/stores/a/statistics?max_date=tomorrow",
            400,
            Some("max_date"),
        ),
        (
            "/v1/stores/a/statistics?min_date=2018-02-02&max_date=2018-02-01",
            400,
            Some("min_date"),
        ),
        (
            "/v1/stores/zzz/statistics?min_date=x",
            400,
            Some("min_date"),
        ),
        ("/v1/stores/a/statistics?limit=5", 400, Some("limit")),
        (
            "/v1/stores/a/statistics?numbers=roman",
            400,
            Some("numbers"),
        ),
        (
            "/v1/stores/a/statistics?min_date=2500-01-01",
            400,
            Some("min_date"),
        ),
        (
            "/v1/stores/a/settlements?max_date=9999-12-31",
            400,
            Some("max_date"),
        ),
        ("/v1/stores/a/histogram?period=9999", 400, Some("period")),
        ("/v1/stores/a/benchmark?period=0001", 400, Some("period")),
        (
            "/v1/unit_price?date=0001-01-01&window=trailing_7d",
            400,
            Some("date"),
        ),
        (
            "/v1/stores/a/unit_price?min_date=0001-01-01",
            400,
            Some("min_date"),
        ),
        ("/v1/stores/a/histogram?bins=1", 400, Some("bins")),
        ("/v1/stores/a/histogram?bins=65", 400, Some("bins")),
        ("/v1/stores/a/histogram?of=gifts", 400, Some("of")),
        ("/v1/stores/a/histogram?period=2018-13", 400, Some("period")),
        (
            "/v1/stores/a/histogram?period=2018&min_date=2018-01-01",
            400,
            Some("period"),
        ),
        ("/v1/stores?limit=1001", 400, Some("limit")),
        ("/v1/stores?limit=0", 400, Some("limit")),
        ("/v1/stores?rank_by=age", 400, Some("rank_by")),
        (
            "/v1/stores?rank_by=growth&against=week",
            400,
            Some("against"),
        ),
        (
            "/v1/stores?rank_by=amount&against=year",
            400,
            Some("against"),
        ),
        ("/v1/regions?against=previous", 400, Some("against")),
        ("/v1/stores?region=atlantis", 404, Some("region")),
        (
            "/v1/stores?region=leeds&category=magic",
            404,
            Some("category"),
        ),
        ("/v1/stores?cursor=0", 400, Some("cursor")),
        ("/v1/search", 400, Some("q")),
        ("/v1/search?q=", 400, Some("q")),
        ("/v1/search?q=a&kind=person", 400, Some("kind")),
        ("/v1/info/generation?limit=3", 400, Some("limit")),
        (
            "/v1/stores/a?generation=2018-03-05-000000000000",
            404,
            Some("generation"),
        ),
        ("/v1/stores/a?generation=x", 404, Some("generation")),
        ("/healthz?verbose=1", 400, Some("verbose")),
        ("/readyz?x=1&x=1", 400, Some("x")),
        ("/metrics?name=a", 400, Some("name")),
        ("/openapi.json?version=3", 400, Some("version")),
    ] {
        let reply = client.get(target);
        assert_eq!(
            reply.problem(),
            (status, parameter.map(str::to_owned)),
            "{target}"
        );
        assert_eq!(
            reply.header("nightshard-generation"),
            Some(id.as_str()),
            "{target}"
        );
        assert_eq!(reply.header("nightshard-selection"), Some("1"), "{target}");
        assert_eq!(reply.header("etag"), None);
    }
}

#[test]
fn requests_for_another_host_are_refused() {
    let (harness, _) = server(config());
    let status = |head: &str| {
        let mut client = harness.connect();
        client.send(head.as_bytes());
        client.read(false).status
    };
    for (head, expected) in [
        (
            "GET /v1/stores/a HTTP/1.1\r\nhost: LocalHost:1\r\n\r\n",
            200,
        ),
        ("GET /v1/stores/a HTTP/1.1\r\nhost: [::1]:1\r\n\r\n", 200),
        (
            "GET http://127.0.0.1/v1/stores/a HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
            200,
        ),
        ("GET /v1/stores/a HTTP/1.0\r\n\r\n", 200),
        (
            "GET /v1/stores/a HTTP/1.1\r\nhost: evil.example\r\n\r\n",
            421,
        ),
        (
            "GET /metrics HTTP/1.1\r\nhost: evil.example:80\r\n\r\n",
            421,
        ),
        (
            "GET /v1/stores/a HTTP/1.0\r\nhost: evil.example\r\n\r\n",
            421,
        ),
        (
            "GET http://evil.example/v1/stores/a HTTP/1.1\r\nhost: localhost\r\n\r\n",
            421,
        ),
        ("GET /v1/stores/a HTTP/1.1\r\n\r\n", 400),
        (
            "GET /v1/stores/a HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n",
            400,
        ),
    ] {
        assert_eq!(status(head), expected, "{head}");
    }
}

#[test]
fn methods_that_a_resource_has_not_are_refused_with_those_it_has() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (method, target, allow) in [
        ("POST", "/v1/stores/a", "GET, HEAD"),
        ("DELETE", "/v1/stores", "GET, HEAD"),
        ("OPTIONS", "/v1/stores", "GET, HEAD"),
        ("GET", "/v1/batch", "POST"),
        ("PUT", "/healthz", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
    ] {
        let reply = client.request(method, target, &[], b"");
        assert_eq!(reply.problem(), (405, None), "{method} {target}");
        assert_eq!(reply.header("allow"), Some(allow));
    }
}

#[test]
fn ids_are_decoded_after_the_path_is_split() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/b%2F1%20%C3%A9").data();
    assert_eq!(data["name"], "Café Noir");
    let data = client
        .get("/v1/stores/b%2f1%20%c3%a9/statistics?group_by=all")
        .data();
    assert_eq!(data["id"], "b/1 é");
    assert_eq!(client.get("/v1/stores/b/1%20%C3%A9").status, 404);
}
