//! The best time to buy, against figures worked out by hand.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{payment, shops};
use crate::{
    fixture::{Fixture, Payment},
    harness::{Harness, config},
};

/// Two Mondays and a Tuesday of ten days, and a payment without a time.
fn ten_days() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let mut payments = Vec::new();
    for (date, half_hour, rows, amount) in [
        ("2018-03-05", 18, 12, 500),
        ("2018-03-06", 24, 10, 700),
        ("2018-03-12", 31, 2, 150),
    ] {
        payments.extend((0..rows).map(|card| Payment {
            half_hour: Some(half_hour),
            ..payment(0, date, card, amount)
        }));
    }
    payments.push(payment(0, "2018-03-14", 2, 9_000));
    let id = fixture.write(&shops()[..1], &payments);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

fn nothing() -> [Value; 4] {
    [const { Value::Null }; 4]
}

const MEMBERS: [&str; 4] = [
    "quietest_hour",
    "cheapest_hour",
    "quietest_weekday",
    "cheapest_weekday",
];

#[test]
fn it_is_quiet_where_rows_are_few_and_cheap_where_enough_have_a_low_mean() {
    let harness = ten_days();
    let mut client = harness.connect();
    let expected = json!({
        "id": "a", "period": "all", "currency": "GBP", "currency_exponent": 2,
        "count": 24, "sum": 13_300,
        "quietest_hour":
            {"hour": 15, "days": 10, "count": 2, "sum": 300, "mean": 150.0, "share": 2.0 / 24.0},
        // At 15 it is cheaper, by two rows.
        "cheapest_hour":
            {"hour": 9, "days": 10, "count": 12, "sum": 6_000, "mean": 500.0, "share": 0.5},
        // 14 rows on two Mondays are more a day than 10 on two Tuesdays, of which one has none.
        "quietest_weekday":
            {"weekday": 2, "days": 2, "count": 10, "sum": 7_000, "mean": 700.0, "share": 10.0 / 24.0},
        "cheapest_weekday":
            {"weekday": 1, "days": 2, "count": 14, "sum": 6_300, "mean": 450.0,
             "share": 14.0 / 24.0},
    });
    for (path, id) in [
        ("stores/a", "a"),
        ("markets/all", "all"),
        ("regions/leeds", "leeds"),
        ("categories/food", "food"),
    ] {
        let mut data = client.get(&format!("/v1/{path}/best_time")).data();
        assert_eq!(data["id"], id);
        data["id"] = "a".into();
        assert_eq!(data, expected, "{path}");
    }
    let of_both = client
        .get("/v1/regions/leeds/categories/food/best_time")
        .data();
    assert_eq!(of_both["quietest_hour"], expected["quietest_hour"]);
}

#[test]
fn days_count_where_the_period_has_them_and_nothing_is_said_without_rows() {
    let harness = ten_days();
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/best_time?period=2018-W10").data();
    assert_eq!(data["quietest_hour"]["days"], 7);
    assert_eq!(data["quietest_weekday"]["days"], 1);
    for period in ["2017", "2018-03-14", "2018-03-08"] {
        let data = client
            .get(&format!("/v1/stores/a/best_time?period={period}"))
            .data();
        assert_eq!(data["count"], 0);
        assert_eq!(
            MEMBERS.map(|name| data[name].clone()),
            nothing(),
            "{period}"
        );
    }
    for (query, parameter) in [("period=2018-13", "period"), ("fill=zero", "fill")] {
        let reply = client.get(&format!("/v1/stores/a/best_time?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())));
    }
    assert_eq!(client.get("/v1/stores/nobody/best_time").status, 404);
}
