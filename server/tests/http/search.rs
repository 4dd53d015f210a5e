//! Search against a naive matcher, and its order, pages and bounds.

use std::{collections::BTreeSet, sync::Arc};

use nightshard_format::{
    calendar::Day,
    text::{fold, words},
};
use serde_json::{Value, json};

use crate::{
    fixture::{Fixture, Payment, Random, Shop},
    harness::{Harness, config},
};

fn server(shops: &[Shop]) -> Harness {
    let fixture = Arc::new(Fixture::new());
    let payments: Vec<Payment> = (0..shops.len())
        .map(|store| Payment {
            half_hour: None,
            paid: None,
            store,
            day: Day(17_600),
            card: 1,
            amount: 100,
        })
        .collect();
    let id = fixture.write(shops, &payments);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn found(data: &Value) -> Vec<(String, String)> {
    let rows = data["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        (text("kind"), text("id"))
    })
    .collect()
}

#[test]
fn names_are_found_by_words_prefixes_and_infixes_in_any_case_and_form() {
    let harness = server(&[
        Shop::new("S-10", "Marks & Spencer", "leeds", "food"),
        Shop::new("S-11", "Café Noir", "leeds", "fuel"),
        Shop::new("x2", "서울 한국마트", "서울", "food"),
        Shop::new("spencer7", "", "", ""),
    ]);
    let mut client = harness.connect();
    for (query, expected) in [
        ("spencer", &["S-10", "spencer7"][..]),
        ("SPEN", &["S-10", "spencer7"]),
        ("penc", &["S-10"]),
        ("marks spencer", &["S-10"]),
        ("marks noir", &[]),
        ("s-1", &["S-10", "S-11"]),
        ("S-11", &["S-11"]),
        ("CAFE\u{301}", &["S-11"]),
        ("cafe", &[]),
        ("국마", &["x2"]),
        ("마", &[]),
        ("한", &["x2"]),
        ("n", &["S-11"]),
        ("m", &["S-10"]),
        ("&", &[]),
        ("zzz", &[]),
    ] {
        let data = client
            .get(&format!("/v1/search?kind=store&q={}", encoded(query)))
            .data();
        let ids: Vec<String> = found(&data).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, expected, "{query}");
        assert!(data.get("truncated").is_none());
    }
    let data = client.get("/v1/search?q=foo").data();
    assert_eq!(
        data["rows"],
        json!([{"kind": "category", "id": "food", "name": "food"}])
    );
    let data = client
        .get(&format!("/v1/search?q={}", encoded("서울")))
        .data();
    assert_eq!(
        data["rows"],
        json!([
            {"kind": "store", "id": "x2", "name": "서울 한국마트"},
            {"kind": "region", "id": "서울", "name": "서울"},
        ])
    );
}

#[test]
fn words_of_a_region_narrow_what_the_others_find() {
    let harness = server(&[
        Shop::new("1", "커피나무", "강남", "food"),
        Shop::new("2", "커피 역", "종로", "food"),
        Shop::new("3", "강남 커피", "종로", "food"),
        Shop::new("4", "서점", "강남", "food"),
    ]);
    let mut client = harness.connect();
    for (query, expected) in [
        ("커피", &["1", "2", "3"][..]),
        ("강남", &["3"]),
        ("커피 강남", &["1", "3"]),
        ("강남 커피", &["1", "3"]),
        ("커피 종로", &["2", "3"]),
        ("커피 강남 종로", &[]),
        ("강남 종로", &[]),
        ("커피 부산", &[]),
    ] {
        let target = format!("/v1/search?kind=store&q={}", encoded(query));
        let ids: Vec<String> = found(&client.get(&target).data())
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        assert_eq!(ids, expected, "{query}");
    }
    let target = format!("/v1/search?kind=region&q={}", encoded("커피 강남"));
    assert_eq!(client.get(&target).data()["rows"], json!([]));
}

/// Returns what should be found, by reading every name.
fn naive(shops: &[Shop], query: &str) -> Vec<(String, String)> {
    let query = fold(query);
    let word_matches = |id: &str, name: &str, word: &str| {
        let (id, name) = (fold(id), fold(name));
        let any_part = word.chars().count() >= 2;
        id.starts_with(word)
            || words(&name).any(|own| own.starts_with(word) || (any_part && own.contains(word)))
    };
    let matches = |id: &str, name: &str| {
        fold(id).starts_with(&query)
            || (words(&query).next().is_some()
                && words(&query).all(|word| word_matches(id, name, word)))
    };
    // Words that match a region may be those of a store's region, where others match no region.
    let regions = || shops.iter().filter_map(|shop| shop.region.as_deref());
    let (of_regions, of_stores): (Vec<&str>, Vec<&str>) =
        words(&query).partition(|word| regions().any(|id| word_matches(id, id, word)));
    let matches_in_region = |shop: &Shop, name: &str| {
        let region = shop.region.as_deref().unwrap_or_default();
        !of_regions.is_empty()
            && !of_stores.is_empty()
            && of_stores
                .iter()
                .all(|word| word_matches(&shop.id, name, word))
            && of_regions
                .iter()
                .all(|word| word_matches(region, region, word))
    };
    let mut found = BTreeSet::new();
    for shop in shops {
        let name = shop.name.as_deref().unwrap_or_default();
        if matches(&shop.id, name) || matches_in_region(shop, name) {
            found.insert((0, shop.id.clone()));
        }
        for (kind, id) in [(1, &shop.region), (2, &shop.category)] {
            if let Some(id) = id.as_ref().filter(|id| matches(id, id)) {
                found.insert((kind, id.clone()));
            }
        }
    }
    let kinds = ["store", "region", "category"];
    found
        .into_iter()
        .map(|(kind, id)| (kinds[kind].to_owned(), id))
        .collect()
}

#[test]
fn random_queries_find_what_reading_every_name_finds() {
    let mut random = Random::new(7);
    let mut word = move |longest: u64| -> String {
        let len = 1 + random.below(longest);
        (0..len)
            .map(|_| char::from(b'a' + random.below(3) as u8))
            .collect()
    };
    let shops: Vec<Shop> = (0..150)
        .map(|index| {
            let name = [word(5), word(5), word(3)].join(" ");
            Shop::new(&format!("{}{index}", word(2)), &name, &word(2), &word(2))
        })
        .collect();
    let harness = server(&shops);
    let mut client = harness.connect();
    for round in 0..400 {
        let query = match round % 3 {
            0 => word(3),
            1 => format!("{} {}", word(3), word(2)),
            _ => format!("{}{}", word(2), round % 10),
        };
        let data = client
            .get(&format!("/v1/search?limit=1000&q={}", encoded(&query)))
            .data();
        assert_eq!(found(&data), naive(&shops, &query), "{query}");
    }
}

#[test]
fn results_are_paged_in_order_and_work_is_bounded() {
    let shops: Vec<Shop> = (0..3_000)
        .map(|index| Shop::new(&format!("s{index:04}"), "Corner Shop", "", ""))
        .collect();
    let harness = server(&shops);
    let mut client = harness.connect();
    let mut target = "/v1/search?q=corner+shop&limit=999".to_owned();
    let mut seen = Vec::new();
    loop {
        let data = client.get(&target).data();
        seen.extend(found(&data).into_iter().map(|(_, id)| id));
        match data["next"].as_str() {
            Some(next) => target = format!("/v1/search?q=corner+shop&limit=1000&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.iter().eq(shops.iter().map(|shop| &shop.id)));
    // Words repeated are looked for once, and there are not too many of them.
    let many = "shop+".repeat(1_000);
    let data = client.get(&format!("/v1/search?q={many}")).data();
    assert_eq!(data.get("truncated"), None);
    let words = |count: usize| -> String { (0..count).map(|n| format!("w{n}+")).collect() };
    let of = |count| format!("/v1/search?q={}", words(count));
    assert_eq!(client.get(&of(32)).data()["rows"], json!([]));
    assert_eq!(client.get(&of(33)).problem(), (400, Some("q".into())));
}

#[test]
fn a_common_word_hides_nothing_that_a_rare_one_finds() {
    // More words have "zz" in them than are looked at.
    let mut shops: Vec<Shop> = (0..1_100)
        .map(|index| {
            let words = (0..48).map(|word| format!("zz{index:x}q{word:x}"));
            let name = words.collect::<Vec<_>>().join(" ");
            Shop::new(&format!("{index}"), &name, "", "")
        })
        .collect();
    shops[7].name = Some("zzap rare".to_owned());
    shops[1_099].name = Some("pizza rare".to_owned());
    shops[3].name = Some("rare".to_owned());
    let harness = server(&shops);
    let mut client = harness.connect();
    assert_eq!(client.get("/v1/search?q=zz").data()["truncated"], true);
    for query in ["zz+rare", "rare+zz"] {
        let data = client.get(&format!("/v1/search?q={query}")).data();
        let ids: Vec<String> = found(&data).into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, ["1099", "7"], "{query}");
        assert_eq!(data.get("truncated"), None);
    }
}
