//! How many cards hide each of them in what is told of many stores together (docs/privacy.md).

use std::num::NonZeroU32;

use crate::{Error, Result, manifest::Manifest, statistics::nearest_quotient};

/// The entry of a manifest's configuration that says how many cards an atom has at least; 1 hides nothing.
pub const PRIVACY_K_KEY: &str = "privacy.k";

/// So many cards are behind each figure that may not be told of fewer, unless configured.
pub const PRIVACY_K_DEFAULT: NonZeroU32 = NonZeroU32::new(10).expect("it is not 0");

/// So many merchants are left in what is told of several, whichever one of them knows its own part.
pub const OTHER_MERCHANTS_MIN: u8 = 5;

/// How many cards hide one another.
///
/// # Shape
/// At least 1; with 1 nothing is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privacy {
    k: u64,
}

impl From<NonZeroU32> for Privacy {
    fn from(k: NonZeroU32) -> Self {
        Self { k: k.get().into() }
    }
}

impl Privacy {
    /// Makes one of a number of cards.
    ///
    /// # Errors
    /// [`Error::Invalid`] for none.
    pub fn new(k: u64) -> Result<Self> {
        match k {
            0 => Err(Error::invalid("privacy", "k is not at least 1")),
            _ => Ok(Self { k }),
        }
    }

    /// Returns that of a generation; nothing is protected where its configuration has none.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it has what is none.
    pub fn of(manifest: &Manifest) -> Result<Self> {
        let Some(k) = manifest.configuration.get(PRIVACY_K_KEY) else {
            return Self::new(1);
        };
        k.as_u64()
            .and_then(|k| Self::new(k).ok())
            .ok_or_else(|| Error::corrupt("manifest", format!("its {PRIVACY_K_KEY} is none")))
    }

    /// Returns how many cards hide one another.
    #[must_use]
    pub fn k(self) -> u64 {
        self.k
    }

    /// Returns whether what is told of many stores together is protected.
    #[must_use]
    pub fn is_protecting(self) -> bool {
        self.k > 1
    }

    /// Returns a number of distinct cards as it may be told: rounded down to a multiple of k.
    #[must_use]
    pub fn rounded(self, cards: u64) -> u64 {
        cards - cards % self.k
    }

    /// Returns which share of all a part is, or `None` of nothing: where less is told than there is, to whole percents,
    /// halves up.
    #[must_use]
    pub fn share(self, part: u64, all: u64) -> Option<f64> {
        match self.is_protecting() {
            true => nearest_quotient(percents(part.into(), all.into())?, 100),
            false => nearest_quotient(part.into(), all),
        }
    }
}

/// Returns which share of all a part is in whole percents, halves up, or `None` of nothing. Parts above 2^120 are told
/// as if they were less.
#[must_use]
pub fn percents(part: u128, all: u128) -> Option<u128> {
    let doubled = part.saturating_mul(200).saturating_add(all);
    doubled.checked_div(all.saturating_mul(2))
}

/// Returns whether somebody who knows the shares of parts in whole percents, and all rows together, still finds that each
/// part may have so many rows, or `k` more.
///
/// # Shape
/// Of each part its rows, and how many of them somebody knows who has them, as a merchant knows its own.
#[must_use]
pub fn leaves_open(parts: &[(u64, u64)], k: u64) -> bool {
    let all: u128 = parts.iter().map(|(rows, _)| u128::from(*rows)).sum();
    let range = |(rows, own): &(u64, u64)| {
        let percents = percents((*rows).into(), all).unwrap_or(0);
        let least = (2 * percents).saturating_sub(1) * all;
        let most = (2 * percents + 1) * all;
        (
            least.div_ceil(200).max((*own).into()),
            most.div_ceil(200).saturating_sub(1),
        )
    };
    let ranges: Vec<(u128, u128)> = parts.iter().map(range).collect();
    let least_of_all: u128 = ranges.iter().map(|(least, _)| least).sum();
    let most_of_all: u128 = ranges.iter().map(|(_, most)| most).sum();
    ranges.iter().all(|&(least, most)| {
        // The others have what is left.
        let from = least.max(all.saturating_sub(most_of_all - most));
        let to = most.min(all.saturating_sub(least_of_all - least));
        to >= from + u128::from(k)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_or_in_whole_percents() {
        let share = |k, part, all| Privacy::new(k).unwrap().share(part, all);
        for (part, all, exact, rounded) in [
            (1, 3, 1.0 / 3.0, 0.33),
            (1, 200, 0.005, 0.01),
            (0, 7, 0.0, 0.0),
            (u64::MAX, u64::MAX, 1.0, 1.0),
        ] {
            assert_eq!(share(1, part, all), Some(exact));
            assert_eq!(share(2, part, all), Some(rounded));
        }
        assert_eq!(percents(9, 200), Some(5));
        assert_eq!([share(1, 0, 0), share(10, 0, 0)], [None, None]);
    }

    #[test]
    fn cards_are_rounded_down_to_multiples() {
        let privacy = Privacy::new(10).unwrap();
        let rounded = [0, 9, 10, 19, 20, u64::MAX].map(|cards| privacy.rounded(cards));
        assert_eq!(rounded, [0, 0, 10, 10, 20, u64::MAX - 5]);
        assert!(privacy.is_protecting() && !Privacy::new(1).unwrap().is_protecting());
        assert_eq!(Privacy::new(1).unwrap().rounded(17), 17);
        assert!(Privacy::new(0).is_err());
    }

    #[test]
    fn shares_of_few_rows_say_how_many_these_are() {
        let open = |rows: &[u64], k| {
            let parts: Vec<(u64, u64)> = rows.iter().map(|rows| (*rows, 0)).collect();
            leaves_open(&parts, k)
        };
        // Of 1,000 rows 40 % are 396 to 404, since the others are 604 at most.
        assert!(open(&[400, 600], 8) && !open(&[400, 600], 9));
        // Of 20 rows 90 % are just 18.
        assert!(!open(&[18, 2], 2));
        // 51 % and 50 %: only these two round so.
        assert!(!open(&[505, 495], 2));
        assert!(open(&[], 2) && !open(&[0, 0], 1));
        // 0 % are at most 49 rows, of which somebody has 20.
        let parts = [(5_000, 0), (4_952, 0), (48, 20)];
        assert!(leaves_open(&parts, 29) && !leaves_open(&parts, 30));
    }
}
