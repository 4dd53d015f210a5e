//! What the cards of stores' months spend in all stores of their kind, added up, and what may be told of it
//! (docs/definitions.md, "Share of observed spend").

use nightshard_format::{record::SpendShare, shard::Span};

use super::{
    hiding::Hiding,
    merged_labels::RecordsOfStores,
    spend_row::{OWN, ShareRow},
    store_cells::StoreCells,
    store_days::EncodedRecords,
};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

/// Encodes the records of a partition's stores, of what is told where `hiding` is what hides it, keeping in memory about
/// `budget_bytes` of its rows, or twice what these add up to where that is more.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn encode(
    exchanged: &Exchanged<ShareRow>,
    partition: u16,
    budget_bytes: usize,
    cells: &StoreCells,
    hiding: Option<Hiding>,
) -> Result<RecordsOfStores> {
    let mut sums = Sums {
        rows: Vec::new(),
        added_up: 0,
        limit: budget_bytes / size_of::<ShareRow>(),
    };
    exchanged.take(partition, &mut sums)?;
    sums.add_up();
    let mut out = RecordsOfStores::default();
    for of_store in sums.rows.chunk_by(|a, b| a.store() == b.store()) {
        let store = of_store[0].store();
        let own = cells.merchant_of(store);
        for of_month in of_store.chunk_by(|a, b| a.month() == b.month()) {
            if let Some(share) = told(of_month, own, hiding) {
                let EncodedRecords { values, spans } = &mut out.records;
                share.encode(values);
                spans.push((Span::Month(of_month[0].month()), values.len()));
            }
        }
        out.stores.push((store, out.records.spans.len()));
    }
    Ok(out)
}

/// Returns what the rows of a month, by merchant, tell of a store of the merchant `own`, if they may.
fn told(rows: &[ShareRow], own: u32, hiding: Option<Hiding>) -> Option<SpendShare> {
    let of_store = rows.iter().filter(|row| row.merchant() == OWN);
    let cards = of_store.clone().map(ShareRow::cards).sum();
    let by_merchant = rows.chunk_by(|a, b| a.merchant() == b.merchant());
    let others = by_merchant.filter(|of| ![own, OWN].contains(&of[0].merchant()));
    let others = others.map(|of| of.iter().map(ShareRow::sum).sum());
    let is_told = hiding.is_none_or(|hiding| hiding.hides_sums(cards, others));
    is_told.then(|| SpendShare {
        own: of_store.map(ShareRow::sum).sum(),
        cell: rows.iter().map(ShareRow::sum).sum(),
    })
}

/// Rows that are added up whenever many have come.
struct Sums {
    rows: Vec<ShareRow>,
    added_up: usize,
    limit: usize,
}

impl Sums {
    fn add_up(&mut self) {
        self.rows.sort_unstable_by_key(ShareRow::key);
        self.rows
            .dedup_by(|next, kept| next.key() == kept.key() && kept.absorb(next));
        self.added_up = self.rows.len();
    }
}

impl Visitor<ShareRow> for Sums {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[ShareRow]) -> Result<()> {
        if self.rows.len() >= self.limit.max(self.added_up * 2) {
            self.add_up();
        }
        self.rows.extend_from_slice(rows);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::calendar::{Day, Month};

    use super::*;
    use crate::{
        exchange::{Outbox, Scratch},
        kernel::row::StoreOrdinal,
    };

    /// A month, and its share, of a store.
    type Told = (usize, Month, SpendShare);

    fn store(number: usize) -> StoreOrdinal {
        StoreOrdinal::new(0, number).unwrap()
    }

    fn march() -> Month {
        Day(70).month()
    }

    /// Returns what is told of two stores of merchant 9, by rows of store, months after March, merchant, cards and sum.
    fn told(rows: &[(usize, i32, u32, u32, i128)], k: u64, budget: usize) -> Vec<Told> {
        let stores = [0, 1].map(|number| (store(number), 9, Some(("leeds", "food"))));
        let cells = StoreCells::of(stores, 1);
        let mut outbox = Outbox::new(1, 1 << 20, &Scratch::new(&std::env::temp_dir()));
        for (at, later, merchant, cards, sum) in rows {
            let month = Month(march().0 + later);
            let row = ShareRow::new((store(*at), month), *merchant, *cards, *sum);
            outbox.push(0, row).unwrap();
        }
        let sent = Exchanged::new(vec![outbox]).unwrap();
        let hiding = (k > 1).then_some(Hiding { k });
        let RecordsOfStores { records, stores } = encode(&sent, 0, budget, &cells, hiding).unwrap();
        let (mut found, mut written, mut start) = (Vec::new(), 0, 0);
        for (at, end_records) in stores {
            for (span, end) in &records.spans[written..end_records] {
                let share = SpendShare::parse(&records.values[start..*end]).unwrap();
                let Span::Month(month) = span else {
                    panic!("{span}")
                };
                found.push((at.parts().1, *month, share));
                start = *end;
            }
            written = end_records;
        }
        found
    }

    #[test]
    fn sums_are_of_stores_and_months_however_little_memory_there_is() {
        let rows = [
            (1, 0, OWN, 1, 5),
            (0, 1, OWN, 0, -3),
            (1, 0, 4, 0, 20),
            // Another store of the same merchant is of the cell, too.
            (1, 0, 9, 0, 7),
            (0, 0, OWN, 0, 8),
            (1, 0, OWN, 0, 6),
            (1, 0, 4, 0, -2),
            (1, 0, 5, 0, i128::from(i64::MAX)),
            (1, 0, 5, 0, 1),
        ];
        let april = Month(march().0 + 1);
        let expected = [
            (0, march(), SpendShare { own: 8, cell: 8 }),
            (0, april, SpendShare { own: -3, cell: -3 }),
            (
                1,
                march(),
                SpendShare {
                    own: 11,
                    cell: (1 << 63) + 36,
                },
            ),
        ];
        for budget in [1 << 20, 1] {
            assert_eq!(told(&rows, 1, budget), expected, "{budget}");
        }
    }

    #[test]
    fn a_month_is_told_of_k_cards_and_five_other_merchants() {
        let others = |count: u32| (1..=count).map(|merchant| (0, 0, merchant, 0, 20));
        let of = |cards: u32, others: Vec<(usize, i32, u32, u32, i128)>| {
            let own = (0..cards).map(|_| (0, 0, OWN, 1, 3));
            let rows: Vec<_> = own.chain(others).collect();
            told(&rows, 10, 64)
        };
        let cell = |own, cell| vec![(0, march(), SpendShare { own, cell })];
        assert_eq!(of(10, others(5).collect()), cell(30, 130));
        assert_eq!(of(9, others(5).collect()), []);
        assert_eq!(of(10, others(4).collect()), []);
        // Those of the store's own merchant hide nobody.
        let own = |sum| (0, 0, 9, 0, sum);
        assert_eq!(of(10, others(4).chain([own(20)]).collect()), []);
        assert_eq!(
            of(10, others(5).chain([own(900)]).collect()),
            cell(30, 1_030)
        );
        let large = |sum| (0, 0, 6, 0, sum);
        assert_eq!(
            of(10, others(5).chain([large(100)]).collect()),
            cell(30, 230)
        );
        assert_eq!(of(10, others(5).chain([large(101)]).collect()), []);
        assert_eq!(of(10, others(5).chain([large(-60)]).collect()), []);
    }
}
