//! Loyalty, against figures worked out by hand.

use serde_json::json;

use super::server;
use crate::harness::config;

#[test]
fn stores_have_loyalty_and_markets_have_none() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/loyalty?period=2018-01").data();
    // One card buys on two days.
    assert_eq!(
        (&data["active"], &data["visits"], &data["visits_per_card"]),
        (&json!(1), &json!(2), &json!(2.0))
    );
    // Nobody knows who was there before the data begins.
    assert_eq!(
        (&data["new"], &data["returning"], &data["reactivated"]),
        (&json!(null), &json!(null), &json!(null))
    );
    assert_eq!(client.get("/v1/markets/all/loyalty").status, 404);
}

#[test]
fn periods_without_data_have_nobody() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/loyalty?period=1999").data();
    assert_eq!(
        (&data["active"], &data["lapsed"], &data["cohorts"]),
        (&json!(0), &json!(0), &json!([]))
    );
    assert_eq!(data["visits_per_card"], json!(null));
    assert_eq!(data["median_gap_days"], json!(null));
}

#[test]
fn wrong_parameters_of_loyalty_are_named() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (query, parameter) in [
        ("absence_days=0", "absence_days"),
        ("absence_days=3651", "absence_days"),
        ("period=2018-13", "period"),
        ("min_date=2018-03-02&max_date=2018-03-01", "min_date"),
        ("fill=zero", "fill"),
    ] {
        let reply = client.get(&format!("/v1/stores/a/loyalty?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
}
