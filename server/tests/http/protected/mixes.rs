//! How payments divide in places, as far as it may be told, against figures worked out by hand.

use nightshard_format::{
    record::{
        Dimension, MixValue, PLACE_MIXES, PatternCell, PlaceMix, PlaceMixes, encode_month_stores,
    },
    shard::Span,
};
use serde_json::{Value, json};

use super::{Arc, Fixture, Harness, K, atoms, config, covered, day, payments, shops};

/// Rows of ten merchants alike.
fn cell(count: u64) -> PatternCell {
    PatternCell {
        count,
        largest: count / 10,
        second: count / 10,
        merchants: 10,
    }
}

fn text(text: &str) -> MixValue<Vec<u8>> {
    MixValue::Text(text.into())
}

fn mix(values: &[(MixValue<Vec<u8>>, PatternCell)], others: PatternCell) -> PlaceMix {
    PlaceMix {
        values: values.iter().cloned().collect(),
        others,
    }
}

/// In January one company is known at one merchant alone, and nothing is said of channels.
fn january() -> PlaceMixes {
    let companies = [
        (text("amber"), cell(500)),
        (text("blue"), cell(300)),
        (text("own card"), PatternCell::of([50])),
        (MixValue::Unknown, cell(150)),
    ];
    let points = [(MixValue::Flag(true), cell(1_000))];
    PlaceMixes {
        all: cell(1_000),
        dimensions: [
            (
                Dimension::CardCompany,
                mix(&companies, PatternCell::default()),
            ),
            (Dimension::PointsUsed, mix(&points, PatternCell::default())),
        ]
        .into(),
    }
}

/// In February there are more companies than are kept.
fn february() -> PlaceMixes {
    let companies = [(text("amber"), cell(600))];
    let channels = [(text("online"), cell(250)), (text("shop"), cell(750))];
    PlaceMixes {
        all: cell(1_000),
        dimensions: [
            (Dimension::CardCompany, mix(&companies, cell(400))),
            (Dimension::Channel, mix(&channels, PatternCell::default())),
        ]
        .into(),
    }
}

/// Returns a server of these of leeds, and of january of its food, up to the end of March.
fn server() -> Harness {
    let mut records: Vec<(&[u8], Span, Vec<u8>)> = Vec::new();
    for (key, month, mixes) in [
        (&b"regions\0leeds"[..], "2018-01", january()),
        (b"region_categories\0leeds\0food", "2018-01", january()),
        (b"regions\0leeds", "2018-02", february()),
    ] {
        let mut value = Vec::new();
        mixes.encode(&mut value).unwrap();
        records.push((key, Span::Month(month.parse().unwrap()), value));
    }
    for (month, places) in [("2018-01", 2), ("2018-02", 1)] {
        let mut value = Vec::new();
        encode_month_stores(places, &mut value);
        records.push((month.as_bytes(), Span::Current, value));
    }
    let fixture = Arc::new(Fixture::new());
    let told = (PLACE_MIXES, records.as_slice());
    let until = (day("2018-03-31"), K);
    let id = fixture.write_protected_told(until, &shops(), &payments(), &atoms(), told);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

fn row(value: impl Into<Value>, share: f64) -> Value {
    json!({"value": value.into(), "count": null, "sum": null, "count_share": share,
           "sum_share": null, "suppressed": ["count", "sum", "sum_share"]})
}

fn others(share: f64) -> Value {
    let mut row = row(Value::Null, share);
    row["others"] = json!(true);
    row
}

#[test]
fn shares_of_values_are_rounded_and_those_of_few_merchants_told_together() {
    let harness = server();
    let mut client = harness.connect();
    for (period, days, mix) in [
        (
            "2018-01",
            covered("2018-01-01", "2018-01-31"),
            // The card of one merchant hides with what is smallest: 200 rows. All rows had points.
            json!({"card_company": [row("amber", 0.5), row("blue", 0.3), others(0.2)]}),
        ),
        (
            "2018-02",
            covered("2018-02-01", "2018-02-28"),
            json!({
                "card_company": [row("amber", 0.6), others(0.4)],
                "channel": [row("shop", 0.75), row("online", 0.25)],
            }),
        ),
        (
            "2018-Q1",
            covered("2018-01-01", "2018-02-28"),
            // Blue may be among the others of February. What a month does not say is unknown, or none.
            json!({
                "card_company": [row("amber", 0.55), others(0.45)],
                "channel": [row(Value::Null, 0.5), row("shop", 0.38), row("online", 0.13)],
                "points_used": [row(false, 0.5), row(true, 0.5)],
            }),
        ),
    ] {
        let path = format!("/v1/regions/leeds/payment_mix?period={period}");
        assert_eq!(
            client.get(&path).data(),
            json!({
                "id": "leeds", "period": period, "covered": days, "count": null, "sum": null,
                "mix": mix, "suppressed": ["count", "sum"],
            })
        );
    }
    let path = "/v1/regions/leeds/categories/food/payment_mix?period=2018-01";
    let data = client.get(path).data();
    assert_eq!(
        (&data["id"], &data["region"]),
        (&json!("food"), &json!("leeds"))
    );
    assert_eq!(data["mix"]["card_company"][0], row("amber", 0.5));
}

#[test]
fn nothing_is_told_of_other_periods_nor_where_there_is_nothing() {
    let harness = server();
    let mut client = harness.connect();
    for (place, period) in [
        ("regions/leeds", "2018-03"),
        ("regions/leeds", "2018"),
        ("regions/leeds", "2017"),
        ("markets/all", "2018-01"),
        ("regions/hull", "2018-01"),
        ("categories/food", "2018-01"),
    ] {
        let path = format!("/v1/{place}/payment_mix?period={period}");
        let data = client.get(&path).data();
        assert_eq!(data["covered"], json!(null), "{path}");
        assert_eq!(data["mix"], json!({}), "{path}");
        assert_eq!(data["suppressed"], json!(["count", "sum"]), "{path}");
    }
    for (query, parameter) in [
        ("", "period"),
        ("?period=2018-W05", "period"),
        ("?period=2018-01-05", "period"),
        ("?min_date=2018-01-01&max_date=2018-01-31", "min_date"),
        ("?min_date=2018-01-01&max_date=2018-01-20", "max_date"),
        ("?max_date=2018-01-31", "max_date"),
        ("?period=2018-01&colour=red", "colour"),
    ] {
        let reply = client.get(&format!("/v1/regions/leeds/payment_mix{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
    let reply = client.get("/v1/regions/bath/payment_mix?period=2018-01");
    assert_eq!(reply.problem(), (404, None));
}
