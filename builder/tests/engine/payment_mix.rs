//! How months were paid, against counts of the rows of a file.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    num::NonZeroU32,
    ops::Range,
    path::{Path, PathBuf},
};

use nightshard_builder::{build::BuildPlan, stores::StoreTable};
use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    record::{
        CATEGORIES, Dimension, MARKET_ALL, MARKETS, MixValue, PLACE_MIXES, PatternCell, PlaceMix,
        PlaceMixes, REGION_CATEGORIES, REGIONS, STORES, atoms_key, parse_month_stores,
        region_category_key,
    },
    shard::Span,
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
    mix_in(generation, STORES, store.as_bytes(), month)
}

fn mix_in(generation: &Generation<Vec<u8>>, dataset: &str, key: &[u8], month: Month) -> Mix {
    let record = generation.month(dataset, key, month).unwrap();
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

/// The rows of each month by dimension and value, and of each of these by store, of dimensions of which a row says
/// something; and their sums.
type Together = BTreeMap<(Dimension, MixValue<String>), (BTreeMap<String, u64>, i128)>;

fn together(path: &Path) -> BTreeMap<Month, Together> {
    let mut months = BTreeMap::<Month, Together>::new();
    let mut reader = csv::Reader::from_path(path).unwrap();
    let names = reader.headers().unwrap().clone();
    for row in reader.records() {
        let row = row.unwrap();
        let text = |name: &str| {
            let at = names.iter().position(|it| it == name);
            at.map_or("", |at| &row[at])
        };
        let day: Day = text("ts")[..10].parse().unwrap();
        let of_month = months.entry(day.month()).or_default();
        for dimension in Dimension::ALL {
            let value = value_of(dimension, text(dimension.as_str()));
            let (stores, sum) = of_month.entry((dimension, value)).or_default();
            *stores.entry(text("store_id").to_owned()).or_default() += 1;
            *sum += text("amount_minor").parse::<i128>().unwrap();
        }
    }
    for of_month in months.values_mut() {
        let said: Vec<Dimension> = of_month
            .keys()
            .filter(|(dimension, value)| *value != dimension.unsaid())
            .map(|(dimension, _)| *dimension)
            .collect();
        of_month.retain(|(dimension, _), _| said.contains(dimension));
    }
    months
}

/// Puts all stores of a file into one region and one category.
fn in_one_place(path: &Path, folder: &Path) -> PathBuf {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let stores = reader.records().map(|row| row.unwrap()[1].to_owned());
    let stores: std::collections::BTreeSet<String> = stores.collect();
    let mut table = "store_id,region,category\n".to_owned();
    for store in stores {
        writeln!(table, "{store},north,food").unwrap();
    }
    let path = folder.join("stores.csv");
    std::fs::write(&path, table).unwrap();
    path
}

fn places() -> [(&'static str, Vec<u8>); 4] {
    [
        (MARKETS, MARKET_ALL.to_vec()),
        (REGIONS, b"north".to_vec()),
        (CATEGORIES, b"food".to_vec()),
        (REGION_CATEGORIES, region_category_key("north", "food")),
    ]
}

#[test]
fn places_and_the_market_divide_as_the_rows_of_all_stores_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::generated(&folder, 40_000);
    let stores = in_one_place(&path, folder.path());
    let test = build(&[&path], |plan| {
        plan.stores = StoreTable::read(&stores).unwrap()
    })
    .unwrap();
    let generation = test.open();
    let shards = test.built.manifest.shards.iter();
    assert!(shards.clone().all(|shard| shard.dataset != PLACE_MIXES));
    for (month, expected) in together(&path) {
        let counted = expected.into_iter();
        let expected: Mix = counted
            .map(|(value, (stores, sum))| (value, (stores.values().sum(), sum)))
            .collect();
        assert!(!expected.is_empty());
        for (dataset, key) in places() {
            let found = mix_in(&generation, dataset, &key, month);
            assert_eq!(found, expected, "{dataset} {month}");
        }
    }
}

/// All stores are of one leaf, and merchants of their own, so that bounds of merchants are what they have.
#[test]
fn mixes_of_protected_places_are_those_of_months_that_have_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::generated(&folder, 40_000);
    let stores = in_one_place(&path, folder.path());
    let [test, other] = [(256 << 20, 2), (64 << 20, 5)].map(|(memory, threads)| {
        build(&[&path], |plan| {
            plan.stores = StoreTable::read(&stores).unwrap();
            plan.privacy_k = NonZeroU32::new(3).unwrap();
            plan.memory_bytes = memory;
            plan.threads = threads;
        })
        .unwrap()
    });
    assert_eq!(test.built.manifest, other.built.manifest);
    let generation = test.open();
    let as_of: Day = test.built.manifest.as_of.parse().unwrap();
    let mut ended = 0;
    for (month, expected) in together(&path) {
        let span = Span::Month(month);
        let said = generation.get(PLACE_MIXES, Span::Current, month.to_string().as_bytes());
        let said = said.unwrap();
        if month.days().last > as_of {
            assert!(said.is_none(), "{month}");
            continue;
        }
        let places_said = parse_month_stores(said.unwrap().in_place().unwrap()).unwrap();
        assert_eq!(places_said, 4);
        let mut dimensions = BTreeMap::<Dimension, PlaceMix>::new();
        let mut all = BTreeMap::<String, u64>::new();
        let first = expected.keys().next().unwrap().0;
        for ((dimension, value), (stores, _)) in expected {
            if dimension == first {
                for (store, rows) in &stores {
                    *all.entry(store.clone()).or_default() += rows;
                }
            }
            let value = match value {
                MixValue::Text(text) => MixValue::Text(text.into_bytes()),
                MixValue::Flag(flag) => MixValue::Flag(flag),
                MixValue::Months(months) => MixValue::Months(months),
                MixValue::Unknown => MixValue::Unknown,
            };
            let mix = dimensions.entry(dimension).or_default();
            mix.values
                .insert(value, PatternCell::of(stores.into_values()));
        }
        let all = PatternCell::of(all.into_values());
        let expected = PlaceMixes { all, dimensions };
        for (dataset, key) in places() {
            let found = generation.get(PLACE_MIXES, span, &atoms_key(dataset, key));
            let found = found.unwrap().unwrap();
            let found = PlaceMixes::parse(found.in_place().unwrap()).unwrap();
            assert_eq!(found, expected, "{dataset} {month}");
        }
        ended += 1;
    }
    assert!(ended > 1);
}
