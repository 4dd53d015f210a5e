//! What takes each card of a store, or of a place, as a whole: how often it comes in a period, whether it is a
//! regular at its end, and its scores (docs/definitions.md, "Loyalty").

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, Month, Period},
    record::{
        CardSales, PeriodVisits, Regulars, Run, VISIT_NUMBERS, VisitsOf, encode_loyalty,
        has_quintiles, loyalty_periods, loyalty_spans, visit_class,
    },
    regular::RegularRule,
};

use super::{
    card_periods::{Came, KINDS, PeriodNumber, PeriodsOfCards, count_card},
    card_sums::CardSums,
    card_visits::Visit,
    loyalty_row::{InCommon, LoyaltyRow},
    quintiles::QuintileCounts,
    store_days::EncodedRecords,
};
use crate::Result;

/// Counts the cards of one store or place, one after the other, by period.
#[derive(Debug)]
pub(super) struct StoreLoyalty {
    rule: RegularRule,
    periods: Periods,
}

/// The periods that a card has a visit in, or is a regular in.
#[derive(Debug, Default)]
struct Periods {
    /// By kind and number.
    counts: [BTreeMap<i32, PeriodCounts>; KINDS.len()],
}

/// What is counted of one period.
#[derive(Debug, Default)]
struct PeriodCounts {
    last: Option<Day>,
    /// Cards by the class of their number of visits.
    visits: [u64; VISIT_NUMBERS.len()],
    /// Those that had enough visits in time, by the day until which they are regulars.
    regulars: CardSums<Day>,
    quintiles: QuintileCounts,
}

impl StoreLoyalty {
    /// Begins with no card.
    pub(super) fn new(rule: RegularRule) -> Self {
        Self {
            rule,
            periods: Periods::default(),
        }
    }

    /// Adds a card by all its visits, whose days ascend.
    pub(super) fn add(&mut self, visits: &[Visit]) {
        count_card(visits, self.rule, &mut self.periods);
    }

    /// Adds cards that were counted elsewhere.
    pub(super) fn add_row(&mut self, row: LoyaltyRow) {
        let counts = self.periods.counts(row.period());
        let of = row.of();
        match row.in_common() {
            InCommon::Class(class) => counts.add_class(class, of.cards, row.last()),
            InCommon::Visits(last, visits) => {
                counts.add_class(visit_class(visits), of.cards, last);
                counts.quintiles.add_visits(last, visits, of);
            }
            InCommon::Money(cell) => counts.quintiles.add_money(cell, of),
            InCommon::RegularUntil(until) => counts.regulars.add(until, of),
        }
    }

    /// Appends the records of a store that has rows in these months.
    ///
    /// # Errors
    /// None; a record that cannot be written would be a mistake here.
    pub(super) fn encode(
        &mut self,
        months: impl Iterator<Item = Month>,
        out: &mut EncodedRecords,
    ) -> Result<()> {
        for span in loyalty_spans(months) {
            let periods = loyalty_periods(span);
            let periods: Vec<VisitsOf> = periods
                .filter_map(|(_, period)| Some((period, self.visits_of(period)?)))
                .collect();
            encode_loyalty(span, &periods, &mut out.values)?;
            out.spans.push((span, out.values.len()));
        }
        Ok(())
    }

    /// Returns the figures of a period, if there is a visit in it.
    fn visits_of(&mut self, period: Period) -> Option<PeriodVisits> {
        let PeriodNumber { kind, number } = PeriodNumber::of(period);
        let counts = self.periods.counts[kind].get_mut(&number);
        counts?.visits_of(period)
    }
}

impl Periods {
    fn counts(&mut self, period: PeriodNumber) -> &mut PeriodCounts {
        self.counts[period.kind].entry(period.number).or_default()
    }
}

impl PeriodsOfCards for Periods {
    fn came(&mut self, period: PeriodNumber, came: Came) {
        let Came {
            last,
            visits,
            sales,
        } = came;
        let counts = self.counts(period);
        counts.add_class(visit_class(visits), 1, last);
        if period.has_quintiles() {
            counts.quintiles.add(last, visits, sales);
        }
    }

    fn is_regular(&mut self, period: PeriodNumber, until: Day, sales: u128) {
        let of = CardSales { cards: 1, sales };
        self.counts(period).regulars.add(until, of);
    }
}

impl PeriodCounts {
    /// Adds cards by the class of their number of visits, of which the last is on a day.
    fn add_class(&mut self, class: usize, cards: u64, last: Day) {
        self.last = self.last.max(Some(last));
        self.visits[class] += cards;
    }

    fn visits_of(&mut self, period: Period) -> Option<PeriodVisits> {
        let last = self.last?;
        let classes = VISIT_NUMBERS.into_iter().zip(self.visits);
        let visits = classes.filter(|(_, cards)| *cards > 0);
        let visits = visits.map(|(number, count)| Run {
            distance: u32::try_from(number).unwrap_or(u32::MAX),
            count,
        });
        Some(PeriodVisits {
            last,
            visits: visits.collect(),
            regulars: self.regulars(last, period.days().map(|days| days.last)),
            quintiles: has_quintiles(period).then(|| self.quintiles.quintiles()),
        })
    }

    /// Returns who is regular on a day, by for how long, at most up to `end`.
    fn regulars(&mut self, last: Day, end: Option<Day>) -> Vec<Regulars> {
        let mut regulars: Vec<Regulars> = Vec::new();
        for (until, of) in self.regulars.sums() {
            let until = end.map_or(*until, |end| end.min(*until));
            let Ok(days) = u32::try_from(until.0 - last.0 + 1) else {
                continue;
            };
            match regulars.last_mut() {
                _ if days == 0 => {}
                Some(before) if before.days == days => before.of.add(*of),
                _ => regulars.push(Regulars { days, of: *of }),
            }
        }
        regulars
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nightshard_format::{calendar::DayRange, record::LoyaltyRecord, shard::Span};
    use proptest::prelude::*;

    use super::*;

    fn visits_of(days: &BTreeSet<i32>) -> Vec<Visit> {
        let visit = |day: &i32| Visit {
            day: Day(*day),
            month: Day(*day).month(),
            sales: u128::from(day.unsigned_abs() % 7) + 1,
        };
        days.iter().map(visit).collect()
    }

    /// Returns the records of cards that are added in an order.
    fn records<'a>(
        cards: impl Iterator<Item = &'a BTreeSet<i32>> + Clone,
        rule: RegularRule,
    ) -> EncodedRecords {
        let mut loyalty = StoreLoyalty::new(rule);
        for card in cards.clone().filter(|card| !card.is_empty()) {
            loyalty.add(&visits_of(card));
        }
        let months = cards.flatten().map(|day| Day(*day).month());
        let mut records = EncodedRecords::default();
        loyalty.encode(months, &mut records).unwrap();
        records
    }

    /// Checks that regulars are those who have enough visits, on each day from the last visit on.
    fn check_regulars(
        cards: &[BTreeSet<i32>],
        period: Period,
        visits: &PeriodVisits,
        rule: RegularRule,
    ) {
        let days = period.days().unwrap_or(DayRange {
            first: Day(0),
            last: Day(visits.last.0 + 400),
        });
        let until = days.last.0.min(visits.last.0 + 400);
        for end in visits.last.0..=until {
            let mut regulars = CardSales::default();
            for card in cards {
                let first = end + 1 - rule.days().cast_signed();
                let enough = card.range(first..=end).count() >= rule.visits() as usize;
                let sales = visits_of(card).into_iter();
                let sales = sales.filter(|visit| days.contains(visit.day));
                if enough {
                    let sales = sales.map(|visit| visit.sales).sum();
                    regulars.add(CardSales { cards: 1, sales });
                }
            }
            assert_eq!(visits.regulars_on(Day(end)), regulars, "{period} {end}");
        }
    }

    proptest! {
        #[test]
        fn figures_are_those_of_each_card_whatever_their_order(
            cards in prop::collection::vec(prop::collection::btree_set(17_700_i32..17_950, 0..30), 1..8),
            (visits, days) in (1_u32..5, 5_u32..100),
        ) {
            let rule = RegularRule::new(visits, days).unwrap();
            let found = records(cards.iter(), rule);
            let reversed = records(cards.iter().rev(), rule);
            prop_assert_eq!((&found.values, &found.spans), (&reversed.values, &reversed.spans));
            let mut start = 0;
            for (span, end) in &found.spans {
                let record = LoyaltyRecord::parse(*span, &found.values[start..*end]).unwrap();
                record.verify().unwrap();
                start = *end;
                for (_, period) in loyalty_periods(*span) {
                    let is_in = |day: &&i32| period.days().is_none_or(|it| it.contains(Day(**day)));
                    let came: Vec<usize> =
                        cards.iter().map(|card| card.iter().filter(is_in).count()).collect();
                    let came: u64 = came.into_iter().filter(|days| *days > 0).count() as u64;
                    let visits = record.find(period);
                    prop_assert_eq!(visits.map_or(0, PeriodVisits::cards), came);
                    if let Some(visits) = visits {
                        check_regulars(&cards, period, visits, rule);
                    }
                }
            }
            prop_assert_eq!(found.spans[0].0, Span::Current);
        }
    }
}
