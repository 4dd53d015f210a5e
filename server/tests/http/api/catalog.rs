//! Lists of stores, and what a generation says of itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{day, payment, payments, server, shops};
use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

#[test]
fn stores_are_ranked_filtered_and_paged() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let ids = |data: &Value| -> Vec<String> {
        let rows = data["rows"].as_array().unwrap().iter();
        rows.map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, expected) in [
        ("", &["a", "c", "b/1 é"][..]),
        ("?rank_by=amount", &["b/1 é", "a", "c"]),
        ("?region=leeds&rank_by=transactions", &["a", "b/1 é"]),
        ("?category=food", &["a", "c"]),
        ("?category=food&region=york", &["c"]),
        ("?category=fuel&region=york", &[]),
    ] {
        let data = client.get(&format!("/v1/stores{query}")).data();
        assert_eq!(ids(&data), expected, "{query}");
        assert!(data.get("next").is_none());
    }
    let first = client.get("/v1/stores?limit=2").data();
    assert_eq!(ids(&first), ["a", "c"]);
    assert_eq!(
        first["rows"][0],
        json!({"id": "a", "name": "Marks & Spencer", "region": "leeds", "category": "food",
               "count": 5, "sum": 3500})
    );
    let next = first["next"].as_str().unwrap();
    let second = client
        .get(&format!("/v1/stores?limit=2&cursor={next}"))
        .data();
    assert_eq!(ids(&second), ["b/1 é"]);
    assert!(second.get("next").is_none());
    let other = client.get(&format!("/v1/stores?rank_by=amount&cursor={next}"));
    assert_eq!(other.problem(), (400, Some("cursor".into())));
}

/// Stores of two regions that sold on Mondays of March and April 2018, of which March has four and April
/// five, and of April 2017.
fn grown() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let payments = [
        payment(1, "2017-04-03", 1, 500),
        payment(0, "2018-03-05", 1, 400),
        payment(1, "2018-03-12", 1, 400),
        payment(0, "2018-04-02", 1, 1_000),
        payment(1, "2018-04-09", 2, 250),
        payment(2, "2018-04-30", 2, 70),
        payment(2, "2018-05-30", 2, 9_999),
    ];
    let id = fixture.write(&shops(), &payments);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

#[test]
fn stores_and_places_are_ranked_by_growth() {
    let harness = grown();
    let mut client = harness.connect();
    let data = client.get("/v1/stores?rank_by=growth").data();
    let head = |data: &Value| {
        json!([
            data["rank_by"],
            data["against"],
            data["period"],
            data["before"]
        ])
    };
    assert_eq!(
        head(&data),
        json!(["growth", "previous", "2018-04", "2018-03"])
    );
    // Four Mondays of March sold 400; five would have sold 500.
    let rows = |data: &Value| -> Vec<Value> {
        let rows = data["rows"].as_array().unwrap().iter();
        let figures = ["id", "growth", "period_sum", "before_sum"];
        rows.map(|row| figures.map(|name| row[name].clone()).into())
            .collect()
    };
    let expected = json!([
        ["a", 1.0, 1_000, 500.0],
        ["b/1 é", -0.5, 250, 500.0],
        ["c", null, 70, 0.0]
    ]);
    assert_eq!(json!(rows(&data)), expected);
    let data = client.get("/v1/stores?rank_by=growth&against=year").data();
    assert_eq!(head(&data), json!(["growth", "year", "2018-04", "2017-04"]));
    // April 2017 has four Mondays.
    let expected = json!([
        ["b/1 é", -0.6, 250, 625.0],
        ["a", null, 1_000, 0.0],
        ["c", null, 70, 0.0]
    ]);
    assert_eq!(json!(rows(&data)), expected);
    let data = client.get("/v1/regions?rank_by=growth").data();
    let expected = json!([["leeds", 0.25, 1_250, 1_000.0], ["york", null, 70, 0.0]]);
    assert_eq!(json!(rows(&data)), expected);
    let data = client
        .get("/v1/regions/leeds/categories?rank_by=growth")
        .data();
    let expected = json!([["food", 1.0, 1_000, 500.0], ["fuel", -0.5, 250, 500.0]]);
    assert_eq!(json!(rows(&data)), expected);
    let first = client.get("/v1/stores?rank_by=growth&limit=2").data();
    let next = first["next"].as_str().unwrap();
    let path = format!("/v1/stores?rank_by=growth&limit=2&cursor={next}");
    assert_eq!(client.get(&path).data()["rows"][0]["id"], "c");
    let other = client.get(&format!(
        "/v1/stores?rank_by=growth&against=year&cursor={next}"
    ));
    assert_eq!(other.problem(), (400, Some("cursor".into())));
}

#[test]
fn info_describes_the_generation_its_regions_and_categories() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/info/generation").data();
    assert_eq!(
        (&data["first_date"], &data["last_date"]),
        (&json!("2018-01-29"), &json!("2018-03-05"))
    );
    assert_eq!(
        (&data["stores"], &data["rows"]["used"]),
        (&json!(3), &json!(8))
    );
    let data = client.get("/v1/info/regions").data();
    assert_eq!(
        data["rows"],
        json!([{"id": "leeds", "stores": 2}, {"id": "york", "stores": 1}])
    );
    let data = client.get("/v1/info/categories?limit=1").data();
    assert_eq!(data["rows"], json!([{"id": "food", "stores": 2}]));
    let next = data["next"].as_str().unwrap();
    let data = client
        .get(&format!("/v1/info/categories?cursor={next}"))
        .data();
    assert_eq!(data["rows"], json!([{"id": "fuel", "stores": 1}]));
}

#[test]
fn the_last_day_with_rows_is_told_apart_from_the_last_business_day() {
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write_as_of(day("2018-03-20"), &shops(), &payments());
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let reply = client.get("/v1/info/generation");
    assert_eq!(reply.json()["as_of"], "2018-03-20");
    assert_eq!(reply.data()["last_date"], "2018-03-05");
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    for (name, date) in [("last_day", "2018-03-05"), ("as_of", "2018-03-20")] {
        let seconds = i64::from(day(date).0) * 86_400;
        let line = format!("nightshard_generation_{name}_timestamp_seconds {seconds}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    // A missing end is the last business day, not the last day with rows.
    let data = client
        .get("/v1/stores/a/statistics?group_by=all&min_date=2018-01-01")
        .data();
    assert_eq!(data["rows"][0]["period"], "2018-01-01/2018-03-20");
}
