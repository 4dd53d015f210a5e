//! The shards of atoms, of when their rows were, and of how these were paid.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    key::{self, PartitionRun},
    record::{
        ATOMS, AtomCards, AtomGroup, AtomMonth, AtomSummary, AtomTotals, MARKET_ALL, MARKETS,
        PATTERNS, PLACE_MIXES, PlaceMixes, PlacePattern, StoreProfile, atoms_key,
    },
    shard::Span,
};

use super::{
    month_shards::CountedMonths,
    shard_set::{ShardSet, Staged, Staging},
};
use crate::{
    Result,
    kernel::{
        atom_cards::{self, PlaceAtomCards},
        frozen::{Frozen, Months},
        leaf_month::Totals,
        place_atoms::PlaceAtoms,
        places::Places,
        told_by_place::ToldByPlace,
    },
};

/// The atoms of all places and of the market, which comes after all places.
pub struct ToTell<'a> {
    /// The places.
    pub places: &'a Places,
    /// Their atoms.
    pub atoms: &'a PlaceAtoms,
    /// The cards in these, of each place.
    pub cards: &'a [PlaceAtomCards],
    /// When their rows were.
    pub patterns: &'a ToldByPlace<PlacePattern>,
    /// How their rows were paid.
    pub mixes: &'a ToldByPlace<PlaceMixes>,
    /// What was told before.
    pub frozen: Option<&'a Frozen<'a>>,
}

/// What was written of them.
pub struct WrittenAtoms {
    /// The shards.
    pub staged: Vec<Staged>,
    /// What is told of each place in all, if anything.
    pub totals: Vec<Option<Totals>>,
    /// Whether something is told otherwise than the rows alone would have it.
    pub differs: bool,
}

impl ToTell<'_> {
    /// Writes the atoms of all places that there are, and of those that there were, whose months that had ended
    /// stay.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn write(&self, staging: &Staging) -> Result<WrittenAtoms> {
        // There are few places: one shard of a span has them all.
        let mut set = ShardSet::new(staging, ATOMS, PartitionRun::ALL);
        let mut of_patterns = ShardSet::new(staging, PATTERNS, PartitionRun::ALL);
        let mut of_mixes = CountedMonths::new(staging, PLACE_MIXES);
        let mut totals = vec![None; self.places.list().len()];
        let mut differs = false;
        let mut value = Vec::new();
        for (key, place) in self.keys() {
            let mut months = match place {
                Some(place) => self.months(&key, place, &mut differs)?,
                None => Months::new(),
            };
            if let Some(frozen) = self.frozen {
                differs |= frozen.keep(&key, &mut months);
            }
            if place.is_none() && months.is_empty() {
                continue;
            }
            for (month, record) in self.patterns_of(&key, place, &months, &mut differs) {
                of_patterns.append(Span::Month(month), &key, &record)?;
            }
            for (month, record) in self.mixes_of(place, &months) {
                of_mixes.append(Span::Month(*month), &key, record)?;
            }
            for (month, (_, record)) in &months {
                set.append(Span::Month(*month), &key, record)?;
            }
            let summary = AtomSummary {
                profile: self.profile(&key, place),
                months: months.into_values().map(|(totals, _)| totals).collect(),
            };
            value.clear();
            summary.encode(&mut value)?;
            set.append(Span::Current, &key, &value)?;
            if let Some(total) = place.and_then(|place| totals.get_mut(place)) {
                *total = summary.total().map(|(count, sum)| Totals { count, sum });
            }
        }
        let mut staged = set.finish()?;
        staged.extend(of_patterns.finish()?);
        staged.extend(of_mixes.finish()?);
        Ok(WrittenAtoms {
            staged,
            totals,
            differs,
        })
    }

    /// Returns all keys in the order of a shard's, each with the number of the place that it is of now.
    fn keys(&self) -> Vec<(Vec<u8>, Option<usize>)> {
        let mut keys = BTreeMap::new();
        if let Some(frozen) = self.frozen {
            let told = frozen.told().summaries.keys();
            keys.extend(told.map(|key| (key.clone(), None)));
        }
        keys.extend((0..self.cards.len()).map(|place| (self.key_of(place), Some(place))));
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable_by(|(a, _), (b, _)| key::order(a).cmp(&key::order(b)));
        keys
    }

    fn key_of(&self, place: usize) -> Vec<u8> {
        match self.places.list().get(place) {
            Some(place) => atoms_key(place.kind.dataset(), &place.key),
            None => atoms_key(MARKETS, MARKET_ALL),
        }
    }

    fn profile(&self, key: &[u8], place: Option<usize>) -> StoreProfile {
        let told = || self.frozen?.told().summaries.get(key);
        match place {
            Some(place) => self.places.list().get(place).map(|it| &it.profile),
            None => told().map(|summary| &summary.profile),
        }
        .cloned()
        .unwrap_or_default()
    }

    /// Returns the months of a place as its rows have them, but for cards of atoms that were told before.
    fn months(&self, key: &[u8], place: usize, differs: &mut bool) -> Result<Months> {
        let goes_on = self.frozen.and_then(Frozen::month);
        let mut rest = &self.cards[place].all[..];
        let mut months = Months::new();
        for (month, groups) in self.atoms.months(place) {
            let of_month = rest.partition_point(|it| it.day <= month.days().last);
            let (of_month, later) = rest.split_at(of_month);
            rest = later;
            let cards = match self.frozen.filter(|_| goes_on == Some(month)) {
                Some(frozen) => self.cards_beside(frozen, key, place, differs)?,
                None => None,
            };
            let cards = cards.unwrap_or_else(|| of_month.to_vec());
            let totals = totals(month, &groups, &cards);
            let record = AtomMonth { groups, cards };
            let mut value = Vec::new();
            record.encode(month, &mut value)?;
            months.insert(month, (totals, value));
        }
        Ok(months)
    }

    /// Returns the patterns of a place, in months that are told of.
    fn patterns_of(
        &self,
        key: &[u8],
        place: Option<usize>,
        told: &Months,
        differs: &mut bool,
    ) -> BTreeMap<Month, Vec<u8>> {
        let months = place.map_or(&[][..], |place| self.patterns.months(place));
        let mut months: BTreeMap<Month, Vec<u8>> = months.iter().cloned().collect();
        if let Some(frozen) = self.frozen {
            *differs |= frozen.keep_patterns(key, &mut months);
        }
        months.retain(|month, _| told.contains_key(month));
        months
    }

    /// Returns the mixes of a place, in months that are told of; those that were told before take their place later.
    fn mixes_of<'m>(
        &'m self,
        place: Option<usize>,
        told: &'m Months,
    ) -> impl Iterator<Item = &'m (Month, Vec<u8>)> {
        let months = place.map_or(&[][..], |place| self.mixes.months(place));
        months.iter().filter(|(month, _)| told.contains_key(month))
    }

    /// Returns the cards of the month that goes on, if atoms that were told before had others then: those, and
    /// the cards that are in new atoms alone.
    fn cards_beside(
        &self,
        frozen: &Frozen<'_>,
        key: &[u8],
        place: usize,
        differs: &mut bool,
    ) -> Result<Option<Vec<AtomCards>>> {
        let told = frozen.cards_told(key)?;
        let now = &self.cards[place];
        if told == now.in_told {
            return Ok(None);
        }
        *differs = true;
        Ok(Some(atom_cards::sum(&told, &now.in_new)))
    }
}

fn totals(month: Month, groups: &[AtomGroup], cards: &[AtomCards]) -> AtomTotals {
    let distinct = |cards: &AtomCards| {
        let returning = cards.returning.iter().map(|run| run.count);
        cards.first_ever + returning.sum::<u64>()
    };
    AtomTotals {
        month,
        count: groups.iter().map(|group| group.count).sum(),
        sum: groups.iter().map(|group| group.sum).sum(),
        cards: cards.iter().map(distinct).sum(),
    }
}
