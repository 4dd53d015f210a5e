//! Statistics by period.

use serde_json::{Value, json};

use super::server;
use crate::harness::config;

#[test]
fn statistics_by_month_are_the_default_and_say_what_is_cut() {
    let (harness, _) = server(config());
    let data = harness.connect().get("/v1/stores/a/statistics").data();
    assert_eq!(data["group_by"], "month");
    assert_eq!(
        (&data["currency"], &data["currency_exponent"]),
        (&json!("GBP"), &json!(2))
    );
    let row = |period: &str, partial: bool, figures: [Value; 9]| {
        let names = [
            "count",
            "sum",
            "mean",
            "min",
            "max",
            "std",
            "cards",
            "refund_count",
            "refund_sum",
        ];
        let mut row = json!({"period": period});
        if partial {
            row["partial"] = true.into();
        }
        for (name, figure) in names.into_iter().zip(figures) {
            row[name] = figure;
        }
        row
    };
    let figures = |integers: [i64; 2], mean: f64, ends: [i64; 2], std: f64, rest: [i64; 3]| {
        [
            integers[0].into(),
            integers[1].into(),
            mean.into(),
            ends[0].into(),
            ends[1].into(),
            std.into(),
            rest[0].into(),
            rest[1].into(),
            rest[2].into(),
        ]
    };
    let january = figures([2, 3_000], 1_500.0, [1_000, 2_000], 500.0, [1, 0, 0]);
    let february = figures([2, -200], -100.0, [-500, 300], 400.0, [2, 1, -500]);
    let march = figures([1, 700], 700.0, [700, 700], 0.0, [1, 0, 0]);
    assert_eq!(
        data["rows"],
        json!([
            row("2018-01", true, january),
            row("2018-02", false, february),
            row("2018-03", true, march),
        ])
    );
}

/// Returns (period, count, cards, partial) of each row.
fn brief(data: &Value) -> Vec<(String, u64, u64, bool)> {
    let rows = data["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["period"].as_str().unwrap().to_owned(),
            row["count"].as_u64().unwrap(),
            row["cards"].as_u64().unwrap(),
            row.get("partial").is_some_and(|partial| partial == true),
        )
    })
    .collect()
}

#[test]
fn periods_are_labelled_and_their_cards_told_apart() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (query, expected) in [
        (
            "group_by=week",
            &[("2018-W05", 4, 2, false), ("2018-W10", 1, 1, true)][..],
        ),
        ("group_by=quarter", &[("2018-Q1", 5, 3, true)]),
        ("group_by=year", &[("2018", 5, 3, true)]),
        ("group_by=all", &[("all", 5, 3, false)]),
        (
            "group_by=all&min_date=2018-01-30&max_date=2018-02-03",
            &[("2018-01-30/2018-02-03", 3, 2, false)],
        ),
        (
            "group_by=all&max_date=2018-02-02",
            &[("2018-01-29/2018-02-02", 2, 1, false)],
        ),
        (
            "group_by=all&min_date=1930-01-01&max_date=2100-01-01",
            &[("1930-01-01/2100-01-01", 5, 3, true)],
        ),
        (
            "min_date=2018-01-30",
            &[
                ("2018-01", 1, 1, true),
                ("2018-02", 2, 2, false),
                ("2018-03", 1, 1, true),
            ],
        ),
        (
            "group_by=day&min_date=2018-02-03",
            &[("2018-02-03", 2, 2, false), ("2018-03-05", 1, 1, false)],
        ),
        (
            "group_by=quarter&min_date=2018-01-30&max_date=2018-03-04",
            &[("2018-Q1", 3, 2, true)],
        ),
        ("min_date=2019-01-01", &[]),
        ("max_date=1930-01-01&group_by=all", &[]),
        ("min_date=2018-02-10&max_date=2018-02-20", &[]),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/statistics?{query}"))
            .data();
        let expected: Vec<_> = expected
            .iter()
            .map(|(period, count, cards, partial)| (period.to_string(), *count, *cards, *partial))
            .collect();
        assert_eq!(brief(&data), expected, "{query}");
    }
    let market = client.get("/v1/markets/all/statistics?group_by=all").data();
    assert_eq!(brief(&market), [("all".to_owned(), 8, 4, false)]);
}

#[test]
fn filling_adds_periods_between_the_ends_of_the_data_only() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client
        .get("/v1/stores/a/statistics?group_by=week&fill=zero")
        .data();
    let labels: Vec<String> = brief(&data).into_iter().map(|row| row.0).collect();
    let weeks = ["05", "06", "07", "08", "09", "10"].map(|week| format!("2018-W{week}"));
    assert_eq!(labels, weeks);
    assert_eq!(
        data["rows"][1],
        json!({"period": "2018-W06", "count": 0, "sum": 0, "mean": null, "min": null,
               "max": null, "std": null, "cards": 0, "refund_count": 0, "refund_sum": 0})
    );
    // The store's own rows begin later than the data.
    let data = client
        .get("/v1/stores/c/statistics?fill=zero&max_date=2030-01-01")
        .data();
    assert_eq!(
        brief(&data),
        [
            ("2018-01".to_owned(), 0, 0, true),
            ("2018-02".to_owned(), 0, 0, false),
            ("2018-03".to_owned(), 2, 1, true)
        ]
    );
    let range = "min_date=2018-02-10&max_date=2018-02-20";
    let data = client
        .get(&format!(
            "/v1/stores/a/statistics?group_by=all&fill=zero&{range}"
        ))
        .data();
    assert_eq!(
        brief(&data),
        [("2018-02-10/2018-02-20".to_owned(), 0, 0, false)]
    );
    let data = client
        .get("/v1/stores/a/statistics?fill=zero&min_date=2019-01-01")
        .data();
    assert_eq!(brief(&data), []);
}
