//! What a searched word names (docs/format.md, "Postings").

use std::str::FromStr;

use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
};

/// The kinds of thing that search finds, in the order of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A store.
    Store = 0,
    /// A region.
    Region = 1,
    /// A category.
    Category = 2,
}

impl EntityKind {
    /// Returns the word of the HTTP interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Region => "region",
            Self::Category => "category",
        }
    }

    fn from_code(code: u8) -> Result<Self> {
        match code {
            0 => Ok(Self::Store),
            1 => Ok(Self::Region),
            2 => Ok(Self::Category),
            _ => Err(Error::corrupt("postings", "an unknown kind")),
        }
    }
}

impl FromStr for EntityKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let kinds = [Self::Store, Self::Region, Self::Category];
        let known = kinds.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| Error::Label {
            value: text.to_owned(),
            expected: "one of store, region, category",
        })
    }
}

/// One thing that a word names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Posting<'a> {
    /// What it is.
    pub kind: EntityKind,
    /// Its id.
    pub id: &'a [u8],
}

/// Appends postings.
///
/// # Shape
/// Ascending, each once.
pub fn encode_postings<'a>(postings: impl Iterator<Item = Posting<'a>>, out: &mut Vec<u8>) {
    for posting in postings {
        out.push(posting.kind as u8);
        put_varint(out, posting.id.len() as u64);
        out.extend_from_slice(posting.id);
    }
}

/// The postings of a word, ascending, read in place.
#[derive(Debug, Clone)]
pub struct Postings<'a>(Bytes<'a>);

impl<'a> Postings<'a> {
    /// Starts at the first posting of a value.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Bytes::new(bytes, "postings"))
    }

    fn read(&mut self) -> Result<Posting<'a>> {
        Ok(Posting {
            kind: EntityKind::from_code(self.0.u8()?)?,
            id: self.0.take_prefixed()?,
        })
    }
}

impl<'a> Iterator for Postings<'a> {
    type Item = Result<Posting<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let posting = self.read();
        if posting.is_err() {
            self.0 = Bytes::new(&[], "postings");
        }
        Some(posting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postings_round_trip_and_damage_ends_them() {
        let postings = [
            Posting {
                kind: EntityKind::Store,
                id: b"",
            },
            Posting {
                kind: EntityKind::Store,
                id: b"s1",
            },
            Posting {
                kind: EntityKind::Category,
                id: b"fuel",
            },
        ];
        let mut out = Vec::new();
        encode_postings(postings.into_iter(), &mut out);
        assert_eq!(
            Postings::new(&out).collect::<Result<Vec<_>>>().unwrap(),
            postings
        );
        out.pop();
        assert_eq!(Postings::new(&out).filter(Result::is_err).count(), 1);
    }
}
