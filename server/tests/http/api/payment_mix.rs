//! Payment mixes, against tables made by hand.

use std::sync::Arc;

use serde_json::json;

use super::{payment, server, shops};
use crate::{
    fixture::{Fixture, Payment},
    harness::{Harness, config},
};

/// Payments of three months, of which only the first two say how they were paid.
fn three_months() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let by = |company, months, payment| Payment {
        paid: Some((company, months)),
        ..payment
    };
    let payments = [
        by("visa", 1, payment(0, "2018-01-05", 1, 700)),
        by("amex", 3, payment(0, "2018-01-31", 2, 300)),
        payment(0, "2018-01-31", 3, 100),
        by("visa", 1, payment(0, "2018-02-12", 1, -200)),
        payment(0, "2018-04-13", 2, 1_100),
    ];
    let id = fixture.write(&shops()[..1], &payments);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

#[test]
fn payments_divide_by_each_dimension_that_is_said() {
    let harness = three_months();
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/payment_mix?period=2018-Q1").data();
    let row = |value, count, sum: i64, shares: [f64; 2]| {
        let [of_count, of_sum] = shares;
        json!({"value": value, "count": count, "sum": sum, "count_share": of_count,
               "sum_share": of_sum})
    };
    let (visa, amex) = (json!("visa"), json!("amex"));
    assert_eq!(
        data,
        json!({
            "id": "a", "period": "2018-Q1", "partial": true, "currency": "GBP",
            "currency_exponent": 2, "count": 4, "sum": 900,
            "points": null, "fees": null, "deposits": null,
            "mix": {
                "card_company": [
                    row(visa, 2, 500, [0.5, 5.0 / 9.0]),
                    row(amex, 1, 300, [0.25, 3.0 / 9.0]),
                    row(json!(null), 1, 100, [0.25, 1.0 / 9.0]),
                ],
                "installments": [
                    row(json!(1), 2, 500, [0.5, 5.0 / 9.0]),
                    row(json!(3), 1, 300, [0.25, 3.0 / 9.0]),
                    row(json!(null), 1, 100, [0.25, 1.0 / 9.0]),
                ],
            },
        })
    );
}

#[test]
fn months_that_say_nothing_are_unknown_or_have_no_mix() {
    let harness = three_months();
    let mut client = harness.connect();
    let all = client.get("/v1/stores/a/payment_mix").data();
    assert_eq!((&all["count"], &all["sum"]), (&json!(5), &json!(2_000)));
    // Of equals the unknown comes last.
    let unknown = &all["mix"]["card_company"][1];
    assert_eq!(unknown["value"], json!(null));
    assert_eq!(
        (&unknown["count"], &unknown["sum"]),
        (&json!(2), &json!(1_200))
    );
    let february = client.get("/v1/stores/a/payment_mix?period=2018-02").data();
    assert_eq!(february["mix"]["installments"][0]["sum_share"], json!(null));
    for (query, count) in [
        ("period=2018-04", 1),
        ("period=2018-03", 0),
        ("period=1999", 0),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/payment_mix?{query}"))
            .data();
        assert_eq!((&data["count"], &data["mix"]), (&json!(count), &json!({})));
    }
}

#[test]
fn ranges_are_of_whole_months() {
    let harness = three_months();
    let mut client = harness.connect();
    for (query, count) in [
        ("min_date=2018-01-01&max_date=2018-02-28", 4),
        // What lies beyond the data's ends cuts nothing.
        ("min_date=2018-01-05&max_date=2018-01-31", 3),
        ("min_date=2018-02-01", 2),
    ] {
        let data = client
            .get(&format!("/v1/stores/a/payment_mix?{query}"))
            .data();
        assert_eq!(data["count"], json!(count), "{query}");
    }
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
        let reply = client.get(&format!("/v1/stores/a/payment_mix?{query}"));
        assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
    }
}

#[test]
fn payments_of_places_are_those_of_their_stores_together() {
    let fixture = Arc::new(Fixture::new());
    let by = |company, months, payment| Payment {
        paid: Some((company, months)),
        ..payment
    };
    // The first two stores are in leeds, the first and the third sell food.
    let payments = [
        by("visa", 1, payment(0, "2018-01-05", 1, 700)),
        by("amex", 3, payment(1, "2018-01-06", 1, 300)),
        payment(2, "2018-01-07", 2, 400),
        by("visa", 1, payment(2, "2018-02-01", 2, 600)),
    ];
    let id = fixture.write(&shops(), &payments);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let (visa, amex, unknown) = (json!("visa"), json!("amex"), json!(null));
    for (place, totals, companies) in [
        (
            "regions/leeds",
            (2, 1_000),
            &[(&amex, 1, 300), (&visa, 1, 700)][..],
        ),
        (
            "categories/food",
            (3, 1_700),
            &[(&visa, 2, 1_300), (&unknown, 1, 400)],
        ),
        (
            "regions/leeds/categories/food",
            (1, 700),
            &[(&visa, 1, 700)],
        ),
        (
            "markets/all",
            (4, 2_000),
            &[(&visa, 2, 1_300), (&amex, 1, 300), (&unknown, 1, 400)],
        ),
    ] {
        let data = client.get(&format!("/v1/{place}/payment_mix")).data();
        let found = (&data["count"], &data["sum"]);
        assert_eq!(found, (&json!(totals.0), &json!(totals.1)), "{place}");
        let rows = data["mix"]["card_company"].as_array().unwrap();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (&row["value"], row["count"].clone(), row["sum"].clone()))
            .collect();
        let expected = companies.iter();
        let expected: Vec<_> = expected
            .map(|(value, count, sum)| (*value, json!(count), json!(sum)))
            .collect();
        assert_eq!(rows, expected, "{place}");
        assert_eq!(data["fees"], json!(null), "{place}");
    }
    let path = "/v1/regions/leeds/categories/food/payment_mix?period=2018-02";
    let data = client.get(path).data();
    assert_eq!(
        (&data["id"], &data["region"]),
        (&json!("food"), &json!("leeds"))
    );
    assert_eq!((&data["count"], &data["mix"]), (&json!(0), &json!({})));
}

#[test]
fn who_says_nothing_has_an_empty_mix_and_tiles_have_none() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for path in ["stores/a", "regions/leeds", "markets/all"] {
        let data = client.get(&format!("/v1/{path}/payment_mix")).data();
        assert_eq!(data["mix"], json!({}), "{path}");
    }
    let reply = client.get("/v1/tiles/11951/46900/payment_mix");
    assert_eq!(reply.status, 404);
}
