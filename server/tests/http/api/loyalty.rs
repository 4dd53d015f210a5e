//! Loyalty, against figures worked out by hand.

use std::sync::Arc;

use nightshard_format::{calendar::Day, returning::ReturnRule};
use serde_json::json;

use super::{day, payment, server};
use crate::{
    fixture::{Fixture, Payment, Shop},
    harness::{Harness, config},
};

#[test]
fn whoever_was_there_before_the_data_begins_is_not_known() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/loyalty?period=2018-01").data();
    // One card buys on two days.
    assert_eq!(
        (&data["active"], &data["visits"], &data["visits_per_card"]),
        (&json!(1), &json!(2), &json!(2.0))
    );
    // Nobody knows who was there before the data begins.
    assert_eq!(
        (&data["new"], &data["returning"], &data["reactivated"]),
        (&json!(null), &json!(null), &json!(null))
    );
    assert_eq!(client.get("/v1/markets/some/loyalty").status, 404);
}

#[test]
fn the_market_has_the_loyalty_of_all_stores_together() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/markets/all/loyalty?period=2018").data();
    // Card 1 comes on four days to two stores, 9 on two days, 3 once.
    assert_eq!(
        ["id", "active", "visits", "median_gap_days"].map(|name| &data[name]),
        [&json!("all"), &json!(3), &json!(7), &json!(1.0)]
    );
    let by_visits = [1, 2, 4].map(|number| json!({"from": number, "to": number, "cards": 1}));
    assert_eq!(data["cards_by_visits"], json!(by_visits));
    let none = json!({"visits": 7, "days": 90, "cards": 0, "sales_sum": 0, "share": 0.0});
    assert_eq!(data["regulars"], none);
    let cells = [(1, 4, 8_300), (2, 2, 300), (4, 1, 700)];
    let cells = cells.map(|(recency, frequency, sales_sum)| {
        json!({"recency": recency, "frequency": frequency, "cards": 1, "sales_sum": sales_sum, "mean": f64::from(sales_sum)})
    });
    assert_eq!(data["rfm"]["cells"], json!(cells));
    let money = [(1, 300), (2, 700), (4, 8_300)];
    let money = money
        .map(|(score, sum)| json!({"score": score, "from": sum, "cards": 1, "sales_sum": sum}));
    assert_eq!(data["rfm"]["money"], json!(money));
    let data = client
        .get("/v1/regions/leeds/loyalty?period=2018-Q1")
        .data();
    let by_visits = [1, 4].map(|number| json!({"from": number, "to": number, "cards": 1}));
    assert_eq!(data["cards_by_visits"], json!(by_visits));
    assert_eq!(data["rfm"], json!(null));
}

/// Four visits of one store and three of another are seven of the two together.
#[test]
fn regulars_of_many_stores_need_not_be_those_of_one() {
    let fixture = Arc::new(Fixture::new());
    let first = day("2018-01-05");
    let mut payments: Vec<Payment> = (0..7_usize)
        .zip((0..).step_by(7))
        .map(|(week, days)| payment(week % 2, &Day(first.0 + days).to_string(), 1, 100))
        .collect();
    payments.push(payment(0, "2018-02-20", 2, 300));
    let shops = ["food", "fuel"].map(|category| Shop::new(category, "", "leeds", category).of("m"));
    let id = fixture.write_as_of(day("2018-02-28"), &shops, &payments);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    for (path, cards, sales_sum, share) in [
        ("markets/all", 1, 300, 0.5),
        ("regions/leeds", 1, 300, 0.5),
        ("merchants/m", 1, 300, 0.5),
        ("categories/food", 0, 0, 0.0),
        ("regions/leeds/categories/fuel", 0, 0, 0.0),
        ("stores/food", 0, 0, 0.0),
    ] {
        let data = client
            .get(&format!("/v1/{path}/loyalty?period=2018-02"))
            .data();
        let expected = json!({"visits": 7, "days": 90, "cards": cards, "sales_sum": sales_sum, "share": share});
        assert_eq!(data["regulars"], expected, "{path}");
    }
}

#[test]
fn periods_without_data_have_nobody() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/loyalty?period=1999").data();
    assert_eq!(
        (&data["active"], &data["lapsed"], &data["cohorts"]),
        (&json!(0), &json!(0), &json!([]))
    );
    assert_eq!(data["visits_per_card"], json!(null));
    assert_eq!(data["median_gap_days"], json!(null));
}

#[test]
fn a_year_has_regulars_cards_by_visits_and_scores() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/loyalty?period=2018").data();
    assert_eq!(data["currency"], "GBP");
    let none = json!({"visits": 7, "days": 90, "cards": 0, "sales_sum": 0, "share": 0.0});
    assert_eq!(data["regulars"], none);
    let by_visits = json!([{"from": 1, "to": 1, "cards": 1}, {"from": 3, "to": 3, "cards": 1}]);
    assert_eq!(data["cards_by_visits"], by_visits);
    // One card comes three times until February, the other one once in March.
    let score = |score: u8, from: serde_json::Value, sales_sum: u32| json!({"score": score, "from": from, "cards": 1, "sales_sum": sales_sum});
    let rfm = json!({
        "recency": [score(1, json!("2018-02-03"), 3_300), score(3, json!("2018-03-05"), 700)],
        "frequency": [score(1, json!(1), 700), score(3, json!(3), 3_300)],
        "money": [score(1, json!(700), 700), score(3, json!(3_300), 3_300)],
        "cells": [
            {"recency": 1, "frequency": 3, "cards": 1, "sales_sum": 3_300, "mean": 3_300.0},
            {"recency": 3, "frequency": 1, "cards": 1, "sales_sum": 700, "mean": 700.0},
        ],
    });
    assert_eq!(data["rfm"], rfm);
    assert_eq!(client.get("/v1/stores/a/loyalty").data()["rfm"], rfm);
}

#[test]
fn what_takes_each_card_as_a_whole_is_known_of_named_periods() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let mut visits = |query: &str| {
        let data = client.get(&format!("/v1/stores/a/loyalty?{query}")).data();
        let null = json!(null);
        ["regulars", "cards_by_visits", "rfm"].map(|name| data[name] == null)
    };
    assert_eq!(visits("period=2018-01"), [false, false, true]);
    assert_eq!(visits("period=2018-Q1"), [false, false, true]);
    // Of a period without a visit it is known that there was none.
    assert_eq!(visits("period=1999"), [true, false, true]);
    for query in [
        "period=2018-W05",
        "period=2018-01-30",
        "min_date=2018-01-01",
    ] {
        assert_eq!(visits(query), [true; 3], "{query}");
    }
}

/// Whoever comes a seventh time within 90 days is regular, until the first of these is too long ago.
#[test]
fn regulars_are_those_at_the_end_of_a_period() {
    let fixture = Arc::new(Fixture::new());
    let first = day("2018-01-05");
    let mut payments: Vec<Payment> = (0..7)
        .map(|week| payment(0, &Day(first.0 + week * 7).to_string(), 1, 100))
        .collect();
    payments.push(payment(0, "2018-03-02", 2, 300));
    payments.push(payment(0, "2018-03-02", 9, -50));
    payments.push(payment(0, "2018-04-02", 2, 600));
    let shops = [Shop::new("a", "", "", "")];
    let id = fixture.write_as_of(day("2018-04-05"), &shops, &payments);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    for (period, cards, sales_sum, share) in [
        ("2018-01", 0, 0, 0.0),
        // The seventh visit is of 16 February.
        ("2018-02", 1, 300, 1.0),
        // It does not come in March, and is still regular.
        ("2018-03", 1, 0, 0.0),
        ("2018-Q1", 1, 700, 0.7),
        // On 5 April its first visit is 91 days ago.
        ("2018-04", 0, 0, 0.0),
        ("2018", 0, 0, 0.0),
        ("all", 0, 0, 0.0),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/loyalty?period={period}"))
            .data();
        let expected = json!({"visits": 7, "days": 90, "cards": cards, "sales_sum": sales_sum, "share": share});
        assert_eq!(data["regulars"], expected, "{period}");
    }
}

/// Two cards, of which one comes again after a week and once more after seven.
fn ruled(rule: &ReturnRule) -> Harness {
    let fixture = Arc::new(Fixture::new());
    let payments = [
        payment(0, "2018-01-05", 1, 100),
        payment(0, "2018-01-12", 1, 100),
        payment(0, "2018-02-01", 2, 100),
        payment(0, "2018-03-02", 1, 100),
    ];
    let shops = [Shop::new("a", "", "", "")];
    let id = fixture.write_as_of(day("2018-04-05"), &shops, &payments);
    let mut manifest = fixture.manifest(&id);
    let entries = rule.entries().into_iter();
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    manifest.configuration.extend(entries);
    let id = fixture.put(manifest);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

#[test]
fn days_of_absence_and_of_coming_again_are_those_of_the_build() {
    let rule = ReturnRule::new(30, vec![7, 60], 20).unwrap();
    let harness = ruled(&rule);
    let mut client = harness.connect();
    let null = || json!(null);
    for (query, [new, returning, reactivated], lapsed) in [
        // The data begins on 5 January: until the 24th nobody is known to be new.
        ("period=2018-01", [null(), null(), null()], 0),
        ("min_date=2018-01-24", [null(), null(), null()], 1),
        ("min_date=2018-01-25", [json!(1), json!(1), json!(1)], 1),
        ("period=2018-02", [json!(1), json!(0), json!(0)], 1),
        (
            "period=2018-02&absence_days=47",
            [json!(1), json!(0), json!(0)],
            1,
        ),
        (
            "period=2018-02&absence_days=48",
            [json!(1), json!(0), json!(0)],
            0,
        ),
        ("period=2018-03", [json!(0), json!(1), json!(1)], 0),
        (
            "period=2018-03&absence_days=50",
            [json!(0), json!(1), json!(0)],
            0,
        ),
    ] {
        let path = format!("/v1/stores/a/loyalty?{query}");
        let data = client.get(&path).data();
        let found = ["new", "returning", "reactivated"].map(|name| data[name].clone());
        assert_eq!(found, [new, returning, reactivated], "{query}");
        assert_eq!(data["lapsed"], json!(lapsed), "{query}");
    }
    let data = client.get("/v1/stores/a/loyalty").data();
    assert_eq!(data["absence_days"], json!(30));
    assert_eq!(
        data["repeat"],
        json!([
            {"days": 7, "cards": 2, "returned": 1, "rate": 0.5},
            {"days": 60, "cards": 2, "returned": 1, "rate": 0.5},
        ])
    );
}

#[test]
fn no_days_of_coming_again_are_no_rates() {
    let harness = ruled(&ReturnRule::new(45, Vec::new(), 0).unwrap());
    let data = harness.connect().get("/v1/stores/a/loyalty").data();
    assert_eq!((&data["repeat"], &data["new"]), (&json!([]), &json!(2)));
}

#[test]
fn wrong_parameters_of_loyalty_are_named() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (query, parameter) in [
        ("absence_days=0", "absence_days"),
        ("absence_days=3651", "absence_days"),
        ("period=2018-13", "period"),
        ("min_date=2018-03-02&max_date=2018-03-01", "min_date"),
        ("fill=zero", "fill"),
    ] {
        let reply = client.get(&format!("/v1/stores/a/loyalty?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
}
