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
