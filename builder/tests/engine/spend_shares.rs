//! Shares of observed spend, against what each card paid in each store.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    num::NonZeroU32,
};

use nightshard_format::{
    calendar::{Day, Month},
    generation::Generation,
    record::{SPEND_SHARES, SpendShare, parse_month_stores},
    shard::Span,
};

use crate::{
    Row, generated, read_rows,
    support::{build, build_either_way},
    write_file,
};

/// Cards of more stores of a kind in a month are left out there.
const STORES_MAX: usize = 64;

/// Where a store is, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shop {
    region: &'static str,
    merchant: String,
}

/// The shop of a store by its number: there are a large and a small region, and of every tenth no merchant is named.
fn shop_of(number: usize) -> Shop {
    Shop {
        region: if number % 50 == 7 { "east" } else { "west" },
        merchant: match number % 10 {
            0 => String::new(),
            _ => format!("m{}", number % 150),
        },
    }
}

/// Returns what is told of each store and month up to `last`.
fn expected(
    rows: &[Row],
    shops: &BTreeMap<&str, Shop>,
    last: Month,
    k: u64,
) -> BTreeMap<(String, Month), SpendShare> {
    // By month, region and card: what it spent at each store.
    let mut cells = BTreeMap::<(Month, &str, &str), BTreeMap<&str, i128>>::new();
    let in_time = rows.iter().filter(|row| row.day.month() <= last);
    for row in in_time.filter(|row| !row.card.is_empty()) {
        let key = (row.day.month(), shops[&*row.store].region, &*row.card);
        *cells.entry(key).or_default().entry(&row.store).or_default() += i128::from(row.amount);
    }
    // Some cards of the generator are everywhere.
    cells.retain(|_, spent| spent.len() <= STORES_MAX);
    let whose = |store: &str| match &*shops[store].merchant {
        "" => format!("store {store}"),
        merchant => format!("merchant {merchant}"),
    };
    let mut shares = BTreeMap::<(String, Month), SpendShare>::new();
    let mut hiding = BTreeMap::<(String, Month), (u64, BTreeMap<String, i128>)>::new();
    for ((month, _, _), spent) in &cells {
        for (store, own) in spent {
            let key = ((*store).to_owned(), *month);
            let share = shares.entry(key.clone()).or_default();
            share.own += own;
            share.cell += spent.values().sum::<i128>();
            let (cards, merchants) = hiding.entry(key).or_default();
            let others = spent
                .iter()
                .filter(|(other, _)| whose(other) != whose(store));
            let mut at_others = 0_i128;
            for (other, sum) in others {
                *merchants.entry(whose(other)).or_default() += sum;
                at_others += sum;
            }
            *cards += u64::from(at_others > 0);
        }
    }
    shares.retain(|key, _| {
        let (cards, merchants) = &hiding[key];
        let all: i128 = merchants.values().sum();
        let selling = merchants.values().filter(|sum| **sum > 0).count();
        let hides = merchants.values().all(|sum| 2 * sum.abs() <= all);
        k == 1 || (*cards >= k && selling >= 5 && hides)
    });
    shares
}

fn check(
    generation: &Generation<Vec<u8>>,
    expected: &BTreeMap<(String, Month), SpendShare>,
    stores: &BTreeMap<&str, Shop>,
    months: impl Iterator<Item = Month>,
) {
    for month in months {
        let mut told = 0;
        for store in stores.keys() {
            let value = generation
                .get(SPEND_SHARES, Span::Month(month), store.as_bytes())
                .unwrap();
            let found = value.map(|it| SpendShare::parse(it.in_place().unwrap()).unwrap());
            let key = ((*store).to_owned(), month);
            assert_eq!(found.as_ref(), expected.get(&key), "{store} {month}");
            told += u64::from(found.is_some());
        }
        let key = month.to_string();
        let said = generation
            .get(SPEND_SHARES, Span::Current, key.as_bytes())
            .unwrap();
        let said = said.map(|it| parse_month_stores(it.in_place().unwrap()).unwrap());
        assert_eq!(said, (told > 0).then_some(told), "{month}");
    }
}

#[test]
fn shares_are_those_of_what_cards_paid_in_all_stores_of_a_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 40_000);
    let rows = read_rows(&path);
    let ids: BTreeSet<&str> = rows.iter().map(|row| &*row.store).collect();
    let shops = (0..).zip(ids);
    let shops: BTreeMap<&str, Shop> = shops.map(|(number, id)| (id, shop_of(number))).collect();
    let mut table = "store_id,merchant_id,region,category\n".to_owned();
    for (id, Shop { region, merchant }) in &shops {
        writeln!(table, "{id},{merchant},{region},food").unwrap();
    }
    let stores = folder.path().join("stores.csv");
    std::fs::write(&stores, table).unwrap();
    let day_of = |row: &Row| row.day;
    let days: BTreeSet<Day> = rows.iter().map(day_of).collect();
    let (first, last) = (
        days.first().unwrap().month(),
        Month::last_ended(*days.last().unwrap()),
    );
    let all = expected(&rows, &shops, last, 1);
    for k in [1, 10] {
        let test = build_either_way(&path, &stores, NonZeroU32::new(k).unwrap());
        let told = expected(&rows, &shops, last, k.into());
        assert!(!told.is_empty());
        // In the east there are too few merchants to hide each other.
        let east = |(store, _): &(String, Month)| shops[&**store].region == "east";
        assert_eq!(told.keys().any(east), k == 1);
        assert_eq!(told.len() < all.len(), k > 1);
        let months = first.0..=last.0 + 1;
        check(&test.open(), &told, &shops, months.map(Month));
    }
}

/// Returns the shards of the dataset.
#[test]
fn there_are_no_shares_where_no_store_has_both_a_region_and_a_category() {
    let folder = tempfile::tempdir().unwrap();
    let rows = (1..9).map(|day| {
        let (category, region) = [("food", ""), ("", "leeds")][day % 2];
        format!(
            "x{day},s{},a,2018-03-0{day}T12:00:00,500,EUR,{category},{region},,,,,,,,",
            day % 2
        )
    });
    let rows = rows.chain(["y,s9,b,2018-04-01T12:00:00,5,EUR,,,,,,,,,,".to_owned()]);
    let path = write_file(&folder, "nowhere.csv", &rows.collect::<Vec<_>>());
    let test = build(&[&path], |_plan| ()).unwrap();
    assert!(test.entries().iter().all(|it| it.dataset != SPEND_SHARES));
}
