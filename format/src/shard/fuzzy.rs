//! Walking an ordered index to the terms that are like another one.

use fst::Automaton;

use super::search::FUZZY_LEN_MAX;

/// Matches terms in UTF-8 within some edits of a term, each of which inserts, removes or replaces a
/// character.
///
/// The automaton of `fst` for this takes a character for none when it begins with the bytes of
/// another that the term has.
#[derive(Debug)]
pub(super) struct Fuzzy {
    term: Vec<char>,
    edits: u8,
}

impl Fuzzy {
    /// Takes a term of at most [`FUZZY_LEN_MAX`] characters.
    pub(super) fn new(term: &str, edits: u8) -> Self {
        Self {
            term: term.chars().collect(),
            edits,
        }
    }

    /// Returns the distances after one more character.
    fn next_row(&self, row: &Row, found: char) -> Row {
        let mut next = *row;
        next[0] = self.capped(row[0] + 1);
        for (at, expected) in self.term.iter().enumerate() {
            let replaced = row[at] + u8::from(*expected != found);
            let inserted_or_removed = row[at + 1].min(next[at]) + 1;
            next[at + 1] = self.capped(replaced.min(inserted_or_removed));
        }
        next
    }

    /// More edits than allowed are as good as any.
    fn capped(&self, edits: u8) -> u8 {
        edits.min(self.edits + 1)
    }
}

/// Edits from each beginning of the term, by its length, to what was walked.
type Row = [u8; FUZZY_LEN_MAX + 1];

/// What was walked, as far as it matters: `None` if it is no UTF-8.
#[derive(Debug, Clone)]
pub(super) struct Walked(Option<(Row, Partial)>);

/// The bytes of a character that has not ended.
#[derive(Debug, Clone, Copy, Default)]
struct Partial {
    bytes: [u8; 4],
    len: usize,
}

impl Partial {
    /// Adds a byte; returns the character that it ends, or nothing if it belongs to none.
    fn push(&mut self, byte: u8) -> Option<Option<char>> {
        self.bytes[self.len] = byte;
        self.len += 1;
        match std::str::from_utf8(&self.bytes[..self.len]) {
            Ok(text) => {
                let ended = text.chars().next();
                *self = Self::default();
                Some(ended)
            }
            // What has no length is only incomplete.
            Err(error) => error.error_len().is_none().then_some(None),
        }
    }
}

impl Automaton for Fuzzy {
    type State = Walked;

    fn start(&self) -> Walked {
        let mut row = [0; FUZZY_LEN_MAX + 1];
        for (cell, edits) in row.iter_mut().zip(0..) {
            *cell = self.capped(edits);
        }
        Walked(Some((row, Partial::default())))
    }

    fn is_match(&self, walked: &Walked) -> bool {
        let end = self.term.len();
        matches!(&walked.0, Some((row, partial)) if partial.len == 0 && row[end] <= self.edits)
    }

    fn can_match(&self, walked: &Walked) -> bool {
        let row = walked.0.as_ref().map(|(row, _)| &row[..=self.term.len()]);
        row.is_some_and(|row| row.iter().any(|edits| *edits <= self.edits))
    }

    fn accept(&self, walked: &Walked, byte: u8) -> Walked {
        let next = walked.0.as_ref().and_then(|(row, partial)| {
            let mut partial = *partial;
            let row = match partial.push(byte)? {
                Some(found) => self.next_row(row, found),
                None => *row,
            };
            Some((row, partial))
        });
        Walked(next)
    }
}
