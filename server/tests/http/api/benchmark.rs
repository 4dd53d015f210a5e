//! Benchmarks, against tables made by hand.

use std::sync::Arc;

use nightshard_format::record::{SPEND_SHARES, SpendShare};
use serde_json::{Value, json};

use super::{
    payment, server, shops,
    told::{Told, of_one_store},
};
use crate::{
    client::Client,
    fixture::{Fixture, Shop},
    harness::{Harness, config},
};

/// Three cafés of one town, a bar alone in it, one whose category and one whose town is not known; to the middle
/// of April 2018.
fn cafes() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let shops = [
        Shop::new("a", "", "leeds", "café"),
        Shop::new("b", "", "leeds", "café"),
        Shop::new("c", "", "leeds", "café"),
        Shop::new("bar", "", "leeds", "bar"),
        Shop::new("x", "", "leeds", ""),
        Shop::new("y", "", "", "café"),
    ];
    let payments = [
        payment(0, "2018-02-05", 1, 300),
        payment(0, "2018-02-06", 1, 300),
        payment(1, "2018-02-07", 1, 400),
        payment(1, "2018-02-08", 1, -100),
        payment(2, "2018-02-09", 1, 500),
        payment(3, "2018-02-09", 1, 500),
        payment(4, "2018-02-09", 1, 500),
        payment(5, "2018-02-09", 1, 500),
        payment(0, "2018-03-01", 1, 1_000),
        payment(1, "2018-03-02", 1, 1_100),
        payment(2, "2018-03-03", 1, -50),
        payment(0, "2018-04-15", 1, 800),
    ];
    let id = fixture.write(&shops, &payments);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

fn standings(client: &mut Client, store: &str, period: &str) -> Value {
    let data = client
        .get(&format!("/v1/stores/{store}/benchmark?period={period}"))
        .data();
    let of = |name: &str| json!([data[name]["index"], data[name]["percentile"]]);
    json!([
        data["others"],
        of("net_sales"),
        of("sales_count"),
        of("ticket")
    ])
}

#[test]
fn a_store_stands_beside_the_others_of_its_region_and_category() {
    let harness = cafes();
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/benchmark?period=2018-02").data();
    // 600 beside 300 and 500, 2 sales beside 1 and 1, 300 a sale beside 400 and 500.
    assert_eq!(
        data,
        json!({
            "id": "a", "period": "2018-02", "partial": true, "region": "leeds", "category": "café",
            "others": 2,
            "net_sales": {"index": 150.0, "percentile": 100.0},
            "sales_count": {"index": 200.0, "percentile": 100.0},
            "ticket": {"index": 200.0 / 3.0, "percentile": 0.0},
            "spend_share": null, "suppressed": ["spend_share"],
        })
    );
    assert_eq!(
        standings(&mut client, "b", "2018-02"),
        json!([2, [600.0 / 11.0, 0.0], [200.0 / 3.0, 25.0], [100.0, 50.0]])
    );
    // In March c has a refund alone: it is none of the others.
    assert_eq!(
        standings(&mut client, "a", "2018-03"),
        json!([
            1,
            [1_000.0 / 11.0, 0.0],
            [100.0, 50.0],
            [1_000.0 / 11.0, 0.0]
        ])
    );
    assert_eq!(
        standings(&mut client, "c", "2018-Q1"),
        json!([
            2,
            [30.0, 0.0],
            [40.0, 0.0],
            [100_000_000.0 / 1_283_333.0, 0.0]
        ])
    );
}

#[test]
fn what_cannot_be_compared_is_null_and_says_why() {
    let harness = cafes();
    let mut client = harness.connect();
    for (store, period, reason) in [
        ("a", "2018-04", "incomplete"),
        ("a", "2018-Q2", "incomplete"),
        ("a", "2018", "incomplete"),
        ("c", "2018-03", "no_sales"),
        ("bar", "2018-03", "no_sales"),
        ("a", "2017-03", "no_sales"),
        ("x", "2018-02", "no_category"),
        ("y", "2018-02", "no_region"),
    ] {
        let path = format!("/v1/stores/{store}/benchmark?period={period}");
        let data = client.get(&path).data();
        assert_eq!(data["reason"], reason, "{path}");
        assert!(data.get("suppressed").is_none(), "{path}");
        for name in [
            "others",
            "net_sales",
            "sales_count",
            "ticket",
            "spend_share",
        ] {
            assert_eq!(data.get(name), Some(&Value::Null), "{path}");
        }
    }
}

#[test]
fn hidden_figures_are_null_and_named() {
    let harness = cafes();
    let mut client = harness.connect();
    let data = client.get("/v1/stores/bar/benchmark?period=2018-02").data();
    assert_eq!(
        data,
        json!({
            "id": "bar", "period": "2018-02", "partial": true, "region": "leeds", "category": "bar",
            "others": null, "net_sales": null, "sales_count": null, "ticket": null, "spend_share": null,
            "suppressed": ["others", "net_sales", "sales_count", "ticket", "spend_share"],
        })
    );
}

/// Records of two months of the store `a`, and of how many stores have one.
pub(crate) fn spend_records() -> Told {
    let encoded = |own, cell| {
        let mut value = Vec::new();
        SpendShare { own, cell }.encode(&mut value);
        value
    };
    of_one_store([
        ("2018-01", encoded(700, 1_000)),
        ("2018-02", encoded(-200, 600)),
    ])
}

#[test]
fn shares_of_what_cards_spend_are_told_by_themselves() {
    let fixture = Arc::new(Fixture::new());
    let payments = [
        payment(0, "2018-01-05", 1, 700),
        payment(0, "2018-02-12", 1, 300),
        payment(0, "2018-02-13", 1, -500),
        payment(0, "2018-03-31", 2, 1_100),
    ];
    let id = fixture.write_told(&shops()[..1], &payments, SPEND_SHARES, &spend_records());
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let mut ask = |period: &str| {
        let path = format!("/v1/stores/a/benchmark?period={period}");
        client.get(&path).data()
    };
    let others = ["others", "net_sales", "sales_count", "ticket"];
    // Nobody is beside the store, and of March nothing is told.
    assert_eq!(
        ask("2018-Q1"),
        json!({
            "id": "a", "period": "2018-Q1", "partial": true, "region": "leeds", "category": "food",
            "others": null, "net_sales": null, "sales_count": null, "ticket": null,
            "spend_share": {
                "share": 0.3125,
                "covered": {"min_date": "2018-01-01", "max_date": "2018-02-28"},
            },
            "suppressed": others,
        })
    );
    assert_eq!(ask("2018-01")["spend_share"]["share"], json!(0.7));
    // It paid back more than it sold.
    let february = ask("2018-02");
    let covered = json!({"min_date": "2018-02-01", "max_date": "2018-02-28"});
    assert_eq!(
        february["spend_share"],
        json!({"share": null, "covered": covered})
    );
    assert_eq!(february["suppressed"], json!(others));
    let march = ask("2018-03");
    assert_eq!(march["spend_share"], Value::Null);
    assert_eq!(march["suppressed"].as_array().unwrap().len(), 5);
}

#[test]
fn other_periods_are_refused_and_markets_have_none() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for query in [
        "",
        "?period=all",
        "?period=2018-W07",
        "?period=2018-03-05",
        "?period=2018-13",
    ] {
        let reply = client.get(&format!("/v1/stores/a/benchmark{query}"));
        assert_eq!(reply.problem(), (400, Some("period".into())), "{query}");
    }
    let path = "/v1/stores/a/benchmark?period=2018-02&min_date=2018-02-01";
    assert_eq!(client.get(path).problem(), (400, Some("min_date".into())));
    for path in [
        "/v1/stores/nobody/benchmark?period=2018-02",
        "/v1/markets/all/benchmark?period=2018-02",
        "/v1/regions/leeds/benchmark?period=2018-02",
    ] {
        assert_eq!(client.get(path).problem(), (404, None), "{path}");
    }
}
