//! What the cards of stores' months do before and after, added up and merged until each cell hides its cards and
//! its merchants (docs/definitions.md, "Before and after").

use nightshard_format::{
    calendar::Month,
    privacy::OTHER_MERCHANTS_MIN,
    record::{BESIDE_LISTS, BesideRecord, LabelledCards},
    shard::Span,
};

use super::{
    before_after::BesideRow,
    hiding::Hiding,
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
    let mut lists: [Vec<LabelledCards<'a>>; BESIDE_LISTS] = Default::default();
    for of_list in rows.chunk_by(|(a, _), (b, _)| a.list == b.list) {
        let list = of_list[0].0.list as usize;
        let labels = rules.labels[list % rules.labels.len()];
        let cells = of_list.chunk_by(|(a, _), (b, _)| a.label == b.label);
        let cells = cells.map(|rows| Cell {
            told: LabelledCards {
                label: labels.label(rows[0].0.label),
                cards: rows.iter().map(|(_, cards)| cards).sum(),
            },
            part: rows,
        });
        lists[list] = merge(cells.collect(), |parts| {
            rules
                .hiding
                .is_none_or(|hiding| is_enough(parts, own, hiding))
        });
    }
    BesideRecord { lists }
}

/// Returns whether some labels together hide their cards and merchants, of whom `own` knows its part.
fn is_enough(labels: &[&[(BesideRow, u64)]], own: u32, hiding: Hiding) -> bool {
    let rows = labels.iter().copied().flatten();
    let others = rows.filter(|(row, _)| row.merchant != own);
    let mut others: Vec<(u32, u64)> = others.map(|(row, cards)| (row.merchant, *cards)).collect();
    others.sort_unstable();
    let of_merchants = others.chunk_by(|(a, _), (b, _)| a == b);
    let of_merchants = of_merchants.map(|rows| rows.iter().map(|(_, cards)| cards).sum::<u64>());
    let (mut merchants, mut cards, mut most) = (0_usize, 0_u64, 0);
    for of_merchant in of_merchants {
        merchants += 1;
        cards += of_merchant;
        most = most.max(of_merchant);
    }
    cards >= hiding.k && merchants >= OTHER_MERCHANTS_MIN.into() && most * 2 <= cards
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
            StoreLabels::categories(&places, &BTreeSet::new()),
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
            let merged = short.iter().sum::<u64>() + 15;
            assert_eq!(told(&rows, 10), cells(&[("merged", merged)]), "{short:?}");
        }
        // One merchant that has most of all that is merged: nothing is told.
        let rows: Vec<_> = five(1, [90, 1, 1, 1, 1]).chain(five(2, [3; 5])).collect();
        assert_eq!(told(&rows, 10), []);
        // What is short by itself is enough together.
        let rows: Vec<_> = five(0, [4, 4, 0, 0, 0])
            .chain(five(1, [0, 0, 4, 4, 4]))
            .collect();
        assert_eq!(told(&rows, 10), cells(&[("merged", 20)]));
        // Those at stores of the same merchant hide nobody.
        let rows: Vec<_> = five(1, [2, 2, 2, 2, 1]).chain([(1, 9, 5)]).collect();
        assert_eq!(told(&rows, 10), []);
        assert_eq!(told(&rows, 1), cells(&[("a", 14)]));
        assert_eq!(told(&[(0, 3, 1)], 1), cells(&[("unknown", 1)]));
    }
}
