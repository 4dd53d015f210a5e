//! What the cards of a store's month spent there, and in all stores of its kind (docs/format.md, "Spend share").

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed_i128},
    privacy::{Privacy, percents},
    statistics::nearest_quotient,
};

const STRUCTURE: &str = "spend share";

/// What the cards of a store spent: sums of all their rows, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpendShare {
    /// At the store.
    pub own: i128,
    /// In all stores of its region and category, the store included.
    pub cell: i128,
}

impl SpendShare {
    /// Appends the record of a month.
    pub fn encode(&self, out: &mut Vec<u8>) {
        put_signed_i128(out, self.own);
        put_signed_i128(out, self.cell);
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early or has bytes left over.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let own = bytes.signed_i128()?;
        let cell = bytes.signed_i128()?;
        match bytes.is_empty() {
            true => Ok(Self { own, cell }),
            false => Err(Error::corrupt(STRUCTURE, "bytes are left over")),
        }
    }

    /// Adds what cards spent in another month.
    pub fn add(&mut self, other: Self) {
        self.own = self.own.saturating_add(other.own);
        self.cell = self.cell.saturating_add(other.cell);
    }

    /// Returns the share that the store has, or `None` if cards took back more there than they bought for, or as much in
    /// all stores; where less is told than there is, to whole percents, halves up.
    #[must_use]
    pub fn share(&self, privacy: Privacy) -> Option<f64> {
        let own = u128::try_from(self.own).ok()?;
        let cell = u128::try_from(self.cell).ok().filter(|cell| *cell > 0)?;
        if privacy.is_protecting() {
            return nearest_quotient(percents(own, cell)?, 100);
        }
        // Bits that no double keeps.
        let excess = u64::BITS.saturating_sub(cell.leading_zeros());
        let cell = u64::try_from(cell >> excess).unwrap_or(u64::MAX);
        nearest_quotient(own >> excess, cell)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(own: i128, cell: i128, k: u64) -> Option<f64> {
        SpendShare { own, cell }.share(Privacy::new(k).unwrap())
    }

    #[test]
    fn shares_are_exact_or_in_whole_percents() {
        for (own, cell, exact, told) in [
            (1, 3, Some(1.0 / 3.0), Some(0.33)),
            (2, 3, Some(2.0 / 3.0), Some(0.67)),
            (1, 200, Some(0.005), Some(0.01)),
            (4, 1_000, Some(0.004), Some(0.0)),
            (0, 7, Some(0.0), Some(0.0)),
            (7, 7, Some(1.0), Some(1.0)),
            // The others took back more than they bought for.
            (9, 4, Some(2.25), Some(2.25)),
            (-1, 7, None, None),
            (0, 0, None, None),
            (5, 0, None, None),
            (5, -5, None, None),
            (1 << 100, 1 << 102, Some(0.25), Some(0.25)),
        ] {
            assert_eq!(share(own, cell, 1), exact, "{own} {cell}");
            assert_eq!(share(own, cell, 10), told, "{own} {cell}");
        }
        for k in [1, 10] {
            assert!(share(i128::MAX, i128::MAX, k).is_some());
            assert!(share(i128::MAX, 1, k).is_some());
        }
    }

    #[test]
    fn months_add_up_and_never_overflow() {
        let mut all = SpendShare { own: 1, cell: 10 };
        all.add(SpendShare { own: -3, cell: 5 });
        assert_eq!(all, SpendShare { own: -2, cell: 15 });
        let most = SpendShare {
            own: i128::MIN,
            cell: i128::MAX,
        };
        all.add(most);
        assert_eq!(all, most);
    }

    proptest! {
        #[test]
        fn records_read_back_whole_and_cut_ones_are_errors(own in any::<i128>(), cell in any::<i128>()) {
            let share = SpendShare { own, cell };
            let mut out = Vec::new();
            share.encode(&mut out);
            prop_assert_eq!(SpendShare::parse(&out).unwrap(), share);
            for len in 0..out.len() {
                prop_assert!(SpendShare::parse(&out[..len]).is_err(), "{}", len);
            }
            out.push(0);
            prop_assert!(SpendShare::parse(&out).is_err());
        }
    }
}
