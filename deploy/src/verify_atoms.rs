//! Atoms checked against one another: summaries against months, and places against the market.

use std::collections::BTreeMap;

use nightshard_format::{
    Error, Result,
    calendar::Month,
    generation::Generation,
    record::{ATOMS, AtomMonth, AtomSummary, AtomTotals, MARKETS, split_atoms_key},
    shard::{Mapped, Record, Shard, Span},
};
use rayon::prelude::*;

/// Checks that every summary of atoms says of its months what their records say, that there is no month of
/// which no summary knows, and that no places have together what the market has not.
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
    counted.fits_the_market()
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
    Ok((found != *totals).then(|| format!("its totals of {month} are not the record's")))
}

fn damaged(problem: String) -> Error {
    Error::Corrupt {
        structure: "atoms",
        problem,
    }
}
