//! Protected answers of markets and places, against figures worked out by hand.

mod demographics;
mod mixes;
mod oracle;
mod patterns;

use std::sync::Arc;

use nightshard_format::{
    calendar::{Day, DayRange},
    manifest::{GenerationId, Manifest},
    privacy::PRIVACY_K_KEY,
    shard::MemoryPolicy,
};
use nightshard_server::{ServedGeneration, Source};
use serde_json::{Value, json};

use crate::{
    client::Client,
    fixture::{Atom, Fixture, Payment, Place, Shop},
    harness::{Harness, config},
};

const K: u64 = 3;
const LEEDS: Option<&str> = Some("leeds");
const YORK: Option<&str> = Some("york");
const FOOD: Option<&str> = Some("food");
const FUEL: Option<&str> = Some("fuel");

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn payment(store: usize, date: &str, card: u32, amount: i64) -> Payment {
    Payment {
        store,
        day: day(date),
        card,
        amount,
        half_hour: None,
        paid: None,
    }
}

/// Of hull nothing is told.
fn shops() -> [Shop; 4] {
    [
        Shop::new("a", "", "leeds", "food"),
        Shop::new("b", "", "leeds", "fuel"),
        Shop::new("c", "", "york", "food"),
        Shop::new("d", "", "hull", "fuel"),
    ]
}

fn payments() -> [Payment; 4] {
    [
        payment(0, "2017-12-20", 1, 100),
        payment(1, "2018-02-03", 1, -30),
        payment(2, "2018-03-02", 1, 30),
        payment(3, "2018-03-10", 1, 10),
    ]
}

fn atom(days: &str, (region, category): Place<'static>, cards: &[u32], rows: (u64, i128)) -> Atom {
    let (first, last) = days.split_once('/').unwrap();
    Atom {
        days: DayRange {
            first: day(first),
            last: day(last),
        },
        region,
        category,
        cards: cards.iter().copied().collect(),
        count: rows.0,
        sum: rows.1,
    }
}

fn atoms() -> Vec<Atom> {
    let food = (LEEDS, FOOD);
    vec![
        atom("2018-01-01/2018-01-20", food, &[1, 2, 3], (5, 500)),
        atom("2018-01-21/2018-01-31", food, &[2, 3, 4], (4, 1_000)),
        atom("2018-02-01/2018-02-02", food, &[1, 2, 8], (3, 300)),
        atom("2018-02-03/2018-02-03", food, &[1, 2, 3], (3, -30)),
        atom("2018-02-04/2018-02-28", food, &[2, 9, 10, 11], (5, 50)),
        atom(
            "2018-02-01/2018-02-28",
            (LEEDS, FUEL),
            &[1, 5, 6, 7],
            (5, 600),
        ),
        atom("2018-03-01/2018-03-08", (YORK, FOOD), &[1, 20, 21], (3, 90)),
        atom(
            "2018-01-01/2018-01-31",
            (None, None),
            &[30, 31, 32],
            (3, 33),
        ),
    ]
}

/// Returns stores that serve atoms of at least [`K`] cards.
pub(crate) fn fixture() -> Arc<Fixture> {
    let fixture = Arc::new(Fixture::new());
    let id = write(&fixture, K);
    fixture.select(1, &id);
    fixture
}

fn write(fixture: &Fixture, k: u64) -> GenerationId {
    fixture.write_protected(day("2018-03-10"), &shops(), &payments(), &atoms(), k, &[])
}

fn server() -> Harness {
    Harness::ready(config(), fixture(), 1)
}

/// A row without what is hidden of every row, and whether cards are hidden.
fn told(mut row: Value) -> Value {
    let members = row.as_object_mut().unwrap();
    let suppressed = members.remove("suppressed").unwrap();
    let mut hidden = vec!["min", "max", "std", "refund_count", "refund_sum"];
    if members["cards"].is_null() {
        hidden.insert(3, "cards");
    }
    assert_eq!(suppressed, json!(hidden));
    for name in hidden {
        assert_eq!(members.remove(name), Some(json!(null)), "{name}");
    }
    row
}

/// Asks for statistics; returns what is covered and the rows, of which nothing more is hidden than always.
fn statistics(client: &mut Client, path: &str) -> (Value, Vec<Value>) {
    let mut data = client.get(path).data();
    let Value::Array(rows) = data["rows"].take() else {
        panic!("{path}");
    };
    (data["covered"].take(), rows.into_iter().map(told).collect())
}

fn covered(first: &str, last: &str) -> Value {
    json!({"min_date": first, "max_date": last})
}

#[test]
fn months_of_the_market_are_sums_of_atoms() {
    let harness = server();
    let mut client = harness.connect();
    let (days, rows) = statistics(&mut client, "/v1/markets/all/statistics");
    assert_eq!(days, covered("2018-01-01", "2018-03-08"));
    // Seven and ten distinct cards are told as multiples of three, those of the only atom exactly.
    assert_eq!(
        rows,
        [
            json!({"period": "2018-01", "count": 12, "sum": 1533, "mean": 127.75, "cards": 6}),
            json!({"period": "2018-02", "count": 16, "sum": 920, "mean": 57.5, "cards": 9}),
            json!({"period": "2018-03", "partial": true, "count": 3, "sum": 90, "mean": 30.0, "cards": 3}),
        ]
    );
}

#[test]
fn atoms_count_where_all_their_days_are_asked_for() {
    let harness = server();
    let mut client = harness.connect();
    let food = "/v1/regions/leeds/categories/food";
    for (target, days, expected) in [
        // From the 21st on distinct cards are not told.
        (
            format!("{food}/statistics?group_by=all&min_date=2018-01-21&max_date=2018-02-03"),
            covered("2018-01-21", "2018-02-03"),
            vec![
                json!({"period": "2018-01-21/2018-02-03", "count": 10, "sum": 1270, "mean": 127.0}),
            ],
        ),
        (
            format!("{food}/statistics?group_by=all&min_date=2018-02-01&max_date=2018-02-10"),
            covered("2018-02-01", "2018-02-03"),
            vec![
                json!({"period": "2018-02-01/2018-02-10", "count": 6, "sum": 270, "mean": 45.0, "cards": 3}),
            ],
        ),
        (
            "/v1/regions/leeds/statistics?group_by=day".into(),
            covered("2018-02-03", "2018-02-03"),
            vec![
                json!({"period": "2018-02-03", "count": 3, "sum": -30, "mean": -10.0, "cards": 3}),
            ],
        ),
        (
            "/v1/categories/food/statistics?group_by=week".into(),
            covered("2018-02-01", "2018-02-03"),
            vec![json!({"period": "2018-W05", "count": 6, "sum": 270, "mean": 45.0})],
        ),
        (
            "/v1/categories/fuel/statistics?max_date=2018-02-27".into(),
            json!(null),
            vec![],
        ),
        ("/v1/regions/hull/statistics".into(), json!(null), vec![]),
    ] {
        let expected: Vec<Value> = expected;
        assert_eq!(
            statistics(&mut client, &target),
            (days, expected),
            "{target}"
        );
    }
    let data = client.get(&format!("{food}/statistics")).data();
    assert_eq!(
        (&data["id"], &data["region"]),
        (&json!("food"), &json!("leeds"))
    );
}

#[test]
fn periods_without_atoms_are_filled_with_nulls() {
    let harness = server();
    let data = harness
        .connect()
        .get("/v1/regions/york/statistics?fill=zero&min_date=2018-02-01")
        .data();
    assert_eq!(data["covered"], covered("2018-03-01", "2018-03-08"));
    assert_eq!(
        data["rows"][0],
        json!({"period": "2018-02", "count": null, "sum": null, "mean": null, "min": null,
               "max": null, "std": null, "cards": null, "refund_count": null, "refund_sum": null,
               "suppressed": ["count", "sum", "mean", "min", "max", "std", "cards",
                              "refund_count", "refund_sum"]})
    );
    assert_eq!(data["rows"][1]["count"], 3);
    assert_eq!(data["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn profiles_have_what_is_told_of_all_days() {
    let harness = server();
    let mut client = harness.connect();
    assert_eq!(
        client.get("/v1/regions/leeds/categories/fuel").data(),
        json!({
            "id": "fuel", "name": null, "merchant_id": null, "category": "fuel", "region": "leeds",
            "lat": null, "lon": null, "first_date": null, "last_date": null,
            "covered": covered("2018-02-01", "2018-02-28"), "currency": "GBP",
            "currency_exponent": 2, "count": 5, "sum": 600, "cards": 4,
            "available": ["statistics", "comparison", "consumption_pattern", "best_time", "payment_mix", "demographics"], "suppressed": ["first_date", "last_date"],
        })
    );
    let hull = client.get("/v1/regions/hull").data();
    assert_eq!(
        [&hull["covered"], &hull["count"], &hull["cards"]],
        [&json!(null); 3]
    );
    let hidden = ["first_date", "last_date", "count", "sum", "cards"];
    assert_eq!(hull["suppressed"], json!(hidden));
    let market = client.get("/v1/markets/all").data();
    // Sixteen cards in eight atoms.
    assert_eq!(
        [&market["count"], &market["sum"], &market["cards"]],
        [&json!(31), &json!(2543), &json!(15)]
    );
}

#[test]
fn comparisons_have_both_sides_and_the_growth_of_whole_months() {
    let harness = server();
    let mut client = harness.connect();
    let data = client
        .get("/v1/markets/all/comparison?period=2018-02")
        .data();
    assert_eq!(
        data["now"],
        json!({"period": "2018-02", "covered": covered("2018-02-01", "2018-02-28"), "count": 16, "sum": 920, "mean": 57.5, "sales_count": null, "sales_sum": null, "cards": 9,
               "visits": null, "suppressed": ["sales_count", "sales_sum", "visits"]})
    );
    assert_eq!(
        (&data["before"]["sum"], &data["before"]["cards"]),
        (&json!(1533), &json!(6))
    );
    let growth = data["growth"].as_f64().unwrap();
    assert!((growth - (920.0 / 28.0 / (1533.0 / 31.0) - 1.0)).abs() < 1e-12);
    assert_eq!(
        (&data["drivers"], &data["suppressed"]),
        (&json!(null), &json!(["drivers"]))
    );
    for target in [
        // Cut by the end of the data, by the range, and without a side.
        "/v1/markets/all/comparison?period=2018-03",
        "/v1/markets/all/comparison?min_date=2018-02-01&max_date=2018-02-27",
        "/v1/regions/leeds/comparison?period=2018-W05",
        "/v1/categories/fuel/comparison?period=2018-02",
    ] {
        let data = client.get(target).data();
        assert_eq!(data["growth"], json!(null), "{target}");
        assert_eq!(data["suppressed"], json!(["growth", "drivers"]), "{target}");
    }
    let data = client
        .get("/v1/categories/fuel/comparison?period=2018-02")
        .data();
    assert_eq!(
        data["before"],
        json!({"period": "2018-01", "covered": null, "count": null, "sum": null, "mean": null,
               "sales_count": null, "sales_sum": null, "cards": null, "visits": null,
               "suppressed": ["count", "sum", "mean", "sales_count", "sales_sum", "cards", "visits"]})
    );
}

#[test]
fn what_is_not_told_is_forbidden_once_the_question_is_right() {
    let harness = server();
    let mut client = harness.connect();
    let parts = [
        "histogram",
        "unit_price",
        "loyalty",
        "sales_by_day?series=rain",
    ];
    let places = [
        "markets/all",
        "regions/leeds",
        "categories/food",
        "regions/leeds/categories/food",
    ];
    let mut targets: Vec<String> = Vec::new();
    for place in places {
        targets.extend(parts.map(|part| format!("/v1/{place}/{part}")));
    }
    for target in targets {
        let reply = client.get(&target);
        assert_eq!(reply.problem(), (403, None), "{target}");
        let detail = reply.json()["detail"].take();
        assert!(
            detail.as_str().unwrap().contains("privacy.k is 3"),
            "{detail}"
        );
    }
    for (target, status, parameter) in [
        ("/v1/regions/leeds/histogram?bins=1", 400, Some("bins")),
        ("/v1/regions/leeds/loyalty?colour=red", 400, Some("colour")),
        (
            "/v1/regions/leeds/statistics?group_by=hour",
            400,
            Some("group_by"),
        ),
        ("/v1/regions/leeds/comparison", 400, Some("period")),
        ("/v1/regions/leeds/best_time", 400, Some("period")),
        (
            "/v1/regions/leeds/sales_by_day?series=sun",
            404,
            Some("series"),
        ),
        ("/v1/regions/bath/histogram", 404, None),
        ("/v1/regions/bath", 404, None),
        ("/v1/regions/york/categories/fuel/statistics", 404, None),
        ("/v1/markets/some/statistics", 404, None),
        ("/v1/markets/some/loyalty", 404, None),
        ("/v1/tiles/1/2/payment_mix", 404, None),
        ("/v1/regions/bath/payment_mix", 404, None),
        ("/v1/merchants/m/demographics", 404, None),
        ("/v1/regions/leeds/origins", 404, None),
        ("/v1/regions/leeds/before_after", 404, None),
    ] {
        let parameter = parameter.map(str::to_owned);
        assert_eq!(
            client.get(target).problem(),
            (status, parameter),
            "{target}"
        );
    }
}

#[test]
fn lists_have_what_is_told_and_places_without_atoms_last() {
    let harness = server();
    let mut client = harness.connect();
    let hidden = json!(["count", "sum"]);
    let data = client.get("/v1/regions").data();
    assert_eq!(
        data["rows"],
        json!([
            {"id": "leeds", "stores": 2, "count": 25, "sum": 2420},
            {"id": "york", "stores": 1, "count": 3, "sum": 90},
            {"id": "hull", "stores": 1, "count": null, "sum": null, "suppressed": hidden},
        ])
    );
    let data = client.get("/v1/categories?rank_by=amount&limit=1").data();
    assert_eq!(
        data["rows"],
        json!([{"id": "food", "stores": 2, "count": 23, "sum": 1910}])
    );
    assert!(data["next"].is_string());
    let data = client.get("/v1/regions/hull/categories").data();
    assert_eq!(data["rows"][0]["suppressed"], hidden);
    assert_eq!(
        client.get("/v1/regions/bath/categories").problem(),
        (404, None)
    );
}

#[test]
fn stores_are_their_own_books() {
    let harness = server();
    let mut client = harness.connect();
    let data = client.get("/v1/stores/b/statistics").data();
    assert_eq!(
        data["rows"],
        json!([{"period": "2018-02", "count": 1, "sum": -30, "mean": -30.0, "min": -30, "max": -30,
                "std": 0.0, "cards": 1, "refund_count": 1, "refund_sum": -30}])
    );
    assert!(data.get("covered").is_none());
    assert_eq!(client.get("/v1/stores/b/histogram?of=all").status, 200);
    assert_eq!(
        client.get("/v1/search?q=leeds").data()["rows"][0]["kind"],
        "region"
    );
}

#[test]
fn batches_and_entity_tags_are_those_of_other_answers() {
    let harness = server();
    let mut client = harness.connect();
    let paths = [
        "/v1/markets/all/statistics?group_by=quarter",
        "/v1/regions/leeds/histogram",
        "/v1/regions/leeds/comparison?period=2018-Q1",
        "/v1/categories",
    ];
    let lookups: Vec<Value> = paths.iter().map(|path| json!({"path": path})).collect();
    let body = json!({"lookups": lookups}).to_string();
    let data = client
        .request("POST", "/v1/batch", &[], body.as_bytes())
        .data();
    for (row, (path, status)) in data["rows"]
        .as_array()
        .unwrap()
        .iter()
        .zip(paths.into_iter().zip([200, 403, 200, 200]))
    {
        assert_eq!(row["status"], status, "{path}");
        if status == 200 {
            assert_eq!(row["data"], client.get(path).data());
        }
    }
    let tag = client.get(paths[0]).header("etag").unwrap().to_owned();
    let reply = client.request("GET", paths[0], &[("if-none-match", &tag)], b"");
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    let data = client.get("/v1/info/generation").data();
    assert_eq!(data["privacy"], json!({"k": K}));
}

/// Opens a generation for being served; returns what is missing, or nothing.
fn problem_of(fixture: &Fixture, id: &GenerationId) -> String {
    let generation = fixture.open(id).unwrap();
    let served = ServedGeneration::new(generation, MemoryPolicy::default());
    served.map_or_else(|error| error.to_string(), |_whole| String::new())
}

#[test]
fn generations_without_all_their_atoms_are_not_served() {
    let fixture = Fixture::new();
    let id = write(&fixture, K);
    assert_eq!(problem_of(&fixture, &id), "");
    let lacking = fixture.lacking_one(&id);
    let mut of_atoms = 0;
    for (shard, id) in lacking {
        if shard.dataset == "atoms" {
            of_atoms += 1;
            assert_ne!(problem_of(&fixture, &id), "", "{shard:?}");
        }
    }
    assert!(of_atoms > 3);
}

#[test]
fn what_is_kept_of_places_is_what_the_configuration_says() {
    let fixture = Fixture::new();
    let protected = fixture.manifest(&write(&fixture, K));
    let open = fixture.manifest(&fixture.write(&shops(), &payments()));
    let with_k = |manifest: &Manifest, k: Value| {
        let mut manifest = manifest.clone();
        manifest.configuration.insert(PRIVACY_K_KEY.to_owned(), k);
        problem_of(&fixture, &fixture.put(manifest))
    };
    let mut both = protected.clone();
    let regions = open.shards_of("regions");
    both.shards.extend(regions.cloned());
    both.shards.sort();
    for (problem, expected) in [
        (with_k(&open, json!(1)), ""),
        (with_k(&open, json!(2)), "shards of markets, not 0"),
        (with_k(&protected, json!(1)), "shards of atoms, not 0"),
        (with_k(&both, json!(K)), "shards of regions, not 0"),
        (with_k(&protected, json!(0)), "its privacy.k is none"),
        (with_k(&protected, json!("3")), "its privacy.k is none"),
    ] {
        match expected {
            "" => assert_eq!(problem, ""),
            _ => assert!(problem.contains(expected), "{problem:?}"),
        }
    }
}
