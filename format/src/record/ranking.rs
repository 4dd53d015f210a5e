//! Stores in order of size, whole or of one region, category or both (docs/format.md, "Ranking").

use super::{CATALOG, Growth};
use crate::{Error, Result, bytes::Bytes, calendar::Month};

/// What stores are ordered by, largest first, ties by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RankBy {
    /// Number of rows.
    Transactions,
    /// Net sum.
    Amount,
    /// Growth of the last month that has ended against the month before it.
    Growth,
    /// The same against the month a year before.
    YearGrowth,
}

impl RankBy {
    /// Every order.
    pub const ALL: [Self; 4] = [
        Self::Transactions,
        Self::Amount,
        Self::Growth,
        Self::YearGrowth,
    ];

    /// Returns the word that stands for it in keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Amount => "amount",
            Self::Growth => "growth",
            Self::YearGrowth => "growth_year",
        }
    }

    /// Returns the order of the ranking that has a key of `rankings` or of the catalog, or `None` if it
    /// has none of its own.
    #[must_use]
    pub fn of_key(dataset: &str, key: &[u8]) -> Option<Self> {
        let at = usize::from(dataset == CATALOG);
        let word = key.split(|byte| *byte == 0).nth(at)?;
        Self::ALL
            .into_iter()
            .find(|by| by.as_str().as_bytes() == word)
    }

    /// Returns the month that growth compares `month` with; `None` for what is no growth.
    #[must_use]
    pub fn month_before(self, month: Month) -> Option<Month> {
        match self {
            Self::Transactions | Self::Amount => None,
            Self::Growth => Some(Month(month.0 - 1)),
            Self::YearGrowth => Some(Month(month.0 - 12)),
        }
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

/// Returns the key of the ranking of the stores of a tile.
#[must_use]
pub fn tile_ranking_key(by: RankBy, tile: &str) -> Vec<u8> {
    let mut key = ranking_key(by, None, None);
    key.extend_from_slice(&[0, 1]);
    key.extend_from_slice(tile.as_bytes());
    key
}

/// Returns the key, in the catalog, of the ranking of the places of a dataset: of [`REGIONS`], of
/// [`CATEGORIES`], of [`TILES`], of [`MERCHANTS`], or of [`REGION_CATEGORIES`] the categories of a region;
/// of [`REGIONS`] with a region, its parts, with an empty one the roots.
///
/// [`REGIONS`]: super::REGIONS
/// [`CATEGORIES`]: super::CATEGORIES
/// [`MERCHANTS`]: super::MERCHANTS
/// [`REGION_CATEGORIES`]: super::REGION_CATEGORIES
/// [`TILES`]: super::TILES
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
    encode_entries(ids.map(|id| (id, None)), out)
}

/// Appends the ids of a ranking by growth, in their order, each with its growth.
///
/// # Errors
/// As [`encode_ranking`].
pub fn encode_growth_ranking<'a>(
    entries: impl ExactSizeIterator<Item = (&'a [u8], Growth)>,
    out: &mut Vec<u8>,
) -> Result<()> {
    encode_entries(entries.map(|(id, growth)| (id, Some(growth))), out)
}

fn encode_entries<'a>(
    entries: impl ExactSizeIterator<Item = (&'a [u8], Option<Growth>)>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let too_long = |_| Error::invalid("ranking", "it exceeds 4 GiB");
    let len = u32::try_from(entries.len()).map_err(too_long)?;
    out.extend_from_slice(&len.to_le_bytes());
    let mut text = Vec::new();
    for (id, growth) in entries {
        if id.contains(&0) {
            let problem = format!("the id {:?} holds a NUL", String::from_utf8_lossy(id));
            return Err(Error::invalid("ranking", problem));
        }
        text.extend_from_slice(id);
        if let Some(growth) = growth {
            text.push(0);
            growth.encode(&mut text);
        }
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
        self.entry(position)?.split(|byte| *byte == 0).next()
    }

    /// Returns the growth at `position` of a ranking by growth, or `None` past the end.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if there is none, or more than one.
    pub fn growth(&self, position: usize) -> Result<Option<Growth>> {
        let Some(entry) = self.entry(position) else {
            return Ok(None);
        };
        let id_len = entry.iter().take_while(|byte| **byte != 0).count();
        let mut bytes = Bytes::new(&entry[id_len..], "ranking");
        bytes.u8()?;
        let growth = Growth::decode(&mut bytes)?;
        if bytes.is_empty() {
            return Ok(Some(growth));
        }
        Err(Error::corrupt("ranking", "bytes follow a growth"))
    }

    /// Returns the bytes at `position`: an id, and in a ranking by growth what follows it.
    #[must_use]
    pub fn entry(&self, position: usize) -> Option<&'a [u8]> {
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
    use crate::record::{RANKINGS, REGIONS};

    #[test]
    fn an_id_with_a_nul_is_not_written() {
        for ids in [[&b"a"[..], b"b\0c"], [b"\0", b""]] {
            let written = encode_ranking(ids.into_iter(), &mut Vec::new());
            assert!(matches!(written, Err(Error::Invalid { .. })), "{written:?}");
        }
    }

    #[test]
    fn growth_stands_behind_its_id() {
        let growth = |now, before| Growth { now, before };
        let entries: [(&[u8], Growth); 3] = [
            (b"b", growth(i128::MAX, i128::MIN)),
            (b"", growth(0, 0)),
            (b"long id", growth(-7, 420)),
        ];
        let mut out = Vec::new();
        encode_growth_ranking(entries.into_iter(), &mut out).unwrap();
        let ranking = Ranking::parse(&out).unwrap();
        for (position, (id, growth)) in entries.into_iter().enumerate() {
            assert_eq!(ranking.get(position), Some(id));
            assert_eq!(ranking.growth(position).unwrap(), Some(growth));
        }
        assert_eq!(ranking.growth(3).unwrap(), None);
        let mut ids = Vec::new();
        encode_ranking([&b"b"[..]].into_iter(), &mut ids).unwrap();
        assert!(Ranking::parse(&ids).unwrap().growth(0).is_err());
    }

    #[test]
    fn the_order_of_a_ranking_is_read_from_its_key() {
        for by in RankBy::ALL {
            let key = ranking_key(by, Some("growth"), None);
            assert_eq!(RankBy::of_key(RANKINGS, &key), Some(by));
            let key = place_ranking_key(by, REGIONS, None);
            assert_eq!(RankBy::of_key(CATALOG, &key), Some(by));
        }
        assert_eq!(RankBy::of_key(CATALOG, b"regions"), None);
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
