//! Months that an earlier generation told of stores' cards stay, whatever rows say of them by now.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use nightshard_builder::{
    build::{BuildPlan, ToldBefore},
    stores::StoreTable,
};
use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    manifest::ShardEntry,
    record::{BEFORE_AFTER, DEMOGRAPHICS, ORIGINS, PLACE_DEMOGRAPHICS, PLACE_MIXES, SPEND_SHARES},
    shard::{Mapped, Span},
    told_atoms::{TOLD_MONTHS, ToldAtoms},
};

use crate::{
    generated,
    support::{TestBuild, build},
};

/// What is to stay: the list of those that do would agree with whatever it lacks.
const STAYING: [&str; 6] = [
    DEMOGRAPHICS,
    PLACE_DEMOGRAPHICS,
    ORIGINS,
    BEFORE_AFTER,
    SPEND_SHARES,
    PLACE_MIXES,
];

const K: NonZeroU32 = NonZeroU32::new(3).unwrap();

/// What a generation says of months: of each the records of its stores, and the one in `current`.
type Records = BTreeMap<(Month, Vec<u8>), Vec<u8>>;

fn records(test: &TestBuild, dataset: &str) -> Records {
    let generation = test.open();
    let shards = generation.shards();
    let shards = shards.filter(|shard| shard.identity().dataset == dataset);
    let of_shard = |shard: &nightshard_format::shard::Shard<Vec<u8>>| {
        let month_of = |key: &[u8]| match shard.identity().span {
            Span::Month(month) => month,
            Span::Current => String::from_utf8_lossy(key).parse().unwrap(),
        };
        let records = shard.iter().map(|record| {
            let record = record.unwrap();
            let key = (month_of(record.key), record.key.to_vec());
            (key, record.value.read().unwrap().into_owned())
        });
        records.collect::<Vec<_>>()
    };
    shards.flat_map(of_shard).collect()
}

/// Returns what a later build is to keep of a generation.
fn told_by(test: &TestBuild) -> ToldBefore {
    let mut atoms = ToldAtoms::of(&test.built.manifest).unwrap().unwrap();
    let generation = test.open();
    for entry in ToldAtoms::shards(&test.built.manifest) {
        atoms.add(generation.shard(entry).unwrap()).unwrap();
    }
    atoms.check().unwrap();
    let path_of = |entry: &ShardEntry| -> PathBuf {
        let mut shards = test.built.shards.iter();
        let shard = shards.find(|it| it.entry == *entry).unwrap();
        shard.path.clone()
    };
    let mut manifest = test.built.manifest.clone();
    let is_kept = |entry: &ShardEntry| TOLD_MONTHS.contains(&entry.dataset.as_str());
    manifest.shards.retain(is_kept);
    let months = Generation::open(manifest, |entry| Mapped::open(&path_of(entry))).unwrap();
    ToldBefore { atoms, months }
}

/// What two nights are built from.
struct Nights {
    /// All rows.
    all: PathBuf,
    /// Those that had come when the first was built.
    some: PathBuf,
    /// The last business day of that.
    first: Day,
    /// Where the stores are.
    stores: PathBuf,
}

impl Nights {
    /// Builds some rows.
    fn build(&self, rows: &Path, change: impl FnOnce(&mut BuildPlan)) -> TestBuild {
        let test = build(&[rows], |plan| {
            plan.privacy_k = K;
            plan.stores = StoreTable::read(&self.stores).unwrap();
            change(plan);
        });
        test.unwrap()
    }
}

fn two_nights(folder: &tempfile::TempDir) -> Nights {
    let path = generated(folder, 60_000);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let gone = lines.clone().next().unwrap().split(',').nth(1).unwrap();
    // One row in twenty comes late, and one store is there no more.
    let of_gone = |line: &str| line.split(',').nth(1) == Some(gone);
    let rows: Vec<&str> = lines.collect();
    let all = rows.iter().copied().filter(|line| !of_gone(line));
    let some = (0..).zip(&rows).filter(|(number, _)| number % 20 != 0);
    let some = some.map(|(_, line)| *line);
    let write = |name: &str, rows: Vec<&str>| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
        path
    };
    let days = rows
        .iter()
        .map(|line| line.split(',').nth(3).unwrap()[..10].parse::<Day>());
    let last = days.map(Result::unwrap).max().unwrap();
    let (all, some) = (
        write("all.csv", all.collect()),
        write("some.csv", some.collect()),
    );
    // In so few places there are stores of enough merchants.
    let ids: BTreeSet<&str> = rows
        .iter()
        .map(|line| line.split(',').nth(1).unwrap())
        .collect();
    let mut table = "store_id,region,category\n".to_owned();
    for (number, id) in ids.iter().enumerate() {
        let region = ["north", "south", "west"][number % 3];
        writeln!(table, "{id},{region},food").unwrap();
    }
    let stores = folder.path().join("stores.csv");
    std::fs::write(&stores, table).unwrap();
    Nights {
        all,
        some,
        first: Day(last.0 - 70),
        stores,
    }
}

#[test]
fn months_that_were_told_stay_and_later_ones_are_those_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let nights = two_nights(&folder);
    let first = nights.build(&nights.some, |plan| plan.as_of = Some(nights.first));
    let second = nights.build(&nights.all, |plan| {
        plan.told = Some(told_by(&first));
        // Runs that end within those of the first night.
        plan.runs = 7;
    });
    let afresh = nights.build(&nights.all, |_plan| ());
    assert!(second.built.manifest.keeps_atoms());
    assert!(!afresh.built.manifest.keeps_atoms());
    let ended = |month: Month| month.days().last <= nights.first;
    for dataset in STAYING {
        let of_build = |test: &TestBuild| records(test, dataset);
        let [told, kept, made] = [&first, &second, &afresh].map(of_build);
        let expected: Records = made
            .iter()
            .filter(|((month, _), _)| !ended(*month))
            .chain(&told)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(kept, expected, "{dataset}");
        assert!(told.keys().all(|(month, _)| ended(*month)));
        assert!(told.len() > 50 && kept.len() > told.len(), "{dataset}");
        let again: Records = made
            .into_iter()
            .filter(|((month, _), _)| ended(*month))
            .collect();
        assert_ne!(again, told, "{dataset}: nothing came late");
    }
}

#[test]
fn without_late_rows_nothing_is_kept_that_the_rows_do_not_say() {
    let folder = tempfile::tempdir().unwrap();
    let nights = two_nights(&folder);
    let first = nights.build(&nights.all, |plan| plan.as_of = Some(nights.first));
    let second = nights.build(&nights.all, |plan| plan.told = Some(told_by(&first)));
    let afresh = nights.build(&nights.all, |_plan| ());
    assert_eq!(second.built.manifest, afresh.built.manifest);
}
