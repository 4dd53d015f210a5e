//! Who pays at the stores of places and of the market, against the rows of each store.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    num::NonZeroU32,
    path::Path,
};

use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    record::{
        CATEGORIES, Label, MARKET_ALL, MARKETS, PLACE_DEMOGRAPHICS, PlaceDemographics,
        REGION_CATEGORIES, REGIONS, atoms_key, parse_month_stores, region_category_key,
    },
    shard::Span,
};

use crate::{
    generated,
    support::{build, build_either_way},
};

/// Age band, gender and segment; empty where that is not known.
type Who = [String; 3];

/// A row, and what it says of who paid.
struct Paid {
    store: String,
    card: String,
    day: Day,
    amount: i64,
    who: Who,
}

fn read(path: &Path) -> Vec<Paid> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        Paid {
            store: record[1].to_owned(),
            card: record[2].to_owned(),
            day: record[3][..10].parse().unwrap(),
            amount: record[4].parse().unwrap(),
            who: [13, 14, 15].map(|at| record[at].to_owned()),
        }
    });
    rows.collect()
}

/// Where a store is, and whose, by its number: in the east there are too few merchants to hide each other, and of some
/// stores no region is known.
fn facts_of(number: usize) -> [String; 3] {
    let region = match number % 20 {
        3 => "east",
        4 => "",
        _ => "west",
    };
    let merchant = match number % 10 {
        3 => "of the east".to_owned(),
        0 => String::new(),
        _ => format!("m{}", number % 90),
    };
    let category = ["food", "books"][number % 2];
    [region.to_owned(), merchant, category.to_owned()]
}

/// One merchant's part of a cell.
#[derive(Default, Clone)]
struct Part {
    rows: u64,
    sales: i128,
    cards: BTreeSet<String>,
}

/// The parts of merchants in a cell.
type Parts = BTreeMap<String, Part>;

fn rows_of(parts: &Parts) -> u64 {
    parts.values().map(|part| part.rows).sum()
}

/// Returns whether k cards of five other merchants are left, none of which has more than half, whichever merchant is
/// taken out.
fn hides(parts: &Parts, k: usize) -> bool {
    parts.keys().all(|asks| {
        let others = parts.iter().filter(|(merchant, _)| *merchant != asks);
        let others: Vec<&Part> = others.map(|(_, part)| part).collect();
        let cards: BTreeSet<&String> = others.iter().flat_map(|part| &part.cards).collect();
        let selling: Vec<&&Part> = others.iter().filter(|part| part.sales > 0).collect();
        let sales: i128 = selling.iter().map(|part| part.sales).sum();
        let rows: u64 = selling.iter().map(|part| part.rows).sum();
        let is_half = |part: &&&Part| part.sales * 2 <= sales && part.rows * 2 <= rows;
        cards.len() >= k && selling.len() >= 5 && selling.iter().all(is_half)
    })
}

/// The cells of each place and month.
type Cells = BTreeMap<(Vec<u8>, Month), BTreeMap<Who, Parts>>;

/// Returns all cells of places and the market, by docs/definitions.md.
fn expected(rows: &[Paid], facts: &BTreeMap<&str, [String; 3]>) -> Cells {
    let mut months = BTreeMap::<(&str, Month), Vec<&Paid>>::new();
    for row in rows {
        let key = (&*row.store, row.day.month());
        months.entry(key).or_default().push(row);
    }
    let mut cells = Cells::new();
    for ((store, month), rows) in months {
        if rows.iter().all(|row| row.who.iter().all(String::is_empty)) {
            continue;
        }
        let mut latest = BTreeMap::<&str, [(Day, String); 3]>::new();
        for row in rows.iter().filter(|row| !row.card.is_empty()) {
            let known = latest.entry(&row.card);
            let known = known.or_insert_with(|| [0; 3].map(|_| (Day(i32::MIN), String::new())));
            for (known, value) in known.iter_mut().zip(&row.who) {
                if !value.is_empty() {
                    *known = (row.day, value.clone()).max(known.clone());
                }
            }
        }
        let [region, merchant, category] = &facts[store];
        let merchant = match merchant.as_str() {
            "" => format!("store {store}"),
            _ => merchant.clone(),
        };
        let mut keys = vec![
            atoms_key(MARKETS, MARKET_ALL),
            atoms_key(CATEGORIES, category),
        ];
        if !region.is_empty() {
            keys.push(atoms_key(REGIONS, region));
            let both = region_category_key(region, category);
            keys.push(atoms_key(REGION_CATEGORIES, both));
        }
        for row in rows {
            let latest = latest.get(&*row.card);
            let who = latest.map_or(row.who.clone(), |it| it.clone().map(|(_, value)| value));
            for key in &keys {
                let of_place = cells.entry((key.clone(), month)).or_default();
                let parts = of_place.entry(who.clone()).or_default();
                let part = parts.entry(merchant.clone()).or_default();
                part.rows += 1;
                part.sales += i128::from(row.amount.max(0));
                part.cards
                    .extend((!row.card.is_empty()).then(|| row.card.clone()));
            }
        }
    }
    cells
}

/// What is told of a place in a month: all rows, the rows of labels, and those of the rest.
type Told = (u64, BTreeMap<Who, u64>, Option<u64>);

fn told(generation: &Generation<Vec<u8>>, key: &[u8], month: Month) -> Option<Told> {
    let span = Span::Month(month);
    let value = generation.get(PLACE_DEMOGRAPHICS, span, key).unwrap()?;
    let record = PlaceDemographics::parse(value.in_place().unwrap()).unwrap();
    let (mut cells, mut rest) = (BTreeMap::new(), None);
    for cell in record.cells {
        if cell.labels == [Label::Merged; 3] {
            rest = Some(cell.count);
            continue;
        }
        let who = cell.labels.map(|label| match label {
            Label::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            Label::Unknown => String::new(),
            Label::Merged => panic!("{key:?} {month}: one label is merged"),
        });
        cells.insert(who, cell.count);
    }
    Some((record.count, cells, rest))
}

/// Checks what is told of each place up to `last`, and how many places there are said to be.
fn check(generation: &Generation<Vec<u8>>, cells: &Cells, last: Option<Month>, k: usize) -> Cells {
    let mut counts = BTreeMap::<Month, u64>::new();
    let mut all_told = Cells::new();
    for ((key, month), expected) in cells {
        let found = told(generation, key, *month);
        if last.is_some_and(|last| *month > last) {
            assert_eq!(found, None);
            continue;
        }
        *counts.entry(*month).or_default() += 1;
        let (count, told, rest) = found.unwrap();
        assert_eq!(count, expected.values().map(rows_of).sum::<u64>());
        for (who, rows) in &told {
            assert_eq!(*rows, rows_of(&expected[who]), "{key:?} {month} {who:?}");
            assert!(
                k == 1 || hides(&expected[who], k),
                "{key:?} {month} {who:?}"
            );
            let of_place = all_told.entry((key.clone(), *month)).or_default();
            of_place.insert(who.clone(), expected[who].clone());
        }
        let hidden = expected.iter().filter(|(who, _)| !told.contains_key(*who));
        let hidden: Vec<&Parts> = hidden.map(|(_, parts)| parts).collect();
        assert!(hidden.is_empty() || k > 1 && hidden.len() > 1 || told.is_empty());
        if let Some(rows) = rest {
            let mut together = Parts::new();
            for (merchant, part) in hidden.into_iter().flatten() {
                let of = together.entry(merchant.clone()).or_default();
                of.rows += part.rows;
                of.sales += part.sales;
                of.cards.extend(part.cards.iter().cloned());
            }
            assert_eq!(rows, rows_of(&together));
            assert!(hides(&together, k), "{key:?} {month}");
        }
    }
    let current = generation.table(PLACE_DEMOGRAPHICS, Span::Current);
    let said = current.shards().iter().flat_map(|shard| shard.iter());
    let said = said.map(|record| {
        let record = record.unwrap();
        let month: Month = String::from_utf8_lossy(record.key).parse().unwrap();
        let places = parse_month_stores(record.value.in_place().unwrap()).unwrap();
        (month, places)
    });
    assert_eq!(said.collect::<BTreeMap<_, _>>(), counts);
    all_told
}

#[test]
fn cells_of_places_are_those_of_their_stores_and_hide_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 60_000);
    let rows = read(&path);
    let ids: BTreeSet<&str> = rows.iter().map(|row| &*row.store).collect();
    let facts = ids.into_iter().enumerate();
    let facts: BTreeMap<&str, [String; 3]> =
        facts.map(|(number, id)| (id, facts_of(number))).collect();
    let mut table = "store_id,region,merchant_id,category\n".to_owned();
    for (id, [region, merchant, category]) in &facts {
        writeln!(table, "{id},{region},{merchant},{category}").unwrap();
    }
    let stores = folder.path().join("stores.csv");
    std::fs::write(&stores, table).unwrap();
    // What rows say of regions counts where the table is empty: here nowhere.
    let silenced = without_regions(&path);
    let cells = expected(&rows, &facts);
    let last = rows.iter().map(|row| row.day).max().unwrap();
    for k in [1, 5] {
        let test = build_either_way(&silenced, &stores, NonZeroU32::new(k).unwrap());
        let ended = (k > 1).then(|| Month::last_ended(last));
        let told = check(&test.open(), &cells, ended, usize::try_from(k).unwrap());
        let is_of = |dataset, id: &str| {
            let key = atoms_key(dataset, id);
            told.keys().any(|(known, _)| *known == key)
        };
        assert!(is_of(MARKETS, "all") && is_of(REGIONS, "west") && is_of(CATEGORIES, "food"));
        assert_eq!(is_of(REGIONS, "east"), k == 1);
    }
}

/// Writes the rows again without what they say of regions and categories.
fn without_regions(path: &Path) -> std::path::PathBuf {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let to = path.with_extension("silenced.csv");
    let mut writer = csv::Writer::from_path(&to).unwrap();
    writer.write_record(reader.headers().unwrap()).unwrap();
    for record in reader.records() {
        let record = record.unwrap();
        let silent = (0..).zip(&record);
        let silent = silent.map(|(at, value)| if at == 6 || at == 7 { "" } else { value });
        writer.write_record(silent).unwrap();
    }
    writer.flush().unwrap();
    to
}

#[test]
fn nothing_is_told_where_no_row_says_who_paid() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (1..9)
        .map(|day| format!("x{day},s,a,2018-03-0{day}T12:00:00,500,EUR,food,leeds,,,,,,,,"))
        .collect();
    let path = crate::write_file(&folder, "unsaid.csv", &rows);
    let test = build(&[&path], |_plan| ()).unwrap();
    assert!(
        test.entries()
            .iter()
            .all(|it| it.dataset != PLACE_DEMOGRAPHICS)
    );
}
