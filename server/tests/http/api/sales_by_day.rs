//! Sales beside side series, against figures worked out by hand.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{day, payments, shops};
use crate::{
    fixture::{Beside, Fixture},
    harness::{Harness, config},
    swap::metric,
};

/// A series of every weekday up to the last but one, one that has missing days, and one that ends a
/// week before the last business day, 2018-03-05.
fn series() -> Vec<Beside<'static>> {
    let values = |values: &[(&str, f64)]| {
        let values = values.iter();
        values.map(|(date, value)| (day(date), *value)).collect()
    };
    vec![
        (
            "index & more",
            values(&[
                ("2018-01-26", 7.0),
                ("2018-01-29", 10.0),
                ("2018-01-30", 30.0),
                ("2018-02-02", 25.5),
                ("2018-03-02", 5.0),
                ("2018-03-05", 5.0),
            ]),
        ),
        (
            "level",
            values(&[
                ("2018-01-29", 3.0),
                ("2018-01-30", 3.0),
                ("2018-03-05", 3.0),
            ]),
        ),
        ("old", values(&[("2018-01-29", 1.0), ("2018-02-26", -2.5)])),
    ]
}

fn server() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write_beside(day("2018-03-05"), &shops(), &payments(), &series());
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

fn row(
    date: &str,
    sum: impl Into<Value>,
    count: impl Into<Value>,
    value: impl Into<Value>,
) -> Value {
    json!({"date": date, "sum": sum.into(), "count": count.into(), "value": value.into()})
}

#[test]
fn days_of_sales_and_values_are_joined_by_date() {
    let harness = server();
    let mut client = harness.connect();
    let data = client
        .get("/v1/stores/a/sales_by_day?series=index%20%26%20more")
        .data();
    let null = || Value::Null;
    let rows = [
        // The value of 26 January lies before the first day of the data.
        row("2018-01-29", 1_000, 1, 10.0),
        row("2018-01-30", 2_000, 1, 30.0),
        row("2018-02-02", null(), null(), 25.5),
        row("2018-02-03", -200, 2, null()),
        row("2018-03-02", null(), null(), 5.0),
        row("2018-03-05", 700, 1, 5.0),
    ];
    assert_eq!(data["rows"], json!(rows));
    // Of 1000, 2000 and 700 the deviations are -700, 2300 and -1600 thirds, of 10, 30 and 5 they are -5,
    // 15 and -10.
    let product = 3_500.0 + 34_500.0 + 16_000.0;
    let squares = (490_000.0 + 5_290_000.0 + 2_560_000.0_f64) * (25.0 + 225.0 + 100.0);
    let expected = product / squares.sqrt();
    let found = data["correlation"].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-15, "{found} {expected}");
    let mut rest = data;
    let members = rest.as_object_mut().unwrap();
    members.remove("rows");
    members.remove("correlation");
    let expected = json!({"id": "a", "series": "index & more", "stale": false, "currency": "GBP",
                          "currency_exponent": 2, "days": 3});
    assert_eq!(rest, expected);

    let data = client
        .get("/v1/markets/all/sales_by_day?series=old&min_date=2018-01-30&max_date=2018-02-28");
    let data = data.data();
    let rows = [
        row("2018-01-30", 2_000, 1, null()),
        row("2018-01-31", 5_000, 1, null()),
        row("2018-02-03", -200, 2, null()),
        row("2018-02-26", null(), null(), -2.5),
    ];
    assert_eq!(data["rows"], json!(rows));
    assert_eq!((&data["days"], &data["correlation"]), (&json!(0), &null()));
    assert_eq!(data["stale"], true);
}

#[test]
fn what_has_no_variance_or_too_few_days_has_no_correlation() {
    let harness = server();
    let mut client = harness.connect();
    for (query, days, rows) in [
        ("series=level", 3, 4),
        ("series=old", 1, 5),
        ("series=level&max_date=2018-01-30", 2, 2),
        ("series=level&min_date=2030-01-01", 0, 0),
        ("series=level&max_date=2017-01-01", 0, 0),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/sales_by_day?{query}"))
            .data();
        assert_eq!(data["days"], days, "{query}");
        assert_eq!(data["correlation"], Value::Null, "{query}");
        assert_eq!(data["rows"].as_array().unwrap().len(), rows, "{query}");
    }
}

#[test]
fn series_are_listed_with_their_ends_and_pages() {
    let harness = server();
    let mut client = harness.connect();
    let data = client.get("/v1/series").data();
    let row = |name: &str, first: &str, last: &str, values: u32, stale: bool| {
        json!({"name": name, "first_date": first, "last_date": last, "values": values,
               "stale": stale})
    };
    let rows = [
        row("index & more", "2018-01-26", "2018-03-05", 6, false),
        row("level", "2018-01-29", "2018-03-05", 3, false),
        row("old", "2018-01-29", "2018-02-26", 2, true),
    ];
    assert_eq!(data, json!({"total": 3, "rows": rows}));
    let first = client.get("/v1/series?limit=2").data();
    assert_eq!(first["rows"], json!(rows[..2]));
    let next = first["next"].as_str().unwrap();
    let second = client
        .get(&format!("/v1/series?limit=2&cursor={next}"))
        .data();
    assert_eq!(second, json!({"total": 3, "rows": rows[2..]}));
    assert_eq!(metric(&mut client, "nightshard_series_stale"), 1);
    let available = client.get("/v1/markets/all").data()["available"].take();
    assert!(
        available
            .as_array()
            .unwrap()
            .contains(&json!("sales_by_day"))
    );
    for resource in ["/v1/series", "/v1/markets/{id}"] {
        let line = format!("nightshard_requests_total{{resource=\"{resource}\",status=\"200\"}}");
        assert!(metric(&mut client, &line) > 0, "{resource}");
    }
}

#[test]
fn wrong_parameters_of_sales_by_day_are_named() {
    let harness = server();
    let mut client = harness.connect();
    for (query, status, parameter) in [
        ("", 400, "series"),
        ("series=none", 404, "series"),
        ("series=", 404, "series"),
        ("series=OLD", 404, "series"),
        ("series=old&min_date=2018-02-30", 400, "min_date"),
        ("series=old&fill=zero", 400, "fill"),
        ("series=old&limit=5", 400, "limit"),
    ] {
        let reply = client.get(&format!("/v1/stores/a/sales_by_day?{query}"));
        assert_eq!(reply.problem(), (status, Some(parameter.into())), "{query}");
    }
    let reply = client.get("/v1/stores/nobody/sales_by_day?series=old");
    assert_eq!(reply.problem(), (404, None));
}

#[test]
fn a_generation_without_series_lists_none() {
    let (harness, _) = super::server(config());
    let mut client = harness.connect();
    assert_eq!(
        client.get("/v1/series").data(),
        json!({"total": 0, "rows": []})
    );
    let reply = client.get("/v1/stores/a/sales_by_day?series=old");
    assert_eq!(reply.problem(), (404, Some("series".into())));
    assert_eq!(metric(&mut client, "nightshard_series_stale"), 0);
}
