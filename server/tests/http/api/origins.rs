//! Where cards come from, against tables made by hand.

use nightshard_format::record::{Label, LabelledCards, ORIGINS, encode_origins};
use serde_json::json;

use super::{
    server,
    told::{self, Told, of_one_store},
};
use crate::harness::{Harness, config};

const LEEDS: Label<&[u8]> = Label::Text(b"leeds");
const YORK: Label<&[u8]> = Label::Text(b"york");

/// Records of two months of the store `a`, and of how many stores have one.
pub(crate) fn records() -> Told {
    let cell = |label, cards| LabelledCards { label, cards };
    let january = [
        cell(Label::Merged, 12),
        cell(Label::Unknown, 30),
        cell(LEEDS, 18),
    ];
    let february = [cell(LEEDS, 22), cell(YORK, 18)];
    let encoded = |cells: &[LabelledCards<'_>]| {
        let mut value = Vec::new();
        encode_origins(cells, &mut value);
        value
    };
    of_one_store([
        ("2018-01", encoded(&january)),
        ("2018-02", encoded(&february)),
    ])
}

fn three_months() -> Harness {
    told::three_months(&[(ORIGINS, records().as_slice())])
}

#[test]
fn origins_of_months_add_up_by_region() {
    let harness = three_months();
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/origins?period=2018-Q1").data();
    assert_eq!(
        data,
        json!({
            "id": "a", "period": "2018-Q1", "partial": true,
            "covered": {"min_date": "2018-01-01", "max_date": "2018-02-28"},
            "card_months": 100,
            "rows": [
                {"region": "leeds", "cards": null, "card_months": 40, "share": 0.4,
                 "suppressed": ["cards"]},
                {"region": null, "cards": 30, "card_months": 30, "share": 0.3},
                {"region": "york", "cards": 18, "card_months": 18, "share": 0.18},
                {"region": null, "merged": ["region"], "cards": 12, "card_months": 12,
                 "share": 0.12},
            ],
        })
    );
    let january = client.get("/v1/stores/a/origins?period=2018-01").data();
    assert_eq!(january["rows"][1]["cards"], json!(18));
    assert_eq!(january["card_months"], json!(60));
}

#[test]
fn origins_that_are_not_told_have_no_rows_and_cover_no_day() {
    let harness = three_months();
    let (unsaid, _) = server(config());
    for (harness, query) in [
        (&harness, "?period=2018-03"),
        (&harness, "?period=1999"),
        (&unsaid, ""),
    ] {
        let path = format!("/v1/stores/a/origins{query}");
        let data = harness.connect().get(&path).data();
        assert_eq!(
            (&data["rows"], &data["covered"], &data["card_months"]),
            (&json!([]), &json!(null), &json!(0))
        );
    }
}

#[test]
fn origins_are_of_whole_months_and_markets_have_none() {
    let harness = three_months();
    let mut client = harness.connect();
    let path = "/v1/stores/a/origins";
    let data = client.get(&format!("{path}?max_date=2018-01-31")).data();
    assert_eq!(data["card_months"], json!(60));
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
    for path in ["/v1/stores/nobody", "/v1/markets/all"] {
        assert_eq!(client.get(&format!("{path}/origins")).status, 404);
    }
}
