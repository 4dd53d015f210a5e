//! The local engine against a plain oracle over the same rows, and against itself.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod customers;
mod determinism;
mod loyalty;
mod merchants;
mod origins;
mod payment_mix;
mod place_demographics;
mod places;
mod series;
mod settlements;
mod spend_shares;
#[path = "../support/mod.rs"]
mod support;
mod told_months;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
};

use nightshard_builder::{
    data_tests::{DataTests, Definition},
    generate::{self, OutputLayout, Plan},
    layout::Layout,
    pseudonym::{CardKey, Pseudonymiser},
};
use nightshard_format::{
    calendar::{Day, DayRange},
    generation::Generation,
    manifest::{Manifest, Transactions},
    quality::Severity,
    record::{MARKET_ALL, MARKETS, STORES},
    statistics::Statistics,
};
use support::{TestBuild, build};
use tempfile::TempDir;

const HEADER: &str = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,lat,lon,\
                      installments,card_company,channel,age_band,gender,segment";

/// A plain row: store, card, day, amount.
#[derive(Debug, Clone)]
struct Row {
    store: String,
    card: String,
    day: Day,
    amount: i64,
}

fn transactions(manifest: &Manifest) -> &Transactions {
    manifest.transactions.as_ref().unwrap()
}

/// The rows of a canonical file, read by another reader than the builder's.
fn read_rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        Row {
            store: record[1].to_owned(),
            card: record[2].to_owned(),
            day: record[3][..10].parse().unwrap(),
            amount: record[4].parse().unwrap(),
        }
    });
    rows.collect()
}

fn write_file(folder: &TempDir, name: &str, rows: &[String]) -> PathBuf {
    let mut text = String::from(HEADER);
    rows.iter().for_each(|row| write!(text, "\n{row}").unwrap());
    let path = folder.path().join(name);
    std::fs::write(&path, text + "\n").unwrap();
    path
}

fn generated(folder: &TempDir, rows: u64) -> PathBuf {
    let path = folder.path().join("generated.csv");
    let plan = Plan::new(OutputLayout::Canonical, 200, 900, rows).seed(3);
    generate::write(&plan, &path, std::num::NonZeroUsize::MIN, &|_| ()).unwrap();
    path
}

/// The half hours of a store's days in a month, with how many rows each has.
fn half_hours(
    generation: &Generation<Vec<u8>>,
    store: &str,
    month: &str,
) -> Vec<(String, u8, u64)> {
    let month: nightshard_format::calendar::Period = format!("{month}-01").parse().unwrap();
    let month = month.days().unwrap().first.month();
    let record = generation.month(STORES, store.as_bytes(), month).unwrap();
    let mut hours = Vec::new();
    if let Some(record) = record {
        let visit = |day: Day, hour: nightshard_format::record::HalfHour| {
            hours.push((day.to_string(), hour.half_hour, hour.count));
        };
        record.visit_hours(month.days(), visit).unwrap();
    }
    hours
}

/// Totals, distinct cards and distinct buyers of a key over a range, from its month records.
fn query(
    generation: &Generation<Vec<u8>>,
    dataset: &str,
    key: &[u8],
    range: DayRange,
) -> (Statistics, u64, u64) {
    let mut totals = Statistics::default();
    let (mut cards, mut buyers) = (0, 0);
    let (first, last) = (range.first.month().0, range.last.month().0);
    for month in (first..=last).map(nightshard_format::calendar::Month) {
        if let Some(record) = generation.month(dataset, key, month).unwrap() {
            record
                .visit_days(range, |_, day| totals.merge(&day))
                .unwrap();
            cards += record.cards_since(range, range.first).unwrap();
            buyers += record.buyers_since(range, range.first).unwrap();
        }
    }
    (totals, cards, buyers)
}

fn check(rows: &[Row], generation: &Generation<Vec<u8>>, dataset: &str, key: &str, seed: u64) {
    let all = transactions(generation.manifest()).day_range().unwrap();
    let len = (all.last.0 - all.first.0 + 1).cast_unsigned();
    let mut ranges = vec![all];
    let mut state = seed;
    let mut next = |below: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i32::try_from((state >> 33) % u64::from(below)).unwrap()
    };
    for _ in 0..12 {
        let first = Day(all.first.0 + next(len));
        ranges.push(DayRange {
            first,
            last: Day(first.0 + next(len)),
        });
    }
    for range in ranges {
        let inside: Vec<&Row> = rows.iter().filter(|row| range.contains(row.day)).collect();
        let amounts: Vec<i64> = inside.iter().map(|row| row.amount).collect();
        let cards = |counts: fn(&Row) -> bool| {
            let rows = inside.iter().filter(|row| counts(row));
            let cards = rows.map(|row| row.card.as_str());
            let cards: BTreeSet<&str> = cards.filter(|card| !card.is_empty()).collect();
            cards.len() as u64
        };
        let buyers = cards(|row| row.amount > 0);
        let expected = (Statistics::of(&amounts), cards(|_| true), buyers);
        assert_eq!(
            query(generation, dataset, key.as_bytes(), range),
            expected,
            "{key} {range:?}"
        );
    }
    let summary = generation
        .summary(dataset, key.as_bytes())
        .unwrap()
        .unwrap();
    assert_eq!(summary.statistics().count, rows.len() as u64);
}

fn check_all(rows: &[Row], test: &TestBuild) {
    let generation = test.open();
    let mut by_store = BTreeMap::<&str, Vec<Row>>::new();
    for row in rows {
        by_store.entry(&row.store).or_default().push(row.clone());
    }
    assert_eq!(
        transactions(generation.manifest()).stores,
        by_store.len() as u64
    );
    assert_eq!(
        transactions(generation.manifest()).rows.used,
        rows.len() as u64
    );
    for (seed, (store, rows)) in (0..).zip(&by_store) {
        check(rows, &generation, STORES, store, seed);
    }
    check(
        rows,
        &generation,
        MARKETS,
        std::str::from_utf8(MARKET_ALL).unwrap(),
        99,
    );
}

#[test]
fn every_store_and_the_market_equal_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 60_000);
    let rows = read_rows(&path);
    check_all(&rows, &build(&[&path], |_| ()).unwrap());
}

#[test]
fn one_giant_store_is_cut_into_slices_and_still_exact() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    // Enough rows of one store that its partition exceeds its share of 64 MiB, many on one day.
    for index in 0..150_000_u64 {
        let (card, amount) = (index * 7_919 % 1_500, index * 31 % 4_000);
        let day = if index % 10 == 0 {
            1 + index / 10 % 28
        } else {
            15
        };
        lines.push(format!(
            "t{index},giant,c{card},2018-0{}-{day:02}T10:00:00,{amount},EUR,food,north,,,,,,,,",
            1 + index % 3
        ));
    }
    lines.push("t5,small,c5,2018-01-05T10:00:00,700,EUR,food,north,,,,,,,,".into());
    let once = write_file(&folder, "giant.csv", &lines);
    let rows = read_rows(&once);
    // Every hundredth row comes twice, and some ids come again with another amount.
    let again: Vec<String> = lines.iter().step_by(100).cloned().collect();
    let contradiction = "t7,giant,c1,2018-02-02T10:00:00,999999,EUR,food,north,,,,,,,,".to_owned();
    let repeated = write_file(
        &folder,
        "repeated.csv",
        &[again, vec![contradiction]].concat(),
    );
    let small_memory = |plan: &mut nightshard_builder::build::BuildPlan| {
        plan.memory_bytes = 64 << 20;
        plan.threads = 8;
    };
    let test = build(&[&once, &repeated], small_memory).unwrap();
    let rejected =
        &transactions(&test.built.manifest).rows.rejected["one id with different content"];
    assert_eq!(
        (
            *rejected,
            transactions(&test.built.manifest).rows.excluded["duplicate"]
        ),
        (2, 1_501)
    );
    let kept: Vec<Row> = rows
        .into_iter()
        .zip(&lines)
        .filter(|(_, line)| !line.starts_with("t7,giant"))
        .map(|(row, _)| row)
        .collect();
    check_all(&kept, &test);
    places::check_those_of_all(&kept, &test, "north", "food");
    let plenty = build(&[&once, &repeated], |plan| plan.memory_bytes = 4 << 30).unwrap();
    assert_eq!(test.built.manifest, plenty.built.manifest);
}

/// disappeared.
#[test]
fn repeated_rows_have_no_vote_for_the_base_currency() {
    let folder = tempfile::tempdir().unwrap();
    let row = |tx: &str, store: &str, amount: u32, currency: &str| {
        format!("{tx},{store},c,2018-01-05,{amount},{currency},,,,,,,,,,")
    };
    let euros: Vec<String> = (0..3)
        .map(|i| row(&format!("e{i}"), "s", 100, "EUR"))
        .collect();
    let pounds: Vec<String> = (0..2)
        .map(|i| row(&format!("p{i}"), "t", 100, "GBP"))
        .collect();
    let conflicts = [7, 8, 9, 10].map(|amount| row("x", "t", amount, "GBP"));
    let euros = write_file(&folder, "euros.csv", &euros);
    let twice = [
        write_file(&folder, "pounds.csv", &pounds),
        write_file(&folder, "pounds_again.csv", &pounds),
        write_file(&folder, "conflicts.csv", &conflicts),
    ];
    let [once, again, conflicts] = &twice;
    let test = build(&[&euros, once, again, conflicts], |_| ()).unwrap();
    assert_eq!(transactions(&test.built.manifest).currency, "EUR");
    assert_eq!(transactions(&test.built.manifest).rows.used, 3);
    assert_eq!(
        transactions(&test.built.manifest).rows.excluded["duplicate"],
        2
    );
    let quarantine = std::fs::read_to_string(&test.built.quarantine).unwrap();
    for line in 2..=5 {
        let named = format!("conflicts.csv,{line},tx_id,one id with different content");
        assert!(quarantine.contains(&named), "{quarantine}");
    }
}

#[test]
fn every_row_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let row = |fields: &str| format!("{fields},,,,,,,,");
    let path = write_file(
        &folder,
        "rows.csv",
        &[
            row("t1,s1,c1,2018-01-05T10:00:00,700,EUR,food,north"),
            row("t1,s1,c1,2018-01-05T10:00:00,700,EUR,food,north"),
            row("t2,s1,c1,2018-01-05T10:00:00,700,EUR,food,north"),
            row("t2,s1,c1,2018-01-05T10:00:00,701,EUR,food,north"),
            row("t1,s2,c1,2018-01-06T10:00:00,900,EUR,food,north"),
            row(",s1,,2018-01-05,50,EUR,food,north"),
            row(",s1,,2018-01-05,50,EUR,food,north"),
            row("t3,s1,c1,2018-01-05,50,USD,food,north"),
            row("t4,s3,c1,2018-01-05,50,USD,food,north"),
            row("t5,s1,c1,2018-02-30,50,EUR,food,north"),
            row("t6,s1,c1,2018-03-01,50,EUR,food,north"),
            row("t7,s1,c1,2018-01-05,,EUR,food,north"),
        ],
    );
    let test = build(&[&path], |plan| {
        plan.as_of = Some("2018-01-31".parse().unwrap())
    })
    .unwrap();
    let rows = &transactions(&test.built.manifest).rows;
    assert_eq!((rows.read, rows.used), (12, 4));
    assert_eq!(rows.rejected.values().sum::<u64>(), 4);
    assert_eq!(rows.rejected["one id with different content"], 2);
    assert_eq!(
        rows.excluded,
        [("after_as_of", 1), ("duplicate", 1), ("other_currency", 2)]
            .map(|(rule, count)| (rule.to_owned(), count))
            .into()
    );
    assert_eq!(
        transactions(&test.built.manifest).stores,
        2,
        "a store without base currency is left out"
    );
    let generation = test.open();
    let summary = generation.summary(STORES, b"s1").unwrap().unwrap();
    assert_eq!(
        (
            summary.statistics().sum,
            summary.statistics().count,
            summary.cards
        ),
        (800, 3, 1)
    );
    let quarantine = std::fs::read_to_string(&test.built.quarantine).unwrap();
    let lines: BTreeSet<u64> = quarantine
        .lines()
        .skip(1)
        .map(|line| line.rsplit(',').nth(2).unwrap().parse().unwrap())
        .collect();
    assert_eq!(lines, [4, 5, 11, 13].into());
}

#[test]
fn a_cutoff_moves_the_small_hours_to_the_day_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_file(
        &folder,
        "bar.csv",
        &[
            "t1,bar,c1,2018-03-01T02:59:59,100,EUR,bar,,,,,,,,,".into(),
            "t2,bar,c1,2018-03-01T04:00:00,200,EUR,bar,,,,,,,,,".into(),
            "t3,bar,c1,2018-03-01,400,EUR,bar,,,,,,,,,".into(),
        ],
    );
    let stores = folder.path().join("bar.stores.csv");
    std::fs::write(
        &stores,
        "store_id,store_name,day_cutoff\nbar,The Bar,04:00\n",
    )
    .unwrap();
    let table = nightshard_builder::stores::StoreTable::read(&stores).unwrap();
    let test = build(&[&path], |plan| plan.stores = table).unwrap();
    let generation = test.open();
    let day = |text: &str| {
        let day = text.parse().unwrap();
        query(
            &generation,
            STORES,
            b"bar",
            DayRange {
                first: day,
                last: day,
            },
        )
        .0
        .sum
    };
    assert_eq!((day("2018-02-28"), day("2018-03-01")), (100, 600));
    // The hour is the clock's; what has only a date has none.
    let hours = half_hours(&generation, "bar", "2018-02");
    assert_eq!(hours, [("2018-02-28".into(), 5, 1)]);
    let hours = half_hours(&generation, "bar", "2018-03");
    assert_eq!(hours, [("2018-03-01".into(), 8, 1)]);
    let summary = generation.summary(STORES, b"bar").unwrap().unwrap();
    assert_eq!(summary.profile.name.as_deref(), Some("The Bar"));
}

#[test]
fn a_time_with_an_offset_is_local_to_the_zone_of_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let row = |id: &str, store: &str, ts: &str, amount: u32| {
        format!("{id},{store},c1,{ts},{amount},EUR,bar,,,,,,,,,")
    };
    let path = write_file(
        &folder,
        "rows.csv",
        &[
            row("t1", "seoul", "2018-03-01T18:59:59Z", 1),
            row("t2", "seoul", "2018-03-01T19:00:00Z", 2),
            row("t3", "seoul", "2018-03-01T23:30:00", 4),
            row("t4", "seoul", "2018-03-01", 8),
            row("t5", "berlin", "2018-03-01T23:30:00Z", 1),
            row("t6", "berlin", "2018-03-01T23:30:00", 2),
            row("t7", "elsewhere", "2018-03-01T23:30:00Z", 1),
        ],
    );
    let stores = folder.path().join("places.stores.csv");
    let text = "store_id,day_cutoff,zone\nseoul,04:00,Asia/Seoul\nberlin,,Europe/Berlin\n";
    std::fs::write(&stores, text).unwrap();
    let layout = include_str!("../../src/layout/canonical.toml");
    let layout = Layout::parse("test", &format!("zone = 'UTC'\n{layout}")).unwrap();
    let table = nightshard_builder::stores::StoreTable::read(&stores).unwrap();
    let test = build(&[&path], |plan| {
        plan.stores = table;
        plan.layout = layout.into();
    });
    let generation = test.unwrap().open();
    let sum = |store: &str, day: &str| {
        let day = day.parse().unwrap();
        let days = DayRange {
            first: day,
            last: day,
        };
        query(&generation, STORES, store.as_bytes(), days).0.sum
    };
    let sums = |store| (sum(store, "2018-03-01"), sum(store, "2018-03-02"));
    assert_eq!(sums("seoul"), (1 + 4 + 8, 2));
    assert_eq!(sums("berlin"), (2, 1));
    assert_eq!(sums("elsewhere"), (1, 0));
    let hours = half_hours(&generation, "seoul", "2018-03");
    let expected = [("2018-03-01", 7), ("2018-03-01", 47), ("2018-03-02", 8)];
    assert_eq!(hours, expected.map(|(day, hour)| (day.to_owned(), hour, 1)));
}

#[test]
fn no_byte_of_a_shard_holds_a_card() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 5_000);
    let test = build(&[&path], |_| ()).unwrap();
    let cards: BTreeSet<String> = read_rows(&path).into_iter().map(|row| row.card).collect();
    let key = CardKey::parse(&"5a".repeat(32), "key").unwrap();
    let pseudonymiser = Pseudonymiser::new(&key);
    let needles: BTreeSet<[u8; 8]> = cards
        .iter()
        .flat_map(|card| {
            let pseudonym = pseudonymiser.pseudonym(card.as_bytes()).to_le_bytes();
            [
                *pseudonym.first_chunk().unwrap(),
                *pseudonym.last_chunk().unwrap(),
            ]
        })
        .collect();
    for shard in &test.built.shards {
        let bytes = std::fs::read(&shard.path).unwrap();
        assert!(
            bytes
                .array_windows()
                .all(|window: &[u8; 8]| !needles.contains(window))
        );
        for card in cards.iter().filter(|card| card.len() >= 6) {
            assert!(
                memchr::memmem::find(&bytes, card.as_bytes()).is_none(),
                "{card}"
            );
        }
    }
}

#[test]
fn input_without_a_usable_row_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_file(
        &folder,
        "bad.csv",
        &["t1,s1,c1,2018-02-30,5,EUR,,,,,,,,,,".into()],
    );
    let error = build(&[&path], |_| ()).err().unwrap().to_string();
    assert!(error.contains("impossible date"), "{error}");
    let error = build(&[&path], |plan| plan.memory_bytes = 1 << 20)
        .err()
        .unwrap()
        .to_string();
    assert!(error.starts_with("--memory"), "{error}");
}

/// Data tests see what can be read, whatever rule leaves it out: cancelled, after the last day, in
/// another currency, or a second time.
#[test]
fn data_tests_see_every_row_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let rows = "tx_id,store_id,card_id,ts,amount_minor,currency,status,fee_minor,is_foreign\n\
                1,s,c,2018-01-01,1,GBP,paid,1,no\n\
                1,s,c,2018-01-01,1,GBP,paid,1.0,NO\n\
                2,s,c,2018-01-02,1,GBP,Cancelled,,t\n\
                3,s,c,2018-01-03,1,EUR,,free,\n\
                4,s,c,2018-01-09,1,GBP,paid,7,yes\n\
                5,s,c,2018-01-32,1,GBP,paid,7,yes\n";
    std::fs::write(&path, rows).unwrap();
    let declared = |test: &str| Definition {
        test: Some("expression".into()),
        expression: Some(test.into()),
        name: Some(test.into()),
        severity: Severity::Warn,
        ..Definition::default()
    };
    let tests = [
        ("amount_minor = 0", 5, 2),
        ("status = 'paid'", 1, 4),
        ("fee_minor is null", 3, 2),
        ("fee_minor = 1", 1, 6),
        ("not is_foreign", 2, 4),
        ("ts < '2018-01-09'", 1, 6),
        ("currency = 'GBP'", 1, 5),
    ];
    let definitions: Vec<Definition> = tests.iter().map(|test| declared(test.0)).collect();
    let layout = Layout::builtin("canonical").unwrap();
    let build = build(&[&path], |plan| {
        plan.as_of = Some("2018-01-05".parse().unwrap());
        plan.data_tests = DataTests::compile(&definitions, &layout, 1).unwrap();
    })
    .unwrap();
    assert_eq!(transactions(&build.built.manifest).rows.used, 1);
    for ((name, failures, line), result) in tests.iter().zip(&build.built.report.quality.tests) {
        assert_eq!((result.rows, result.failures), (5, *failures), "{name}");
        assert_eq!(result.first_failures[0].line, *line, "{name}");
    }
}
