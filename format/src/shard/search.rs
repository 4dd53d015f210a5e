//! Searching the ordered indexes of one or more shards (docs/format.md, "Ordered index").

use std::{cell::Cell, ops::Bound};

use fst::{Automaton, IntoStreamer, Streamer, automaton::AlwaysMatch, map::OpBuilder};

use super::{Record, Shard, expression::Expression, fuzzy::Fuzzy, reader::index_error};
use crate::{Error, Result};

/// The largest number of edits that [`Search::fuzzy`] allows.
pub const EDITS_MAX: u32 = 3;

/// The longest term that [`Search::fuzzy`] takes, in characters.
pub const FUZZY_LEN_MAX: usize = 64;

/// Which terms are looked for.
///
/// # Examples
/// ```
/// use nightshard_format::{key::{self, PartitionRun}, shard::{Identity, Search, Shard, ShardWriter, Span}};
///
/// let run = PartitionRun { first: 0, end: 1024 };
/// let identity = Identity { dataset: "cities".into(), span: Span::Current, run };
/// let mut file = Vec::new();
/// let mut writer = ShardWriter::new(&mut file, &identity)?;
/// let mut cities = ["bern", "berlin", "bonn"].map(str::as_bytes);
/// cities.sort_by_key(|city| key::order(city));
/// for city in cities {
///     writer.append(city, b"")?;
///     writer.add_term(city)?;
/// }
/// writer.finish()?;
/// let shard = Shard::open(file)?;
/// let found = |search: Search| {
///     let mut found = Vec::new();
///     search.visit(std::slice::from_ref(&shard), 1_000, |term, _record| {
///         found.push(String::from_utf8_lossy(term).into_owned());
///         true
///     })?;
///     Ok::<_, nightshard_format::Error>(found)
/// };
/// assert_eq!(found(Search::prefix(b"ber"))?, ["berlin", "bern"]);
/// assert_eq!(found(Search::fuzzy("born", 1)?)?, ["bern", "bonn"]);
/// assert_eq!(found(Search::regex("b.*n{1}")?)?, ["berlin", "bern", "bonn"]);
/// assert_eq!(found(Search::prefix(b"b").after(b"bern"))?, ["bonn"]);
/// # Ok::<(), nightshard_format::Error>(())
/// ```
#[derive(Debug)]
pub struct Search {
    pattern: Pattern,
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
}

#[derive(Debug)]
enum Pattern {
    All,
    Fuzzy(Fuzzy),
    Expression(Box<Expression>),
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// Every term that is looked for was visited.
    Whole,
    /// The visitor wanted no more.
    Stopped,
    /// The work allowed was done before everything was seen.
    Exhausted,
}

impl Search {
    /// All terms.
    #[must_use]
    pub fn all() -> Self {
        Self::range(Bound::Unbounded, Bound::Unbounded)
    }

    /// Terms between two bounds, in the order of their bytes.
    #[must_use]
    pub fn range(from: Bound<Vec<u8>>, to: Bound<Vec<u8>>) -> Self {
        Self {
            pattern: Pattern::All,
            from,
            to,
        }
    }

    /// Terms that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        let mut next = prefix.to_vec();
        while next.pop_if(|byte| *byte == u8::MAX).is_some() {}
        let to = match next.last_mut() {
            Some(last) => {
                *last += 1;
                Bound::Excluded(next)
            }
            None => Bound::Unbounded,
        };
        Self::range(Bound::Included(prefix.to_vec()), to)
    }

    /// Terms that `edits` insertions, deletions and substitutions of characters turn into `term`,
    /// or fewer: its Levenshtein distance. Terms that are no UTF-8 are not found.
    ///
    /// # Errors
    /// [`Error::Search`] for more than [`EDITS_MAX`] edits, or a term that is longer than
    /// [`FUZZY_LEN_MAX`].
    pub fn fuzzy(term: &str, edits: u32) -> Result<Self> {
        let problem = |problem: String| {
            Err(Error::Search {
                kind: "similar terms",
                problem,
            })
        };
        let few = u8::try_from(edits).ok().filter(|_| edits <= EDITS_MAX);
        let Some(few) = few else {
            return problem(format!("{edits} edits are more than {EDITS_MAX}"));
        };
        if term.chars().nth(FUZZY_LEN_MAX).is_some() {
            return problem(format!("a term has more than {FUZZY_LEN_MAX} characters"));
        }
        Ok(Self {
            pattern: Pattern::Fuzzy(Fuzzy::new(term, few)),
            ..Self::all()
        })
    }

    /// Terms that a regular expression matches whole, in the
    /// [syntax of regex](https://docs.rs/regex/1/regex/#syntax).
    ///
    /// # Errors
    /// [`Error::Search`] for an expression that is none, or whose automaton would be too large.
    pub fn regex(expression: &str) -> Result<Self> {
        Ok(Self {
            pattern: Pattern::Expression(Box::new(Expression::new(expression)?)),
            ..Self::all()
        })
    }

    /// Of these terms, those behind `term`: a search goes on where another has ended.
    #[must_use]
    pub fn after(self, term: &[u8]) -> Self {
        let is_behind = match &self.from {
            Bound::Unbounded => true,
            Bound::Included(from) | Bound::Excluded(from) => from.as_slice() <= term,
        };
        match is_behind {
            true => Self {
                from: Bound::Excluded(term.to_vec()),
                ..self
            },
            false => self,
        }
    }

    /// Passes the terms of `shards` that are looked for to `visit`, ascending, each with its record,
    /// until `visit` returns false or `work` bytes of the indexes were walked. A shard without an
    /// ordered index has no terms; records of one term come in the order of their shards.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if an index or a record is damaged, [`Error::Refused`] if a shard is.
    pub fn visit<'a, B: AsRef<[u8]>>(
        &self,
        shards: &'a [Shard<B>],
        work: u64,
        visit: impl FnMut(&[u8], Record<'a>) -> bool,
    ) -> Result<Searched> {
        let work = Work(Cell::new(work));
        match &self.pattern {
            Pattern::All => merge(shards, self, &Bounded(&AlwaysMatch, &work), visit),
            Pattern::Fuzzy(fuzzy) => merge(shards, self, &Bounded(fuzzy, &work), visit),
            Pattern::Expression(regex) => merge(shards, self, &Bounded(&**regex, &work), visit),
        }
    }
}

impl<B: AsRef<[u8]>> Shard<B> {
    /// Returns whether there is an ordered index to search, or no record that could be in one.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.ordered_index.is_some() || self.is_empty()
    }
}

fn merge<'a, B: AsRef<[u8]>, A: Automaton>(
    shards: &'a [Shard<B>],
    search: &Search,
    automaton: &Bounded<'_, A>,
    mut visit: impl FnMut(&[u8], Record<'a>) -> bool,
) -> Result<Searched> {
    let mut indexes = Vec::new();
    for shard in shards {
        if shard.is_refused() {
            return Err(Error::Refused);
        }
        if let Some(section) = &shard.ordered_index {
            let index = fst::Map::new(shard.section_bytes(section)).map_err(index_error)?;
            indexes.push((shard, index));
        }
    }
    let mut terms = OpBuilder::new();
    for (_, index) in &indexes {
        let found = index.search(automaton);
        let found = match &search.from {
            Bound::Included(from) => found.ge(from),
            Bound::Excluded(from) => found.gt(from),
            Bound::Unbounded => found,
        };
        terms.push(match &search.to {
            Bound::Included(to) => found.le(to),
            Bound::Excluded(to) => found.lt(to),
            Bound::Unbounded => found,
        });
    }
    let mut terms = terms.union().into_stream();
    while let Some((term, places)) = terms.next() {
        // A shard at which work has ended may have terms before this one.
        if automaton.1.is_done() {
            return Ok(Searched::Exhausted);
        }
        let mut places = places.to_vec();
        places.sort_unstable_by_key(|place| place.index);
        for place in places {
            let record = indexes[place.index].0.record_at(place.value)?;
            if !visit(term, record) {
                return Ok(Searched::Stopped);
            }
        }
    }
    Ok(match automaton.1.is_done() {
        true => Searched::Exhausted,
        false => Searched::Whole,
    })
}

/// How many bytes of the index may still be walked.
struct Work(Cell<u64>);

impl Work {
    fn is_done(&self) -> bool {
        self.0.get() == 0
    }
}

/// An automaton that matches nothing more once the work is done.
struct Bounded<'a, A>(&'a A, &'a Work);

impl<A: Automaton> Automaton for Bounded<'_, A> {
    type State = A::State;

    fn start(&self) -> A::State {
        self.0.start()
    }

    fn is_match(&self, state: &A::State) -> bool {
        !self.1.is_done() && self.0.is_match(state)
    }

    fn can_match(&self, state: &A::State) -> bool {
        !self.1.is_done() && self.0.can_match(state)
    }

    fn accept(&self, state: &A::State, byte: u8) -> A::State {
        self.1.0.set(self.1.0.get().saturating_sub(1));
        self.0.accept(state, byte)
    }
}
