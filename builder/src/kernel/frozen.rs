//! What an earlier generation told of atoms, and so stays as it is (docs/privacy.md, "Freezing").

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use nightshard_format::{
    calendar::{Day, Month},
    record::{AtomCards, AtomMonth, AtomTotals, LeafAtom, LeafRecord},
    told_atoms::ToldAtoms,
};

use super::{
    leaf_month::{Atom, Telling, Totals},
    places::{Leaf, Places},
    row::StoreOrdinal,
};
use crate::{Error, Result};

/// The months of a place or the market: their totals and their records.
pub type Months = BTreeMap<Month, (AtomTotals, Vec<u8>)>;

/// The atoms of an earlier generation, as those of a build.
#[derive(Debug)]
pub struct Frozen<'a> {
    told: &'a ToldAtoms,
    /// The last business day of the build.
    as_of: Day,
    /// The first month with rows: what was told of those before goes with their rows.
    first: Month,
    /// The leaves of the month that had not ended.
    leaves: HashMap<Leaf, &'a LeafRecord>,
}

impl<'a> Frozen<'a> {
    /// Takes atoms over for a build of `stores`, whose last day is `as_of`, and holds those stores that moved
    /// where they were: their rows of that month may be in atoms there.
    ///
    /// # Errors
    /// [`crate::Error::Option`] if the build is for a day of a month that had ended when they were told, which
    /// would be forgotten; [`crate::Error::Internal`] if a key is of no leaf.
    pub fn new<'s>(
        told: &'a ToldAtoms,
        (first, as_of): (Month, Day),
        places: &mut Places,
        stores: impl IntoIterator<Item = (&'s [u8], StoreOrdinal)>,
    ) -> Result<Self> {
        if as_of < told.as_of && told.open_month() != Some(as_of.month()) {
            let problem = format!(
                "{as_of} is before {}, up to which generation {} tells whole months: they would be told \
                 anew, with what came late; --fresh-atoms does that, at the price of privacy",
                told.as_of, told.generation
            );
            return Err(Error::option("--as-of", problem));
        }
        let mut frozen = Self {
            told,
            as_of,
            first,
            leaves: HashMap::new(),
        };
        let Some(month) = frozen.month() else {
            return Ok(frozen);
        };
        let mut stays = HashMap::<&[u8], Leaf>::new();
        for (key, record) in &told.leaves {
            let leaf = places.leaf_of_key(key)?;
            frozen.leaves.insert(leaf, record);
            stays.extend(record.stores.iter().map(|store| (store.as_slice(), leaf)));
        }
        let mut held = HashMap::new();
        for (id, store) in stores {
            let leaf = stays.get(id).copied();
            if let Some(leaf) = leaf.filter(|leaf| *leaf != places.leaf_of(store)) {
                held.insert(store, leaf);
            }
        }
        places.hold(month.days(), held);
        Ok(frozen)
    }

    /// Returns the month whose leaves go on from what was told of them.
    #[must_use]
    pub fn month(&self) -> Option<Month> {
        let months = self.first..=self.as_of.month();
        self.told
            .open_month()
            .filter(|month| months.contains(month))
    }

    /// Returns the generation's last business day.
    #[must_use]
    pub fn told_until(&self) -> Day {
        self.told.as_of
    }

    /// Returns what was told of a leaf in a month.
    #[must_use]
    pub fn told_of(&self, leaf: Leaf, month: Month) -> Vec<Atom> {
        let record = self
            .leaves
            .get(&leaf)
            .filter(|_| self.month() == Some(month));
        let atoms = record.into_iter().flat_map(|record| &record.atoms);
        atoms.map(atom).collect()
    }

    /// Returns whether an atom of a leaf was told that ends on a day of the month that goes on, or later.
    #[must_use]
    pub fn has_told(&self, leaf: Leaf, day: Day) -> bool {
        let record = self.leaves.get(&leaf);
        let record = record.filter(|_| self.month() == Some(day.month()));
        let last = record.and_then(|record| record.atoms.last());
        last.is_some_and(|atom| day <= atom.days.last)
    }

    /// Returns the cards that a key's atoms of the month that goes on were told to have, up to this build's last
    /// business day.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if the record is damaged.
    pub fn cards_told(&self, key: &[u8]) -> Result<Vec<AtomCards>> {
        let Some(month) = self.month() else {
            return Ok(Vec::new());
        };
        let record = self.told.record(month, key);
        let record = record
            .map(|bytes| AtomMonth::parse(month, bytes))
            .transpose()?;
        let mut cards = record.map_or(Vec::new(), |record| record.cards);
        cards.retain(|cards| cards.day <= self.as_of);
        Ok(cards)
    }

    /// Returns the stores whose rows of a month may be in what was told of a leaf.
    #[must_use]
    pub fn stores_of(&self, leaf: Leaf, month: Month) -> &'a [Vec<u8>] {
        let record = self
            .leaves
            .get(&leaf)
            .filter(|_| self.month() == Some(month));
        record.map_or(&[], |record| &record.stores)
    }

    /// Puts what was told of the months of a key that had ended in the place of what rows say of them now;
    /// returns whether that is something else.
    pub fn keep(&self, key: &[u8], months: &mut Months) -> bool {
        let later = months.split_off(&self.end());
        let kept = self.told.months_before(key, self.end());
        let kept = kept.filter(|(totals, _)| totals.month >= self.first);
        let kept: Months = kept
            .map(|(totals, record)| (totals.month, (totals, record.to_vec())))
            .collect();
        let differs = *months != kept;
        *months = kept;
        months.extend(later);
        differs
    }

    /// Does with the patterns of a key what [`Frozen::keep`] does with its atoms. A generation that told of no pattern
    /// at all has none that stay.
    pub fn keep_patterns(&self, key: &[u8], months: &mut BTreeMap<Month, Vec<u8>>) -> bool {
        let Some(kept) = self.told.patterns_before(key, self.end()) else {
            return false;
        };
        let later = months.split_off(&self.end());
        let kept = kept.filter(|(month, _)| *month >= self.first);
        let kept: BTreeMap<Month, Vec<u8>> = kept
            .map(|(month, record)| (month, record.to_vec()))
            .collect();
        let differs = *months != kept;
        *months = kept;
        months.extend(later);
        differs
    }

    /// Returns the months that had ended when they were told, and still have: what was told of them stays.
    #[must_use]
    pub fn ended_months(&self) -> Range<Month> {
        self.first..self.end()
    }

    /// Returns the first month that had not ended, then or by now.
    fn end(&self) -> Month {
        Day(self.as_of.min(self.told.as_of).0 + 1).month()
    }

    /// Returns what was told.
    #[must_use]
    pub fn told(&self) -> &'a ToldAtoms {
        self.told
    }
}

/// Returns how far a month is told of in a build for a day, after a generation that told until another one.
#[must_use]
pub fn telling(month: Month, as_of: Day, told_until: Option<Day>) -> Telling {
    if month.days().last <= as_of {
        Telling::Ended
    } else if told_until.is_some_and(|until| until > as_of) {
        Telling::Foretold
    } else {
        Telling::GoesOn
    }
}

fn atom(told: &LeafAtom) -> Atom {
    Atom {
        days: told.days,
        totals: Totals {
            count: told.count,
            sum: told.sum,
        },
        cards: Some(told.cards),
    }
}
