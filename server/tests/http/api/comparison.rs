//! Comparisons, against figures worked out by hand.

use serde_json::json;

use super::server;
use crate::harness::config;

#[test]
fn a_period_is_compared_with_the_one_before_it() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/comparison?period=2018-02").data();
    assert_eq!(
        (&data["with"], &data["currency"]),
        (&json!("previous"), &json!("GBP"))
    );
    // One card buys for 300, and another takes 500 back.
    let now = json!({"period": "2018-02", "sum": -200, "sales_count": 1, "sales_sum": 300,
                     "cards": 1, "visits": 1});
    let before = json!({"period": "2018-01", "partial": true, "sum": 3_000, "sales_count": 2,
                        "sales_sum": 3_000, "cards": 1, "visits": 2});
    assert_eq!((&data["now"], &data["before"]), (&now, &before));
    // January has a Monday, a Tuesday and a Wednesday; on those of February nothing was sold.
    assert_eq!(data["growth"], json!(-1.0));
    let part = |name: &str| data["drivers"][name].as_f64().unwrap();
    assert_eq!(part("cards"), 0.0);
    // Half as many visits, each of a fifth.
    let weight = -2_700.0 / 0.1_f64.ln();
    assert!((part("visits_per_card") - weight * 0.5_f64.ln()).abs() < 1e-9);
    assert!((part("ticket") - weight * 0.2_f64.ln()).abs() < 1e-9);
}

#[test]
fn what_cannot_be_compared_is_null() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for query in [
        "period=2018-03&with=year",
        "period=2018",
        "min_date=2018-01-01",
    ] {
        let data = client
            .get(&format!("/v1/stores/a/comparison?{query}"))
            .data();
        assert_eq!(data["before"]["sales_count"], 0, "{query}");
        assert_eq!(
            (&data["growth"], &data["drivers"]),
            (&json!(null), &json!(null))
        );
    }
    let data = client
        .get("/v1/markets/all/comparison?period=2018-03")
        .data();
    assert_eq!(data["now"]["sales_sum"], 1_000);
}

#[test]
fn wrong_parameters_of_comparisons_are_named() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (query, parameter) in [
        ("", "period"),
        ("period=all", "period"),
        ("period=0001", "period"),
        ("period=2018-02&with=decade", "with"),
        ("period=2018-02&min_date=2018-02-01", "period"),
    ] {
        let reply = client.get(&format!("/v1/stores/a/comparison?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
}
