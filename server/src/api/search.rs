//! `GET /v1/search`: stores, regions and categories by parts of their names and ids.

use std::ops::ControlFlow;

use nightshard_format::{
    generation::Generation,
    record::{EntityKind, Posting, Postings, SEARCH, STORES},
    shard::Mapped,
    text::{TermKind, fold, is_whole_word, term_key, words},
};

use super::{Lookup, cursor::Page, parameters::Parameters};
use crate::{
    problem::{Failure, Problem, Result},
    work::Work,
};

/// So many terms of the index are looked at for one request at most.
const TERMS_MAX: usize = 50_000;
/// So many things that a term names are looked at for one request at most.
const POSTINGS_MAX: usize = 500_000;
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
    let scope = [
        Some("search"),
        asked.as_deref(),
        kind.map(EntityKind::as_str),
    ];
    let page = Page::take(&mut parameters, served.id(), &scope)?;
    parameters.finish()?;
    let folded = fold(asked.as_deref().unwrap_or_default().trim());
    if folded.is_empty() {
        return Err(Problem::parameter("q", "there is nothing to search for").into());
    }
    let mut finder = Finder::new(served.generation(), kind, lookup.work);
    let found = finder.find(&folded)?;
    let truncated = finder.is_exhausted();
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
            // The sources name regions and categories by what serves as their ids.
            EntityKind::Region | EntityKind::Category => json.bytes(posting.id),
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

/// Finds postings within bounds.
struct Finder<'a, 'w> {
    generation: &'a Generation<Mapped>,
    kind: Option<EntityKind>,
    work: &'w mut Work,
    terms_left: usize,
    postings_left: usize,
}

impl<'a, 'w> Finder<'a, 'w> {
    fn new(
        generation: &'a Generation<Mapped>,
        kind: Option<EntityKind>,
        work: &'w mut Work,
    ) -> Self {
        Self {
            generation,
            kind,
            work,
            terms_left: TERMS_MAX,
            postings_left: POSTINGS_MAX,
        }
    }

    /// Returns whether a bound was met, so that something may be missing.
    fn is_exhausted(&self) -> bool {
        self.terms_left == 0 || self.postings_left == 0
    }

    /// Returns what matches every word of `folded`, and ids that begin with the whole of it;
    /// ascending, each once.
    fn find(&mut self, folded: &str) -> Result<Vec<Posting<'a>>> {
        let mut common: Option<Vec<Posting<'a>>> = None;
        for word in words(folded) {
            let matches = self.matches(word)?;
            common = Some(match common {
                None => matches,
                Some(common) => intersection(common, &matches),
            });
        }
        let mut found = common.unwrap_or_default();
        self.collect(&term_key(TermKind::Id, folded), |_term| true, &mut found)?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Returns what one word matches, ascending.
    fn matches(&mut self, word: &str) -> Result<Vec<Posting<'a>>> {
        let mut matches = Vec::new();
        self.collect(&term_key(TermKind::Id, word), |_term| true, &mut matches)?;
        // A single letter is a part of nearly every word: it finds beginnings only.
        let any_part = word.chars().nth(1).is_some();
        self.collect(
            &term_key(TermKind::Word, word),
            |term| any_part || is_whole_word(term),
            &mut matches,
        )?;
        matches.sort_unstable();
        matches.dedup();
        Ok(matches)
    }

    /// Adds the postings of the terms that begin with `prefix` and are wanted.
    fn collect(
        &mut self,
        prefix: &[u8],
        is_wanted: impl Fn(&[u8]) -> bool,
        found: &mut Vec<Posting<'a>>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        let generation = self.generation;
        generation.visit_prefix(SEARCH, prefix, |term, record| {
            let step = self.visit(is_wanted(term), record.value, found);
            match step {
                Ok(ControlFlow::Continue(())) => true,
                Ok(ControlFlow::Break(())) => false,
                Err(failure) => {
                    outcome = Err(failure);
                    false
                }
            }
        })?;
        outcome
    }

    fn visit(
        &mut self,
        is_wanted: bool,
        postings: &'a [u8],
        found: &mut Vec<Posting<'a>>,
    ) -> Result<ControlFlow<()>, Failure> {
        self.work.spend(TERM_NS)?;
        self.terms_left = self.terms_left.saturating_sub(1);
        if is_wanted {
            for posting in Postings::new(postings) {
                let posting = posting?;
                self.work.spend(POSTING_NS)?;
                self.postings_left = self.postings_left.saturating_sub(1);
                if self.kind.is_none_or(|kind| kind == posting.kind) {
                    found.push(posting);
                }
                if self.postings_left == 0 {
                    break;
                }
            }
        }
        Ok(if self.is_exhausted() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
}

/// Returns what two ascending lists have in common.
fn intersection<'a>(mut left: Vec<Posting<'a>>, right: &[Posting<'a>]) -> Vec<Posting<'a>> {
    left.retain(|posting| right.binary_search(posting).is_ok());
    left
}
