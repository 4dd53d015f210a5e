//! Consumption patterns, against tables made by hand.

use std::sync::Arc;

use serde_json::json;

use super::{payment, server, shops};
use crate::{
    fixture::{Fixture, Payment},
    harness::{Harness, config},
};

/// Payments of two weeks: Mondays at noon, a Tuesday around midnight, and one without a time.
fn two_weeks() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let at = |half_hour, payment| Payment {
        half_hour: Some(half_hour),
        ..payment
    };
    let payments = [
        at(24, payment(0, "2018-03-05", 1, 700)),
        at(25, payment(0, "2018-03-05", 2, 300)),
        at(24, payment(0, "2018-03-12", 1, 501)),
        at(47, payment(0, "2018-03-13", 1, -40)),
        at(0, payment(0, "2018-03-13", 2, 60)),
        payment(0, "2018-03-14", 2, 9_000),
    ];
    let id = fixture.write(&shops()[..1], &payments);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

#[test]
fn rows_are_added_up_by_weekday_and_hour() {
    let harness = two_weeks();
    let data = harness
        .connect()
        .get("/v1/stores/a/consumption_pattern")
        .data();
    assert_eq!(
        data,
        json!({
            "id": "a", "period": "all", "currency": "GBP", "currency_exponent": 2,
            "count": 6, "sum": 10_521,
            "unknown_time": {"count": 1, "sum": 9_000, "mean": 9_000.0},
            "peak": {"weekday": 1, "hour": 12, "count": 3, "sum": 1_501, "mean": 1_501.0 / 3.0},
            "valley": {"weekday": 2, "hour": 0, "count": 1, "sum": 60, "mean": 60.0},
            "rows": [
                {"weekday": 1, "hour": 12, "count": 3, "sum": 1_501, "mean": 1_501.0 / 3.0},
                {"weekday": 2, "hour": 0, "count": 1, "sum": 60, "mean": 60.0},
                {"weekday": 2, "hour": 23, "count": 1, "sum": -40, "mean": -40.0},
            ],
            "half_hours": [
                {"from": "00:00", "count": 1, "sum": 60, "mean": 60.0},
                {"from": "12:00", "count": 2, "sum": 1_201, "mean": 600.5},
                {"from": "12:30", "count": 1, "sum": 300, "mean": 300.0},
                {"from": "23:30", "count": 1, "sum": -40, "mean": -40.0},
            ],
            "weekdays": [
                {"weekday": 1, "count": 3, "sum": 1_501, "mean": 1_501.0 / 3.0},
                {"weekday": 2, "count": 2, "sum": 20, "mean": 10.0},
            ],
        })
    );
}

#[test]
fn patterns_are_of_a_period_or_a_range_and_filled_on_request() {
    let harness = two_weeks();
    let mut client = harness.connect();
    for (query, counted) in [
        ("period=2018-W10", 2),
        ("period=2018-03", 5),
        ("period=2018-03-13", 2),
        ("min_date=2018-03-12&max_date=2018-03-12", 1),
        ("period=2017", 0),
    ] {
        let target = format!("/v1/stores/a/consumption_pattern?{query}&fill=zero");
        let data = client.get(&target).data();
        for (name, len) in [("rows", 7 * 24), ("half_hours", 48), ("weekdays", 7)] {
            let rows = data[name].as_array().unwrap();
            let total: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
            assert_eq!((rows.len(), total), (len, counted), "{query}, {name}");
        }
        assert_eq!(data["peak"].is_null(), counted == 0, "{query}");
        assert_eq!(data["rows"][3 * 24]["mean"], json!(null));
    }
    let data = client
        .get("/v1/stores/a/consumption_pattern?period=2018-03")
        .data();
    assert_eq!(data["partial"], true);
}

#[test]
fn stores_without_times_have_a_pattern_of_unknown_times() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/consumption_pattern").data();
    assert_eq!((&data["rows"], &data["peak"]), (&json!([]), &json!(null)));
    assert_eq!(data["unknown_time"]["count"], data["count"]);
    let reply = client.get("/v1/stores/a/consumption_pattern?period=2018-13");
    assert_eq!(reply.problem(), (400, Some("period".into())));
    let of_market = client.get("/v1/markets/all/consumption_pattern").data();
    assert_eq!(of_market["unknown_time"]["count"], of_market["count"]);
}
