//! What cards do before and after, against tables made by hand.

use nightshard_format::record::{BEFORE_AFTER, BesideRecord, Label, LabelledCards};
use serde_json::json;

use super::{
    server,
    told::{self, Told, of_one_store},
};
use crate::harness::{Harness, config};

const LEEDS: Label<&[u8]> = Label::Text(b"leeds");
const FOOD: Label<&[u8]> = Label::Text(b"food");

/// Records of two months of the store `a`, and of how many stores have one.
pub(crate) fn records() -> Told {
    let cell = |label, cards| LabelledCards { label, cards };
    let january = BesideRecord {
        lists: [
            vec![cell(Label::Merged, 10), cell(LEEDS, 10)],
            vec![cell(Label::Unknown, 20)],
            vec![],
            vec![cell(FOOD, 12)],
        ],
    };
    let february = BesideRecord {
        lists: [
            vec![cell(LEEDS, 20)],
            vec![],
            vec![],
            vec![cell(Label::Merged, 36)],
        ],
    };
    let encoded = |record: BesideRecord<'_>| {
        let mut value = Vec::new();
        record.encode(&mut value);
        value
    };
    of_one_store([
        ("2018-01", encoded(january)),
        ("2018-02", encoded(february)),
    ])
}

fn three_months() -> Harness {
    told::three_months(&[(BEFORE_AFTER, records().as_slice())])
}

#[test]
fn what_is_before_and_after_adds_up_by_region_and_by_category() {
    let harness = three_months();
    let mut client = harness.connect();
    let path = "/v1/stores/a/before_after";
    let data = client.get(&format!("{path}?period=2018-Q1")).data();
    assert_eq!(
        data,
        json!({
            "id": "a", "period": "2018-Q1", "partial": true,
            "covered": {"min_date": "2018-01-01", "max_date": "2018-02-28"},
            "before": {
                "regions": [
                    {"region": "leeds", "share": 0.75},
                    {"region": null, "merged": ["region"], "share": 0.25},
                ],
                "categories": [{"category": null, "share": 1.0}],
            },
            "after": {
                "regions": [],
                "categories": [
                    {"category": null, "merged": ["category"], "share": 0.75},
                    {"category": "food", "share": 0.25},
                ],
            },
        })
    );
}

#[test]
fn what_is_not_told_has_no_lists_and_covers_no_day() {
    let harness = three_months();
    let (unsaid, _) = server(config());
    for (harness, query) in [(&harness, "?period=2018-03"), (&unsaid, "")] {
        let path = format!("/v1/stores/a/before_after{query}");
        let data = harness.connect().get(&path).data();
        let nothing = json!({"regions": [], "categories": []});
        assert_eq!(
            (&data["before"], &data["after"], &data["covered"]),
            (&nothing, &nothing, &json!(null))
        );
    }
}

#[test]
fn what_is_before_and_after_is_of_whole_months_and_markets_have_none() {
    let harness = three_months();
    let mut client = harness.connect();
    let path = "/v1/stores/a/before_after";
    for (query, parameter) in [
        ("period=2018-W02", "period"),
        ("min_date=2018-01-06", "min_date"),
        ("max_date=2018-02-27", "max_date"),
        ("min_date=2018-01-01&max_date=2018-02-27", "max_date"),
        ("min_date=2018-02-02&max_date=2018-02-27", "min_date"),
        ("fill=zero", "fill"),
    ] {
        let reply = client.get(&format!("{path}?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
    for path in ["/v1/stores/nobody", "/v1/markets/all"] {
        assert_eq!(client.get(&format!("{path}/before_after")).status, 404);
    }
}
