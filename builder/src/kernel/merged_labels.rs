//! Rows of cards that are counted while they are read, and cells of cards that are merged until each hides them.

use std::collections::BTreeMap;

use bytemuck::Pod;
use nightshard_format::record::{Label, LabelledCards};

use super::{row::StoreOrdinal, store_days::EncodedRecords};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

/// The records of one partition of stores.
#[derive(Debug, Default)]
pub struct RecordsOfStores {
    /// Of one store after the other.
    pub records: EncodedRecords,
    /// The stores, ascending, and where the records of each end.
    pub stores: Vec<(StoreOrdinal, usize)>,
}

/// Counts the equal rows of a partition, keeping about `budget_bytes` of them in memory, and returns them in order.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub(super) fn count<R: Pod + Ord>(
    exchanged: &Exchanged<R>,
    partition: u16,
    budget_bytes: usize,
) -> Result<Vec<(R, u64)>> {
    let mut counted = Counted {
        rows: Vec::new(),
        limit: budget_bytes / size_of::<R>(),
        cards: BTreeMap::new(),
    };
    exchanged.take(partition, &mut counted)?;
    counted.count();
    Ok(counted.cards.into_iter().collect())
}

/// Rows that are counted whenever many have come.
struct Counted<R> {
    rows: Vec<R>,
    limit: usize,
    cards: BTreeMap<R, u64>,
}

impl<R: Pod + Ord> Counted<R> {
    fn count(&mut self) {
        self.rows.sort_unstable();
        for equal in self.rows.chunk_by(|a, b| a == b) {
            *self.cards.entry(equal[0]).or_default() += equal.len() as u64;
        }
        self.rows.clear();
    }
}

impl<R: Pod + Ord> Visitor<R> for Counted<R> {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[R]) -> Result<()> {
        self.rows.extend_from_slice(rows);
        if self.rows.len() >= self.limit {
            self.count();
        }
        Ok(())
    }
}

/// The cards of a label, and what hides them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell<'a, P> {
    /// What is told.
    pub(super) told: LabelledCards<'a>,
    /// By which it is known whether that is enough.
    pub(super) part: P,
}

/// Merges the cells, which ascend, that may not be told by themselves, and returns all in order; none if all
/// together are not enough.
///
/// While what is merged is not enough, it takes the smallest of the others in: no label would be true of both.
pub(super) fn merge<P: Copy>(
    cells: Vec<Cell<'_, P>>,
    is_enough: impl Fn(&[P]) -> bool,
) -> Vec<LabelledCards<'_>> {
    let (mut told, short): (Vec<_>, Vec<_>) =
        (cells.into_iter()).partition(|cell| is_enough(std::slice::from_ref(&cell.part)));
    let mut told_cells: Vec<LabelledCards<'_>> = Vec::with_capacity(told.len() + 1);
    if !short.is_empty() {
        let mut cards: u64 = short.iter().map(|cell| cell.told.cards).sum();
        let mut parts: Vec<P> = short.iter().map(|cell| cell.part).collect();
        while !is_enough(&parts) {
            let sizes = told.iter().enumerate();
            let smallest = sizes.min_by_key(|(_, cell)| (cell.told.cards, cell.told.label));
            let Some((at, _)) = smallest else {
                return Vec::new();
            };
            let taken = told.remove(at);
            cards += taken.told.cards;
            parts.push(taken.part);
        }
        // It comes before what is unknown, and that before ids.
        let label = Label::Merged;
        told_cells.push(LabelledCards { label, cards });
    }
    told_cells.extend(told.into_iter().map(|cell| cell.told));
    told_cells
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Merges cells of which each card hides it.
    fn merged(cells: Vec<LabelledCards<'_>>, cards_min: u64) -> Vec<LabelledCards<'_>> {
        let cells = cells.into_iter().map(|told| Cell {
            told,
            part: told.cards,
        });
        merge(cells.collect(), |cards| {
            cards.iter().sum::<u64>() >= cards_min
        })
    }

    const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    /// Cells of so many cards: the first of what is unknown, then of regions; none where there are none.
    fn cells(cards: &[u64]) -> Vec<LabelledCards<'static>> {
        let labels =
            std::iter::once(Label::Unknown).chain(IDS.iter().map(|id| Label::Text(id.as_bytes())));
        let cells = labels.zip(cards).filter(|(_, cards)| **cards > 0);
        let cells = cells.map(|(region, cards)| LabelledCards {
            label: region,
            cards: *cards,
        });
        cells.collect()
    }

    proptest! {
        #[test]
        fn merged_cells_have_all_cards_and_each_enough(
            cards in prop::collection::vec(0_u64..12, 7), cards_min in 0_u64..14,
        ) {
            let given = cells(&cards);
            let total: u64 = cards.iter().sum();
            let found = merged(given.clone(), cards_min);
            let all: u64 = found.iter().map(|cell| cell.cards).sum();
            prop_assert_eq!(all, if total < cards_min { 0 } else { total });
            prop_assert!(found.iter().all(|cell| cell.cards >= cards_min));
            prop_assert!(found.is_sorted_by(|a, b| a.label < b.label));
            let as_given = |cell: &&LabelledCards<'_>| given.contains(*cell);
            let kept = found.iter().filter(as_given).count();
            let enough = given.iter().filter(|cell| cell.cards >= cards_min).count();
            // Of those that are enough at most one is given up, and only to one that is merged.
            prop_assert!(total < cards_min || kept == enough || kept + 1 == enough);
            prop_assert!(found.len() - kept <= 1);
        }
    }

    #[test]
    fn what_is_short_together_takes_the_smallest_in() {
        let told = |cards: &[u64], cards_min| {
            let found = merged(cells(cards), cards_min).into_iter();
            let found = found.map(|cell| match cell.label {
                Label::Merged => ("merged", cell.cards),
                Label::Unknown => ("unknown", cell.cards),
                Label::Text(id) => (std::str::from_utf8(id).unwrap(), cell.cards),
            });
            found.collect::<Vec<_>>()
        };
        assert_eq!(
            told(&[12, 6, 5, 11], 10),
            [("merged", 11), ("unknown", 12), ("c", 11)]
        );
        assert_eq!(told(&[12, 6, 0, 11], 10), [("merged", 17), ("unknown", 12)]);
        // Ties: what is unknown comes first.
        assert_eq!(told(&[11, 6, 0, 11], 10), [("merged", 17), ("c", 11)]);
        assert_eq!(told(&[4, 5], 10), []);
        assert_eq!(told(&[5, 5], 10), [("merged", 10)]);
        assert_eq!(told(&[1, 0, 2], 0), [("unknown", 1), ("b", 2)]);
    }
}
