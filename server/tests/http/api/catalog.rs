//! Lists of stores, and what a generation says of itself.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{day, payments, server, shops};
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
