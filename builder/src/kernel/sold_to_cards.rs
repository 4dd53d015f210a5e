//! What the cards of one partition bought for in each month, by where that was.

use super::{
    card_order::{ByCard, CardOrder},
    places::Places,
    row::{CARD_SHIFT, CardRow, CardVisit},
    spend_row::SpendRow,
};
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

/// What is sent by card, partition by partition alike.
#[derive(Debug, Clone, Copy)]
pub struct SentByCard<'a> {
    /// The days of cards at stores.
    pub days: &'a Exchanged<CardRow>,
    /// What they bought for in months, where somebody asks.
    pub sold: Option<&'a Exchanged<SpendRow>>,
}

impl SentByCard<'_> {
    /// Gives the memory and the scratch space of a partition back.
    pub fn give_back(self, partition: u16) {
        self.days.give_back(partition);
        if let Some(sold) = self.sold {
            sold.give_back(partition);
        }
    }
}

/// What cards bought for, in the order of cards. Its memory serves one partition after the other.
#[derive(Debug, Default)]
pub(super) struct SoldToCards {
    rows: Vec<SpendRow>,
    order: CardOrder<SpendRow>,
    /// How many rows were left when they were added up last.
    added_up: usize,
    limit: usize,
    /// The first row of the next card.
    next: usize,
}

impl SoldToCards {
    /// Takes the rows of a partition, which stay there, keeping in memory about `budget_bytes`, or four times the
    /// distinct months of its cards in leaves where that is more.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder cannot be read.
    pub(super) fn load(
        &mut self,
        sold: Option<&Exchanged<SpendRow>>,
        partition: u16,
        budget_bytes: usize,
        places: &Places,
    ) -> Result<()> {
        self.rows.clear();
        self.added_up = 0;
        self.next = 0;
        // What is sorted is there twice.
        self.limit = budget_bytes / (2 * size_of::<SpendRow>());
        if let Some(sold) = sold {
            sold.visit(partition, &mut Loading { sold: self, places })?;
            self.add_up();
        }
        Ok(())
    }

    /// Returns the rows of the card of a visit, by month and leaf; cards must be asked for in their order.
    pub(super) fn of_card(&mut self, visit: CardVisit) -> &[SpendRow] {
        let wanted = visit.bits() >> CARD_SHIFT;
        let card = |row: &SpendRow| row.bits() >> CARD_SHIFT;
        let rest = self.rows[self.next..].iter();
        let start = self.next + rest.take_while(|row| card(row) < wanted).count();
        let rest = self.rows[start..].iter();
        self.next = start + rest.take_while(|row| card(row) == wanted).count();
        &self.rows[start..self.next]
    }

    fn add_up(&mut self) {
        self.order.sort(&mut self.rows);
        self.rows.dedup_by(|next, kept| kept.add_same(*next));
        self.added_up = self.rows.len();
    }
}

/// Gathers rows by leaf, adding them up whenever many have come.
struct Loading<'a> {
    sold: &'a mut SoldToCards,
    places: &'a Places,
}

impl Visitor<SpendRow> for Loading<'_> {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[SpendRow]) -> Result<()> {
        let Self { sold, places } = self;
        if sold.rows.len() >= sold.limit.max(sold.added_up * 2) {
            sold.add_up();
        }
        let of_leaf = |row: &SpendRow| row.with_number(places.leaf_of(row.store()));
        sold.rows.extend(rows.iter().map(of_leaf));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::calendar::Month;

    use super::*;
    use crate::{
        exchange::{Outbox, Scratch},
        kernel::row::{CardDay, StoreOrdinal},
    };

    #[test]
    fn what_a_card_bought_in_one_leaf_is_added_up_and_comes_with_its_visits() {
        let store = |index| StoreOrdinal::new(0, index).unwrap();
        // The first two stores are one leaf.
        let places = [("food", 0), ("food", 1), ("fuel", 2)];
        let places = places.map(|(category, index)| (store(index), None, Some(category)));
        let places = Places::of(places, None).unwrap();
        let [food, fuel] = [0, 2].map(|index| places.leaf_of(store(index)));
        let scratch = Scratch::new(&std::env::temp_dir());
        let mut outbox = Outbox::new(1, 1 << 20, &scratch);
        let card = |number: u128| number << 100;
        let (march, april) = (Month::new(2018, 3).unwrap(), Month::new(2018, 4).unwrap());
        for (number, month, at, sum) in [
            (5, march, 1, 20),
            (2, march, 0, 7),
            (5, april, 0, 1),
            (5, march, 0, 3),
            (5, march, 2, 40),
            (9, march, 2, 6),
        ] {
            let row = SpendRow::new(card(number) >> CARD_SHIFT, month, store(at), sum);
            outbox.push(0, row).unwrap();
        }
        let sold = Exchanged::new(vec![outbox]).unwrap();
        let mut found = SoldToCards::default();
        for budget in [0, 1 << 20] {
            found.load(Some(&sold), 0, budget, &places).unwrap();
            let mut of = |number| {
                let visit = CardRow::new(CardDay::new(card(number), 9, true), store(0));
                let rows = found.of_card(CardVisit::at_store(visit)).iter();
                let mut rows: Vec<_> = rows
                    .map(|row| (row.month(), row.place(), row.sum()))
                    .collect();
                rows.sort_unstable();
                rows
            };
            assert_eq!(of(2), [(march, food, 7)]);
            // Of a card that has only refunds there is nothing.
            assert!(of(3).is_empty());
            let mut expected = [(march, food, 23), (march, fuel, 40), (april, food, 1)];
            expected.sort_unstable();
            assert_eq!(of(5), expected);
            assert_eq!(of(9), [(march, fuel, 6)]);
        }
        found.load(None, 0, 1 << 20, &places).unwrap();
        let visit = CardRow::new(CardDay::new(card(5), 9, true), store(0));
        assert!(found.of_card(CardVisit::at_store(visit)).is_empty());
    }
}
