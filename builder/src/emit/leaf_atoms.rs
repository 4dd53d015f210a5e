//! The atoms of one leaf, from the months of its stores.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, DayRange, Month},
    record::{Change, MonthRecord},
};

use super::written::Written;
use crate::{
    Result,
    kernel::{
        folded::Alone,
        hiding::Hiding,
        leaf_cards::LeafCounts,
        leaf_month::{Atom, LeafMonth, Rest, Store, StoreDay, Totals},
    },
};

/// The atoms of a leaf in a month, and what is left for others to take in.
#[derive(Debug)]
pub struct LeafAtoms {
    /// Which month.
    pub month: Month,
    /// The atoms, in order.
    pub atoms: Vec<Atom>,
    /// What is in none of them, once the month has ended.
    pub rest: Option<(Rest, Alone)>,
}

/// A store of a leaf.
#[derive(Debug, Clone, Copy)]
pub struct LeafStore<'a> {
    /// Its id.
    pub id: &'a [u8],
    /// What it is called here.
    pub store: Store,
}

/// Makes the atoms of all months of a leaf; those up to `as_of` have ended.
///
/// # Errors
/// [`crate::Error::Format`] if a shard that was just written cannot be read.
pub fn leaf_atoms(
    stores: &[LeafStore<'_>],
    months: &Written,
    counts: &LeafCounts,
    hiding: Hiding,
    as_of: Day,
) -> Result<Vec<LeafAtoms>> {
    let mut cards = counts.distances.days();
    let mut made = Vec::new();
    for month in months.months() {
        let mut of_month = LeafMonth::default();
        for store in stores {
            if let Some(record) = months.month(month, store.id)? {
                add_store(&mut of_month, *store, &record)?;
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
        made.push(atoms_of(month, &of_month, counts, hiding, as_of));
    }
    Ok(made)
}

fn atoms_of(
    month: Month,
    of_month: &LeafMonth,
    counts: &LeafCounts,
    hiding: Hiding,
    as_of: Day,
) -> LeafAtoms {
    let days = month.days();
    if days.last > as_of {
        return LeafAtoms {
            month,
            atoms: of_month.settled_atoms(days, hiding),
            rest: None,
        };
    }
    let (atoms, rest) = of_month.atoms(days, hiding);
    let alone = counts.alone.get(&month).copied().unwrap_or_default();
    LeafAtoms {
        month,
        atoms,
        rest: rest.map(|rest| (rest, alone)),
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
        let of_day = days.entry(day).or_default();
        of_day.totals = Totals {
            count: statistics.count,
            sum: statistics.sum,
        };
        let sales = statistics.sum - statistics.refund_sum;
        of_day.sales = sales.try_into().unwrap_or(0);
    })?;
    record.visit_buyers(range, |day, change| {
        days.entry(day).or_default().buyers.push(change);
    })?;
    for (day, of_day) in days {
        month.add_store(day, store, of_day);
    }
    Ok(())
}
