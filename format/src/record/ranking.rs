//! Stores in order of size, whole or of one region, category or both (docs/format.md, "Ranking").

use std::str::FromStr;

use crate::{Error, Result, bytes::Bytes};

/// What stores are ordered by, largest first, ties by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RankBy {
    /// Number of rows.
    Transactions,
    /// Net sum.
    Amount,
}

impl RankBy {
    /// Every order, as written in `rank_by`.
    pub const ALL: [Self; 2] = [Self::Transactions, Self::Amount];

    /// Returns the word of the HTTP interface.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Amount => "amount",
        }
    }
}

impl FromStr for RankBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|order| order.as_str() == text);
        known.ok_or_else(|| Error::Label {
            value: text.to_owned(),
            expected: "one of transactions, amount",
        })
    }
}

/// Returns the key of the ranking of the stores of a region and a category, where given.
///
/// # Shape
/// No id that is written holds a NUL: the key of one that does is no record's.
///
/// # Examples
/// ```
/// use nightshard_format::record::{RankBy, ranking_key};
/// assert_eq!(ranking_key(RankBy::Amount, None, Some("fuel")), b"amount\0\0\x01fuel");
/// ```
#[must_use]
pub fn ranking_key(by: RankBy, region: Option<&str>, category: Option<&str>) -> Vec<u8> {
    let mut key = by.as_str().as_bytes().to_vec();
    for filter in [region, category] {
        // An empty id differs from no filter by the mark.
        key.push(0);
        if let Some(id) = filter {
            key.push(1);
            key.extend_from_slice(id.as_bytes());
        }
    }
    key
}

/// Returns the key, in the catalog, of the ranking of the places of a dataset: of [`REGIONS`], of
/// [`CATEGORIES`], or of [`REGION_CATEGORIES`] the categories of a region.
///
/// [`REGIONS`]: super::REGIONS
/// [`CATEGORIES`]: super::CATEGORIES
/// [`REGION_CATEGORIES`]: super::REGION_CATEGORIES
///
/// # Examples
/// ```
/// use nightshard_format::record::{RankBy, REGION_CATEGORIES, place_ranking_key};
/// let key = place_ranking_key(RankBy::Amount, REGION_CATEGORIES, Some("north"));
/// assert_eq!(key, b"region_categories\0amount\0north");
/// ```
#[must_use]
pub fn place_ranking_key(by: RankBy, dataset: &str, region: Option<&str>) -> Vec<u8> {
    let parts = [Some(dataset), Some(by.as_str()), region];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    parts.join("\0").into_bytes()
}

/// Appends the ids of a ranking, in their order.
///
/// # Errors
/// [`Error::Invalid`] above 4 GiB of ids, and for an id with a NUL, which separates ids in keys.
pub fn encode_ranking<'a>(
    ids: impl ExactSizeIterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let too_long = |_| Error::invalid("ranking", "it exceeds 4 GiB");
    let len = u32::try_from(ids.len()).map_err(too_long)?;
    out.extend_from_slice(&len.to_le_bytes());
    let mut text = Vec::new();
    for id in ids {
        if id.contains(&0) {
            let problem = format!("the id {:?} holds a NUL", String::from_utf8_lossy(id));
            return Err(Error::invalid("ranking", problem));
        }
        text.extend_from_slice(id);
        out.extend_from_slice(&u32::try_from(text.len()).map_err(too_long)?.to_le_bytes());
    }
    out.extend_from_slice(&text);
    Ok(())
}

/// A ranking read in place: the ids of stores by position.
#[derive(Debug, Clone, Copy)]
pub struct Ranking<'a> {
    ends: &'a [u8],
    text: &'a [u8],
}

impl<'a> Ranking<'a> {
    /// Reads the head of a ranking.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, "ranking");
        let len = bytes.u32()? as usize;
        let ends = bytes.take(len.saturating_mul(4))?;
        Ok(Self {
            ends,
            text: bytes.rest(),
        })
    }

    /// Returns how many stores are ranked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len() / 4
    }

    /// Returns whether no store is ranked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the id at `position`, the largest store being at 0, or `None` past the end.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&'a [u8]> {
        let end_of = |position: usize| {
            let entry = self.ends.get(position * 4..)?;
            Bytes::new(entry, "ranking")
                .u32()
                .ok()
                .map(|end| end as usize)
        };
        let start = if position == 0 {
            0
        } else {
            end_of(position - 1)?
        };
        self.text.get(start..end_of(position)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_nul_is_not_written() {
        for ids in [[&b"a"[..], b"b\0c"], [b"\0", b""]] {
            let written = encode_ranking(ids.into_iter(), &mut Vec::new());
            assert!(matches!(written, Err(Error::Invalid { .. })), "{written:?}");
        }
    }

    #[test]
    fn every_position_is_read_back() {
        let ids: [&[u8]; 3] = [b"b", b"", b"long id"];
        let mut out = Vec::new();
        encode_ranking(ids.into_iter(), &mut out).unwrap();
        let ranking = Ranking::parse(&out).unwrap();
        assert_eq!(ranking.len(), 3);
        assert!(
            (0..4)
                .map(|position| ranking.get(position))
                .eq(ids.iter().map(|id| Some(*id)).chain([None]))
        );
    }
}
