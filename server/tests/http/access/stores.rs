//! Which stores a token covers: one by one, in lists and in search.

use serde_json::{Value, json};

use super::Guarded;

/// Returns the ids of the rows of a list.
fn ids(data: &Value) -> Vec<String> {
    let rows = data["rows"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_store_that_is_not_covered_answers_like_one_that_there_is_not() {
    let guarded = Guarded::start(10);
    for scope in ["store:a", "merchant:m"] {
        for part in [
            "",
            "/statistics",
            "/statistics?group_by=hour",
            "/histogram",
            "/unit_price",
            "/loyalty",
            "/payment_mix",
            "/demographics",
            "/origins",
            "/before_after",
            "/settlements",
            "/nothing",
        ] {
            for (method, headers) in [
                ("GET", &[][..]),
                ("HEAD", &[]),
                ("POST", &[]),
                ("GET", &[("if-none-match", "*")]),
                ("GET", &[("accept-encoding", "gzip")]),
            ] {
                let [covered_not, unknown] = ["c", "d"].map(|id| {
                    guarded.ask(
                        scope,
                        method,
                        &format!("/v1/stores/{id}{part}"),
                        headers,
                        b"",
                    )
                });
                assert_eq!(covered_not.status, unknown.status, "{scope} {part}");
                assert_ne!(unknown.status, 200);
                assert_eq!(covered_not.headers(), unknown.headers(), "{scope} {part}");
                let text = |body: &[u8]| String::from_utf8_lossy(body).replace("/c/", "/d/");
                assert_eq!(
                    text(&covered_not.body),
                    text(&unknown.body),
                    "{scope} {part}"
                );
            }
        }
    }
}

#[test]
fn a_scope_of_nothing_that_there_is_covers_nothing() {
    let guarded = Guarded::start(10);
    for scope in ["store:nobody", "merchant:nobody", "merchant:a"] {
        assert_eq!(guarded.get(scope, "/v1/stores/a").status, 404, "{scope}");
        let list = guarded.get(scope, "/v1/stores").data();
        assert_eq!((&list["total"], &list["rows"]), (&json!(0), &json!([])));
    }
}

#[test]
fn lists_have_what_is_covered_and_count_no_more() {
    let guarded = Guarded::start(10);
    for (scope, target, expected) in [
        ("store:a", "/v1/stores", &["a"][..]),
        ("store:c", "/v1/stores", &["c"]),
        ("store:c", "/v1/stores?region=leeds", &[]),
        ("merchant:m", "/v1/stores", &["a", "b/1 é"]),
        ("merchant:m", "/v1/stores?rank_by=amount", &["b/1 é", "a"]),
        ("merchant:m", "/v1/stores?category=food", &["a"]),
        ("merchant:n", "/v1/stores", &["c"]),
        ("store:a", "/v1/unit_price", &["a"]),
        ("merchant:m", "/v1/unit_price", &["a", "b/1 é"]),
        ("analyst", "/v1/stores", &["a", "c", "b/1 é"]),
    ] {
        let list = guarded.get(scope, target).data();
        assert_eq!(ids(&list), expected, "{scope} {target}");
        assert_eq!(list["total"], expected.len(), "{scope} {target}");
        assert_eq!(list.get("next"), None);
    }
}

#[test]
fn search_finds_what_is_covered() {
    let guarded = Guarded::start(10);
    let search = |guarded: &Guarded, scope: &str, query: &str| {
        ids(&guarded.get(scope, &format!("/v1/search?q={query}")).data())
    };
    for (scope, query, expected) in [
        ("analyst", "c", &["b/1 é", "c"][..]),
        ("app", "c", &["b/1 é", "c"]),
        ("store:c", "c", &["c"]),
        ("store:a", "c", &[]),
        ("merchant:m", "c", &["b/1 é"]),
        ("analyst", "leeds", &["leeds"]),
        ("app", "leeds", &["leeds"]),
        ("store:a", "leeds", &[]),
        ("merchant:m", "leeds", &[]),
    ] {
        assert_eq!(search(&guarded, scope, query), expected, "{scope} {query}");
    }
    let open = Guarded::start(1);
    assert_eq!(search(&open, "store:a", "leeds"), ["leeds"]);
    assert_eq!(search(&open, "store:a", "c"), [""; 0]);
}

#[test]
fn a_cursor_goes_on_under_its_own_scope_only() {
    let guarded = Guarded::start(10);
    let page = |scope: &str, query: &str| guarded.get(scope, &format!("/v1/stores?{query}"));
    let next = |scope: &str| {
        let first = page(scope, "limit=1").data();
        first["next"].as_str().unwrap().to_owned()
    };
    for (scope, expected) in [
        ("merchant:m", &["b/1 é"][..]),
        ("app", &["b/1 é", "c"]),
        ("analyst", &["c", "b/1 é"]),
    ] {
        let cursor = next(scope);
        let query = format!("cursor={cursor}");
        assert_eq!(ids(&page(scope, &query).data()), expected);
        for other in ["merchant:m", "merchant:n", "store:a", "app", "analyst"] {
            if other != scope {
                let reply = page(other, &query);
                assert_eq!(reply.problem(), (400, Some("cursor".into())), "{other}");
            }
        }
    }
}
