//! Merchants of several stores against the rows of these, whatever is hidden of places.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use nightshard_format::{
    record::{
        CATALOG, MERCHANT_LOYALTY, MERCHANTS, RankBy, Ranking, STORES, StoreProfile,
        place_ranking_key,
    },
    shard::Span,
};

use crate::{
    Row, check,
    determinism::KS,
    generated, read_rows,
    support::{build, build_either_way},
};

/// The merchant of a store by its number: of every sixth there is none, and one has one store.
fn merchant_of(number: usize) -> Option<&'static str> {
    match number {
        3 => Some("alone"),
        _ => ["café", "a/b", "west", "café", "café"]
            .get(number % 6)
            .copied(),
    }
}

#[test]
fn merchants_of_several_stores_equal_their_rows_and_are_the_same_bytes_however_they_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 40_000);
    let rows = read_rows(&path);
    let ids: BTreeSet<&str> = rows.iter().map(|row| &*row.store).collect();
    let mut table = "store_id,merchant_id\n".to_owned();
    let mut of_merchants = BTreeMap::<&str, Vec<Row>>::new();
    for (number, id) in ids.into_iter().enumerate() {
        let merchant = merchant_of(number);
        writeln!(table, "{id},{}", merchant.unwrap_or_default()).unwrap();
        if let Some(merchant) = merchant {
            let own = rows.iter().filter(|row| row.store == id);
            of_merchants
                .entry(merchant)
                .or_default()
                .extend(own.cloned());
        }
    }
    let stores = folder.path().join("stores.csv");
    std::fs::write(&stores, table).unwrap();
    let alone = of_merchants.remove("alone").unwrap();
    assert_eq!(of_merchants.len(), 3);
    let mut of_merchant_shards = Vec::new();
    for privacy_k in KS {
        let test = build_either_way(&path, &stores, privacy_k);
        let generation = test.open();
        for (seed, (merchant, rows)) in (0..).zip(&of_merchants) {
            check(rows, &generation, MERCHANTS, merchant, seed);
            let summary = generation.summary(MERCHANTS, merchant.as_bytes());
            let expected = StoreProfile {
                merchant_id: Some((*merchant).to_owned()),
                ..StoreProfile::default()
            };
            assert_eq!(summary.unwrap().unwrap().profile, expected);
        }
        assert!(generation.summary(MERCHANTS, b"alone").unwrap().is_none());
        assert!(
            generation
                .summary(STORES, alone[0].store.as_bytes())
                .unwrap()
                .is_some()
        );
        for by in RankBy::ALL {
            let key = place_ranking_key(by, MERCHANTS, None);
            let list = generation.get(CATALOG, Span::Current, &key).unwrap();
            let list = list.unwrap();
            let list = Ranking::parse(list.in_place().unwrap()).unwrap();
            let listed: BTreeSet<&[u8]> = (0..list.len()).filter_map(|at| list.get(at)).collect();
            let expected: BTreeSet<&[u8]> = of_merchants.keys().map(|id| id.as_bytes()).collect();
            assert_eq!(listed, expected, "{by:?}");
        }
        let shards = test.entries();
        let shards = shards
            .into_iter()
            .filter(|it| [MERCHANTS, MERCHANT_LOYALTY].contains(&&*it.dataset));
        of_merchant_shards.push(shards.collect::<Vec<_>>());
    }
    let [told, protected] = &of_merchant_shards[..] else {
        panic!("there are two");
    };
    assert!(!told.is_empty());
    assert_eq!(told, protected);
}

#[test]
fn without_a_merchant_of_two_stores_there_is_nothing_of_merchants() {
    let folder = tempfile::tempdir().unwrap();
    let path = generated(&folder, 2_000);
    let test = build(&[&path], |_plan| ()).unwrap();
    for dataset in [MERCHANTS, MERCHANT_LOYALTY] {
        assert!(test.entries().iter().all(|it| it.dataset != dataset));
    }
    let key = place_ranking_key(RankBy::Transactions, MERCHANTS, None);
    let generation = test.open();
    assert!(
        generation
            .get(CATALOG, Span::Current, &key)
            .unwrap()
            .is_none()
    );
}
