//! What was told of the stores of a region and category in the month that has not ended (docs/format.md,
//! "Leaves"): what the next generation keeps.

use super::region_category_key;
use crate::{
    Error, Result,
    bytes::{Bytes, put_signed_i128, put_varint},
    calendar::{Day, DayRange, Month},
};

const STRUCTURE: &str = "leaf";

/// Returns the key of the stores of a region and category, each known or not.
#[must_use]
pub fn leaf_key(region: Option<&str>, category: Option<&str>) -> Vec<u8> {
    // No id is empty.
    region_category_key(region.unwrap_or(""), category.unwrap_or(""))
}

/// Returns the region and the category that a key is of, or `None` if it is of none.
#[must_use]
pub fn split_leaf_key(key: &[u8]) -> Option<(Option<&str>, Option<&str>)> {
    let (region, category) = std::str::from_utf8(key).ok()?.split_once('\0')?;
    let known = |id| Some(id).filter(|id: &&str| !id.is_empty());
    (!category.contains('\0')).then(|| (known(region), known(category)))
}

/// An atom of a leaf.
///
/// # Units
/// `sum` in minor units, net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafAtom {
    /// Its days.
    pub days: DayRange,
    /// Distinct cards.
    pub cards: u64,
    /// Rows, at least one.
    pub count: u64,
    /// Net sum.
    pub sum: i128,
}

/// The atoms of a leaf in the month that has not ended, and the stores that they are of.
///
/// # Shape
/// Stores ascend. There is an atom; the first one begins with the month, each other one after the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeafRecord {
    /// The ids of all stores whose rows of the month may be in the atoms.
    pub stores: Vec<Vec<u8>>,
    /// The atoms.
    pub atoms: Vec<LeafAtom>,
}

impl LeafRecord {
    /// Appends the record.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is not as its shape says.
    pub fn encode(&self, month: Month, out: &mut Vec<u8>) -> Result<()> {
        self.check(month)
            .map_err(|problem| Error::invalid(STRUCTURE, problem))?;
        put_varint(out, self.stores.len() as u64);
        for store in &self.stores {
            put_varint(out, store.len() as u64);
            out.extend_from_slice(store);
        }
        put_varint(out, self.atoms.len() as u64);
        for atom in &self.atoms {
            let more_days = atom.days.last.0 - atom.days.first.0;
            put_varint(out, more_days.cast_unsigned().into());
            put_varint(out, atom.cards);
            put_varint(out, atom.count - 1);
            put_signed_i128(out, atom.sum);
        }
        Ok(())
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, something is left over or it is not as its shape says.
    pub fn parse(month: Month, bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let len = bytes.length()?;
        let mut stores = Vec::with_capacity(len);
        for _ in 0..len {
            stores.push(bytes.take_prefixed()?.to_vec());
        }
        let len = bytes.length()?;
        let mut atoms = Vec::with_capacity(len);
        let mut first = month.first_day();
        for _ in 0..len {
            let last = i32::try_from(bytes.varint()?).ok();
            let last = last.and_then(|days| first.0.checked_add(days));
            // A day beyond the month is no better than one that is none.
            let last = last.map_or(Day(i32::MAX - 1), |last| Day(last.min(i32::MAX - 1)));
            atoms.push(LeafAtom {
                days: DayRange { first, last },
                cards: bytes.varint()?,
                count: bytes.varint()?.saturating_add(1),
                sum: bytes.signed_i128()?,
            });
            first = Day(last.0 + 1);
        }
        if !bytes.is_empty() {
            return Err(Error::corrupt(STRUCTURE, "bytes are left over"));
        }
        let read = Self { stores, atoms };
        read.check(month)
            .map_err(|problem| Error::corrupt(STRUCTURE, problem))?;
        Ok(read)
    }

    fn check(&self, month: Month) -> std::result::Result<(), &'static str> {
        if !self.stores.is_sorted_by(|a, b| a < b) {
            return Err("its stores do not ascend");
        }
        let mut next = month.first_day();
        for atom in &self.atoms {
            if atom.days.first != next || atom.days.is_empty() || !month.days().covers(atom.days) {
                return Err("its atoms do not follow one another from the month's first day on");
            }
            if atom.count == 0 || atom.cards > atom.count {
                return Err("its atoms have no rows, or more cards than rows");
            }
            next = Day(atom.days.last.0 + 1);
        }
        match self.atoms.is_empty() {
            true => Err("it has no atoms"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month() -> Month {
        Month::new(2018, 2).unwrap()
    }

    fn sample() -> LeafRecord {
        let first = month().first_day().0;
        let atom = |days: [i32; 2], cards, count| LeafAtom {
            days: DayRange {
                first: Day(first + days[0]),
                last: Day(first + days[1]),
            },
            cards,
            count,
            sum: -7,
        };
        LeafRecord {
            stores: vec![b"a".to_vec(), b"b\xff".to_vec()],
            atoms: vec![atom([0, 3], 10, 12), atom([4, 4], 11, 1 << 40)],
        }
    }

    fn encoded(record: &LeafRecord) -> Vec<u8> {
        let mut bytes = Vec::new();
        record.encode(month(), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_leaf_is_read_as_it_was_written() {
        assert_eq!(
            LeafRecord::parse(month(), &encoded(&sample())).unwrap(),
            sample()
        );
    }

    #[test]
    fn keys_say_what_is_known() {
        for leaf in [
            (Some("north"), Some("café")),
            (Some("north"), None),
            (None, Some("café")),
            (None, None),
        ] {
            assert_eq!(split_leaf_key(&leaf_key(leaf.0, leaf.1)), Some(leaf));
        }
        assert_eq!(split_leaf_key(b"north"), None);
        assert_eq!(split_leaf_key(b"a\0b\0c"), None);
        assert_eq!(split_leaf_key(b"\xff\0b"), None);
    }

    /// A change of a right record, and what is wrong with it then.
    type Forgery = (fn(&mut LeafRecord), &'static str);

    #[test]
    fn what_is_not_of_the_shape_is_refused() {
        let changes: [Forgery; 6] = [
            (|it| it.stores.swap(0, 1), "do not ascend"),
            (|it| it.atoms.clear(), "no atoms"),
            (|it| it.atoms.swap(0, 1), "do not follow"),
            (
                |it| it.atoms[1].days.last = Day(it.atoms[1].days.last.0 + 28),
                "do not follow",
            ),
            (|it| it.atoms[0].count = 0, "no rows"),
            (|it| it.atoms[0].cards = 13, "more cards than rows"),
        ];
        for (change, problem) in changes {
            let mut record = sample();
            change(&mut record);
            let error = record.encode(month(), &mut Vec::new()).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn damage_is_an_error_or_another_leaf_and_never_a_panic() {
        let bytes = encoded(&sample());
        for at in 0..bytes.len() {
            assert!(LeafRecord::parse(month(), &bytes[..at]).is_err());
            for value in 0..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(read) = LeafRecord::parse(month(), &damaged) {
                    assert_eq!(LeafRecord::parse(month(), &encoded(&read)).unwrap(), read);
                }
            }
        }
    }
}
