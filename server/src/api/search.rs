//! `GET /v1/search`: stores, regions and categories by parts of their names and ids.

use std::{borrow::Cow, collections::HashSet};

use nightshard_format::{
    generation::Generation,
    record::{
        EntityKind, Posting, Postings, RANKINGS, RankBy, Ranking, SEARCH, STORES, ranking_key,
    },
    region_tree::RegionTree,
    shard::{Mapped, Search, Span},
    text::{TermKind, fold, is_whole_word, term_key, words},
};

use super::{Lookup, parameters::Parameters};
use crate::{
    problem::{Failure, Problem, Result},
    work::Work,
};

/// So many terms of the index are looked at for one word at most.
const TERMS_MAX: usize = 50_000;
/// So many things that terms name are looked at for one word at most.
const POSTINGS_MAX: usize = 500_000;
/// So many different words are looked for at most.
const WORDS_MAX: usize = 32;
/// So few things are compared with the words left one by one, rather than with all they match.
const COMPARED_MAX: usize = 1_000;
/// The time for a term, in nanoseconds.
const TERM_NS: u64 = 300;
/// The time for a posting, sorting included, in nanoseconds.
const POSTING_NS: u64 = 60;
/// The time to read and write a row, in nanoseconds.
const ROW_NS: u64 = 2_000;

/// The words of `kind`.
const KINDS: [(&str, EntityKind); 3] = [
    ("store", EntityKind::Store),
    ("region", EntityKind::Region),
    ("category", EntityKind::Category),
];

/// Writes what matches every word of `q`.
pub(super) fn write(mut parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    let asked = parameters.take("q");
    let kind = parameters.take_word("kind", &KINDS)?;
    let served = lookup.served;
    let tree = &served.transactions()?.regions;
    let scope = [
        Some("search"),
        asked.as_deref(),
        kind.map(EntityKind::as_str),
    ];
    let page = lookup.page(&mut parameters, &scope)?;
    parameters.finish()?;
    let folded = fold(asked.as_deref().unwrap_or_default().trim());
    if folded.is_empty() {
        return Err(Problem::parameter("q", "there is nothing to search for").into());
    }
    let mut finder = Finder {
        generation: served.generation(),
        tree,
        kind,
        work: lookup.work,
    };
    let (found, truncated) = finder.find(&folded)?;
    let found = seen(found, lookup)?;
    let positions = page.positions(found.len());
    lookup.work.spend(positions.len() as u64 * ROW_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("rows").begin_array();
    for posting in &found[positions] {
        json.begin_object();
        json.key("kind").string(posting.kind.as_str());
        json.key("id").bytes(posting.id);
        json.key("name");
        match posting.kind {
            EntityKind::Store => {
                let summary = served.generation().summary(STORES, posting.id)?;
                let name = summary.and_then(|summary| summary.profile.name);
                json.optional_string(name.as_deref());
            }
            EntityKind::Region => json.string(&region_name(tree, posting.id)),
            // The sources name categories by what serves as their ids.
            EntityKind::Category => json.bytes(posting.id),
        }
        json.end_object();
    }
    json.end_array();
    if let Some(cursor) = page.next(found.len()) {
        json.key("next").display(cursor);
    }
    if truncated {
        json.key("truncated").boolean(true);
    }
    json.end_object();
    Ok(())
}

/// Returns what the caller sees of what was found.
fn seen<'g>(found: Vec<Posting<'g>>, lookup: &mut Lookup<'_>) -> Result<Vec<Posting<'g>>> {
    if lookup.caller.stores().is_none() {
        return Ok(found);
    }
    let sees_places = lookup.caller.sees_places();
    let mut seen = Vec::new();
    for posting in found {
        let is_seen = match posting.kind {
            EntityKind::Store => lookup.covers(posting.id)?,
            EntityKind::Region | EntityKind::Category => sees_places,
        };
        if is_seen {
            seen.push(posting);
        }
    }
    Ok(seen)
}

/// Finds postings within bounds.
struct Finder<'a, 'w> {
    generation: &'a Generation<Mapped>,
    tree: &'a RegionTree,
    kind: Option<EntityKind>,
    work: &'w mut Work,
}

/// What was found, and what may still be looked at.
struct Found<'a> {
    postings: Vec<Posting<'a>>,
    terms_left: usize,
    postings_left: usize,
}

impl<'a> Found<'a> {
    fn new() -> Self {
        Self {
            postings: Vec::new(),
            terms_left: TERMS_MAX,
            postings_left: POSTINGS_MAX,
        }
    }

    /// Returns whether a bound was met, so that something may be missing.
    fn is_cut(&self) -> bool {
        self.terms_left == 0 || self.postings_left == 0
    }

    /// Brings what was found in order, each once.
    fn sort(&mut self) {
        self.postings.sort_unstable();
        self.postings.dedup();
    }
}

impl<'a> Finder<'a, '_> {
    /// Returns what matches every word of `folded`, stores of which some words match the region, and ids that begin
    /// with the whole of it, ascending, each once; and whether something may be missing.
    fn find(&mut self, folded: &str) -> Result<(Vec<Posting<'a>>, bool)> {
        let words = distinct_words(folded)?;
        let (common, mut truncated) = self.matching_all(&words)?;
        let (in_regions, is_cut) = self.in_regions(&words)?;
        truncated |= is_cut;
        let mut found = Found::new();
        self.collect(&term_key(TermKind::Id, folded), |_term| true, &mut found)?;
        truncated |= found.is_cut();
        found.postings.extend(common);
        found.postings.extend(in_regions);
        found.sort();
        Ok((found.postings, truncated))
    }

    /// Returns what matches all of some words, and whether something may be missing.
    ///
    /// The list of a word that matches too much is cut, and of no use where another word has a
    /// whole one: that is compared with the word instead.
    fn matching_all(&mut self, words: &[&str]) -> Result<(Vec<Posting<'a>>, bool)> {
        let mut common: Option<Vec<Posting<'a>>> = None;
        let mut cut: Option<Vec<Posting<'a>>> = None;
        let mut to_compare = Vec::new();
        for word in words {
            if common.as_ref().is_some_and(|few| few.len() <= COMPARED_MAX) {
                to_compare.push(*word);
                continue;
            }
            let found = self.matches(word)?;
            if found.is_cut() {
                to_compare.push(*word);
                cut.get_or_insert(found.postings);
            } else {
                common = Some(match common {
                    None => found.postings,
                    Some(common) => intersection(common, &found.postings),
                });
            }
        }
        let truncated = common.is_none() && cut.is_some();
        let mut matching = Vec::new();
        for posting in common.or(cut).unwrap_or_default() {
            if self.matches_each(&posting, &to_compare)? {
                matching.push(posting);
            }
        }
        Ok((matching, truncated))
    }

    /// Returns the stores that some of the words match, in regions that all the others match; and whether some may be
    /// missing.
    fn in_regions(&mut self, words: &[&str]) -> Result<(Vec<Posting<'a>>, bool)> {
        let (mut of_stores, mut of_regions) = (Vec::new(), Vec::new());
        let mut is_cut = false;
        if words.len() > 1 && self.kind.is_none_or(|kind| kind == EntityKind::Store) {
            for word in words {
                let regions = self.of_kind(EntityKind::Region).matches(word)?;
                is_cut |= regions.is_cut();
                if regions.postings.is_empty() {
                    of_stores.push(*word);
                } else {
                    of_regions.push(regions.postings);
                }
            }
        }
        if of_stores.is_empty() || of_regions.is_empty() {
            return Ok((Vec::new(), false));
        }
        let mut finder = self.of_kind(EntityKind::Store);
        let (mut stores, truncated) = finder.matching_all(&of_stores)?;
        for regions in of_regions {
            let within = self.stores_of(&regions)?;
            stores.retain(|store| within.contains(store.id));
        }
        Ok((stores, truncated || is_cut))
    }

    /// Returns one that finds a kind alone.
    fn of_kind(&mut self, kind: EntityKind) -> Finder<'a, '_> {
        Finder {
            generation: self.generation,
            tree: self.tree,
            kind: Some(kind),
            work: &mut *self.work,
        }
    }

    /// Returns the stores of some regions.
    fn stores_of(&mut self, regions: &[Posting<'_>]) -> Result<HashSet<&'a [u8]>> {
        let mut stores = HashSet::new();
        for region in regions {
            let id = String::from_utf8_lossy(region.id);
            let key = ranking_key(RankBy::Transactions, Some(&id), None);
            let found = self.generation.get(RANKINGS, Span::Current, &key)?;
            let ranking = found.map(|ranking| Ranking::parse(ranking.in_place()?));
            if let Some(ranking) = ranking.transpose()? {
                self.work.spend(ranking.len() as u64 * POSTING_NS)?;
                stores.extend((0..ranking.len()).filter_map(|position| ranking.get(position)));
            }
        }
        Ok(stores)
    }

    /// Returns what one word matches, ascending.
    fn matches(&mut self, word: &str) -> Result<Found<'a>> {
        let mut found = Found::new();
        self.collect(&term_key(TermKind::Id, word), |_term| true, &mut found)?;
        let any_part = matches_parts(word);
        self.collect(
            &term_key(TermKind::Word, word),
            |term| any_part || is_whole_word(term),
            &mut found,
        )?;
        found.sort();
        Ok(found)
    }

    /// Returns whether each of some words matches one thing, as the index would find it.
    fn matches_each(&mut self, posting: &Posting<'_>, asked: &[&str]) -> Result<bool> {
        if asked.is_empty() {
            return Ok(true);
        }
        self.work.spend(ROW_NS)?;
        let id = String::from_utf8_lossy(posting.id);
        let name = match posting.kind {
            EntityKind::Store => {
                let summary = self.generation.summary(STORES, posting.id)?;
                summary.and_then(|summary| summary.profile.name)
            }
            EntityKind::Region => Some(region_name(self.tree, posting.id).into_owned()),
            EntityKind::Category => Some(id.to_string()),
        };
        let (id, name) = (fold(&id), fold(name.as_deref().unwrap_or_default()));
        Ok(asked.iter().all(|word| {
            let is_in =
                |own: &str| own.starts_with(word) || (matches_parts(word) && own.contains(word));
            id.starts_with(word) || words(&name).any(is_in)
        }))
    }

    /// Adds the postings of the terms that begin with `prefix` and are wanted.
    fn collect(
        &mut self,
        prefix: &[u8],
        is_wanted: impl Fn(&[u8]) -> bool,
        found: &mut Found<'a>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        let generation = self.generation;
        // The bounds on terms and postings bound the work, too.
        let table = generation.table(SEARCH, Span::Current);
        table.search(&Search::prefix(prefix), u64::MAX, |term, record| {
            if found.is_cut() {
                return false;
            }
            let postings = record.value.in_place().map_err(Failure::from);
            outcome = postings.and_then(|postings| self.visit(is_wanted(term), postings, found));
            outcome.is_ok()
        })?;
        outcome
    }

    fn visit(&mut self, is_wanted: bool, postings: &'a [u8], found: &mut Found<'a>) -> Result<()> {
        self.work.spend(TERM_NS)?;
        found.terms_left -= 1;
        if !is_wanted {
            return Ok(());
        }
        for posting in Postings::new(postings) {
            let posting = posting?;
            self.work.spend(POSTING_NS)?;
            found.postings_left -= 1;
            if self.kind.is_none_or(|kind| kind == posting.kind) {
                found.postings.push(posting);
            }
            if found.is_cut() {
                break;
            }
        }
        Ok(())
    }
}

/// Returns the name of a region: that of the file of regions, else what serves as its id.
fn region_name<'a>(tree: &'a RegionTree, id: &'a [u8]) -> Cow<'a, str> {
    let named = tree.get(id).and_then(|region| region.name.as_deref());
    named.map_or_else(|| String::from_utf8_lossy(id), Cow::Borrowed)
}

/// Returns the words of a query, each once, the longest first: it is likely to match least.
fn distinct_words(folded: &str) -> Result<Vec<&str>> {
    let mut distinct: Vec<&str> = words(folded).collect();
    distinct.sort_unstable_by_key(|word| (std::cmp::Reverse(word.len()), *word));
    distinct.dedup();
    if distinct.len() > WORDS_MAX {
        let detail = format!("more than {WORDS_MAX} different words");
        return Err(Problem::parameter("q", detail).into());
    }
    Ok(distinct)
}

/// Returns whether a word is looked for inside others, too: a single letter is a part of nearly
/// every word, and finds beginnings only.
fn matches_parts(word: &str) -> bool {
    word.chars().nth(1).is_some()
}

/// Returns what two ascending lists have in common.
fn intersection<'a>(mut left: Vec<Posting<'a>>, right: &[Posting<'a>]) -> Vec<Posting<'a>> {
    left.retain(|posting| right.binary_search(posting).is_ok());
    left
}
