//! The target `search`: what searches find in ordered shards, beside looking at every term.
//!
//! An input is a kind of search, an option, two limits, and text.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Bound,
    sync::OnceLock,
};

use nightshard_format::{
    Error,
    key::{self, PartitionRun},
    shard::{EDITS_MAX, FUZZY_LEN_MAX, Identity, Search, Searched, Shard, ShardWriter, Span},
};
use regex::bytes::{Regex, RegexBuilder};

use crate::{mutate, rng::Rng, targets::Outcome};

/// Bytes before the text.
const HEAD_LEN: usize = 4;
/// A term that every shard has.
const SHARED: &[u8] = b"shared";
/// Enough for any expression that fits the limits of a search.
const REGEX_SIZE_MAX: usize = 64 << 20;

/// What a search finds: terms, each with the key of its record.
type Found = Vec<(Vec<u8>, Vec<u8>)>;

/// Shards, and all terms that they have, in their order.
struct Searchable {
    shards: Vec<Shard<Vec<u8>>>,
    terms: Found,
}

/// Looks for what an input says, in several ways that must agree.
pub(crate) fn run(data: &[u8]) -> Outcome {
    let Some((&[kind, option, work, count], text)) = data.split_first_chunk::<HEAD_LEN>() else {
        return 0;
    };
    let asked = Asked::new(kind, option, text);
    let search = match asked.search() {
        Ok(search) => search,
        Err(error) => return said(&error.to_string()),
    };
    assert!(asked.is_allowed(), "a limit was passed over: {asked:?}");
    let searchable = searchable();
    let expected = match asked.matcher() {
        Some(matches) => {
            let mut terms = searchable.terms.clone();
            terms.retain(|(term, _key)| matches(term));
            terms
        }
        None => return 1,
    };
    assert_eq!(
        find(searchable, &search, u64::MAX, usize::MAX),
        (expected.clone(), Searched::Whole),
        "{asked:?}"
    );
    assert_limited(searchable, &search, &expected, work.into());
    let count = usize::from(count % 8);
    if count > 0 && count <= expected.len() {
        let (first, ended) = find(searchable, &search, u64::MAX, count);
        assert_eq!((&first[..], ended), (&expected[..count], Searched::Stopped));
        assert_goes_on(searchable, search, &expected, &expected[count - 1].0);
    }
    let mut hasher = DefaultHasher::new();
    (kind % 4, expected).hash(&mut hasher);
    hasher.finish()
}

/// Little work finds the first of what is there, and says whether it found all.
fn assert_limited(searchable: &Searchable, search: &Search, expected: &Found, work: u64) {
    let (found, ended) = find(searchable, search, work, usize::MAX);
    if ended == Searched::Whole {
        assert_eq!(found, *expected);
    }
    assert!(
        expected.starts_with(&found),
        "{found:?} are not the first of {expected:?}"
    );
}

/// A search goes on behind a term.
fn assert_goes_on(searchable: &Searchable, search: Search, expected: &Found, term: &[u8]) {
    let mut rest = expected.clone();
    rest.retain(|(found, _key)| found.as_slice() > term);
    let found = find(searchable, &search.after(term), u64::MAX, usize::MAX);
    assert_eq!(found, (rest, Searched::Whole));
}

/// Visits up to `count` terms.
fn find(searchable: &Searchable, search: &Search, work: u64, count: usize) -> (Found, Searched) {
    let mut found = Found::new();
    let ended = search.visit(&searchable.shards, work, |term, record| {
        found.push((term.to_vec(), record.key.to_vec()));
        found.len() < count
    });
    (found, ended.expect("the shards are right"))
}

/// Tells whether a term is looked for.
type Matcher<'a> = Box<dyn Fn(&[u8]) -> bool + 'a>;

/// What an input asks for.
#[derive(Debug)]
enum Asked<'a> {
    Prefix(&'a [u8]),
    Range(Bound<Vec<u8>>, Bound<Vec<u8>>),
    Fuzzy(String, u32),
    Regex(String),
}

impl<'a> Asked<'a> {
    fn new(kind: u8, option: u8, text: &'a [u8]) -> Self {
        let as_text = || String::from_utf8_lossy(text).into_owned();
        match kind % 4 {
            0 => Self::Prefix(text),
            1 => {
                let at = usize::from(option >> 4).min(text.len());
                let (from, to) = text.split_at(at);
                Self::Range(bound(option, from), bound(option >> 2, to))
            }
            2 => Self::Fuzzy(as_text(), (option % 5).into()),
            _ => Self::Regex(as_text()),
        }
    }

    fn search(&self) -> Result<Search, Error> {
        match self {
            Self::Prefix(prefix) => Ok(Search::prefix(prefix)),
            Self::Range(from, to) => Ok(Search::range(from.clone(), to.clone())),
            Self::Fuzzy(term, edits) => Search::fuzzy(term, *edits),
            Self::Regex(expression) => Search::regex(expression),
        }
    }

    /// Whether the limits that are told allow it.
    fn is_allowed(&self) -> bool {
        match self {
            Self::Prefix(_) | Self::Range(..) => true,
            Self::Fuzzy(term, edits) => {
                *edits <= EDITS_MAX && term.chars().count() <= FUZZY_LEN_MAX
            }
            Self::Regex(expression) => expression.len() <= 1_000,
        }
    }

    /// Returns what tells whether a term is looked for; `None` where that is not known.
    fn matcher(&self) -> Option<Matcher<'_>> {
        Some(match self {
            Self::Prefix(prefix) => Box::new(|term| term.starts_with(prefix)),
            Self::Range(from, to) => Box::new(|term| {
                let is_behind = match from {
                    Bound::Included(from) => term >= from.as_slice(),
                    Bound::Excluded(from) => term > from.as_slice(),
                    Bound::Unbounded => true,
                };
                let is_before = match to {
                    Bound::Included(to) => term <= to.as_slice(),
                    Bound::Excluded(to) => term < to.as_slice(),
                    Bound::Unbounded => true,
                };
                is_behind && is_before
            }),
            Self::Fuzzy(asked, edits) => Box::new(|term| {
                let term = std::str::from_utf8(term);
                term.is_ok_and(|term| distance(asked, term) <= *edits as usize)
            }),
            Self::Regex(expression) => {
                let regex = whole(expression)?;
                Box::new(move |term| regex.is_match(term))
            }
        })
    }
}

fn bound(kind: u8, term: &[u8]) -> Bound<Vec<u8>> {
    match kind % 4 {
        0 => Bound::Unbounded,
        1 => Bound::Excluded(term.to_vec()),
        _ => Bound::Included(term.to_vec()),
    }
}

/// Returns an expression that matches what the whole of a text does; `None` for what cannot be
/// put into a group, such as one that a comment ends.
fn whole(expression: &str) -> Option<Regex> {
    let build = |text: String| {
        RegexBuilder::new(&text)
            .size_limit(REGEX_SIZE_MAX)
            .build()
            .ok()
    };
    build(format!(r"\A(?:{expression})\z"))
}

/// Returns the Levenshtein distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, left) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, right) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

fn said(error: &str) -> Outcome {
    assert!(!error.contains('\n'), "an error has several lines");
    let mut hasher = DefaultHasher::new();
    // Numbers and what was given make no difference.
    error
        .split(|letter: char| !letter.is_ascii_lowercase())
        .take(8)
        .for_each(|word| word.hash(&mut hasher));
    hasher.finish()
}

/// Terms of one letter to many, alike and not, of all bytes, in UTF-8 and not.
fn terms() -> BTreeSet<Vec<u8>> {
    let words = "a aa aaa aaaaaaaaaaaaaaaaaaaa ab aab abab ba bar baz bern berlin bonn bonnn born \
        Bern BERN b-n b.n b\\n 0 00 01 10 2018 2018-03 2018-03-05 key000 key001 key010 key100 \
        z\u{fc}rich zurich Z\u{dc}RICH na\u{ef}ve nai\u{308}ve \u{df} ss \u{1f600} \u{1f601}x \
        \u{4f60}\u{597d} \u{4f60} ^ $ [a] (a) a|b a*";
    let mut terms: BTreeSet<Vec<u8>> = words.split(' ').map(|word| word.into()).collect();
    let odd: [&[u8]; 10] = [
        b"",
        b"\0",
        b"\0\0",
        b"line\nline",
        b"tab\tb",
        b"\xff",
        b"\xff\xff",
        b"b\xe4r",
        b"\xf0\x9f\x98",
        b" a ",
    ];
    terms.extend(odd.into_iter().map(<[u8]>::to_vec));
    terms.insert("long ".repeat(60).into());
    terms
}

fn searchable() -> &'static Searchable {
    static SEARCHABLE: OnceLock<Searchable> = OnceLock::new();
    SEARCHABLE.get_or_init(|| {
        let runs = PartitionRun::split(3).expect("there are more partitions");
        let mut all = Vec::new();
        let mut shards = Vec::new();
        for (number, run) in runs.into_iter().enumerate() {
            let (shard, terms) = shard(run);
            all.extend(terms.into_iter().map(|(term, key)| (term, number, key)));
            shards.push(shard);
        }
        all.sort();
        let terms = all.into_iter().map(|(term, _shard, key)| (term, key));
        Searchable {
            shards,
            terms: terms.collect(),
        }
    })
}

/// Writes the terms of a run, each its own record, of which the first has another term.
fn shard(run: PartitionRun) -> (Shard<Vec<u8>>, Found) {
    let mut keys: Vec<Vec<u8>> = terms().into_iter().collect();
    keys.retain(|key| run.contains(key::partition_of(key::hash(key))));
    keys.sort_by(|left, right| key::order(left).cmp(&key::order(right)));
    let identity = Identity {
        dataset: "search".into(),
        span: Span::Current,
        run,
    };
    let (mut file, mut found) = (Vec::new(), Found::new());
    let mut writer = ShardWriter::new(&mut file, &identity).expect("a vector takes anything");
    for (number, key) in keys.iter().enumerate() {
        writer.append(key, b"value").expect("keys are in order");
        for term in [key, SHARED]
            .into_iter()
            .take(if number == 0 { 2 } else { 1 })
        {
            writer.add_term(term).expect("there is a record");
            found.push((term.to_vec(), key.clone()));
        }
    }
    writer.finish().expect("terms differ");
    let shard = Shard::open(file).expect("it was just written");
    shard.verify().expect("it was just written");
    (shard, found)
}

/// Inputs of every kind.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "",
        "a",
        "ber",
        "bern",
        "berlin",
        "2018-",
        "z\u{fc}",
        "shared",
        "b.*n{1}",
        "(a|b)*",
        "[^a]+",
        r"\d{4}(-\d\d)*",
        r"(?i)bern",
        r"(?-u:\xff)+",
        r"^a$|\Ab\z",
        r"(?s).*",
        r"\p{L}{2,3}",
        "(a{2}){3}",
        r"(?x) b o # comment",
        r"(?-u:\b)a",
        r"[[:alpha:]&&[^x]]*",
        "(?:)",
        "a?",
        "\u{1f600}.",
    ];
    let heads = [
        [0, 0, 9, 1],
        [1, 0x25, 9, 2],
        [2, 1, 40, 1],
        [2, 2, 0, 3],
        [3, 0, 60, 1],
    ];
    let inputs = texts
        .iter()
        .flat_map(|text| heads.map(|head| [&head[..], text.as_bytes()].concat()));
    inputs.collect()
}

/// Pieces of expressions, of which any may matter anywhere.
const TOKENS: [&str; 44] = [
    "*",
    "+",
    "?",
    "|",
    "(",
    ")",
    "(?:",
    ".",
    "^",
    "$",
    r"\A",
    r"\z",
    r"\d",
    r"\w",
    r"\s",
    r"\D",
    r"\pL",
    r"\p{Greek}",
    r"(?i)",
    "(?s)",
    "(?m)",
    "(?x)",
    "(?R)",
    "(?U)",
    "(?-u:",
    r"\xff",
    r"\b",
    r"\B",
    r"\b{start}",
    "{2}",
    "{0,3}",
    "{20}",
    "{999}",
    "[a-z]",
    "[^a]",
    "[[:alpha:]]",
    "&&",
    "~~",
    r"\u{1f600}",
    r"\Q",
    "*?",
    "(?P<n>a)",
    "#",
    "\n",
];

/// Changes a search: its text by pieces of expressions and of terms, or as any bytes.
pub(crate) fn mutate(rng: &mut Rng, data: &mut Vec<u8>, other: &[u8]) {
    if data.len() < HEAD_LEN || rng.one_in(4) {
        mutate::bytes(rng, data, other);
    }
    data.resize(data.len().max(HEAD_LEN), 0);
    for _ in 0..=rng.below(4) {
        let at = HEAD_LEN + rng.below(data.len() - HEAD_LEN + 1);
        match rng.below(5) {
            0 => data[rng.below(HEAD_LEN)] = rng.byte(),
            1 => {
                let terms = &searchable().terms;
                let term = &rng.pick(terms).0;
                let piece = &term[..rng.below(term.len() + 1)];
                data.splice(at..at, piece.iter().copied());
            }
            2 if at < data.len() => drop(data.remove(at)),
            _ => {
                let token = rng.pick(&TOKENS).bytes();
                data.splice(at..at, token);
            }
        }
    }
    data.truncate(TEXT_LEN_MAX);
}

/// A little longer than the longest expression.
const TEXT_LEN_MAX: usize = 1_100;
