//! Random ranges of random rows against a computation that reads every row.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use nightshard_format::calendar::Day;
use serde_json::Value;

use crate::{
    client::Client,
    fixture::{Fixture, Payment, Random, Shop},
    harness::{Harness, config},
};

/// How far a mean or a deviation may be off, as a share of it: eight units in the last place.
const TOLERANCE: f64 = 8.0 * f64::EPSILON;

pub(crate) const KINDS: [&str; 5] = ["day", "week", "month", "quarter", "year"];

/// Returns the label of the period of one kind that has a day, from its date and the count of
/// days alone.
pub(crate) fn label(day: Day, kind: &str) -> String {
    let date = day.to_string();
    let (year, month) = (&date[..4], &date[5..7]);
    match kind {
        "day" => date,
        "week" => {
            // Day 0 was a Thursday; a week is in the year of its Thursday.
            let thursday = Day(day.0 - (day.0 + 3).rem_euclid(7) + 3);
            let year = thursday.to_string()[..4].to_owned();
            let first: Day = format!("{year}-01-01").parse().unwrap();
            format!("{year}-W{:02}", (thursday.0 - first.0) / 7 + 1)
        }
        "month" => date[..7].to_owned(),
        "quarter" => format!("{year}-Q{}", month.parse::<u8>().unwrap().div_ceil(3)),
        _ => year.to_owned(),
    }
}

/// A busy store with roll-ups, a quiet one, and one of a few days.
fn payments(random: &mut Random, first: Day) -> Vec<Payment> {
    let mut payments = Vec::new();
    for (store, rows, days, cards) in [(0, 40_000, 500, 900), (1, 700, 700, 60), (2, 30, 40, 9)] {
        for _ in 0..rows {
            let largest = 1 << random.between(4, 30);
            let amount = match random.below(12) {
                0 => -random.between(1, 20_000),
                1 => 1_000,
                _ => random.between(0, largest),
            };
            payments.push(Payment {
                half_hour: None,
                paid: None,
                store,
                day: Day(first.0 + random.below(days) as i32),
                card: random.below(cards) as u32,
                amount,
            });
        }
    }
    payments
}

/// The figures of a period, from its rows alone.
#[derive(Default)]
struct Figures {
    amounts: Vec<i64>,
    cards: BTreeSet<u32>,
}

fn check_row(row: &Value, label: &str, figures: &Figures, partial: bool, context: &str) {
    let amounts = &figures.amounts;
    let context = format!("{context}: {row}");
    assert_eq!(row["period"], label, "{context}");
    assert_eq!(row["count"], amounts.len(), "{context}");
    assert_eq!(row["cards"], figures.cards.len(), "{context}");
    assert_eq!(row["sum"], amounts.iter().sum::<i64>(), "{context}");
    assert_eq!(
        row["min"].as_i64(),
        amounts.iter().min().copied(),
        "{context}"
    );
    assert_eq!(
        row["max"].as_i64(),
        amounts.iter().max().copied(),
        "{context}"
    );
    let refunds: Vec<i64> = amounts
        .iter()
        .filter(|amount| **amount < 0)
        .copied()
        .collect();
    assert_eq!(row["refund_count"], refunds.len(), "{context}");
    assert_eq!(row["refund_sum"], refunds.iter().sum::<i64>(), "{context}");
    let count = amounts.len() as i128;
    let sum: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
    let squares: i128 = amounts.iter().map(|x| i128::from(*x).pow(2)).sum();
    let mean = sum as f64 / count as f64;
    // Exact up to the root.
    let std = ((count * squares - sum * sum) as f64).sqrt() / count as f64;
    for (name, expected) in [("mean", mean), ("std", std)] {
        let given = row[name].as_f64().unwrap();
        let error = (given - expected).abs();
        assert!(error <= TOLERANCE * expected.abs(), "{name} of {context}");
    }
    assert_eq!(row.get("partial").is_some(), partial, "{context}");
}

/// Checks one range of one store or market at one grouping.
fn check(
    client: &mut Client,
    resource: &str,
    rows: &[&Payment],
    data: (Day, Day),
    range: (Day, Day),
    grouping: usize,
) {
    let name = KINDS.get(grouping).copied().unwrap_or("all");
    let target = format!(
        "{resource}/statistics?group_by={name}&min_date={}&max_date={}",
        range.0, range.1
    );
    let shown = (range.0.max(data.0), range.1.min(data.1));
    let label_of = |day: Day| match name {
        "all" => format!("{}/{}", range.0, range.1),
        kind => label(day, kind),
    };
    let mut expected: BTreeMap<Day, (String, Figures)> = BTreeMap::new();
    let mut first_days: BTreeMap<String, Day> = BTreeMap::new();
    for payment in rows
        .iter()
        .filter(|row| range.0 <= row.day && row.day <= range.1)
    {
        let label = label_of(payment.day);
        let first = *first_days.entry(label.clone()).or_insert(payment.day);
        let entry = expected
            .entry(first)
            .or_insert_with(|| (label, Figures::default()));
        entry.1.amounts.push(payment.amount);
        entry.1.cards.insert(payment.card);
    }
    let answer = client.get(&target).data();
    let answered = answer["rows"].as_array().unwrap();
    assert_eq!(answered.len(), expected.len(), "{target}");
    for (row, (label, figures)) in answered.iter().zip(expected.values()) {
        let partial = match name {
            "all" => range != shown,
            // A period is cut if the day before or after what is shown has its label, too.
            _ => label_of(Day(shown.0.0 - 1)) == *label || label_of(Day(shown.1.0 + 1)) == *label,
        };
        check_row(row, label, figures, partial, &target);
    }
}

#[test]
fn ten_thousand_random_ranges_equal_a_count_of_every_row() {
    let first: Day = "2017-10-20".parse().unwrap();
    let mut random = Random::new(20_181_231);
    let mut payments = payments(&mut random, first);
    payments.sort_by_key(|payment| payment.day);
    let shops = ["busy", "quiet", "brief"].map(|id| Shop::new(id, "", "", ""));
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write(&shops, &payments);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let data = (payments[0].day, payments[payments.len() - 1].day);
    let of_store = |store: usize| -> Vec<&Payment> {
        payments
            .iter()
            .filter(|payment| payment.store == store)
            .collect()
    };
    let resources: Vec<(&str, Vec<&Payment>)> = vec![
        ("/v1/stores/busy", of_store(0)),
        ("/v1/stores/quiet", of_store(1)),
        ("/v1/stores/brief", of_store(2)),
        ("/v1/markets/all", payments.iter().collect()),
    ];
    for round in 0..10_000 {
        // Short ranges most of the time: the oracle reads every row of the range.
        let len = if round % 50 == 0 {
            900
        } else {
            1 << random.below(8)
        };
        let from = Day(data.0.0 - 20 + random.below(760) as i32);
        let to = Day(from.0 + random.below(len) as i32);
        // The busy keys are dear to count naively, so they have fewer of the rounds.
        let resource = [0, 1, 2, 1, 2, 3, 1, 2][round % 8];
        let (name, rows) = &resources[resource];
        check(
            &mut client,
            name,
            rows,
            data,
            (from, to),
            random.below(6) as usize,
        );
    }
}

#[test]
fn histograms_of_random_ranges_count_every_row_once() {
    let first: Day = "2017-10-20".parse().unwrap();
    let mut random = Random::new(3);
    let payments = payments(&mut random, first);
    let shops = ["busy", "quiet", "brief"].map(|id| Shop::new(id, "", "", ""));
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write(&shops, &payments);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    for _ in 0..300 {
        let from = Day(first.0 + random.below(600) as i32);
        let to = Day(from.0 + random.below(200) as i32);
        let bins = 2 + random.below(63);
        let of = ["sales", "refunds", "all"][random.below(3) as usize];
        let target =
            format!("/v1/markets/all/histogram?min_date={from}&max_date={to}&bins={bins}&of={of}");
        let data = client.get(&target).data();
        let counted = |low: i64, high: i64| {
            let rows = payments
                .iter()
                .filter(|row| from <= row.day && row.day <= to);
            let rows = rows.filter(|row| match of {
                "sales" => row.amount > 0,
                "refunds" => row.amount < 0,
                _ => true,
            });
            rows.filter(|row| low <= row.amount && row.amount < high)
                .count()
        };
        let rows = data["rows"].as_array().unwrap();
        assert!(rows.len() as u64 <= bins, "{target}");
        let mut total = 0;
        for row in rows {
            let (low, high) = (row["low"].as_i64().unwrap(), row["high"].as_i64().unwrap());
            assert_eq!(row["count"], counted(low, high), "{target}: {row}");
            total += counted(low, high);
        }
        assert_eq!(total, counted(i64::MIN, i64::MAX), "{target}");
    }
}
