//! The cells of a store's month, merged until each hides its cards (docs/definitions.md, "Demographics").

use nightshard_format::record::{ATTRIBUTES, DemographicCell, Label, encode_demographics};

use super::{
    cardholder::{Cardholder, Cardholders},
    month_cardholders::Figures,
};

/// What is told of each attribute, by the place of its value; nothing where values are merged.
type Told = [Option<u16>; ATTRIBUTES];

/// The cards of some attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    told: Told,
    figures: Figures,
}

/// Appends the record of a month of `cells`, each of at least `cards_min` cards, and returns whether there is one:
/// of fewer cards nothing is told.
pub(super) fn encode(
    cells: &[(Cardholder, Figures)],
    cards_min: u64,
    cardholders: &Cardholders,
    out: &mut Vec<u8>,
) -> bool {
    let cells = cells.iter().map(|(cardholder, figures)| Cell {
        told: cardholder.map(Some),
        figures: *figures,
    });
    let label = |(attribute, place): (usize, Option<u16>)| match place {
        None => Label::Merged,
        Some(place) => cardholders.label(attribute, place),
    };
    let merged = merge(cells.collect(), cards_min);
    let cells = merged.iter().map(|Cell { told, figures }| {
        let mut at = 0..ATTRIBUTES;
        DemographicCell {
            labels: told.map(|place| label((at.next().unwrap_or(0), place))),
            count: figures.count,
            sum: figures.sum,
            cards: figures.cards,
        }
    });
    if !merged.is_empty() {
        encode_demographics(&cells.collect::<Vec<_>>(), out);
    }
    !merged.is_empty()
}

/// Merges cells until each has `cards_min` cards, and returns them in the order of what they tell; none if all
/// together have fewer.
///
/// Cells that are short lose their last attribute and are added up, again and again. Those that are short even
/// without any attribute take the smallest of the others in: no label would be true of both.
fn merge(cells: Vec<Cell>, cards_min: u64) -> Vec<Cell> {
    if cells.iter().map(|cell| cell.figures.cards).sum::<u64>() < cards_min {
        return Vec::new();
    }
    let mut told = Vec::new();
    let mut short = cells;
    for kept in (0..=ATTRIBUTES).rev() {
        let enough = |cell: &Cell| cell.figures.cards >= cards_min;
        let pooled = pool(short, kept);
        let (of_enough, rest): (Vec<Cell>, Vec<Cell>) = pooled.into_iter().partition(enough);
        told.extend(of_enough);
        short = rest;
    }
    if let Some(mut rest) = short.pop() {
        let sizes = told.iter().enumerate();
        let smallest = sizes.min_by_key(|(_, cell)| (cell.figures.cards, cell.told));
        if let Some((at, _)) = smallest {
            rest.figures += told.swap_remove(at).figures;
        }
        told.push(rest);
    }
    told.sort_unstable_by_key(|cell| cell.told);
    told
}

/// Adds up the cells that have the first attributes alike, and tells nothing of the others.
fn pool(mut cells: Vec<Cell>, kept: usize) -> Vec<Cell> {
    cells
        .iter_mut()
        .for_each(|cell| cell.told[kept..].fill(None));
    cells.sort_unstable_by_key(|cell| cell.told);
    cells.dedup_by(|next, kept| {
        let same = next.told == kept.told;
        if same {
            kept.figures += next.figures;
        }
        same
    });
    cells
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn cell(told: Told, cards: u64) -> Cell {
        let figures = Figures {
            count: cards + 1,
            sum: i128::from(cards) - 3,
            sales: cards,
            cards,
            seen: 0,
        };
        Cell { told, figures }
    }

    fn cells() -> impl Strategy<Value = Vec<Cell>> {
        let keys = prop::array::uniform3(0_u16..3);
        let cells = prop::collection::btree_map(keys, 0_u64..12, 1..20);
        cells.prop_map(|cells| {
            let cells = cells.into_iter();
            cells
                .map(|(key, cards)| cell(key.map(Some), cards))
                .collect()
        })
    }

    fn totals<'a>(cells: impl Iterator<Item = &'a Cell>) -> Figures {
        let mut totals = Figures::default();
        cells.for_each(|cell| totals += cell.figures);
        totals
    }

    /// Returns what is told of the cards of each cell, as the document says it: the first of what it is merged to
    /// that holds enough, of those that nothing finer holds.
    fn expected(cells: &[Cell], cards_min: u64) -> BTreeMap<Told, Told> {
        let mut told = BTreeMap::new();
        for kept in (0..=ATTRIBUTES).rev() {
            let mut pools = BTreeMap::<Told, Vec<Cell>>::new();
            for cell in cells
                .iter()
                .filter(|cell| !told.contains_key(&cell.told))
                .copied()
                .collect::<Vec<_>>()
            {
                let mut label = cell.told;
                label[kept..].fill(None);
                pools.entry(label).or_default().push(cell);
            }
            for (label, pool) in pools {
                if totals(pool.iter()).cards >= cards_min {
                    told.extend(pool.iter().map(|cell| (cell.told, label)));
                }
            }
        }
        told
    }

    proptest! {
        #[test]
        fn every_told_cell_has_enough_cards_and_nothing_is_lost(
            cells in cells(), cards_min in 0_u64..30,
        ) {
            let merged = merge(cells.clone(), cards_min);
            let all = totals(cells.iter());
            if all.cards < cards_min {
                prop_assert!(merged.is_empty());
                return Ok(());
            }
            prop_assert!(merged.iter().all(|cell| cell.figures.cards >= cards_min));
            prop_assert!(merged.is_sorted_by(|a, b| a.told < b.told));
            prop_assert_eq!(totals(merged.iter()), all);
        }

        #[test]
        fn cells_are_merged_to_the_finest_that_hold_enough(
            cells in cells(), cards_min in 0_u64..30,
        ) {
            prop_assume!(totals(cells.iter()).cards >= cards_min);
            let told = expected(&cells, cards_min);
            let mut expected = BTreeMap::<Told, Figures>::new();
            let rest: Vec<_> = cells.iter().filter(|cell| !told.contains_key(&cell.told)).collect();
            for cell in &cells {
                if let Some(label) = told.get(&cell.told) {
                    *expected.entry(*label).or_default() += cell.figures;
                }
            }
            if !rest.is_empty() {
                let smallest = expected.iter().min_by_key(|(told, it)| (it.cards, **told));
                let smallest = *smallest.unwrap().0;
                let mut others = expected.remove(&smallest).unwrap();
                rest.iter().for_each(|cell| others += cell.figures);
                expected.insert([None; ATTRIBUTES], others);
            }
            let merged = merge(cells, cards_min);
            let merged: BTreeMap<_, _> = merged.iter().map(|cell| (cell.told, cell.figures)).collect();
            prop_assert_eq!(merged, expected);
        }
    }

    #[test]
    fn cells_lose_their_last_attribute_first_and_what_is_left_takes_the_smallest_in() {
        let told = |merged: Vec<Cell>| {
            let told = merged.iter().map(|cell| (cell.told, cell.figures.cards));
            told.collect::<Vec<_>>()
        };
        let cells = vec![
            cell([Some(1), Some(1), Some(1)], 12),
            cell([Some(1), Some(1), Some(2)], 6),
            cell([Some(1), Some(1), Some(3)], 4),
            cell([Some(1), Some(2), Some(1)], 3),
            cell([Some(2), Some(1), Some(1)], 2),
        ];
        let expected = [
            ([None, None, None], 3 + 2 + 10),
            ([Some(1), Some(1), Some(1)], 12),
        ];
        assert_eq!(told(merge(cells.clone(), 10)), expected);
        assert_eq!(told(merge(cells.clone(), 28)), []);
        assert_eq!(told(merge(cells, 0)).len(), 5);
    }
}
