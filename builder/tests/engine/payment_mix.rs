//! How months were paid, against counts of the rows of a file.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    ops::Range,
    path::{Path, PathBuf},
};

use nightshard_builder::build::BuildPlan;
use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    record::{Dimension, MixValue, STORES},
};

use crate::support::{TestBuild, build};

type Mix = BTreeMap<(Dimension, MixValue<String>), (u64, i128)>;

/// The mixes of every store and month, by the columns that a file has; what says nothing is left out.
fn expected(paths: &[&Path]) -> BTreeMap<(String, Month), Mix> {
    let mut months = BTreeMap::<(String, Month), Mix>::new();
    for path in paths {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let names = reader.headers().unwrap().clone();
        for row in reader.records() {
            let row = row.unwrap();
            let text = |name: &str| {
                let at = names.iter().position(|it| it == name);
                at.map_or("", |at| &row[at])
            };
            let day: Day = text("ts")[..10].parse().unwrap();
            let mix = months
                .entry((text("store_id").into(), day.month()))
                .or_default();
            for dimension in Dimension::ALL {
                let value = value_of(dimension, text(dimension.as_str()));
                let (count, sum) = mix.entry((dimension, value)).or_default();
                *count += 1;
                *sum += text("amount_minor").parse::<i128>().unwrap();
            }
        }
    }
    for mix in months.values_mut() {
        let said: Vec<Dimension> = mix
            .keys()
            .filter(|(dimension, value)| *value != dimension.unsaid())
            .map(|(dimension, _)| *dimension)
            .collect();
        mix.retain(|(dimension, _), _| said.contains(dimension));
    }
    months
}

fn value_of(dimension: Dimension, text: &str) -> MixValue<String> {
    match (dimension, text) {
        (Dimension::PointsUsed, text) => MixValue::Flag(!matches!(text, "" | "0")),
        (_, "") => MixValue::Unknown,
        (Dimension::IsForeign, "true" | "Y") => MixValue::Flag(true),
        (Dimension::IsForeign, "no" | "0") => MixValue::Flag(false),
        (Dimension::IsForeign, _) => MixValue::Unknown,
        (Dimension::Installments, months) => {
            MixValue::Months(months.parse::<u16>().unwrap().max(1))
        }
        (_, text) => MixValue::Text(text.to_owned()),
    }
}

fn mix_of(generation: &Generation<Vec<u8>>, store: &str, month: Month) -> Mix {
    let record = generation.month(STORES, store.as_bytes(), month).unwrap();
    let record = record.unwrap();
    record.verify().unwrap();
    let mut mix = Mix::new();
    record
        .visit_mixes(|row| {
            let value = match row.value {
                MixValue::Text(text) => MixValue::Text(String::from_utf8(text.to_vec()).unwrap()),
                MixValue::Flag(flag) => MixValue::Flag(flag),
                MixValue::Months(months) => MixValue::Months(months),
                MixValue::Unknown => MixValue::Unknown,
            };
            mix.insert((row.dimension, value), (row.count, row.sum));
        })
        .unwrap();
    mix
}

fn check(paths: &[&Path], test: &TestBuild) {
    let generation = test.open();
    for ((store, month), mix) in expected(paths) {
        assert_eq!(mix_of(&generation, &store, month), mix, "{store} {month}");
    }
}

fn small_memory(plan: &mut BuildPlan) {
    plan.memory_bytes = 64 << 20;
    plan.threads = 8;
}

#[test]
fn generated_months_divide_as_their_rows_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::generated(&folder, 40_000);
    check(&[&path], &build(&[&path], |_| ()).unwrap());
}

const NAMES: &str = "tx_id,store_id,card_id,ts,amount_minor,currency";
const MORE: &str = "is_foreign,payment_method,country,campaign,product,installments,points_used";

/// Writes rows of one large store and of a small one, with or without what they say of how they were
/// paid.
fn write(folder: &Path, name: &str, rows: Range<u64>, says_more: bool) -> PathBuf {
    let more = if says_more {
        format!(",{MORE}")
    } else {
        String::new()
    };
    let mut text = format!("{NAMES}{more}\n");
    for index in rows {
        let (store, day) = if index % 999 == 0 {
            ("small", 3)
        } else {
            ("giant", 1 + index % 28)
        };
        let month = 1 + index % 3;
        let amount = i128::from(index * 31 % 4_000) - 300;
        write!(
            text,
            "t{index},{store},c{},2018-0{month}-{day:02}T10:00:00,{amount},EUR",
            index * 7_919 % 1_500
        )
        .unwrap();
        if says_more {
            let pick = |values: &[&str]| {
                values[usize::try_from(index / 7).unwrap() % values.len()].to_owned()
            };
            write!(
                text,
                ",{},{},{},{},{},{},{}",
                pick(&["true", "no", "", "perhaps", "Y", "0"]),
                pick(&["card", "\"wallet, new\"", "", "card"]),
                pick(&["KR", "Österreich", ""]),
                if index % 4_001 == 0 { "spring" } else { "" },
                pick(&["p1", "p2", "p3", "p4", "p5"]),
                pick(&["0", "1", "3", "12", ""]),
                pick(&["", "0", "250", "", "1000", "", ""]),
            )
            .unwrap();
        }
        text.push('\n');
    }
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn files_with_and_without_columns_are_divided_together_whatever_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(folder.path(), "plain.csv", 0..60_000, false);
    let more = write(folder.path(), "more.csv", 60_000..150_000, true);
    let early = write(folder.path(), "early.csv", 150_000..150_400, true);
    let paths: [&Path; 3] = [&plain, &more, &early];
    let small = build(&paths, small_memory).unwrap();
    check(&paths, &small);
    let plenty = build(&paths, |plan| plan.memory_bytes = 4 << 30).unwrap();
    assert_eq!(small.built.manifest, plenty.built.manifest);
}

#[test]
fn columns_that_say_nothing_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(folder.path(), "plain.csv", 0..2_000, false);
    let text = std::fs::read_to_string(&plain).unwrap();
    let blank = folder.path().join("blank.csv");
    let mut lines = text.lines();
    let header = format!("{},{MORE}\n", lines.next().unwrap());
    let rows = lines.map(|line| format!("{line},,,,,,,0\n"));
    std::fs::write(&blank, header + &rows.collect::<String>()).unwrap();
    let shards = |path: &Path| build(&[path], |_| ()).unwrap().built.manifest.shards;
    assert_eq!(shards(&plain), shards(&blank));
}
