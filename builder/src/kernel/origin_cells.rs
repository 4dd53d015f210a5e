//! The origins of the cards of stores' months, added up and merged until each hides its cards
//! (docs/definitions.md, "Origins").

use nightshard_format::{
    record::{LabelledCards, encode_origins},
    shard::Span,
};

use super::{
    merged_labels::{Cell, RecordsOfStores, count, merge},
    origins::OriginRow,
    store_days::EncodedRecords,
    store_labels::StoreLabels,
};
use crate::{Result, exchange::Exchanged};

/// Encodes the origins of a partition's stores in cells of `cards_min` cards, keeping about `budget_bytes` of its
/// rows in memory.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn encode(
    exchanged: &Exchanged<OriginRow>,
    partition: u16,
    budget_bytes: usize,
    regions: &StoreLabels<'_>,
    cards_min: u64,
) -> Result<RecordsOfStores> {
    let cards = count(exchanged, partition, budget_bytes)?;
    let mut out = RecordsOfStores::default();
    for of_store in cards.chunk_by(|(a, _), (b, _)| a.store() == b.store()) {
        for of_month in of_store.chunk_by(|(a, _), (b, _)| a.is_same_month(*b)) {
            let cells = of_month.iter().map(|(row, cards)| Cell {
                told: LabelledCards {
                    label: regions.label(row.region()),
                    cards: *cards,
                },
                part: *cards,
            });
            let told = merge(cells.collect(), |cards| {
                cards.iter().sum::<u64>() >= cards_min
            });
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

#[cfg(test)]
mod tests {
    use nightshard_format::{
        calendar::Month,
        record::{Label, OriginsRecord},
    };

    use super::*;
    use crate::{
        exchange::{Outbox, Scratch},
        kernel::{places::Places, row::StoreOrdinal},
    };

    #[test]
    fn records_are_of_stores_and_months_in_order_however_little_memory_there_is() {
        let store = |number| StoreOrdinal::new(0, number).unwrap();
        let stores = (0..).zip(["a", "b"]);
        let places = stores.map(|(number, id)| (store(number), Some(id), None));
        let places = Places::of(places, None).unwrap();
        let regions = StoreLabels::regions(&places);
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
            let RecordsOfStores { records, stores } =
                encode(&sent, 0, budget, &regions, 2).unwrap();
            assert_eq!(stores, [(store(0), 2), (store(1), 3)]);
            let mut start = 0;
            let mut found = Vec::new();
            for (span, end) in &records.spans {
                let record = OriginsRecord::parse(&records.values[start..*end]).unwrap();
                let cells = record.cells.iter().map(|cell| (cell.label, cell.cards));
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
