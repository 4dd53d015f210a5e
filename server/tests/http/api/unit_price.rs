//! Unit prices, against tables made by hand.

use std::sync::Arc;

use nightshard_format::calendar::Day;
use serde_json::{Value, json};

use super::{day, payment, server, shops};
use crate::{
    fixture::Fixture,
    harness::{Harness, config},
};

/// A row: date or id, sales, their sum, cards, and what follows from them.
fn row(name: &str, of: &str, [count, sum, cards]: [u64; 3], prices: [Option<f64>; 2]) -> Value {
    json!({name: of, "sales_count": count, "sales_sum": sum, "cards": cards,
           "per_payment": prices[0], "per_card": prices[1]})
}

#[test]
fn prices_by_day_leave_out_refunds_and_days_without_sales() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let data = client.get("/v1/stores/a/unit_price").data();
    assert_eq!(
        (&data["window"], &data["currency"]),
        (&json!("day"), &json!("GBP"))
    );
    let on = |date, figures, price| row("date", date, figures, [Some(price), Some(price)]);
    assert_eq!(
        data["rows"],
        json!([
            on("2018-01-29", [1, 1_000, 1], 1_000.0),
            on("2018-01-30", [1, 2_000, 1], 2_000.0),
            // The other card of the day has a refund alone.
            on("2018-02-03", [1, 300, 1], 300.0),
            on("2018-03-05", [1, 700, 1], 700.0),
        ])
    );
    let query = "min_date=2018-02-02&max_date=2018-02-03&fill=zero";
    let data = client
        .get(&format!("/v1/stores/a/unit_price?{query}"))
        .data();
    let nothing = row("date", "2018-02-02", [0, 0, 0], [None, None]);
    let third = on("2018-02-03", [1, 300, 1], 300.0);
    assert_eq!(data["rows"], json!([nothing, third]));
    let data = client
        .get("/v1/markets/all/unit_price?max_date=2018-01-31")
        .data();
    assert_eq!(data["rows"][2], on("2018-01-31", [1, 5_000, 1], 5_000.0));
}

/// Sales around the end of a month that is the end of a year.
///
/// | date | sales | cards |
/// |---|---|---|
/// | 25 December | 400 | 1 |
/// | 30 December | 100, 200 | 1, 2 |
/// | 31 December | 300 | 1 |
/// | 1 January | 900, and 50 back | 3, 2 |
/// | 6 January | 600 | 2 |
/// | 1 February | 800 | 1 |
fn around_new_year() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let payments = [
        payment(0, "2018-12-25", 1, 400),
        payment(0, "2018-12-30", 1, 100),
        payment(0, "2018-12-30", 2, 200),
        payment(0, "2018-12-31", 1, 300),
        payment(0, "2019-01-01", 3, 900),
        payment(0, "2019-01-01", 2, -50),
        payment(0, "2019-01-06", 2, 600),
        payment(0, "2019-02-01", 1, 800),
    ];
    let id = fixture.write(&shops()[..1], &payments);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

#[test]
fn trailing_prices_reach_across_the_ends_of_months_and_years() {
    let harness = around_new_year();
    let target = "/v1/stores/a/unit_price?window=trailing_7d&max_date=2019-02-09";
    let data = harness.connect().get(target).data();
    let mut expected = vec![];
    // First and last date, sales, their sum, cards, days of cards.
    for (first, last, [count, sum, cards, card_days]) in [
        ("2018-12-26", "2018-12-30", [1, 400, 1, 1]),
        ("2018-12-31", "2018-12-31", [3, 700, 2, 3]),
        ("2019-01-01", "2019-01-01", [4, 1_000, 2, 4]),
        // Christmas leaves the window on the second: 100, 200, 300 and 900 stay.
        ("2019-01-02", "2019-01-06", [4, 1_500, 3, 4]),
        // The thirtieth leaves on the seventh, when the sixth has come.
        ("2019-01-07", "2019-01-07", [3, 1_800, 3, 3]),
        ("2019-01-08", "2019-01-08", [2, 1_500, 2, 2]),
        ("2019-01-09", "2019-01-13", [1, 600, 1, 1]),
        ("2019-02-02", "2019-02-08", [1, 800, 1, 1]),
    ] {
        for date in (day(first).0..=day(last).0).map(Day) {
            let share = |of: u64| Some(sum as f64 / of as f64);
            let prices = [share(count), share(cards)];
            let mut row = row("date", &date.to_string(), [count, sum, cards], prices);
            row["card_days"] = card_days.into();
            row["per_card_day"] = share(card_days).into();
            if date < day("2019-01-01") || date > day("2019-02-02") {
                row["partial"] = true.into();
            }
            expected.push(row);
        }
    }
    // As text, which the answer was: this parser is off by a digit in the last place now and then.
    let expected: Value = serde_json::from_str(&Value::from(expected).to_string()).unwrap();
    assert_eq!(data["rows"], expected);
}

#[test]
fn prices_of_all_stores_are_paged_and_filtered() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    let all = |data: &Value| -> Vec<Value> { data["rows"].as_array().unwrap().clone() };
    let range = "min_date=2018-01-30&max_date=2018-03-01";
    let data = client.get(&format!("/v1/unit_price?{range}")).data();
    let of = |id, figures, price| row("id", id, figures, [Some(price), Some(price)]);
    let expected = [
        row("id", "a", [2, 2_300, 1], [Some(1_150.0), Some(2_300.0)]),
        of("c", [1, 100, 1], 100.0),
        of("b/1 é", [1, 5_000, 1], 5_000.0),
    ];
    assert_eq!(all(&data), expected);
    assert_eq!(
        (&data["min_date"], &data["max_date"], &data["total"]),
        (&json!("2018-01-30"), &json!("2018-03-01"), &json!(3))
    );
    assert_eq!(
        (&data["window"], data.get("partial")),
        (&json!("range"), None)
    );
    let beyond = client.get("/v1/unit_price?max_date=2019-01-01").data();
    assert_eq!(beyond["partial"], true);
    let (mut paged, mut query) = (Vec::new(), format!("{range}&limit=1"));
    loop {
        let page = client.get(&format!("/v1/unit_price?{query}")).data();
        paged.extend(all(&page));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("{range}&limit=1&cursor={next}");
    }
    assert_eq!(paged, expected);
    let york = client.get("/v1/unit_price?date=2018-03-02&region=york&category=food");
    assert_eq!(all(&york.data()), [of("c", [1, 200, 1], 200.0)]);
    let trailing = client.get("/v1/unit_price?date=2018-03-02&window=trailing_7d&region=york");
    let mut expected = of("c", [1, 100, 1], 100.0);
    expected["card_days"] = 1.into();
    expected["per_card_day"] = 100.0.into();
    let trailing = trailing.data();
    assert_eq!(all(&trailing), [expected]);
    assert_eq!(
        (
            &trailing["window"],
            &trailing["date"],
            &trailing["min_date"]
        ),
        (
            &json!("trailing_7d"),
            &json!("2018-03-02"),
            &json!("2018-02-23")
        )
    );
}

#[test]
fn wrong_parameters_of_prices_are_named() {
    let (harness, _) = server(config());
    let mut client = harness.connect();
    for (target, status, parameter) in [
        ("stores/a/unit_price?window=week", 400, "window"),
        ("stores/a/unit_price?date=2018-01-30", 400, "date"),
        (
            "stores/a/unit_price?min_date=2018-03-01&max_date=2018-02-01",
            400,
            "min_date",
        ),
        ("unit_price?date=2018-02-30", 400, "date"),
        (
            "unit_price?date=2018-02-03&min_date=2018-01-30",
            400,
            "date",
        ),
        ("unit_price?window=trailing_7d", 400, "window"),
        ("unit_price?limit=1001", 400, "limit"),
        ("unit_price?region=atlantis", 404, "region"),
    ] {
        let reply = client.get(&format!("/v1/{target}"));
        assert_eq!(
            reply.problem(),
            (status, Some(parameter.into())),
            "{target}"
        );
    }
    let far = client.get("/v1/stores/a/unit_price?window=trailing_7d&min_date=2090-01-01");
    assert_eq!(far.data()["rows"], json!([]));
    let reply = client.get("/v1/stores/nowhere/unit_price");
    assert_eq!(reply.problem(), (404, None));
}
