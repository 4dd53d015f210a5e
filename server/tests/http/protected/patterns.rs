//! Rounded shares of hours and weekdays, against figures worked out by hand.

use nightshard_format::{
    calendar::Month,
    record::{PatternCell, PlacePattern},
};
use serde_json::{Value, json};

use super::{Arc, FOOD, Fixture, Harness, K, LEEDS, atoms, config, covered, day, payments, shops};

/// Rows of ten merchants alike.
fn cell(count: u64) -> PatternCell {
    PatternCell {
        count,
        largest: count / 10,
        second: count / 10,
        merchants: 10,
    }
}

fn month(number: u32) -> Month {
    Month::new(2018, number).unwrap()
}

/// In February one merchant alone is at work at 3 in the morning.
fn patterns() -> [PlacePattern; 2] {
    let mut months = [PlacePattern::default(), PlacePattern::default()];
    let [january, february] = &mut months;
    for (hour, counts) in [(9, [300, 100]), (12, [500, 500]), (15, [200, 200])] {
        january.hours[hour] = cell(counts[0]);
        february.hours[hour] = cell(counts[1]);
    }
    february.hours[3] = PatternCell::of([100]);
    for (weekday, counts) in [(0, [400, 400]), (4, [600, 500])] {
        january.weekdays[weekday] = cell(counts[0]);
        february.weekdays[weekday] = cell(counts[1]);
    }
    months
}

/// Returns a server of these patterns of leeds and of its food, up to the end of March.
fn server() -> Harness {
    let fixture = Arc::new(Fixture::new());
    let [january, february] = patterns();
    let patterns = [
        ((LEEDS, None), month(1), january.clone()),
        ((LEEDS, FOOD), month(1), january),
        ((LEEDS, None), month(2), february),
    ];
    let as_of = day("2018-03-31");
    let id = fixture.write_protected(as_of, &shops(), &payments(), &atoms(), K, &patterns);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

fn shares(kind: &str, shares: &[(u64, f64)]) -> Value {
    let row = |(number, share): &(u64, f64)| json!({kind: number, "share": share});
    shares.iter().map(row).collect()
}

#[test]
fn shares_are_rounded_and_hours_of_few_merchants_told_together() {
    let harness = server();
    let mut client = harness.connect();
    for (period, hours, other_hours, weekdays, last) in [
        (
            "2018-01",
            &[(9, 0.3), (12, 0.5), (15, 0.2)][..],
            0.0,
            [(1, 0.4), (5, 0.6)],
            "2018-01-31",
        ),
        // 500 and 400 of 900 rows: those at 9 do not hide those at 3, and those at 9 and 15 do.
        (
            "2018-02",
            &[(12, 0.56)],
            0.44,
            [(1, 0.44), (5, 0.56)],
            "2018-02-28",
        ),
        // 1,000 and 400 of 1,900 rows; the others are those at 3 and, to hide them, those at 9.
        (
            "2018-Q1",
            &[(12, 0.53), (15, 0.21)],
            0.26,
            [(1, 0.42), (5, 0.58)],
            "2018-02-28",
        ),
    ] {
        let path = format!("/v1/regions/leeds/consumption_pattern?period={period}");
        let first = if period == "2018-02" {
            "2018-02-01"
        } else {
            "2018-01-01"
        };
        assert_eq!(
            client.get(&path).data(),
            json!({
                "id": "leeds", "period": period, "covered": covered(first, last),
                "hours": shares("hour", hours), "other_hours_share": other_hours,
                "weekdays": shares("weekday", &weekdays), "other_weekdays_share": 0.0,
            })
        );
    }
    let path = "/v1/regions/leeds/categories/food/consumption_pattern?period=2018-01&fill=zero";
    let filled = client.get(path).data();
    assert_eq!(filled["region"], "leeds");
    let hours = filled["hours"].as_array().unwrap();
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[12], json!({"hour": 12, "share": 0.5}));
    assert_eq!(hours[13], json!({"hour": 13, "share": null}));
    assert_eq!(filled["weekdays"][1], json!({"weekday": 2, "share": null}));
}

#[test]
fn the_quietest_time_is_that_of_the_smallest_share() {
    let harness = server();
    let mut client = harness.connect();
    let path = "/v1/regions/leeds/best_time?period=2018-01";
    assert_eq!(
        client.get(path).data(),
        json!({
            "id": "leeds", "period": "2018-01", "covered": covered("2018-01-01", "2018-01-31"),
            "quietest_hour": {"hour": 15, "days": 31, "share": 0.2}, "cheapest_hour": null,
            // Of January 2018, five days are Mondays.
            "quietest_weekday": {"weekday": 1, "days": 5, "share": 0.4}, "cheapest_weekday": null,
            "suppressed": ["cheapest_hour", "cheapest_weekday"],
        })
    );
}

#[test]
fn nothing_is_told_of_other_periods_nor_where_there_is_nothing() {
    let harness = server();
    let mut client = harness.connect();
    for (part, names) in [
        (
            "consumption_pattern",
            [
                "hours",
                "other_hours_share",
                "weekdays",
                "other_weekdays_share",
            ],
        ),
        (
            "best_time",
            [
                "quietest_hour",
                "cheapest_hour",
                "quietest_weekday",
                "cheapest_weekday",
            ],
        ),
    ] {
        for (place, period) in [
            ("regions/leeds", "2018-03"),
            ("regions/leeds", "2018"),
            ("regions/leeds", "2017"),
            ("regions/leeds", "2018-Q2"),
            ("markets/all", "2018-01"),
            ("regions/hull", "2018-01"),
        ] {
            let data = client
                .get(&format!("/v1/{place}/{part}?period={period}"))
                .data();
            assert_eq!(data["covered"], json!(null), "{place} {period}");
            assert_eq!(data["suppressed"], json!(names), "{place} {period}");
            for name in names {
                assert_eq!(data[name], json!(null), "{place} {period}");
            }
        }
        for (query, parameter) in [
            ("", "period"),
            ("?period=2018-W05", "period"),
            ("?period=2018-01-05", "period"),
            ("?min_date=2018-01-01&max_date=2018-01-31", "min_date"),
            ("?min_date=2018-01-01&max_date=2018-01-20", "max_date"),
            ("?max_date=2018-01-31", "max_date"),
            ("?period=2018-01&colour=red", "colour"),
        ] {
            let reply = client.get(&format!("/v1/regions/leeds/{part}{query}"));
            assert_eq!(reply.problem(), (400, Some(parameter.into())), "{query}");
        }
        let reply = client.get(&format!("/v1/regions/bath/{part}?period=2018-01"));
        assert_eq!(reply.problem(), (404, None));
    }
}
