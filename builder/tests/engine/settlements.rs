//! When rows settle, against counts of the rows of a file.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use nightshard_builder::build::BuildPlan;
use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    record::{SETTLEMENTS, Settled, SettlementMonth, SettlementSummary, Stated},
    shard::Span,
};

use crate::support::{TestBuild, build};

type Months = BTreeMap<(String, Month), SettlementMonth>;

const NAMES: &str = "tx_id,store_id,card_id,ts,amount_minor,currency";
const MORE: &str = "points_used,fee_minor,deposit_minor,settles_on";

/// Rows of one large store and of a small one; what every fourth says is said once more, and what every eleventh says
/// once more with another fee.
fn write(folder: &Path, name: &str, rows: std::ops::Range<u64>, says_more: bool) -> PathBuf {
    let more = if says_more {
        format!(",{MORE}")
    } else {
        String::new()
    };
    let mut text = format!("{NAMES}{more}\n");
    for index in rows {
        let store = if index % 999 == 0 { "small" } else { "giant" };
        let (month, day) = (1 + index % 3, 1 + index / 3 % 28);
        let amount = i128::from(index * 31 % 4_000) - 300;
        let row = format!(
            "t{index},{store},c{},2018-0{month}-{day:02}T10:00:00,{amount},EUR",
            index * 7_919 % 1_500
        );
        if !says_more {
            writeln!(text, "{row}").unwrap();
            continue;
        }
        let pick =
            |values: &[&str]| values[usize::try_from(index / 7).unwrap() % values.len()].to_owned();
        // Lists of 6, 7 and 5, so that whatever one field says comes with whatever the others do: each alone, and none.
        let points = pick(&["", "0", "250", "", "true", ""]);
        let deposit = pick(&["", "900", "-40", "n/a", "0", "", ""]);
        let days = ["2018-02-14", "2017-12-31", "", "2031-01-01", "soon"];
        let settles_on = pick(&days);
        let fee = pick(&["5", "", "7.0", "0", ""]);
        writeln!(text, "{row},{points},{fee},{deposit},{settles_on}").unwrap();
        if index % 4 == 0 {
            writeln!(text, "{row},{points},{fee},{deposit},{settles_on}").unwrap();
        }
        if index % 11 == 0 {
            writeln!(text, "{row},{points},99,{deposit},{settles_on}").unwrap();
        }
    }
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The months of every store in which a row says something, counted from files as [`write`] writes them.
fn expected(paths: &[&Path]) -> Months {
    let mut rows = BTreeMap::<String, Vec<Vec<String>>>::new();
    for path in paths {
        let mut reader = csv::Reader::from_path(path).unwrap();
        for row in reader.records() {
            let mut row: Vec<String> = row.unwrap().iter().map(str::to_owned).collect();
            row.resize(10, String::new());
            rows.entry(row[0].clone()).or_default().push(row);
        }
    }
    let mut months = Months::new();
    for of_id in rows.into_values() {
        if of_id.iter().any(|row| *row != of_id[0]) {
            continue;
        }
        let [_, store, _, ts, amount, _, points, fee, deposit, settles_on] = &of_id[0][..] else {
            panic!("{of_id:?}")
        };
        let day: Day = ts[..10].parse().unwrap();
        let month = months.entry((store.clone(), day.month())).or_default();
        let one = |number: &str| {
            let number = number.strip_suffix(".0").unwrap_or(number);
            let sum = number.parse().ok();
            sum.map_or_else(Stated::default, |sum| Stated { count: 1, sum })
        };
        let settled = Settled {
            rows: one(amount),
            fees: one(fee),
            deposits: one(deposit),
        };
        if points != "0" {
            month.points.add(one(points));
        }
        let Ok(day) = settles_on.parse::<Day>() else {
            month.undated.add(settled);
            continue;
        };
        match month.days.iter_mut().find(|(known, _)| *known == day) {
            Some((_, known)) => known.add(settled),
            None => month.days.push((day, settled)),
        }
    }
    months
        .values_mut()
        .for_each(|month| month.days.sort_by_key(|(day, _)| *day));
    months.retain(|_, month| {
        let all = month.total();
        let said = all.fees.count.max(all.deposits.count);
        said.max(month.points.count) > 0 || !month.days.is_empty()
    });
    months
}

/// Checks the months, and what is said of them by store.
fn check(paths: &[&Path], test: &TestBuild) {
    let expected = expected(paths);
    assert!(expected.len() > 3);
    let generation = test.open();
    let mut found = Months::new();
    for shard in generation.shards() {
        let identity = shard.identity();
        if let ("settlements", Span::Month(month)) = (&*identity.dataset, identity.span) {
            for record in shard.iter() {
                let record = record.unwrap();
                let store = String::from_utf8(record.key.to_vec()).unwrap();
                let value = SettlementMonth::parse(record.value.in_place().unwrap());
                found.insert((store, month), value.unwrap());
            }
        }
    }
    assert_eq!(found, expected);
    for store in ["giant", "small"] {
        let of_store = expected.iter().filter(|((of, _), _)| of == store);
        let totals = of_store.map(|((_, month), record)| record.totals(*month));
        assert_eq!(
            summary(&generation, store).months,
            totals.collect::<Vec<_>>()
        );
    }
}

fn summary(generation: &Generation<Vec<u8>>, store: &str) -> SettlementSummary {
    let value = generation.get(SETTLEMENTS, Span::Current, store.as_bytes());
    SettlementSummary::parse(value.unwrap().unwrap().in_place().unwrap()).unwrap()
}

fn small_memory(plan: &mut BuildPlan) {
    plan.memory_bytes = 64 << 20;
    plan.threads = 8;
}

#[test]
fn rows_settle_once_and_repeats_are_dropped_with_what_they_say_whatever_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(folder.path(), "plain.csv", 0..60_000, false);
    let more = write(folder.path(), "more.csv", 60_000..150_000, true);
    let paths: [&Path; 2] = [&plain, &more];
    let small = build(&paths, small_memory).unwrap();
    check(&paths, &small);
    let plenty = build(&paths, |plan| plan.memory_bytes = 4 << 30).unwrap();
    assert_eq!(small.built.manifest, plenty.built.manifest);
}

#[test]
fn fees_deposits_and_days_that_cannot_be_read_are_counted_by_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let said = [
        // All is read, or nothing is there.
        ("250,5,900,2018-02-14", 0),
        ("true,,,", 0),
        ("0,-5.0,0,2018-02-14T08:00:00", 0),
        // Of a row that says little else, or nothing.
        (",free,,", 1),
        ("7,5,n/a,soon", 1),
        (",,,20180214", 1),
        (",,,14/02/2018", 1),
        (",2.5,900,2018-02-14", 1),
    ];
    let mut text = format!("{NAMES},{MORE}\n");
    for (index, (said, _)) in said.iter().enumerate() {
        writeln!(text, "t{index},a,c1,2018-02-01T10:00:00,100,EUR,{said}").unwrap();
    }
    std::fs::write(&path, text).unwrap();
    let flagged = build(&[&path], |_| ())
        .unwrap()
        .built
        .report
        .quality
        .flagged;
    let expected = said.iter().map(|(_, unread)| unread).sum::<u64>();
    assert_eq!(
        flagged,
        BTreeMap::from([("settlement_not_read".to_owned(), expected)])
    );
}

#[test]
fn columns_that_say_nothing_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(folder.path(), "plain.csv", 0..2_000, false);
    let text = std::fs::read_to_string(&plain).unwrap();
    let blank = folder.path().join("blank.csv");
    let mut lines = text.lines();
    let header = format!("{},{MORE}\n", lines.next().unwrap());
    let rows = lines.map(|line| format!("{line},0,free,,\n"));
    std::fs::write(&blank, header + &rows.collect::<String>()).unwrap();
    let shards = |path: &Path| build(&[path], |_| ()).unwrap().built.manifest.shards;
    assert_eq!(shards(&plain), shards(&blank));
    let has_any = |path: &Path| shards(path).iter().any(|it| it.dataset == SETTLEMENTS);
    assert!(!has_any(&blank));
}

#[test]
fn a_closed_month_keeps_its_bytes_when_later_rows_come() {
    let folder = tempfile::tempdir().unwrap();
    let one = write(folder.path(), "one.csv", 0..3_000, true);
    let text = std::fs::read_to_string(&one).unwrap();
    let more = folder.path().join("more.csv");
    // It settles on a day of the months before.
    let row = "later,giant,c1,2018-05-01T10:00:00,100,EUR,,1,99,2018-02-14\n";
    std::fs::write(&more, text + row).unwrap();
    let blobs = |path: &Path| -> BTreeMap<(String, u16), String> {
        let shards = build(&[path], |_| ()).unwrap().built.manifest.shards;
        let months = shards
            .into_iter()
            .filter(|it| it.dataset == SETTLEMENTS && it.span != "current");
        months
            .map(|it| ((it.span, it.first_partition), it.blob))
            .collect()
    };
    let (before, mut after) = (blobs(&one), blobs(&more));
    assert!(before.len() >= 3);
    after.retain(|(span, _), _| span != "2018-05");
    assert_eq!(before, after);
    assert_eq!(blobs(&more).len(), before.len() + 1);
}
