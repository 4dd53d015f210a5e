//! Expressions over the fields of a row: a small, typed part of SQL, with its nulls.

mod evaluate;
mod grammar;
mod token;
mod types;

pub(super) use evaluate::Expression;
pub(super) use grammar::{Comparison, Literal};

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {at}: {problem}")]
pub(super) struct SyntaxError {
    /// Where, in characters from 1.
    at: usize,
    problem: String,
}

impl SyntaxError {
    fn new(at: usize, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { at, problem }
    }
}

#[cfg(test)]
mod tests;
