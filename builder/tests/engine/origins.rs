//! Where cards come from, against visits counted one by one.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    path::Path,
};

use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    record::{Label, ORIGINS, OriginsRecord, parse_month_stores},
    shard::Span,
};

use crate::{generated, support::build, write_file};

/// Cards by where they come from.
type Cells = BTreeMap<Label<String>, u64>;

/// The cells of every store and month, before any are merged.
fn expected(path: &Path) -> BTreeMap<(String, Month), Cells> {
    let mut visits = BTreeMap::<(String, Month), BTreeSet<(Day, String)>>::new();
    let mut regions = BTreeMap::<String, String>::new();
    for row in csv::Reader::from_path(path).unwrap().records() {
        let row = row.unwrap();
        let (store, card) = (row[1].to_owned(), row[2].to_owned());
        if !row[7].is_empty() {
            // All rows of a store say the same.
            regions.insert(store.clone(), row[7].to_owned());
        }
        let day: Day = row[3][..10].parse().unwrap();
        if !card.is_empty() && row[4].parse::<i64>().unwrap() > 0 {
            let of_card = visits.entry((card, day.month())).or_default();
            of_card.insert((day, store));
        }
    }
    let mut cells = BTreeMap::<(String, Month), Cells>::new();
    for ((_, month), visits) in visits {
        let stores: BTreeSet<&String> = visits.iter().map(|(_, store)| store).collect();
        for own in stores {
            let elsewhere = visits.iter().filter(|(_, store)| store != own);
            let mut counts = BTreeMap::<&String, usize>::new();
            let mut days = BTreeSet::new();
            for (day, store) in elsewhere {
                if let Some(region) = regions.get(store) {
                    *counts.entry(region).or_default() += 1;
                    days.insert(day);
                }
            }
            let most = counts
                .iter()
                .max_by_key(|(id, visits)| (**visits, Reverse(**id)));
            let origin = match most.filter(|_| days.len() >= 3) {
                Some((id, _)) => Label::Text((*id).clone()),
                None => Label::Unknown,
            };
            let of_store = cells.entry((own.clone(), month)).or_default();
            *of_store.entry(origin).or_default() += 1;
        }
    }
    cells
}

fn merged(cells: &Cells, k: u64) -> Cells {
    let mut told = cells.clone();
    told.retain(|_, cards| *cards >= k);
    let mut short = cells.values().filter(|cards| **cards < k).sum::<u64>();
    if (1..k).contains(&short) {
        let smallest = told.iter().min_by_key(|(label, cards)| (**cards, *label));
        let Some((label, cards)) = smallest.map(|(label, cards)| (label.clone(), *cards)) else {
            return Cells::new();
        };
        short += cards;
        told.remove(&label);
    }
    if short > 0 {
        told.insert(Label::Merged, short);
    }
    told
}

fn cells_of(record: &OriginsRecord<'_>) -> Cells {
    let cells = record.cells.iter().map(|cell| {
        let text = |id: &[u8]| String::from_utf8(id.to_vec()).unwrap();
        let label = match cell.label {
            Label::Merged => Label::Merged,
            Label::Unknown => Label::Unknown,
            Label::Text(id) => Label::Text(text(id)),
        };
        (label, cell.cards)
    });
    cells.collect()
}

/// Compares all origins of a generation; returns how many cells are merged.
fn check(
    generation: &Generation<Vec<u8>>,
    expected: &BTreeMap<(String, Month), Cells>,
    last: Month,
    k: u64,
) -> usize {
    let mut stores = BTreeMap::<Month, u64>::new();
    let mut count_merged = 0;
    for ((store, month), cells) in expected {
        let told = match *month <= last {
            true => merged(cells, k),
            false => Cells::new(),
        };
        let span = Span::Month(*month);
        let value = generation.get(ORIGINS, span, store.as_bytes()).unwrap();
        let record =
            value.map(|it| cells_of(&OriginsRecord::parse(it.in_place().unwrap()).unwrap()));
        assert_eq!(record.unwrap_or_default(), told, "{store} {month}");
        count_merged += usize::from(told.contains_key(&Label::Merged));
        *stores.entry(*month).or_default() += u64::from(!told.is_empty());
    }
    stores.retain(|_, stores| *stores > 0);
    for (month, stores) in stores {
        let key = month.to_string();
        let value = generation
            .get(ORIGINS, Span::Current, key.as_bytes())
            .unwrap();
        let said = parse_month_stores(value.unwrap().in_place().unwrap()).unwrap();
        assert_eq!(said, stores, "{month}");
    }
    count_merged
}

#[test]
fn origins_are_those_of_visits_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 40_000);
    let expected = expected(&path);
    assert!(expected.values().any(|cells| cells.len() > 2));
    for k in [1, 10] {
        let test = build(&[&path], |plan| {
            plan.privacy_k = NonZeroU32::new(k).unwrap();
        });
        let test = test.unwrap();
        let generation = test.open();
        let manifest = generation.manifest();
        let as_of = manifest
            .transactions
            .as_ref()
            .unwrap()
            .day_range()
            .unwrap()
            .last;
        let last = match k {
            1 => as_of.month(),
            _ => Month::last_ended(as_of),
        };
        let merged = check(&generation, &expected, last, k.into());
        assert_eq!(merged > 0, k > 1);
    }
}

#[test]
fn there_are_no_origins_where_no_region_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (1..9).map(|day| {
        let store = day % 3;
        format!("x{day},s{store},a,2018-03-0{day}T12:00:00,500,EUR,food,,,,,,,,,")
    });
    let path = write_file(&folder, "nowhere.csv", &rows.collect::<Vec<_>>());
    let test = build(&[&path], |_plan| ()).unwrap();
    let shards = &test.built.shards;
    assert!(shards.iter().all(|shard| shard.entry.dataset != ORIGINS));
}
