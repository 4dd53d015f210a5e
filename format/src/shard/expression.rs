//! A regular expression that walks an ordered index.

use fst::Automaton as FstAutomaton;
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton as _, StartKind, dense},
    nfa::thompson,
    util::{primitives::StateID, start},
};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, Look},
};

use crate::{Error, Result};

/// Bytes of the automaton of an expression, and of what is needed to make it.
const SIZE_MAX: usize = 1 << 20;

/// The longest expression, in bytes.
const EXPRESSION_LEN_MAX: usize = 1_000;

/// An expression that matches whole terms.
#[derive(Debug)]
pub(super) struct Expression {
    automaton: dense::DFA<Vec<u32>>,
    start: StateID,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`Error::Search`] if it is none, or too large.
    pub(super) fn new(expression: &str) -> Result<Self> {
        let problem = |problem: String| Error::Search {
            kind: "regular expression",
            problem,
        };
        if expression.len() > EXPRESSION_LEN_MAX {
            let len = expression.len();
            return Err(problem(format!("{len} bytes exceed {EXPRESSION_LEN_MAX}")));
        }
        let mut parser = ParserBuilder::new().utf8(false).build();
        let parsed = parser.parse(expression);
        let parsed = parsed.map_err(|error| problem(one_line(&error.to_string())))?;
        let whole = Hir::concat(vec![parsed, Hir::look(Look::End)]);
        let limited = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(SIZE_MAX));
        let nfa = thompson::Compiler::new()
            .configure(limited)
            .build_from_hir(&whole)
            .map_err(|error| problem(one_line(&error.to_string())))?;
        let automaton = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .match_kind(MatchKind::All)
                    .dfa_size_limit(Some(SIZE_MAX))
                    .determinize_size_limit(Some(SIZE_MAX)),
            )
            .build_from_nfa(&nfa)
            .map_err(|error| problem(one_line(&error.to_string())))?;
        let start = start::Config::new().anchored(Anchored::Yes);
        let start = automaton.start_state(&start);
        let start = start.map_err(|error| problem(error.to_string()))?;
        Ok(Self { automaton, start })
    }
}

/// Errors of expressions draw pictures over several lines: their last one says what is wrong.
fn one_line(error: &str) -> String {
    let last = error.lines().rfind(|line| !line.trim().is_empty());
    last.unwrap_or(error).trim().to_owned()
}

impl FstAutomaton for Expression {
    type State = StateID;

    fn start(&self) -> StateID {
        self.start
    }

    fn is_match(&self, state: &StateID) -> bool {
        let end = self.automaton.next_eoi_state(*state);
        self.automaton.is_match_state(end)
    }

    fn can_match(&self, state: &StateID) -> bool {
        !self.automaton.is_dead_state(*state)
    }

    fn accept(&self, state: &StateID, byte: u8) -> StateID {
        self.automaton.next_state(*state, byte)
    }
}
