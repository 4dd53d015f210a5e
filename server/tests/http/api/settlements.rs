//! Settlements, and points, fees and deposits beside payment mixes, against tables made by hand.

use std::sync::Arc;

use nightshard_format::{
    record::{SETTLEMENTS, Settled, SettlementMonth, SettlementSummary, Stated},
    shard::Span,
};
use serde_json::json;

use super::{day, payment, server, shops};
use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

fn stated(count: u64, sum: i128) -> Stated {
    Stated { count, sum }
}

fn settled(rows: Stated, fees: Stated, deposits: Stated) -> Settled {
    Settled {
        rows,
        fees,
        deposits,
    }
}

/// Records of two months of the store `a`: of January three rows of five, of February both.
pub(crate) fn records() -> Vec<(&'static [u8], Span, Vec<u8>)> {
    let none = stated(0, 0);
    let january = SettlementMonth {
        days: vec![
            (
                day("2018-01-08"),
                settled(stated(1, 700), stated(1, 14), stated(1, 686)),
            ),
            (
                day("2018-02-02"),
                settled(stated(2, 400), stated(1, 6), none),
            ),
        ],
        undated: settled(stated(2, 50), stated(1, 1), none),
        points: stated(1, 250),
    };
    let february = SettlementMonth {
        days: vec![
            (
                day("2018-02-02"),
                settled(stated(1, 100), none, stated(1, 98)),
            ),
            // After the data's last day.
            (
                day("2019-05-31"),
                settled(stated(1, -200), stated(1, -4), stated(1, -196)),
            ),
        ],
        undated: Settled::default(),
        points: none,
    };
    let mut summary = SettlementSummary::default();
    let mut records = Vec::new();
    for (month, record) in [("2018-01", january), ("2018-02", february)] {
        let month = month.parse().unwrap();
        let mut value = Vec::new();
        record.encode(&mut value).unwrap();
        records.push((&b"a"[..], Span::Month(month), value));
        summary.months.push(record.totals(month));
    }
    let mut value = Vec::new();
    summary.encode(&mut value).unwrap();
    records.push((b"a", Span::Current, value));
    records
}

/// Payments of three months, of which the last says nothing of its settlement.
fn three_months() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let payments = [
        payment(0, "2018-01-05", 1, 700),
        payment(0, "2018-01-06", 1, 150),
        payment(0, "2018-01-07", 2, 250),
        payment(0, "2018-01-08", 2, 30),
        payment(0, "2018-01-09", 2, 20),
        payment(0, "2018-02-01", 3, 100),
        payment(0, "2018-02-12", 1, -200),
        payment(0, "2018-03-31", 2, 1_100),
    ];
    let id = fixture.write_told(&shops()[..1], &payments, SETTLEMENTS, &records());
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

#[test]
fn months_add_up_by_the_day_on_which_rows_settle() {
    let harness = three_months();
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/settlements").data();
    assert_eq!(
        data,
        json!({
            "id": "a", "min_date": "2018-01-08", "max_date": "2019-05-31", "currency": "GBP",
            "currency_exponent": 2, "count": 5, "sum": 1_000, "fee_count": 3, "fees": 16,
            "deposit_count": 3, "deposits": 588,
            // Two rows of January, and the one of March.
            "undated": {"count": 3, "sum": 1_150},
            "rows": [
                {"settles_on": "2018-01-08", "count": 1, "sum": 700, "fee_count": 1, "fees": 14,
                 "deposit_count": 1, "deposits": 686},
                {"settles_on": "2018-02-02", "count": 3, "sum": 500, "fee_count": 1, "fees": 6,
                 "deposit_count": 1, "deposits": 98},
                {"settles_on": "2019-05-31", "count": 1, "sum": -200, "fee_count": 1, "fees": -4,
                 "deposit_count": 1, "deposits": -196},
            ],
        })
    );
}

#[test]
fn ranges_are_of_days_of_settlement() {
    let harness = three_months();
    let mut client = harness.connect();
    for (query, ends, counts, total) in [
        (
            "min_date=2018-02-02",
            ["2018-02-02", "2019-05-31"],
            &[3, 1][..],
            300,
        ),
        (
            "max_date=2018-02-02",
            ["2018-01-08", "2018-02-02"],
            &[1, 3],
            1_200,
        ),
        (
            "min_date=2018-02-01&max_date=2018-02-02",
            ["2018-02-01", "2018-02-02"],
            &[3],
            500,
        ),
        (
            "min_date=2018-02-03&max_date=2019-05-30",
            ["2018-02-03", "2019-05-30"],
            &[],
            0,
        ),
        ("min_date=2031-01-01", ["2031-01-01", "2031-01-01"], &[], 0),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/settlements?{query}"))
            .data();
        let rows = data["rows"].as_array().unwrap().iter();
        let found: Vec<_> = rows.map(|row| row["count"].as_u64().unwrap()).collect();
        assert_eq!(found, counts, "{query}");
        assert_eq!([&data["min_date"], &data["max_date"]], ends, "{query}");
        assert_eq!(data["sum"], json!(total), "{query}");
        // Whatever is asked for.
        assert_eq!(data["undated"], json!({"count": 3, "sum": 1_150}));
    }
    let empty = client
        .get("/v1/stores/a/settlements?min_date=2018-02-03&max_date=2018-02-04")
        .data();
    assert_eq!(
        (&empty["fees"], &empty["deposits"]),
        (&json!(null), &json!(null))
    );
    for (query, parameter) in [
        ("min_date=2018-02-03&max_date=2018-02-02", "min_date"),
        ("max_date=x", "max_date"),
        ("period=2018-02", "period"),
        ("limit=1", "limit"),
    ] {
        let reply = client.get(&format!("/v1/stores/a/settlements?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
}

#[test]
fn payment_mixes_have_points_fees_and_deposits_beside_them() {
    let harness = three_months();
    let mut client = harness.connect();
    let stated = |count: u64, sum: i64| json!({"count": count, "sum": sum});
    for (query, expected) in [
        ("", [stated(1, 250), stated(4, 17), stated(3, 588)]),
        (
            "?period=2018-01",
            [stated(1, 250), stated(3, 21), stated(1, 686)],
        ),
        (
            "?period=2018-02",
            [json!(null), stated(1, -4), stated(2, -98)],
        ),
        ("?period=2018-03", [json!(null), json!(null), json!(null)]),
        ("?period=1999", [json!(null), json!(null), json!(null)]),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/payment_mix{query}"))
            .data();
        let found = ["points", "fees", "deposits"].map(|name| data[name].clone());
        assert_eq!(found, expected, "{query}");
    }
}

#[test]
fn stores_that_say_nothing_have_no_day_and_others_than_stores_have_no_settlements() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/settlements").data();
    assert_eq!(
        data,
        json!({
            "id": "a", "min_date": null, "max_date": null, "currency": "GBP", "currency_exponent": 2,
            "count": 0, "sum": 0, "fee_count": 0, "fees": null, "deposit_count": 0, "deposits": null,
            "undated": {"count": 5, "sum": 3_500}, "rows": [],
        })
    );
    let query = "min_date=2018-02-01&max_date=2018-02-05";
    let asked = client
        .get(&format!("/v1/stores/a/settlements?{query}"))
        .data();
    assert_eq!(
        [&asked["min_date"], &asked["max_date"]],
        ["2018-02-01", "2018-02-05"]
    );
    for path in ["markets/all", "regions/leeds", "merchants/m"] {
        assert_eq!(client.get(&format!("/v1/{path}/settlements")).status, 404);
    }
}
