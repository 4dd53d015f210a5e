//! Atoms checked against one another: summaries against months, places against the market, it against leaves, and
//! patterns and mixes against months.

use std::collections::BTreeMap;

use nightshard_format::{
    Error, Result,
    calendar::{Day, Month},
    generation::Generation,
    record::{
        ATOMS, AtomMonth, AtomSummary, AtomTotals, LEAVES, LeafRecord, MARKET_ALL, MARKETS,
        PATTERNS, PLACE_MIXES, PlaceMixes, atoms_key, split_atoms_key,
    },
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

use crate::verify_months::check_months;

/// Checks that every summary of atoms says of its months what their records say, that there is no month of
/// which no summary knows, that no places have together what the market has not, that leaves have what it has,
/// and that patterns and mixes are of what is told.
///
/// # Errors
/// [`Error::Corrupt`] naming the key of what does not agree.
pub(crate) fn check_atoms(generation: &Generation<Mapped>) -> Result<()> {
    let summaries = generation.table(ATOMS, Span::Current).shards();
    let checked: Vec<Result<Counted>> = summaries
        .par_iter()
        .map(|shard| check_shard(generation, shard))
        .collect();
    let mut counted = Counted::default();
    for of_shard in checked {
        counted.add(of_shard?);
    }
    let of_months = generation.shards().filter(|shard| {
        let identity = shard.identity();
        identity.dataset == ATOMS && identity.span != Span::Current
    });
    if of_months.map(Shard::len).sum::<u64>() != counted.months {
        let problem = "there are month records of which no summary knows";
        return Err(damaged(problem.into()));
    }
    counted.fits_the_market()?;
    check_leaves(generation)?;
    check_patterns(generation)?;
    check_months(generation, PLACE_MIXES, |month, key, value| {
        let mixes = PlaceMixes::parse(value)?;
        contradiction_of_mixes(generation, (month, key), &mixes)
    })
}

/// Returns what contradicts the atoms of a month in how its rows were paid, if anything does.
fn contradiction_of_mixes(
    generation: &Generation<Mapped>,
    (month, key): (Month, &[u8]),
    mixes: &PlaceMixes,
) -> Result<Option<&'static str>> {
    let as_of: Day = generation.manifest().as_of.parse()?;
    let atoms = generation.get(ATOMS, Span::Month(month), key)?;
    let Some(atoms) = atoms.filter(|_| month.days().last <= as_of) else {
        return Ok(Some("nothing is told of it"));
    };
    let atoms = AtomMonth::parse(month, atoms.in_place()?)?;
    // Rows that came late, on days that had been told, are in no atom.
    let is_whole = !generation.manifest().keeps_atoms();
    let has_more = mixes.all.count > atoms.totals(month).count;
    Ok((is_whole && has_more).then_some("its mixes have more rows than its atoms"))
}

/// Checks that patterns are of months that have ended and of which there are atoms.
fn check_patterns(generation: &Generation<Mapped>) -> Result<()> {
    let as_of: Day = generation.manifest().as_of.parse()?;
    for shard in generation.shards() {
        let identity = shard.identity();
        if identity.dataset != PATTERNS {
            continue;
        }
        let span = identity.span;
        let has_ended = matches!(span, Span::Month(month) if month.days().last <= as_of);
        for record in shard.iter() {
            let key = record?.key;
            if !has_ended || generation.get(ATOMS, span, key)?.is_none() {
                let key = String::from_utf8_lossy(key);
                let problem = format!("{key:?} has a pattern of {span}, of which nothing is told");
                return Err(damaged(problem));
            }
        }
    }
    Ok(())
}

/// Checks that what the next generation keeps of leaves is what is told of the market.
fn check_leaves(generation: &Generation<Mapped>) -> Result<()> {
    let as_of: Day = generation.manifest().as_of.parse()?;
    let mut told = BTreeMap::<Month, (u64, i128)>::new();
    for shard in generation.shards() {
        let identity = shard.identity();
        let Span::Month(month) = identity.span else {
            continue;
        };
        if identity.dataset != LEAVES {
            continue;
        }
        let (count, sum) = told.entry(month).or_default();
        for record in shard.iter() {
            let leaf = LeafRecord::parse(month, record?.value.in_place()?)?;
            for atom in leaf.atoms.iter().filter(|it| it.days.last <= as_of) {
                *count = count.saturating_add(atom.count);
                *sum = sum.saturating_add(atom.sum);
            }
        }
    }
    let market = atoms_key(MARKETS, MARKET_ALL);
    for (month, of_leaves) in told {
        let value = generation.get(ATOMS, Span::Month(month), &market)?;
        let atoms = value.map(|value| AtomMonth::parse(month, value.in_place()?));
        let totals = atoms.transpose()?.unwrap_or_default().totals(month);
        if of_leaves != (totals.count, totals.sum) {
            let problem = format!("leaves of {month} have together what the market has not");
            return Err(damaged(problem));
        }
    }
    Ok(())
}

/// What the places of a dataset have in one month.
#[derive(Debug, Clone, Copy, Default)]
struct Together {
    /// Rows of all of them: no atom is in two places of one kind.
    count: u64,
    /// The most cards of one of them: a card may be in several.
    cards_max: u64,
}

/// What was counted of summaries.
#[derive(Debug, Default)]
struct Counted {
    /// Months that they name.
    months: u64,
    /// By the dataset that they stand for, and month.
    places: BTreeMap<(&'static str, Month), Together>,
}

impl Counted {
    fn add_month(&mut self, dataset: &'static str, totals: &AtomTotals) {
        self.months += 1;
        let of_month = Together {
            count: totals.count,
            cards_max: totals.cards,
        };
        self.add_places(dataset, totals.month, of_month);
    }

    fn add(&mut self, other: Self) {
        self.months += other.months;
        for ((dataset, month), together) in other.places {
            self.add_places(dataset, month, together);
        }
    }

    fn add_places(&mut self, dataset: &'static str, month: Month, more: Together) {
        let together = self.places.entry((dataset, month)).or_default();
        together.count = together.count.saturating_add(more.count);
        together.cards_max = together.cards_max.max(more.cards_max);
    }

    fn fits_the_market(&self) -> Result<()> {
        for ((dataset, month), together) in &self.places {
            let market = self.places.get(&(MARKETS, *month));
            let market = market.copied().unwrap_or_default();
            if together.count > market.count || together.cards_max > market.cards_max {
                let problem = format!("{dataset} of {month} have more than the market has");
                return Err(damaged(problem));
            }
        }
        Ok(())
    }
}

/// Checks the summaries of one shard, and counts what they say.
fn check_shard(generation: &Generation<Mapped>, shard: &Shard<Mapped>) -> Result<Counted> {
    let mut counted = Counted::default();
    for record in shard.iter() {
        let Record { key, value } = record?;
        let named = |problem: String| {
            let key = String::from_utf8_lossy(key);
            damaged(format!("{key:?}: {problem}"))
        };
        let (dataset, _) = split_atoms_key(key).ok_or_else(|| named("it is of nothing".into()))?;
        for totals in AtomSummary::parse(value.in_place()?)?.months {
            if let Some(problem) = contradiction(generation, key, &totals)? {
                return Err(named(problem));
            }
            counted.add_month(dataset, &totals);
        }
    }
    Ok(counted)
}

/// Returns what contradicts the record of a month in its totals, if anything does.
fn contradiction(
    generation: &Generation<Mapped>,
    key: &[u8],
    totals: &AtomTotals,
) -> Result<Option<String>> {
    let month = totals.month;
    let Some(value) = generation.get(ATOMS, Span::Month(month), key)? else {
        return Ok(Some(format!("{month} has no record")));
    };
    let atoms = AtomMonth::parse(month, value.in_place()?)?;
    if atoms.groups.is_empty() {
        return Ok(Some(format!("{month} has no atoms")));
    }
    let found = atoms.totals(month);
    if found != *totals {
        return Ok(Some(format!("its totals of {month} are not the record's")));
    }
    // Cards are counted anew, whatever atoms were kept.
    let is_counted = !generation.manifest().keeps_atoms();
    Ok((is_counted && !cards_fit(&atoms, &found))
        .then(|| format!("its cards of {month} do not fit those of its atoms")))
}

fn cards_fit(atoms: &AtomMonth, totals: &AtomTotals) -> bool {
    let of_one = atoms.groups.iter().filter_map(|group| group.cards);
    (of_one.max().unwrap_or(0)..=totals.count).contains(&totals.cards)
}

fn damaged(problem: String) -> Error {
    Error::Corrupt {
        structure: "atoms",
        problem,
    }
}
