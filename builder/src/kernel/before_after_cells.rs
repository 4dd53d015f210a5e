//! What the cards of stores' months do before and after, added up and merged until each cell hides its cards and
//! its merchants (docs/definitions.md, "Before and after").

use nightshard_format::{
    calendar::Month,
    record::{BESIDE_LISTS, BesideRecord, LabelledCards},
    shard::Span,
};

use super::{
    before_after::BesideRow,
    hiding::{Hiding, OTHERS_MIN},
    merged_labels::{Cell, RecordsOfStores, count, merge},
    row::StoreOrdinal,
    store_labels::StoreLabels,
};
use crate::{Result, exchange::Exchanged};

/// What the cells of a partition are made by.
#[derive(Debug, Clone, Copy)]
pub struct BesideRules<'a> {
    /// Regions and categories.
    pub labels: [&'a StoreLabels<'a>; 2],
    /// What is hidden, unless nothing is.
    pub hiding: Option<Hiding>,
}

/// Encodes the records of a partition's stores, keeping about `budget_bytes` of its rows in memory; `merchant_of`
/// names whose a store is.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn encode(
    exchanged: &Exchanged<BesideRow>,
    partition: u16,
    budget_bytes: usize,
    rules: BesideRules<'_>,
    merchant_of: impl Fn(StoreOrdinal) -> u32,
) -> Result<RecordsOfStores> {
    let cards = count(exchanged, partition, budget_bytes)?;
    let mut out = RecordsOfStores::default();
    for of_store in cards.chunk_by(|(a, _), (b, _)| a.store == b.store) {
        let store = StoreOrdinal::of_bits(of_store[0].0.store);
        let own = merchant_of(store);
        for of_month in of_store.chunk_by(|(a, _), (b, _)| a.month == b.month) {
            let record = record_of(of_month, own, rules);
            if record.lists.iter().any(|list| !list.is_empty()) {
                let month = Month(i32::try_from(of_month[0].0.month).unwrap_or(0));
                record.encode(&mut out.records.values);
                let end = out.records.values.len();
                out.records.spans.push((Span::Month(month), end));
            }
        }
        out.stores.push((store, out.records.spans.len()));
    }
    Ok(out)
}

/// Returns what is told of a month of a store of the merchant `own`.
fn record_of<'a>(rows: &[(BesideRow, u64)], own: u32, rules: BesideRules<'a>) -> BesideRecord<'a> {
    let cards_min = rules.hiding.map_or(0, |hiding| hiding.k);
    let mut lists: [Vec<LabelledCards<'a>>; BESIDE_LISTS] = Default::default();
    for of_list in rows.chunk_by(|(a, _), (b, _)| a.list == b.list) {
        let list = of_list[0].0.list as usize;
        let labels = rules.labels[list % rules.labels.len()];
        let cells = of_list.chunk_by(|(a, _), (b, _)| a.label == b.label);
        let cells = cells.map(|rows| cell_of(labels, rows, own, rules.hiding));
        lists[list] = merge(cells.collect(), cards_min);
    }
    BesideRecord { lists }
}

/// Adds up the rows of a label, of which those at the merchant `own` are known to it.
fn cell_of<'a>(
    labels: &'a StoreLabels<'a>,
    rows: &[(BesideRow, u64)],
    own: u32,
    hiding: Option<Hiding>,
) -> Cell<'a> {
    let others = rows.iter().filter(|(row, _)| row.merchant != own);
    let others = others.map(|(_, cards)| *cards);
    let hides: u64 = others.clone().sum();
    let most = others.clone().max().unwrap_or(0);
    let is_enough = |hiding: Hiding| {
        hides >= hiding.k && others.clone().count() >= OTHERS_MIN && most * 2 <= hides
    };
    Cell {
        told: LabelledCards {
            label: labels.label(rows[0].0.label),
            cards: rows.iter().map(|(_, cards)| cards).sum(),
        },
        hiding: hides,
        is_enough: hiding.is_none_or(is_enough),
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::record::Label;

    use super::*;
    use crate::{
        exchange::{Outbox, Scratch},
        kernel::places::Places,
    };

    /// Returns the regions after at a store of merchant 9, by rows of label, merchant and cards.
    fn told(rows: &[(u32, u32, u64)], k: u64) -> Vec<(String, u64)> {
        let store = |number| StoreOrdinal::new(0, number).unwrap();
        let stores = (0..).zip(["a", "b"]);
        let places = stores.map(|(number, id)| (store(number), Some(id), None));
        let places = Places::of(places, None).unwrap();
        let labels = [
            StoreLabels::regions(&places),
            StoreLabels::categories(&places),
        ];
        let [regions, categories] = &labels;
        let rules = BesideRules {
            labels: [regions, categories],
            hiding: (k > 1).then_some(Hiding { k }),
        };
        let march = Month::new(2018, 3).unwrap();
        let mut outbox = Outbox::new(1, 1 << 20, &Scratch::new(&std::env::temp_dir()));
        for (label, merchant, cards) in rows {
            for _ in 0..*cards {
                let row = BesideRow {
                    store: store(0).bits(),
                    month: march.0.unsigned_abs(),
                    list: 2,
                    label: *label,
                    merchant: *merchant,
                };
                outbox.push(0, row).unwrap();
            }
        }
        let sent = Exchanged::new(vec![outbox]).unwrap();
        let encoded = encode(&sent, 0, 64, rules, |_store| 9).unwrap();
        assert_eq!(encoded.stores, [(store(0), encoded.records.spans.len())]);
        let [(span, end)] = encoded.records.spans[..] else {
            return Vec::new();
        };
        assert_eq!(span, Span::Month(march));
        let record = BesideRecord::parse(&encoded.records.values[..end]).unwrap();
        assert!([0, 1, 3].iter().all(|list| record.lists[*list].is_empty()));
        let cells = record.lists[2].iter().map(|cell| {
            let label = match cell.label {
                Label::Merged => "merged".into(),
                Label::Unknown => "unknown".into(),
                Label::Text(id) => String::from_utf8(id.to_vec()).unwrap(),
            };
            (label, cell.cards)
        });
        cells.collect()
    }

    fn cells(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        let cells = expected
            .iter()
            .map(|(label, cards)| ((*label).into(), *cards));
        cells.collect()
    }

    #[test]
    fn a_label_is_told_of_k_cards_at_five_other_merchants_none_above_half() {
        let five = |label, cards: [u64; 5]| {
            let merchants = (1..).zip(cards);
            merchants.map(move |(merchant, cards)| (label, merchant, cards))
        };
        let rows: Vec<_> = five(1, [2; 5]).chain(five(2, [3; 5])).collect();
        assert_eq!(told(&rows, 10), cells(&[("a", 10), ("b", 15)]));
        // Too few cards, one merchant of most, and one too few: what is merged takes the other in.
        for short in [[2, 2, 2, 2, 1], [6, 1, 1, 1, 1], [5, 5, 5, 5, 0]] {
            let rows: Vec<_> = five(1, short).chain(five(2, [3; 5])).collect();
            let cards = short.iter().sum();
            let expected = match cards {
                9 => cells(&[("merged", 24)]),
                _ => cells(&[("merged", cards), ("b", 15)]),
            };
            assert_eq!(told(&rows, 10), expected, "{short:?}");
        }
        // Those at stores of the same merchant hide nobody.
        let rows: Vec<_> = five(1, [2, 2, 2, 2, 1]).chain([(1, 9, 5)]).collect();
        assert_eq!(told(&rows, 10), []);
        assert_eq!(told(&rows, 1), cells(&[("a", 14)]));
        assert_eq!(told(&[(0, 3, 1)], 1), cells(&[("unknown", 1)]));
    }
}
