//! Who pays in places, as far as it may be told, against figures worked out by hand.

use nightshard_format::{
    record::{
        Label, Labels, PLACE_DEMOGRAPHICS, PlaceCell, PlaceDemographics, encode_month_stores,
    },
    shard::Span,
};
use serde_json::{Value, json};

use super::{Arc, Fixture, Harness, K, atoms, config, covered, day, payments, shops};

const REST: Labels<&[u8]> = [Label::Merged; 3];

fn of_age(text: &'static str) -> Labels<&'static [u8]> {
    let unknown = Label::Unknown;
    [Label::Text(text.as_bytes()), unknown, unknown]
}

/// Records of leeds in January and February, and of york in January, up to the end of March.
fn server() -> Harness {
    let cells: [(&[u8], &str, u64, &[_]); 3] = [
        (
            b"regions\0leeds",
            "2018-01",
            2_000,
            &[
                (REST, 52),
                (of_age("20s"), 200),
                (of_age("30s"), 202),
                (of_age("40s"), 1_546),
            ],
        ),
        (
            b"regions\0leeds",
            "2018-02",
            10,
            &[(REST, 4), (of_age("20s"), 6)],
        ),
        // Of the rest nothing is said.
        (
            b"regions\0york",
            "2018-01",
            3_000,
            &[(of_age("20s"), 1_000)],
        ),
    ];
    let mut records: Vec<(&[u8], Span, Vec<u8>)> = Vec::new();
    for (key, month, count, cells) in cells {
        let cells = cells.iter();
        let cells = cells.map(|(labels, count)| PlaceCell {
            labels: *labels,
            count: *count,
        });
        let cells = cells.collect();
        let mut value = Vec::new();
        PlaceDemographics { count, cells }.encode(&mut value);
        records.push((key, Span::Month(month.parse().unwrap()), value));
    }
    for (month, places) in [("2018-01", 2), ("2018-02", 1)] {
        let mut value = Vec::new();
        encode_month_stores(places, &mut value);
        records.push((month.as_bytes(), Span::Current, value));
    }
    let fixture = Arc::new(Fixture::new());
    let told = (PLACE_DEMOGRAPHICS, records.as_slice());
    let until = (day("2018-03-31"), K);
    let id = fixture.write_protected_told(until, &shops(), &payments(), &atoms(), told);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

fn row(age_band: &str, share: f64) -> Value {
    json!({"age_band": age_band, "gender": null, "segment": null, "count": null,
           "count_share": share, "suppressed": ["count"]})
}

fn rest(share: f64) -> Value {
    json!({"age_band": null, "gender": null, "segment": null,
           "merged": ["age_band", "gender", "segment"], "count": null, "count_share": share,
           "suppressed": ["count"]})
}

#[test]
fn shares_are_in_whole_percents_and_say_no_count() {
    let harness = server();
    let mut client = harness.connect();
    for (place, period, days, rows) in [
        (
            "leeds",
            "2018-01",
            covered("2018-01-01", "2018-01-31"),
            // 77.3, 10.0, 10.1 and 2.6 percent: the order of equals says nothing of their rows.
            vec![
                row("40s", 0.77),
                row("20s", 0.1),
                row("30s", 0.1),
                rest(0.03),
            ],
        ),
        (
            "leeds",
            "2018-Q1",
            covered("2018-01-01", "2018-02-28"),
            // 206 and 56 of 2,010 rows; what one of the months does not tell is not told of both.
            vec![row("20s", 0.1), rest(0.03)],
        ),
        (
            "york",
            "2018-01",
            covered("2018-01-01", "2018-01-31"),
            vec![row("20s", 0.33)],
        ),
        // Of ten rows 60 % are just six.
        (
            "leeds",
            "2018-02",
            covered("2018-02-01", "2018-02-28"),
            vec![],
        ),
        ("leeds", "2018-03", json!(null), vec![]),
        ("hull", "2018-01", json!(null), vec![]),
    ] {
        let path = format!("/v1/regions/{place}/demographics?period={period}");
        let expected = json!({"id": place, "period": period, "covered": days, "rows": rows});
        assert_eq!(client.get(&path).data(), expected, "{path}");
    }
    let data = client.get("/v1/markets/all/demographics").data();
    assert_eq!(
        (&data["covered"], &data["rows"]),
        (&json!(null), &json!([]))
    );
    for (path, status, parameter) in [
        (
            "/v1/regions/leeds/demographics?period=2018-W02",
            400,
            Some("period"),
        ),
        ("/v1/regions/bath/demographics", 404, None),
        ("/v1/markets/some/demographics", 404, None),
        ("/v1/regions/leeds/categories/none/demographics", 404, None),
    ] {
        let parameter = parameter.map(str::to_owned);
        assert_eq!(client.get(path).problem(), (status, parameter), "{path}");
    }
}
