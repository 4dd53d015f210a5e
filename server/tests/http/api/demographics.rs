//! Who pays, against tables made by hand.

use std::sync::Arc;

use nightshard_format::{
    record::{
        DEMOGRAPHICS, DemographicCell, Label, Labels, MarketCell, MarketDemographics,
        encode_demographics,
    },
    shard::Span,
};
use serde_json::json;

use super::{payment, server, shops};
use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

const YOUNG: Labels<&[u8]> = [Label::Text(b"20s"), Label::Text(b"f"), Label::Unknown];
const OF_AGE: Labels<&[u8]> = [Label::Text(b"30s"), Label::Merged, Label::Merged];
const OTHERS: Labels<&[u8]> = [Label::Merged; 3];

fn cell<'a>(labels: Labels<&'a [u8]>, count: u64, sum: i128, cards: u64) -> DemographicCell<'a> {
    DemographicCell {
        labels,
        count,
        sum,
        cards,
    }
}

/// Records of two months of the store `a`, and of all stores.
pub(crate) fn records() -> Vec<(&'static [u8], Span, Vec<u8>)> {
    let months: [(&str, &[DemographicCell<'_>]); 2] = [
        (
            "2018-01",
            &[cell(OTHERS, 4, 100, 2), cell(YOUNG, 10, 900, 3)],
        ),
        ("2018-02", &[cell(YOUNG, 5, 50, 4), cell(OF_AGE, 1, -50, 1)]),
    ];
    let mut records = Vec::new();
    for (month, cells) in months {
        let mut value = Vec::new();
        encode_demographics(cells, &mut value);
        let span = Span::Month(month.parse().unwrap());
        records.push((&b"a"[..], span, value));
        let mut value = Vec::new();
        let market = MarketDemographics {
            stores: 1,
            count: 100,
            cells: vec![MarketCell {
                labels: YOUNG,
                count: 15,
            }],
        };
        market.encode(&mut value);
        records.push((month.as_bytes(), Span::Current, value));
    }
    records
}

/// Payments of three months, of which the last does not say who paid.
fn three_months() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let payments = [
        payment(0, "2018-01-05", 1, 700),
        payment(0, "2018-02-12", 1, -200),
        payment(0, "2018-03-31", 2, 1_100),
    ];
    let id = fixture.write_told(&shops()[..1], &payments, DEMOGRAPHICS, &records());
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

#[test]
fn cells_of_months_add_up_by_what_they_tell() {
    let harness = three_months();
    let mut client = harness.connect();
    let data = client
        .get("/v1/stores/a/demographics?period=2018-Q1")
        .data();
    assert_eq!(
        data,
        json!({
            "id": "a", "period": "2018-Q1", "partial": true, "currency": "GBP",
            "currency_exponent": 2,
            "covered": {"min_date": "2018-01-01", "max_date": "2018-02-28"},
            "count": 20, "sum": 1_000,
            "rows": [
                {"age_band": "20s", "gender": "f", "segment": null, "count": 15, "sum": 950,
                 "mean": 950.0 / 15.0, "cards": null, "count_share": 0.75, "sum_share": 0.95,
                 "market_count_share": 0.15, "suppressed": ["cards"]},
                {"age_band": null, "gender": null, "segment": null,
                 "merged": ["age_band", "gender", "segment"], "count": 4, "sum": 100, "mean": 25.0,
                 "cards": 2, "count_share": 0.2, "sum_share": 0.1, "market_count_share": null,
                 "suppressed": ["market_count_share"]},
                {"age_band": "30s", "gender": null, "segment": null,
                 "merged": ["gender", "segment"], "count": 1, "sum": -50, "mean": -50.0, "cards": 1,
                 "count_share": 0.05, "sum_share": -0.05, "market_count_share": null,
                 "suppressed": ["market_count_share"]},
            ],
        })
    );
    let january = client
        .get("/v1/stores/a/demographics?period=2018-01")
        .data();
    assert_eq!(january["rows"][0]["cards"], json!(3));
    assert_eq!(january["rows"][0].get("suppressed"), None);
}

#[test]
fn what_is_not_told_has_no_rows_and_covers_no_day() {
    let harness = three_months();
    let (unsaid, _) = server(config());
    for (harness, query) in [
        (&harness, "?period=2018-03"),
        (&harness, "?period=1999"),
        (&unsaid, ""),
    ] {
        let path = format!("/v1/stores/a/demographics{query}");
        let data = harness.connect().get(&path).data();
        assert_eq!(
            (&data["rows"], &data["covered"]),
            (&json!([]), &json!(null))
        );
        assert_eq!((&data["count"], &data["sum"]), (&json!(0), &json!(0)));
    }
}

#[test]
fn ranges_are_of_whole_months_and_markets_have_none() {
    let harness = three_months();
    let mut client = harness.connect();
    let path = "/v1/stores/a/demographics";
    let data = client.get(&format!("{path}?max_date=2018-01-31")).data();
    assert_eq!(data["count"], json!(14));
    for (query, parameter) in [
        ("period=2018-W02", "period"),
        ("period=2018-01-31", "period"),
        ("min_date=2018-01-06", "min_date"),
        ("period=2018-13", "period"),
        ("fill=zero", "fill"),
    ] {
        let reply = client.get(&format!("{path}?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
    for path in ["/v1/stores/nobody", "/v1/markets/all"] {
        assert_eq!(client.get(&format!("{path}/demographics")).status, 404);
    }
}
