//! Who pays, against tables made by hand.

use nightshard_format::{
    record::{
        DEMOGRAPHICS, DemographicCell, Label, Labels, PLACE_DEMOGRAPHICS, PlaceCell,
        PlaceDemographics, encode_demographics,
    },
    shard::Span,
};
use serde_json::json;

use super::{
    server,
    told::{self, Told, of_one_store, put_count},
};
use crate::harness::{Harness, config};

const YOUNG: Labels<&[u8]> = [Label::Text(b"20s"), Label::Text(b"f"), Label::Unknown];
const OF_AGE: Labels<&[u8]> = [Label::Text(b"30s"), Label::Merged, Label::Merged];
const OTHERS: Labels<&[u8]> = [Label::Merged; 3];
const UNSAID: Labels<&[u8]> = [Label::Unknown; 3];

fn cell<'a>(labels: Labels<&'a [u8]>, count: u64, sum: i128, cards: u64) -> DemographicCell<'a> {
    DemographicCell {
        labels,
        count,
        sum,
        cards,
    }
}

fn month(text: &str) -> Span {
    Span::Month(text.parse().unwrap())
}

/// Records of two months of the store `a`.
pub(crate) fn records() -> Told {
    let months: [(_, &[DemographicCell<'_>]); 2] = [
        (
            "2018-01",
            &[cell(OTHERS, 4, 100, 2), cell(YOUNG, 10, 900, 3)],
        ),
        ("2018-02", &[cell(YOUNG, 5, 50, 4), cell(OF_AGE, 1, -50, 1)]),
    ];
    of_one_store(months.map(|(of, cells)| {
        let mut value = Vec::new();
        encode_demographics(cells, &mut value);
        (of, value)
    }))
}

/// Records of the same months of all stores, and of leeds and its food, which has some in the first alone.
pub(crate) fn records_of_places() -> Told {
    let mut records = Vec::new();
    let mut put = |key: &'static [u8], of: &str, count, cells: &[(Labels<&[u8]>, u64)]| {
        let cells = cells.iter();
        let cells = cells.map(|(labels, count)| PlaceCell {
            labels: *labels,
            count: *count,
        });
        let mut value = Vec::new();
        let cells = cells.collect();
        PlaceDemographics { count, cells }.encode(&mut value);
        records.push((key, month(of), value));
    };
    for of in ["2018-01", "2018-02"] {
        put(b"markets\0all", of, 100, &[(YOUNG, 15)]);
    }
    put(
        b"regions\0leeds",
        "2018-01",
        30,
        &[(UNSAID, 10), (YOUNG, 20)],
    );
    put(b"regions\0leeds", "2018-02", 10, &[(UNSAID, 10)]);
    put(
        b"region_categories\0leeds\0food",
        "2018-01",
        8,
        &[(YOUNG, 8)],
    );
    put_count(&mut records, "2018-01", 3);
    put_count(&mut records, "2018-02", 2);
    records
}

fn three_months() -> Harness {
    let (of_stores, of_places) = (records(), records_of_places());
    told::three_months(&[
        (DEMOGRAPHICS, of_stores.as_slice()),
        (PLACE_DEMOGRAPHICS, of_places.as_slice()),
    ])
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
fn ranges_are_of_whole_months() {
    let harness = three_months();
    let mut client = harness.connect();
    let path = "/v1/stores/a/demographics";
    let data = client.get(&format!("{path}?max_date=2018-01-31")).data();
    assert_eq!(data["count"], json!(14));
    for (query, parameter) in [
        ("period=2018-W02", "period"),
        ("period=2018-01-31", "period"),
        ("min_date=2018-01-06", "min_date"),
        ("max_date=2018-02-27", "max_date"),
        ("min_date=2018-01-01&max_date=2018-02-27", "max_date"),
        ("min_date=2018-02-02&max_date=2018-02-27", "min_date"),
        ("period=2018-13", "period"),
        ("fill=zero", "fill"),
    ] {
        let reply = client.get(&format!("{path}?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
    for path in ["/v1/stores/nobody", "/v1/markets/some", "/v1/merchants/m"] {
        assert_eq!(client.get(&format!("{path}/demographics")).status, 404);
    }
}

#[test]
fn cells_of_places_add_up_and_are_exact_where_nothing_is_hidden() {
    let harness = three_months();
    let mut client = harness.connect();
    let young = |count: u64, share: f64| {
        json!({"age_band": "20s", "gender": "f", "segment": null, "count": count,
               "count_share": share})
    };
    let unsaid = |count: u64, share: f64| {
        json!({"age_band": null, "gender": null, "segment": null, "count": count,
               "count_share": share})
    };
    let days = |last: &str| json!({"min_date": "2018-01-01", "max_date": last});
    for (path, expected) in [
        // Rows alike in number come by what they tell: unknown first.
        (
            "/v1/regions/leeds/demographics?period=2018-Q1",
            json!({"id": "leeds", "period": "2018-Q1", "partial": true, "covered": days("2018-02-28"),
                   "rows": [unsaid(20, 0.5), young(20, 0.5)]}),
        ),
        (
            "/v1/regions/leeds/demographics?period=2018-01",
            json!({"id": "leeds", "period": "2018-01", "partial": true, "covered": days("2018-01-31"),
                   "rows": [young(20, 20.0 / 30.0), unsaid(10, 10.0 / 30.0)]}),
        ),
        (
            "/v1/regions/leeds/categories/food/demographics",
            json!({"id": "food", "region": "leeds", "period": "all", "covered": days("2018-01-31"),
                   "rows": [young(8, 1.0)]}),
        ),
        (
            "/v1/markets/all/demographics?period=2018",
            json!({"id": "all", "period": "2018", "partial": true, "covered": days("2018-02-28"),
                   "rows": [young(30, 0.15)]}),
        ),
        (
            "/v1/categories/food/demographics?period=2018-02",
            json!({"id": "food", "period": "2018-02", "covered": null, "rows": []}),
        ),
    ] {
        assert_eq!(client.get(path).data(), expected, "{path}");
    }
    let reply = client.get("/v1/regions/leeds/demographics?period=2018-W02");
    assert_eq!(reply.problem(), (400, Some("period".into())));
}
