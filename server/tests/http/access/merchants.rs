//! The books of merchants under every scope: whose they are, in figures and in lists.

use std::sync::Arc;

use nightshard_format::calendar::Day;
use serde_json::{Value, json};

use super::Guarded;
use crate::{
    fixture::{Fixture, Payment, Shop},
    harness::config,
};

/// Returns the ids of the rows of a list.
fn ids(data: &Value) -> Vec<&str> {
    let rows = data["rows"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn a_merchant_is_its_stores_together_and_a_card_counts_once() {
    let guarded = Guarded::start(10);
    for scope in ["merchant:m", "analyst"] {
        let profile = guarded.get(scope, "/v1/merchants/m").data();
        assert_eq!(
            profile,
            json!({
                "id": "m", "name": null, "merchant_id": "m", "category": null, "region": null, "lat": null,
                "lon": null, "first_date": "2018-01-29", "last_date": "2018-03-05", "currency": "GBP",
                "currency_exponent": 2, "count": 4, "sum": 7_000, "cards": 3,
                "available": ["statistics", "histogram", "unit_price", "comparison", "consumption_pattern",
                              "best_time", "loyalty", "payment_mix", "sales_by_day"]
            })
        );
        // Card 1 pays in both stores in January.
        let data = guarded.get(scope, "/v1/merchants/m/statistics").data();
        let january = &data["rows"][0];
        assert_eq!(
            [&january["count"], &january["sum"], &january["cards"]],
            [&json!(2), &json!(6_000), &json!(1)]
        );
    }
}

#[test]
fn a_merchant_that_is_not_one_s_own_answers_like_one_that_there_is_not() {
    let guarded = Guarded::start(10);
    for scope in ["store:a", "store:m", "merchant:n", "merchant:nobody"] {
        for part in [
            "",
            "/statistics",
            "/statistics?group_by=hour",
            "/histogram",
            "/loyalty",
            "/nothing",
        ] {
            let [covered_not, unknown] =
                ["m", "x"].map(|id| guarded.get(scope, &format!("/v1/merchants/{id}{part}")));
            assert_eq!(covered_not.status, unknown.status, "{scope} {part}");
            assert_ne!(unknown.status, 200);
            let text = |body: &[u8]| String::from_utf8_lossy(body).replace("/m/", "/x/");
            assert_eq!(
                text(&covered_not.body),
                text(&unknown.body),
                "{scope} {part}"
            );
        }
    }
}

#[test]
fn lists_of_merchants_have_one_s_own_and_none_of_a_single_store() {
    for k in [10, 1] {
        let guarded = Guarded::start(k);
        for (scope, expected) in [
            ("merchant:m", &["m"][..]),
            ("analyst", &["m"]),
            ("merchant:n", &[]),
            ("store:a", &[]),
        ] {
            for query in ["", "?rank_by=amount", "?rank_by=growth", "?limit=1"] {
                let list = guarded.get(scope, &format!("/v1/merchants{query}")).data();
                assert_eq!(ids(&list), expected, "{scope} {query}");
                assert_eq!(list["total"], expected.len(), "{scope} {query}");
                assert_eq!(list.get("next"), None);
            }
        }
        let list = guarded.get("analyst", "/v1/merchants").data();
        assert_eq!(list["rows"], json!([{"id": "m", "count": 4, "sum": 7_000}]));
    }
}

/// Three stores of two merchants, of which one has two, where what is told of places is protected.
fn protected() -> Arc<Fixture> {
    let fixture = Fixture::new();
    let shops = [
        Shop::new("a", "", "leeds", "food").of("m"),
        Shop::new("b", "", "york", "food").of("m"),
        Shop::new("c", "", "york", "food").of("n"),
    ];
    let day = |text: &str| -> Day { text.parse().unwrap() };
    let payment = |store, date, card, amount| Payment {
        store,
        day: day(date),
        card,
        amount,
        half_hour: None,
        paid: None,
    };
    let payments = [
        payment(0, "2018-01-29", 1, 1_000),
        payment(1, "2018-01-31", 1, 5_000),
        payment(2, "2018-02-01", 9, 100),
    ];
    let id = fixture.write_protected(day("2018-02-01"), &shops, &payments, &[], 10, &[]);
    fixture.select(1, &id);
    Arc::new(fixture)
}

#[test]
fn a_merchant_s_books_are_exact_where_places_are_protected() {
    let guarded = Guarded::serve(protected(), config(), 10, None);
    for scope in ["merchant:m", "analyst"] {
        let data = guarded
            .get(scope, "/v1/merchants/m/statistics?group_by=all")
            .data();
        let row = &data["rows"][0];
        let figures =
            ["count", "sum", "min", "max", "cards"].map(|name| row[name].as_i64().unwrap());
        assert_eq!(figures, [2, 6_000, 1_000, 5_000, 1]);
        assert_eq!(data.get("covered"), None);
        let histogram = guarded.get(scope, "/v1/merchants/m/histogram");
        assert_eq!(histogram.status, 200);
    }
    assert_eq!(guarded.get("app", "/v1/merchants/m").status, 403);
    assert_eq!(guarded.get("merchant:m", "/v1/merchants/n").status, 404);
}
