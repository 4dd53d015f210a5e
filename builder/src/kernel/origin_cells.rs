//! The origins of the cards of stores' months, added up and merged until each hides its cards
//! (docs/definitions.md, "Origins").

use std::collections::BTreeMap;

use nightshard_format::{
    record::{Label, OriginCell, encode_origins},
    shard::Span,
};

use super::{
    origins::{OriginRow, StoreRegions},
    row::StoreOrdinal,
    store_days::EncodedRecords,
};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

/// The records of one partition of stores.
#[derive(Debug, Default)]
pub struct StoreOrigins {
    /// Of one store after the other.
    pub records: EncodedRecords,
    /// The stores, ascending, and where the records of each end.
    pub stores: Vec<(StoreOrdinal, usize)>,
}

/// Encodes the origins of a partition's stores in cells of `cards_min` cards, keeping about `budget_bytes` of its
/// rows in memory.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn encode(
    exchanged: &Exchanged<OriginRow>,
    partition: u16,
    budget_bytes: usize,
    regions: &StoreRegions<'_>,
    cards_min: u64,
) -> Result<StoreOrigins> {
    let mut counted = Counted {
        rows: Vec::new(),
        limit: budget_bytes / size_of::<OriginRow>(),
        cards: BTreeMap::new(),
    };
    exchanged.take(partition, &mut counted)?;
    counted.count();
    let cards: Vec<(OriginRow, u64)> = counted.cards.into_iter().collect();
    let mut out = StoreOrigins::default();
    for of_store in cards.chunk_by(|(a, _), (b, _)| a.store() == b.store()) {
        for of_month in of_store.chunk_by(|(a, _), (b, _)| a.is_same_month(*b)) {
            let cells = of_month.iter().map(|(row, cards)| OriginCell {
                region: regions.label(row.region()),
                cards: *cards,
            });
            let told = merge(cells.collect(), cards_min);
            if !told.is_empty() {
                let EncodedRecords { values, spans } = &mut out.records;
                encode_origins(&told, values);
                spans.push((Span::Month(of_month[0].0.month()), values.len()));
            }
        }
        out.stores
            .push((of_store[0].0.store(), out.records.spans.len()));
    }
    Ok(out)
}

/// Rows that are counted whenever many have come.
struct Counted {
    rows: Vec<OriginRow>,
    limit: usize,
    cards: BTreeMap<OriginRow, u64>,
}

impl Counted {
    fn count(&mut self) {
        self.rows.sort_unstable();
        for equal in self.rows.chunk_by(|a, b| a == b) {
            *self.cards.entry(equal[0]).or_default() += equal.len() as u64;
        }
        self.rows.clear();
    }
}

impl Visitor<OriginRow> for Counted {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[OriginRow]) -> Result<()> {
        self.rows.extend_from_slice(rows);
        if self.rows.len() >= self.limit {
            self.count();
        }
        Ok(())
    }
}

/// Merges the cells, which ascend, that have fewer than `cards_min` cards, and returns all in order; none if all
/// together have fewer.
///
/// If those that are short stay so together, they take the smallest of the others in: no region would be true of
/// both.
fn merge(cells: Vec<OriginCell<'_>>, cards_min: u64) -> Vec<OriginCell<'_>> {
    let enough = |cell: &OriginCell<'_>| cell.cards >= cards_min;
    let (mut told, short): (Vec<_>, Vec<_>) = cells.into_iter().partition(enough);
    if short.is_empty() {
        return told;
    }
    let mut cards: u64 = short.iter().map(|cell| cell.cards).sum();
    if cards < cards_min {
        let sizes = told.iter().enumerate();
        let smallest = sizes.min_by_key(|(_, cell)| (cell.cards, cell.region));
        let Some((at, _)) = smallest else {
            return Vec::new();
        };
        cards += told.remove(at).cards;
    }
    // It comes before what is unknown, and that before regions.
    let merged = OriginCell {
        region: Label::Merged,
        cards,
    };
    told.insert(0, merged);
    told
}

#[cfg(test)]
mod tests {
    use nightshard_format::{calendar::Month, record::OriginsRecord};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::{Outbox, Scratch},
        kernel::places::Places,
    };

    const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

    /// Cells of so many cards: the first of what is unknown, then of regions; none where there are none.
    fn cells(cards: &[u64]) -> Vec<OriginCell<'static>> {
        let labels =
            std::iter::once(Label::Unknown).chain(IDS.iter().map(|id| Label::Text(id.as_bytes())));
        let cells = labels.zip(cards).filter(|(_, cards)| **cards > 0);
        let cells = cells.map(|(region, cards)| OriginCell {
            region,
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
            let merged = merge(given.clone(), cards_min);
            let all: u64 = merged.iter().map(|cell| cell.cards).sum();
            prop_assert_eq!(all, if total < cards_min { 0 } else { total });
            prop_assert!(merged.iter().all(|cell| cell.cards >= cards_min));
            prop_assert!(merged.is_sorted_by(|a, b| a.region < b.region));
            let as_given = |cell: &&OriginCell<'_>| given.contains(*cell);
            let kept = merged.iter().filter(as_given).count();
            let enough = given.iter().filter(|cell| cell.cards >= cards_min).count();
            // Of those that are enough at most one is given up, and only to one that is merged.
            prop_assert!(total < cards_min || kept == enough || kept + 1 == enough);
            prop_assert!(merged.len() - kept <= 1);
        }
    }

    #[test]
    fn what_is_short_together_takes_the_smallest_in() {
        let told = |cards: &[u64], cards_min| {
            let merged = merge(cells(cards), cards_min).into_iter();
            let merged = merged.map(|cell| match cell.region {
                Label::Merged => ("merged", cell.cards),
                Label::Unknown => ("unknown", cell.cards),
                Label::Text(id) => (std::str::from_utf8(id).unwrap(), cell.cards),
            });
            merged.collect::<Vec<_>>()
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

    #[test]
    fn records_are_of_stores_and_months_in_order_however_little_memory_there_is() {
        let store = |number| StoreOrdinal::new(0, number).unwrap();
        let stores = (0..).zip(&IDS[..2]);
        let places = stores.map(|(number, id)| (store(number), Some(*id), None));
        let places = Places::of(places).unwrap();
        let regions = StoreRegions::of(&places);
        let march = Month::new(2018, 3).unwrap();
        let april = Month(march.0 + 1);
        for budget in [1 << 20, 1] {
            let mut outbox = Outbox::new(1, 1 << 20, &Scratch::new(&std::env::temp_dir()));
            for (number, month, region, cards) in [
                (1, march, 2, 3),
                (0, april, 0, 2),
                (1, march, 1, 2),
                (0, march, 2, 2),
                (1, april, 1, 1),
                (1, march, 2, 1),
            ] {
                for _ in 0..cards {
                    let row = OriginRow::new(store(number), month, region);
                    outbox.push(0, row).unwrap();
                }
            }
            let sent = Exchanged::new(vec![outbox]).unwrap();
            let StoreOrigins { records, stores } = encode(&sent, 0, budget, &regions, 2).unwrap();
            assert_eq!(stores, [(store(0), 2), (store(1), 3)]);
            let mut start = 0;
            let mut found = Vec::new();
            for (span, end) in &records.spans {
                let record = OriginsRecord::parse(&records.values[start..*end]).unwrap();
                let cells = record.cells.iter().map(|cell| (cell.region, cell.cards));
                found.push((*span, cells.collect::<Vec<_>>()));
                start = *end;
            }
            let [a, b] = [Label::Text(&b"a"[..]), Label::Text(&b"b"[..])];
            let expected = [
                (Span::Month(march), vec![(b, 2)]),
                (Span::Month(april), vec![(Label::Unknown, 2)]),
                (Span::Month(march), vec![(a, 2), (b, 4)]),
            ];
            assert_eq!(found, expected);
        }
    }
}
