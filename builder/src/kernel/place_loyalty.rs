//! One partition of cards to what takes each card of a place as a whole, which comes together in an exchange by place.

use nightshard_format::{
    calendar::{Day, Month},
    histogram::{AMOUNT_MINOR_MAX, Cell},
    record::{CardSales, visit_class},
    regular::RegularRule,
};

use super::{
    card_partition::CardSink,
    card_periods::{Came, PeriodNumber, PeriodsOfCards, count_card},
    card_visits::Visit,
    loyal_places::LoyalPlaces,
    loyalty_row::{InCommon, LoyaltyRow},
    places::Places,
    row::CardVisit,
    spend_row::SpendRow,
    store_days::EncodedRecords,
    store_loyalty::StoreLoyalty,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox, Visitor},
};

/// Finds out what each card did in places, taken as a whole, and sends it on.
pub struct PlaceLoyalty<'a> {
    places: &'a Places,
    told: &'a LoyalPlaces,
    rule: RegularRule,
    /// The places and days of the card's visits.
    days: Vec<(u32, Day)>,
    /// What it bought for in months, by place.
    sold: Vec<(u32, Month, u128)>,
    visits: Vec<Visit>,
    counts: Counts,
}

impl<'a> PlaceLoyalty<'a> {
    /// Sends to `outbox`, which has a partition for each of those of `told`, what was added up in about
    /// `budget_bytes`.
    #[must_use]
    pub fn new(
        (places, told): (&'a Places, &'a LoyalPlaces),
        rule: RegularRule,
        outbox: Outbox<LoyaltyRow>,
        budget_bytes: usize,
    ) -> Self {
        Self {
            places,
            told,
            rule,
            days: Vec::new(),
            sold: Vec::new(),
            visits: Vec::new(),
            counts: Counts {
                rows: Vec::new(),
                limit: (budget_bytes / size_of::<LoyaltyRow>()).max(1),
                outbox,
            },
        }
    }

    /// Ends, and returns what was sent.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    pub fn finish(mut self) -> Result<Outbox<LoyaltyRow>> {
        self.counts.add_up();
        self.counts.send(self.told)?;
        Ok(self.counts.outbox)
    }

    /// Finds in which places the card has visits on which days, and what it bought for in which months.
    fn gather(&mut self, visits: &[CardVisit], sold: &[SpendRow]) {
        let Self { places, told, .. } = *self;
        self.days.clear();
        for visit in visits.iter().filter(|visit| visit.is_sale()) {
            let numbers = told.of_leaf(places, visit.leaf());
            self.days
                .extend(numbers.map(|number| (number, Day(visit.day()))));
        }
        self.days.sort_unstable();
        self.days.dedup();
        self.sold.clear();
        for row in sold {
            let numbers = told.of_leaf(places, row.place());
            let sum = row.sum().unsigned_abs();
            self.sold
                .extend(numbers.map(|number| (number, row.month(), sum)));
        }
        self.sold.sort_unstable();
    }
}

impl CardSink for PlaceLoyalty<'_> {
    fn card(&mut self, visits: &[CardVisit], sold: &[SpendRow]) -> Result<()> {
        self.gather(visits, sold);
        for of_place in self.days.chunk_by(|a, b| a.0 == b.0) {
            let place = of_place[0].0;
            self.visits.clear();
            for (_, day) in of_place {
                let month = day.month();
                // Periods are whole months: which visit of the month has its sales is the same to all.
                let is_first = self.visits.last().is_none_or(|it| it.month != month);
                self.visits.push(Visit {
                    day: *day,
                    month,
                    sales: if is_first {
                        sold_in(&self.sold, place, month)
                    } else {
                        0
                    },
                });
            }
            let rows = &mut self.counts.rows;
            count_card(&self.visits, self.rule, &mut OfPlace { place, rows });
        }
        self.counts.send_if_many(self.told)
    }
}

/// Returns what a card bought for at a place in a month, of sums in order.
fn sold_in(sold: &[(u32, Month, u128)], place: u32, month: Month) -> u128 {
    let start = sold.partition_point(|(at, of, _)| (*at, *of) < (place, month));
    let of_month = sold[start..].iter();
    let of_month = of_month.take_while(|(at, of, _)| (*at, *of) == (place, month));
    of_month.map(|(_, _, sum)| sum).sum()
}

/// Counts one card in one place.
struct OfPlace<'a> {
    place: u32,
    rows: &'a mut Vec<LoyaltyRow>,
}

impl PeriodsOfCards for OfPlace<'_> {
    fn came(&mut self, period: PeriodNumber, came: Came) {
        if !period.has_quintiles() {
            let class = visit_class(came.visits);
            let row = LoyaltyRow::of_class(self.place, period, class, came.last);
            return self.rows.push(row);
        }
        let of = CardSales {
            cards: 1,
            sales: came.sales,
        };
        let amount = i64::try_from(came.sales).unwrap_or(i64::MAX);
        for in_common in [
            InCommon::Visits(came.last, came.visits),
            InCommon::Money(Cell::of(amount.min(AMOUNT_MINOR_MAX))),
        ] {
            self.rows
                .push(LoyaltyRow::new(self.place, period, in_common, of));
        }
    }

    fn is_regular(&mut self, period: PeriodNumber, until: Day, sales: u128) {
        let in_common = InCommon::RegularUntil(until);
        let of = CardSales { cards: 1, sales };
        self.rows
            .push(LoyaltyRow::new(self.place, period, in_common, of));
    }
}

/// What was counted and is not sent yet.
///
/// # Complexity
/// Cards that have the same in common are sent together as far as they meet here: many cards of few places come down
/// to the few values that they have.
struct Counts {
    rows: Vec<LoyaltyRow>,
    limit: usize,
    outbox: Outbox<LoyaltyRow>,
}

impl Counts {
    fn add_up(&mut self) {
        self.rows.sort_unstable();
        self.rows.dedup_by(|next, kept| kept.add_same(*next));
    }

    fn send_if_many(&mut self, told: &LoyalPlaces) -> Result<()> {
        if self.rows.len() < self.limit {
            return Ok(());
        }
        self.add_up();
        // Where half of the memory is free again, more cards may meet.
        if self.rows.len() > self.limit / 2 {
            self.send(told)?;
        }
        Ok(())
    }

    fn send(&mut self, told: &LoyalPlaces) -> Result<()> {
        for row in self.rows.drain(..) {
            self.outbox.push(told.partition_of(row.place()), row)?;
        }
        self.outbox.spill_if_full()?;
        Ok(())
    }
}

/// What was counted in the places of one partition.
#[derive(Debug)]
pub struct LoyaltyOfPlaces {
    /// The number of the first place.
    pub first: usize,
    /// By place.
    counts: Vec<StoreLoyalty>,
}

/// Takes one partition of the exchange.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn take(
    exchanged: &Exchanged<LoyaltyRow>,
    partition: u16,
    told: &LoyalPlaces,
    rule: RegularRule,
) -> Result<LoyaltyOfPlaces> {
    let places = told.places(partition);
    let mut loyalty = LoyaltyOfPlaces {
        first: places.start,
        counts: places.map(|_| StoreLoyalty::new(rule)).collect(),
    };
    exchanged.take(partition, &mut loyalty)?;
    Ok(loyalty)
}

impl LoyaltyOfPlaces {
    /// Appends the records of each place, which has rows in the months that `months_of` returns, and returns where those
    /// of each end.
    ///
    /// # Errors
    /// That of `months_of`.
    pub fn encode(
        &mut self,
        months_of: impl Fn(usize) -> Result<Vec<Month>>,
        out: &mut EncodedRecords,
    ) -> Result<Vec<usize>> {
        let places = (self.first..).zip(&mut self.counts);
        let ends = places.map(|(place, counts)| {
            counts.encode(months_of(place)?.into_iter(), out)?;
            Ok(out.spans.len())
        });
        ends.collect()
    }
}

impl Visitor<LoyaltyRow> for LoyaltyOfPlaces {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[LoyaltyRow]) -> Result<()> {
        for row in rows {
            self.counts[row.place() - self.first].add_row(*row);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::Scratch,
        kernel::row::{CARD_SHIFT, CardDay, CardRow, StoreOrdinal},
    };

    /// The stores and days that a card buys at.
    type Sales = BTreeSet<(usize, i32)>;

    fn store(at: usize) -> StoreOrdinal {
        StoreOrdinal::new(0, at).unwrap()
    }

    fn amount(at: usize, day: i32) -> u128 {
        100 * (at as u128 + 1) + u128::from(day.unsigned_abs() % 7)
    }

    /// Passes a card to `sink`.
    fn pass(sink: &mut PlaceLoyalty<'_>, places: &Places, number: u128, sales: &Sales) {
        let id = number << 100;
        let visit = |(at, day): &(usize, i32)| {
            let row = CardRow::new(CardDay::new(id, *day, true), store(*at));
            CardVisit::of(row, |store, _day| places.leaf_of(store))
        };
        let mut visits: Vec<CardVisit> = sales.iter().map(visit).collect();
        visits.sort_unstable();
        visits.dedup();
        let sold = |(at, day): &(usize, i32)| {
            let sum = i128::try_from(amount(*at, *day)).unwrap();
            let row = SpendRow::new(id >> CARD_SHIFT, Day(*day).month(), store(*at), sum);
            row.with_number(places.leaf_of(store(*at)))
        };
        let sold: Vec<SpendRow> = sales.iter().map(sold).collect();
        sink.card(&visits, &sold).unwrap();
    }

    /// Counts the cards of some stores as those of one store.
    fn as_one_store(cards: &[Sales], rule: RegularRule, stores: &[usize]) -> StoreLoyalty {
        let mut loyalty = StoreLoyalty::new(rule);
        for card in cards {
            let mut days = BTreeMap::<i32, u128>::new();
            for (at, day) in card.iter().filter(|(at, _)| stores.contains(at)) {
                *days.entry(*day).or_default() += amount(*at, *day);
            }
            let visit = |(day, sales)| Visit {
                day: Day(day),
                month: Day(day).month(),
                sales,
            };
            loyalty.add(&days.into_iter().map(visit).collect::<Vec<_>>());
        }
        loyalty
    }

    proptest! {
        #[test]
        fn records_are_those_of_one_store_that_has_all_rows_of_the_place(
            cards in prop::collection::vec(
                prop::collection::btree_set((0..3_usize, 17_700_i32..17_950), 1..40), 1..8),
            budget in prop::sample::select(vec![0_usize, 400, 1 << 20]),
        ) {
            let stores = [(0, "food"), (1, "food"), (2, "fuel")];
            let stores = stores.map(|(at, category)| (store(at), None, Some(category)));
            let places = Places::of(stores, None).unwrap();
            let told = LoyalPlaces::of_places(&places);
            let rule = RegularRule::new(3, 30).unwrap();
            let scratch = Scratch::new(&std::env::temp_dir());
            let outbox = Outbox::new(told.partitions().into(), 1 << 20, &scratch);
            let mut sink = PlaceLoyalty::new((&places, &told), rule, outbox, budget);
            for (number, card) in (1..).zip(&cards) {
                pass(&mut sink, &places, number, card);
            }
            let sent = Exchanged::new(vec![sink.finish().unwrap()]).unwrap();
            let days = cards.iter().flatten().map(|(_, day)| Day(*day).month());
            let months: BTreeSet<Month> = days.collect();
            let (mut found, mut expected) = (EncodedRecords::default(), EncodedRecords::default());
            for partition in 0..told.partitions() {
                let mut of_places = take(&sent, partition, &told, rule).unwrap();
                let months_of = |_place| Ok(months.iter().copied().collect());
                of_places.encode(months_of, &mut found).unwrap();
            }
            for place in told.list() {
                let stores = match &*place.own_key {
                    b"food" => &[0, 1][..],
                    b"fuel" => &[2][..],
                    _ => &[0, 1, 2][..],
                };
                let mut alike = as_one_store(&cards, rule, stores);
                alike.encode(months.iter().copied(), &mut expected).unwrap();
            }
            prop_assert_eq!(told.list().len(), 3);
            prop_assert_eq!((found.values, found.spans), (expected.values, expected.spans));
        }
    }
}
