//! Every resource under every scope.

use super::Guarded;

/// The scopes of the columns below.
const SCOPES: [&str; 6] = [
    "store:a",
    "merchant:m",
    "app",
    "analyst",
    "customer",
    "admin",
];

/// Nothing that has data is for them.
const NEITHER: [u16; 2] = [403, 403];

/// A row: the path, what store, merchant, app and analyst are answered while figures are hidden, and
/// what they are where nothing is.
type Row = (String, [u16; 4], [u16; 4]);

/// What a store has, and places have not.
const BENCHMARK: &str = "benchmark?period=2018-02";
const OF_STORES: [&str; 4] = ["origins", "before_after", "settlements", BENCHMARK];

/// What tells a store of its customers and of other stores.
const OF_OTHERS: [&str; 4] = ["demographics", "origins", "before_after", BENCHMARK];

/// A customer, of whom this server holds none.
const CUSTOMER: &str = "/v1/customers/00112233445566778899aabbccddeeff";

/// Returns all paths of a store or place under `base`, with their queries; `without` it has not.
fn parts(base: &str, without: &[&str]) -> Vec<String> {
    let all = [
        "statistics",
        "histogram",
        "unit_price",
        "comparison?period=2018-02",
        "consumption_pattern",
        "best_time",
        "loyalty",
        BENCHMARK,
        "payment_mix",
        "demographics",
        "origins",
        "before_after",
        "settlements",
        "sales_by_day?series=rain",
    ];
    let has = |part: &&str| !without.contains(part);
    let parts = all.into_iter().filter(has);
    parts.map(|part| format!("{base}/{part}")).collect()
}

fn table() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut put = |paths: &[&str], hiding, open| {
        rows.extend(paths.iter().map(|path| ((*path).to_owned(), hiding, open)));
    };
    let [all, none] = [[200; 4], [404; 4]];
    put(
        &[
            "/v1/stores/a",
            "/v1/stores",
            "/v1/stores?limit=1",
            "/v1/stores?format=geojson",
            "/v1/search?q=ma",
            "/v1/series",
            "/v1/info/generation",
            "/v1/info/regions",
            "/v1/info/categories",
        ],
        all,
        all,
    );
    let app_not = [200, 200, 403, 200];
    put(
        &["/v1/stores?rank_by=amount", "/v1/unit_price"],
        app_not,
        all,
    );
    put(
        &["/v1/stores/b%2F1%20%C3%A9"],
        [404, 200, 200, 200],
        [404, 200, 200, 200],
    );
    put(
        &["/v1/stores/c"],
        [404, 404, 200, 200],
        [404, 404, 200, 200],
    );
    // Its books are a merchant's own, and those of one store are the store's.
    put(&["/v1/merchants"], app_not, all);
    put(
        &["/v1/merchants/m"],
        [404, 200, 403, 200],
        [404, 200, 200, 200],
    );
    put(&["/v1/merchants/n"], [404, 404, 403, 404], none);
    put(&["/v1/stores/nobody"], none, none);
    put(&["/v1/nothing"], none, none);
    put(&[CUSTOMER], [403; 4], [403; 4]);
    let market = [403, 403, 403, 200];
    put(
        &[
            "/v1/regions",
            "/v1/categories",
            "/v1/regions/leeds/categories",
            "/v1/regions/leeds",
            "/v1/categories/food",
            "/v1/regions/leeds/categories/food",
            "/v1/markets/all",
            "/v1/tiles",
            "/v1/tiles?bbox=-2,53,-1,54&format=geojson",
            "/v1/regions?format=geojson",
            "/v1/regions?parent=",
        ],
        market,
        all,
    );
    // There are none here: only who may ask is told so.
    put(
        &[
            "/v1/datasets/prices/a",
            "/v1/info/quality",
            "/v1/regions/rome",
            "/v1/tiles/11951/46900",
        ],
        [403, 403, 403, 404],
        none,
    );
    for (base, hiding, open) in [
        ("/v1/stores/a", app_not, all),
        ("/v1/stores/c", [404, 404, 403, 200], [404, 404, 200, 200]),
        ("/v1/stores/nobody", [404, 404, 403, 404], none),
    ] {
        let paths = parts(base, &OF_OTHERS);
        rows.extend(paths.into_iter().map(|path| (path, hiding, open)));
    }
    // This generation hides fewer cards than the server asks for.
    let of_others = OF_OTHERS.map(|part| format!("/v1/stores/a/{part}"));
    rows.extend(of_others.map(|path| (path, market, all)));
    for (base, without) in [
        ("/v1/regions/leeds", &OF_STORES[..]),
        ("/v1/categories/food", &OF_STORES),
        ("/v1/regions/leeds/categories/food", &OF_STORES),
        ("/v1/markets/all", &OF_STORES),
    ] {
        let paths = parts(base, without);
        rows.extend(paths.into_iter().map(|path| (path, market, all)));
    }
    let not_of_merchants = [&OF_OTHERS[..], &["settlements"]].concat();
    let of_merchant = parts("/v1/merchants/m", &not_of_merchants).into_iter();
    rows.extend(of_merchant.map(|path| (path, [404, 200, 403, 200], [404, 200, 200, 200])));
    rows
}

/// Checks a table of statuses for all scopes.
fn check(guarded: &Guarded, path: &str, expected: [u16; 4]) {
    // What there is not at all is 404 for everybody.
    let others = match path {
        "/v1/nothing" => [404; 2],
        CUSTOMER => [404, 403],
        _ => NEITHER,
    };
    let expected = expected.into_iter().chain(others);
    for (scope, status) in SCOPES.into_iter().zip(expected) {
        let reply = guarded.get(scope, path);
        assert_eq!(reply.status, status, "{scope} {path}");
        assert!(reply.header("nightshard-generation").is_some());
        if status != 200 {
            assert_eq!(reply.problem().0, status);
        }
        if status == 403 {
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            let kind = scope.split(':').next().unwrap();
            let exact = format!("the scope {kind} may not see exact figures");
            let other = format!("the scope {kind} may not ask this");
            let has_data = !["customer", "admin"].contains(&kind);
            let no_customers =
                format!("the scope {kind} may not see customers: a token of customers is needed");
            let expected = match has_data {
                _ if path == CUSTOMER => no_customers,
                true => exact,
                false => other,
            };
            assert_eq!(detail, expected, "{path}");
        }
        let head = guarded.ask(scope, "HEAD", path, &[], b"");
        assert_eq!((head.status, &*head.body), (status, &b""[..]));
    }
    let nobody = guarded.harness.connect().get(path);
    assert_eq!(nobody.status, 401, "{path}");
}

#[test]
fn every_resource_is_answered_as_its_scope_may_see_it() {
    let guarded = Guarded::start(10);
    for (path, hiding, _) in table() {
        check(&guarded, &path, hiding);
    }
}

#[test]
fn where_nothing_is_hidden_only_coverage_counts() {
    let guarded = Guarded::start(1);
    for (path, _, open) in table() {
        check(&guarded, &path, open);
    }
}

#[test]
fn an_app_sees_who_stores_are_and_none_of_their_figures() {
    let guarded = Guarded::start(10);
    let profile = guarded.get("app", "/v1/stores/a").data();
    assert_eq!(profile["name"], "Marks & Spencer");
    let hidden = ["first_date", "last_date", "count", "sum", "cards"];
    assert_eq!(profile["suppressed"], serde_json::json!(hidden));
    for name in hidden {
        assert_eq!(profile[name], serde_json::Value::Null, "{name}");
    }
    assert_eq!(profile["available"], serde_json::json!([]));
    let list = guarded.get("app", "/v1/stores").data();
    assert_eq!(list["rank_by"], serde_json::Value::Null);
    let rows = list["rows"].as_array().unwrap();
    let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    assert_eq!(ids, ["a", "b/1 é", "c"]);
    for row in rows {
        assert_eq!(row["suppressed"], serde_json::json!(["count", "sum"]));
        assert!(row["count"].is_null() && row["sum"].is_null(), "{row}");
    }
    let open = Guarded::start(1).get("app", "/v1/stores/a").data();
    assert_eq!((&open["count"], &open["sum"]), (&3.into(), &2_000.into()));
    assert_eq!(open.get("suppressed"), None);
}

#[test]
fn how_many_rows_there_are_is_told_to_analysts() {
    for (k, is_hidden) in [(10, true), (1, false)] {
        let guarded = Guarded::start(k);
        for scope in ["store:a", "merchant:m", "app"] {
            let data = guarded.get(scope, "/v1/info/generation").data();
            assert_eq!(data["rows"].is_null(), is_hidden, "{scope} {k}");
            assert_eq!(data.get("suppressed").is_some(), is_hidden, "{scope} {k}");
        }
        let data = guarded.get("analyst", "/v1/info/generation").data();
        assert!(data["rows"]["used"].is_u64());
    }
}

#[test]
fn each_lookup_of_a_batch_is_answered_as_it_would_be_alone() {
    let guarded = Guarded::start(10);
    let rows: Vec<_> = table()
        .into_iter()
        // A batch says nothing of the server.
        .filter(|(path, ..)| path.starts_with("/v1/"))
        .collect();
    let lookups: Vec<_> = rows
        .iter()
        .map(|(path, ..)| serde_json::json!({ "path": path }))
        .collect();
    let body = serde_json::json!({ "lookups": lookups }).to_string();
    for (column, scope) in SCOPES.into_iter().enumerate() {
        let reply = guarded.ask(scope, "POST", "/v1/batch", &[], body.as_bytes());
        let answers = reply.data()["rows"].take();
        for ((path, hiding, _), answer) in rows.iter().zip(answers.as_array().unwrap()) {
            let alone = guarded.get(scope, path);
            assert_eq!(answer["status"], alone.status, "{scope} {path}");
            if let Some(expected) = hiding.get(column) {
                assert_eq!(answer["status"], *expected, "{scope} {path}");
            }
            let (member, alone) = match alone.status {
                200 => ("data", alone.data()),
                _ => ("problem", alone.json()),
            };
            // Each says for itself where its list goes on.
            assert_eq!(answer[member], alone, "{scope} {path}");
        }
    }
    let nobody = guarded
        .harness
        .connect()
        .request("POST", "/v1/batch", &[], body.as_bytes());
    assert_eq!(nobody.problem(), (401, None));
}
