//! What customers paid, against the rows of a file one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use nightshard_builder::{
    build::BuildPlan,
    customers::{CustomerTable, Customers},
    data_tests::Condition,
    layout::Layout,
    pseudonym::{CardKey, Pseudonymiser},
    stores::StoreTable,
};
use nightshard_format::{
    calendar::{Day, DayRange},
    generation::Generation,
    manifest::{Input, InputRole},
    payer,
    record::{BEFORE_AFTER, CUSTOMERS, CustomerFigures, CustomerRecord, customer_key},
    shard::Span,
};
use tempfile::TempDir;

use super::support::{TestBuild, build};

const FLAGGED: &str = "amount_minor > 900 or channel = 'online'";

/// A payment as the file of the tests has it.
struct Payment {
    store: usize,
    card: usize,
    day: i32,
    amount: i64,
    foreign: Option<bool>,
    is_online: bool,
}

/// The category of a store: that of two of them is sensitive.
fn category_of(store: usize) -> &'static str {
    match store % 5 {
        4 => "health",
        1 => "",
        _ => "food",
    }
}

/// Returns so many payments of cards that come again and of cards that come once, and of no card.
fn payments(len: usize) -> Vec<Payment> {
    let mut state = 7_u64;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((state >> 33) % below).unwrap()
    };
    let payment = |number| Payment {
        // Half of them are in one store.
        store: next(12) * next(2),
        card: match next(3) {
            0 => next(len as u64 / 40 + 2),
            1 => 10_000 + number,
            _ => 20_000 + next(3),
        },
        day: 17_500 + i32::try_from(next(700)).unwrap(),
        amount: i64::try_from(next(1_200)).unwrap() - 200,
        foreign: [None, Some(false), Some(true)][next(3)],
        is_online: next(4) == 0,
    };
    (0..len).map(payment).collect()
}

fn id_of(card: usize) -> String {
    match card {
        // No card.
        20_000 => String::new(),
        card => format!("49291234{card:08}"),
    }
}

/// Writes the payments, each tenth of them twice and each eleventh in another currency.
fn write(folder: &TempDir, payments: &[Payment]) -> (PathBuf, BTreeSet<usize>) {
    let mut text =
        "tx_id,store_id,card_id,ts,amount_minor,currency,channel,is_foreign\n".to_owned();
    let mut others = BTreeSet::new();
    for (number, payment) in payments.iter().enumerate() {
        let is_other = number % 11 == 5;
        others.extend(is_other.then_some(number));
        let row = format!(
            "t{number},s{},{},{},{},{},{},{}\n",
            payment.store,
            id_of(payment.card),
            Day(payment.day),
            payment.amount,
            if is_other { "USD" } else { "GBP" },
            if payment.is_online { "online" } else { "" },
            payment.foreign.map_or("", |it| if it { "Y" } else { "no" }),
        );
        text += &row;
        if number % 10 == 3 {
            text += &row;
        }
    }
    let path = folder.path().join("payments.csv");
    fs::write(&path, text).unwrap();
    (path, others)
}

fn key() -> CardKey {
    CardKey::parse(&"5a".repeat(32), "--card-key-file").unwrap()
}

fn pseudonym_of(card: usize) -> [u8; 32] {
    let pseudonym = Pseudonymiser::new(&key()).pseudonym(id_of(card).as_bytes());
    customer_key(pseudonym.to_le_bytes())
}

fn customers(flagged: Option<&str>, table: CustomerTable) -> Customers {
    let layout = Layout::builtin("canonical").unwrap();
    let compile = |text| Condition::compile(text, &layout, "customers.flagged").unwrap();
    Customers {
        flagged: flagged.map(compile),
        table,
    }
}

/// Builds the payments; where stores have categories, those are as `category_of` says.
fn build_with(path: &Path, customers: Customers, change: impl FnOnce(&mut BuildPlan)) -> TestBuild {
    let folder = tempfile::tempdir().unwrap();
    let stores = (0..12).map(|store| format!("s{store},{}\n", category_of(store)));
    let stores = format!("store_id,category\n{}", stores.collect::<String>());
    let of_stores = folder.path().join("stores.csv");
    fs::write(&of_stores, stores).unwrap();
    build(&[path], |plan| {
        plan.currency = Some("GBP".into());
        plan.stores = StoreTable::read(&of_stores).unwrap();
        plan.customers = Some(customers);
        change(plan);
    })
    .unwrap()
}

/// The figures of every card, added up row by row.
fn expected(
    payments: &[Payment],
    others: &BTreeSet<usize>,
    is_told: impl Fn(&Payment) -> bool,
) -> BTreeMap<[u8; 32], CustomerFigures> {
    let mut found = BTreeMap::<[u8; 32], CustomerFigures>::new();
    for (number, payment) in payments.iter().enumerate() {
        if others.contains(&number) || id_of(payment.card).is_empty() || !is_told(payment) {
            continue;
        }
        let day = Day(payment.day);
        let figures = found
            .entry(pseudonym_of(payment.card))
            .or_insert(CustomerFigures {
                count: 0,
                sum: 0,
                min: i64::MAX,
                max: i64::MIN,
                days: DayRange {
                    first: day,
                    last: day,
                },
                foreign: None,
                flagged: Some(0),
            });
        figures.count += 1;
        figures.sum += i128::from(payment.amount);
        figures.min = figures.min.min(payment.amount);
        figures.max = figures.max.max(payment.amount);
        figures.days.first = figures.days.first.min(day);
        figures.days.last = figures.days.last.max(day);
        if let Some(foreign) = payment.foreign {
            *figures.foreign.get_or_insert(0) += u64::from(foreign);
        }
        let is_flagged = payment.amount > 900 || payment.is_online;
        *figures.flagged.get_or_insert(0) += u64::from(is_flagged);
    }
    found
}

type Read = BTreeMap<[u8; 32], (CustomerFigures, Vec<(String, String)>)>;

/// Reads all customers, each by looping and by its key.
fn read(generation: &Generation<Vec<u8>>) -> Read {
    let mut customers = Read::new();
    for shard in generation.table(CUSTOMERS, Span::Current).shards() {
        for record in shard.iter() {
            let record = record.unwrap();
            let value = record.value.in_place().unwrap();
            let by_key = generation
                .get(CUSTOMERS, Span::Current, record.key)
                .unwrap();
            assert_eq!(by_key.unwrap().in_place().unwrap(), value);
            let read = CustomerRecord::parse(value).unwrap();
            let attributes = read.attributes.iter();
            let attributes = attributes.map(|(name, value)| ((*name).into(), (*value).into()));
            let read = (read.figures, attributes.collect());
            customers.insert(record.key.try_into().unwrap(), read);
        }
    }
    customers
}

fn figures_of(test: &TestBuild) -> BTreeMap<[u8; 32], CustomerFigures> {
    let read = read(&test.open()).into_iter();
    read.map(|(key, (figures, _))| (key, figures)).collect()
}

#[test]
fn every_customer_is_what_its_rows_add_up_to() {
    let folder = tempfile::tempdir().unwrap();
    let payments = payments(6_000);
    let (path, others) = write(&folder, &payments);
    let nothing_known = customers(Some(FLAGGED), CustomerTable::default());
    let test = build_with(&path, nothing_known, |_| ());
    let expected = expected(&payments, &others, |_| true);
    assert!(expected.values().any(|it| it.foreign.is_none()));
    assert!(expected.values().any(|it| it.count > 20));
    assert_eq!(figures_of(&test), expected);
    let report = test.built.report.customers.unwrap();
    assert_eq!(report.records, expected.len() as u64);
    assert_eq!((report.described, report.unknown), (0, 0));
}

#[test]
fn rows_of_stores_of_sensitive_categories_are_no_customers() {
    let folder = tempfile::tempdir().unwrap();
    let payments = payments(3_000);
    let (path, others) = write(&folder, &payments);
    let kept = customers(Some(FLAGGED), CustomerTable::default());
    let test = build_with(&path, kept, |plan| {
        plan.sensitive_categories = ["health", "adult"].map(str::to_owned).into();
    });
    let told = expected(&payments, &others, |it| category_of(it.store) != "health");
    let all = expected(&payments, &others, |_| true);
    assert!(told.len() < all.len(), "some were nowhere else");
    assert_eq!(figures_of(&test), told);
    let configuration = &test.built.manifest.configuration;
    assert_eq!(configuration[payer::PAYER_KEY], "card");
    assert_eq!(configuration[payer::FLAGGED_KEY], FLAGGED);
    // No store is of the other one.
    assert_eq!(test.built.report.unknown_sensitive_categories, ["adult"]);
    let sensitive = serde_json::json!(["adult", "health"]);
    assert_eq!(configuration[payer::SENSITIVE_CATEGORIES_KEY], sensitive);
}

#[test]
fn stores_of_sensitive_categories_are_before_and_after_others_as_if_of_no_known_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write(&folder, &payments(3_000));
    let unknown = folder.path().join("stores.csv");
    let categories = (0..12).map(|store| (store, category_of(store)));
    let categories = categories.map(|(store, category)| match category {
        "health" => format!("s{store},\n"),
        _ => format!("s{store},{category}\n"),
    });
    fs::write(
        &unknown,
        format!("store_id,category\n{}", categories.collect::<String>()),
    )
    .unwrap();
    let told = |change: &dyn Fn(&mut BuildPlan)| {
        let kept = customers(None, CustomerTable::default());
        let manifest = build_with(&path, kept, change).built.manifest;
        manifest
            .shards_of(BEFORE_AFTER)
            .cloned()
            .collect::<Vec<_>>()
    };
    let sensitive = told(&|plan| plan.sensitive_categories = ["health".to_owned()].into());
    assert!(!sensitive.is_empty());
    assert_eq!(
        sensitive,
        told(&|plan| plan.stores = StoreTable::read(&unknown).unwrap())
    );
    assert_ne!(sensitive, told(&|_| ()));
}

#[test]
fn neither_threads_nor_memory_nor_slices_change_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    // So many that the largest store does not fit in what one of eight threads has.
    let payments = payments(60_000);
    let (path, others) = write(&folder, &payments);
    let kept = || customers(Some(FLAGGED), CustomerTable::default());
    let wide = build_with(&path, kept(), |plan| {
        plan.sensitive_categories = ["health".to_owned()].into();
        plan.threads = 1;
    });
    let narrow = build_with(&path, kept(), |plan| {
        plan.sensitive_categories = ["health".to_owned()].into();
        plan.threads = 8;
        plan.memory_bytes = 64 << 20;
    });
    assert_eq!(wide.built.manifest, narrow.built.manifest);
    let told = expected(&payments, &others, |it| category_of(it.store) != "health");
    assert_eq!(figures_of(&narrow), told);
}

/// Everything else of a generation is as if there were no customers.
#[test]
fn only_the_shards_of_customers_differ() {
    let folder = tempfile::tempdir().unwrap();
    let payments = payments(3_000);
    let (path, _) = write(&folder, &payments);
    let kept = customers(Some(FLAGGED), CustomerTable::default());
    let with = build_with(&path, kept, |_| ()).built.manifest;
    let none = customers(None, CustomerTable::default());
    let without = build_with(&path, none, |plan| plan.customers = None);
    assert_eq!(without.built.report.customers, None);
    let without = without.built.manifest;
    assert_ne!(with.id, without.id);
    assert!(
        without
            .configuration
            .keys()
            .all(|it| !payer::is_about_customers(it))
    );
    let others = with.shards.iter().filter(|it| it.dataset != CUSTOMERS);
    assert!(others.eq(&without.shards));
    assert_eq!(with.shards_of(CUSTOMERS).count(), 16);
    assert_eq!(without.shards_of(CUSTOMERS).count(), 0);
}

#[test]
fn what_a_file_says_of_customers_stands_beside_what_they_paid() {
    let folder = tempfile::tempdir().unwrap();
    let payments = payments(200);
    let (path, others) = write(&folder, &payments);
    let expected = expected(&payments, &others, |_| true);
    let cards: BTreeSet<usize> = payments.iter().map(|payment| payment.card).collect();
    let known = |card: &usize| expected.contains_key(&pseudonym_of(*card));
    let [first, second] = {
        let mut cards = cards.into_iter().filter(known);
        [cards.next().unwrap(), cards.next().unwrap()]
    };
    let of_customers = folder.path().join("customers.csv");
    let rows = [
        format!("{},2017-05-01,north", id_of(first)),
        format!("{},,", id_of(second)),
        "never seen,2018-01-01,south".to_owned(),
    ];
    let text = format!("card_id,registered_at,home\n{}\n", rows.join("\n"));
    fs::write(&of_customers, text).unwrap();
    let table = CustomerTable::read(&of_customers, &key()).unwrap();
    let test = build_with(&path, customers(None, table), |_| ());
    let read = read(&test.open());
    let attributes = |card: usize| read[&pseudonym_of(card)].1.clone();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let told = [pair("home", "north"), pair("registered_at", "2017-05-01")];
    assert_eq!(attributes(first), told);
    assert_eq!(attributes(second), []);
    assert!(read.values().all(|(figures, _)| figures.flagged.is_none()));
    let report = test.built.report.customers.unwrap();
    assert_eq!((report.described, report.unknown), (2, 1));
    assert_eq!(report.records, expected.len() as u64);
    let inputs = test.built.manifest.inputs.iter();
    let role = |input: &Input| match input {
        Input::File { role, .. } => Some(*role),
        Input::Atoms { .. } => None,
    };
    let roles: Vec<InputRole> = inputs.filter_map(role).collect();
    let expected = [
        InputRole::Transactions,
        InputRole::Stores,
        InputRole::Customers,
    ];
    assert_eq!(roles, expected);
    let json = String::from_utf8(test.built.manifest.to_json().unwrap()).unwrap();
    assert!(!json.contains(&id_of(first)));
}
