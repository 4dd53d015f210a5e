//! Searches of ordered indexes against plain ones.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, ops::Bound};

use nightshard_format::{
    Error,
    key::{PartitionRun, hash, order, partition_of},
    shard::{EDITS_MAX, FUZZY_LEN_MAX, Identity, Search, Searched, Shard, ShardWriter, Span},
};
use proptest::prelude::*;

/// Writes keys that are their own terms into three shards.
fn shards(terms: &BTreeSet<Vec<u8>>) -> Vec<Shard<Vec<u8>>> {
    let runs = PartitionRun::split(3).unwrap();
    runs.into_iter().map(|run| shard(terms, run)).collect()
}

fn shard(terms: &BTreeSet<Vec<u8>>, run: PartitionRun) -> Shard<Vec<u8>> {
    let identity = Identity {
        dataset: "terms".into(),
        span: Span::Current,
        run,
    };
    let mut file = Vec::new();
    let mut writer = ShardWriter::new(&mut file, &identity).unwrap();
    let is_inside = |key: &&Vec<u8>| run.contains(partition_of(hash(key)));
    let mut keys: Vec<&Vec<u8>> = terms.iter().filter(is_inside).collect();
    keys.sort_by_key(|key| order(key));
    for key in keys {
        writer.append(key, key).unwrap();
        writer.add_term(key).unwrap();
    }
    writer.finish().unwrap();
    Shard::open(file).unwrap()
}

fn found(shards: &[Shard<Vec<u8>>], search: &Search) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let visit = |term: &[u8], record: nightshard_format::shard::Record<'_>| {
        assert_eq!(record.key, term);
        found.push(term.to_vec());
        true
    };
    assert_eq!(
        search.visit(shards, u64::MAX, visit).unwrap(),
        Searched::Whole
    );
    found
}

/// Levenshtein distance by its definition.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn words() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let word = prop::collection::vec(
        prop::sample::select(vec!["a", "b", "\u{e4}", "\u{f6}", "\n"]),
        0..6,
    );
    prop::collection::btree_set(word.prop_map(|word| word.concat().into_bytes()), 0..60)
}

fn bytes() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let term = prop::collection::vec(prop::sample::select(vec![0, 1, 0xfe, 0xff]), 0..4);
    prop::collection::btree_set(term, 0..60)
}

/// Expressions of every construct that terms over a few letters can tell apart.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a", "b", "\u{e4}", ".", "[^a]", "(?-u:.)", "\\n", "^", "$", "",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(4, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|parts| parts.concat()),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("(?:{a}|{b})")),
                inner.clone().prop_map(|inner| format!("(?:{inner})*")),
                inner.clone().prop_map(|inner| format!("({inner})+?")),
                inner.prop_map(|inner| format!("(?:{inner}){{1,2}}")),
            ]
        })
}

proptest! {
    #[test]
    fn ranges_and_prefixes_are_those_of_a_sorted_list(
        terms in bytes(), from in bytes(), to in bytes(), kind in 0..9,
    ) {
        let shards = shards(&terms);
        let bound = |of: BTreeSet<Vec<u8>>, kind| match (kind, of.into_iter().next()) {
            (0, Some(term)) => Bound::Included(term),
            (1, Some(term)) => Bound::Excluded(term),
            _ => Bound::Unbounded,
        };
        let after = from.iter().next_back().cloned().unwrap_or_default();
        for prefix in &to {
            let search = Search::prefix(prefix);
            let expected: Vec<_> = terms.iter().filter(|term| term.starts_with(prefix)).cloned().collect();
            prop_assert_eq!(found(&shards, &search), &expected[..]);
            let expected: Vec<_> = expected.into_iter().filter(|term| *term > after).collect();
            prop_assert_eq!(found(&shards, &search.after(&after)), expected);
        }
        let range = (bound(from, kind % 3), bound(to, kind / 3));
        let expected: Vec<_> = terms.iter().filter(|term| {
            std::ops::RangeBounds::contains(&range, *term)
        }).cloned().collect();
        prop_assert_eq!(found(&shards, &Search::range(range.0, range.1)), expected);
    }

    #[test]
    fn fuzzy_search_finds_what_is_within_the_distance(
        terms in words(), asked in words(), edits in 0..=EDITS_MAX,
    ) {
        let shards = shards(&terms);
        for term in asked {
            let term = String::from_utf8(term).unwrap();
            let is_near = |other: &Vec<u8>| {
                distance(&term, std::str::from_utf8(other).unwrap()) <= edits as usize
            };
            let expected: Vec<_> = terms.iter().filter(|other| is_near(other)).cloned().collect();
            prop_assert_eq!(found(&shards, &Search::fuzzy(&term, edits).unwrap()), expected);
        }
    }

    #[test]
    fn an_expression_finds_the_terms_that_it_matches_whole(
        terms in words(), expression in expression(),
    ) {
        let shards = shards(&terms);
        let plain = regex::bytes::Regex::new(&format!(r"\A(?:{expression})\z")).unwrap();
        let expected: Vec<_> = terms.iter().filter(|term| plain.is_match(term)).cloned().collect();
        prop_assert_eq!(found(&shards, &Search::regex(&expression).unwrap()), expected);
    }

    #[test]
    fn what_is_found_with_little_work_lacks_nothing_before_it(terms in bytes(), work in 0..200_u64) {
        let shards = shards(&terms);
        let mut found = Vec::new();
        let visit = |term: &[u8], _: nightshard_format::shard::Record<'_>| {
            found.push(term.to_vec());
            true
        };
        let ended = Search::all().visit(&shards, work, visit).unwrap();
        prop_assert!(found.iter().eq(terms.iter().take(found.len())));
        prop_assert!(ended == Searched::Exhausted || found.len() == terms.len());
    }
}

#[test]
fn a_search_stops_when_told_to_or_when_its_work_is_done() {
    let terms: BTreeSet<Vec<u8>> = (0..1_000_u16).map(|at| at.to_le_bytes().into()).collect();
    let shards = shards(&terms);
    let mut count = 0;
    let search = |work, most, count: &mut u64| {
        *count = 0;
        let visit = |_: &[u8], _: nightshard_format::shard::Record<'_>| {
            *count += 1;
            *count < most
        };
        Search::all().visit(&shards, work, visit).unwrap()
    };
    assert_eq!(search(u64::MAX, 5, &mut count), Searched::Stopped);
    assert_eq!(count, 5);
    assert_eq!(search(100, u64::MAX, &mut count), Searched::Exhausted);
    assert!(0 < count && count < 100, "{count}");
    assert_eq!(search(u64::MAX, u64::MAX, &mut count), Searched::Whole);
    assert_eq!(count, 1_000);
    assert_eq!(search(0, u64::MAX, &mut count), Searched::Exhausted);
    assert_eq!(count, 0);
}

/// Walks that lead nowhere are left where they do: a search reads a small part of an index.
#[test]
fn a_narrow_search_of_many_terms_takes_little_work() {
    let number = |at: u32| blake3::hash(&at.to_le_bytes()).to_hex()[..12].to_owned();
    let terms: BTreeSet<Vec<u8>> = (0..20_000).map(|at| number(at).into_bytes()).collect();
    let shards = shards(&terms);
    let found = |search: Search, work| {
        let mut count = 0;
        let visit = |_: &[u8], _: nightshard_format::shard::Record<'_>| {
            count += 1;
            true
        };
        (search.visit(&shards, work, visit).unwrap(), count)
    };
    let all = 100_000;
    assert_eq!(found(Search::all(), all).0, Searched::Exhausted);
    let term = number(7);
    for (edits, work) in [(0, 500), (1, 5_000), (2, 50_000)] {
        let fuzzy = Search::fuzzy(&term, edits).unwrap();
        assert_eq!(found(fuzzy, work), (Searched::Whole, 1), "{edits}");
    }
    let expression = Search::regex(&format!("{}.*", &term[..6])).unwrap();
    assert_eq!(found(expression, 500), (Searched::Whole, 1));
    assert_eq!(
        found(Search::prefix(term.as_bytes()), 500),
        (Searched::Whole, 1)
    );
}

#[test]
fn searches_that_are_none_or_too_large_are_refused_in_one_line() {
    let too_large = "x".repeat(2_000);
    let expressions = [
        "(",
        "a)(b",
        "[z-a]",
        r"\p{Nothing}",
        "(?:.{1000}){1000}",
        r"(?:\pL{9}|\PL{8}){30}",
        r"(a)\1",
        &too_large,
        r"\bword\b",
    ];
    let refused = |search: Result<Search, Error>, what: &str| {
        let error = search.expect_err(what).to_string();
        assert!(
            error.starts_with("cannot write ") || !error.contains('\n'),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    };
    for expression in expressions {
        refused(Search::regex(expression), expression);
    }
    refused(Search::fuzzy("word", EDITS_MAX + 1), "many edits");
    refused(
        Search::fuzzy(&"x".repeat(FUZZY_LEN_MAX + 1), 1),
        "a long term",
    );
    Search::fuzzy(&"\u{1F600}x".repeat(FUZZY_LEN_MAX / 2), 1).unwrap();
}
