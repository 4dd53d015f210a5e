//! The atoms of one leaf, from the months of its stores.

use std::collections::{BTreeMap, BTreeSet};

use nightshard_format::{
    calendar::{Day, DayRange, Month},
    record::{Change, MonthRecord},
};

use super::written::Written;
use crate::{
    Result,
    kernel::{
        folded::Alone,
        frozen::{Frozen, telling},
        hiding::Hiding,
        leaf_cards::LeafCounts,
        leaf_mixes::LeafMixes,
        leaf_month::{Atom, LeafMonth, Rest, Store, StoreDay, Totals},
        leaf_pattern::LeafPattern,
        places::Leaf,
    },
};

/// The atoms of a leaf in a month, and what is left for others to take in.
#[derive(Debug)]
pub struct LeafAtoms {
    /// Which month.
    pub month: Month,
    /// The atoms, in order, those included that were told before and end after the build's last day.
    pub atoms: Vec<Atom>,
    /// What is in none of them, once the month has ended.
    pub rest: Option<(Rest, Alone)>,
    /// Whether the rows alone would have made others.
    pub differs: bool,
    /// The stores that have rows, by number, until the month has ended.
    pub stores: Vec<u32>,
    /// When the rows of the atoms were, once the month has ended: a record of patterns, empty without such rows.
    pub pattern: Vec<u8>,
}

/// A store of a leaf.
#[derive(Debug, Clone, Copy)]
pub struct LeafStore<'a> {
    /// Its id.
    pub id: &'a [u8],
    /// What it is called here.
    pub store: Store,
    /// When it is one.
    pub stay: Stay,
}

/// In which months a store is one of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// In all.
    Always,
    /// In one alone.
    In(Month),
    /// In all others.
    NotIn(Month),
}

impl Stay {
    fn has(self, month: Month) -> bool {
        match self {
            Self::Always => true,
            Self::In(only) => month == only,
            Self::NotIn(other) => month != other,
        }
    }
}

/// What the atoms of all leaves are made with.
pub struct LeafMonths<'a> {
    /// The months of stores.
    pub of_stores: Written,
    /// How much hides.
    pub hiding: Hiding,
    /// Months up to this day have ended.
    pub as_of: Day,
    /// What was told before.
    pub frozen: Option<&'a Frozen<'a>>,
}

impl LeafMonths<'_> {
    /// Makes the atoms of all months of a leaf.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if a shard that was just written cannot be read.
    pub fn atoms(
        &self,
        leaf: Leaf,
        stores: &[LeafStore<'_>],
        counts: &LeafCounts,
    ) -> Result<Vec<LeafAtoms>> {
        let mut cards = counts.distances.days();
        let with_rows = self.of_stores.months();
        // Of the month that goes on something was told, even if all its rows are gone.
        let months = with_rows.chain(self.frozen.and_then(Frozen::month));
        let mut made = Vec::new();
        for month in months.collect::<BTreeSet<Month>>() {
            let mut of_month = LeafMonth::default();
            let mut present = Vec::new();
            for store in stores.iter().filter(|store| store.stay.has(month)) {
                if let Some(record) = self.of_stores.month(month, store.id)? {
                    add_store(&mut of_month, *store, &record)?;
                    if month.days().last > self.as_of {
                        present.push(store.store.ordinal);
                    }
                }
            }
            let days: Vec<Day> = of_month.days().collect();
            for day in days {
                let of_day = cards.take(day.0);
                let seen = of_day.returning.iter().map(|run| (run.distance, run.count));
                let seen: Vec<Change> = std::iter::once((0, of_day.first_ever))
                    .chain(seen)
                    .map(|(distance, cards)| Change {
                        distance,
                        cards: cards.cast_signed(),
                    })
                    .collect();
                of_month.add_cards(day, &seen, of_day.buyers);
            }
            let alone = counts.alone.get(&month).copied().unwrap_or_default();
            let mut of_month = LeafAtoms {
                stores: present,
                ..self.atoms_of(leaf, month, &of_month, alone)
            };
            self.add_pattern(&mut of_month, stores)?;
            made.push(of_month);
        }
        Ok(made)
    }

    fn atoms_of(&self, leaf: Leaf, month: Month, of_month: &LeafMonth, alone: Alone) -> LeafAtoms {
        let Self {
            hiding,
            as_of,
            frozen,
            ..
        } = *self;
        let until = frozen.map(Frozen::told_until);
        let told = frozen.map_or_else(Vec::new, |frozen| frozen.told_of(leaf, month));
        let days = month.days();
        let made = of_month.atoms_beside(&told, days, telling(month, as_of, until), hiding);
        let of_rows = || of_month.atoms_beside(&[], days, telling(month, as_of, None), hiding);
        let differs = frozen.is_some() && made != of_rows();
        let (atoms, rest) = made;
        LeafAtoms {
            month,
            atoms,
            rest: rest.map(|rest| (rest, alone)),
            differs,
            stores: Vec::new(),
            pattern: Vec::new(),
        }
    }

    /// Finds out when the rows of a month were that are in atoms of the leaf, once it has ended.
    fn add_pattern(&self, made: &mut LeafAtoms, stores: &[LeafStore<'_>]) -> Result<()> {
        let days = made.month.days();
        let Some(last) = made.atoms.last().filter(|_| days.last <= self.as_of) else {
            return Ok(());
        };
        // Atoms follow one another from the month's first day on.
        let in_atoms = DayRange {
            last: last.days.last,
            ..days
        };
        let mut rows = LeafPattern::default();
        self.add_rows(made.month, in_atoms, stores, &mut rows)?;
        let pattern = rows.finish();
        if !pattern.is_empty() {
            pattern.encode(&mut made.pattern)?;
        }
        Ok(())
    }

    /// Adds when the rows of a leaf were on some days of a month, as far as their time is known.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if a shard that was just written cannot be read.
    pub fn add_rows(
        &self,
        month: Month,
        days: DayRange,
        stores: &[LeafStore<'_>],
        rows: &mut LeafPattern,
    ) -> Result<()> {
        for store in stores.iter().filter(|store| store.stay.has(month)) {
            if let Some(record) = self.of_stores.month(month, store.id)? {
                let merchant = store.store.merchant;
                record.visit_hours(days, |day, hour| rows.add(merchant, day, &hour))?;
            }
        }
        Ok(())
    }

    /// Adds how the rows of a leaf were paid in a month.
    ///
    /// # Errors
    /// [`crate::Error::Format`] if a shard that was just written cannot be read.
    pub fn add_mixes(
        &self,
        month: Month,
        stores: &[LeafStore<'_>],
        mixes: &mut LeafMixes,
    ) -> Result<()> {
        for store in stores.iter().filter(|store| store.stay.has(month)) {
            if let Some(record) = self.of_stores.month(month, store.id)? {
                mixes.add(store.store.merchant, &record)?;
            }
        }
        Ok(())
    }
}

/// Adds the days of a store's month.
fn add_store(
    month: &mut LeafMonth,
    LeafStore { store, .. }: LeafStore<'_>,
    record: &MonthRecord<'_>,
) -> Result<()> {
    let range: DayRange = record.days();
    let mut days = BTreeMap::<Day, StoreDay>::new();
    record.visit_days(range, |day, statistics| {
        days.entry(day).or_default().totals = Totals {
            count: statistics.count,
            sum: statistics.sum,
        };
    })?;
    record.visit_buyers(range, |day, change| {
        days.entry(day).or_default().buyers.push(change);
    })?;
    for (day, of_day) in days {
        month.add_store(day, store, of_day);
    }
    Ok(())
}
