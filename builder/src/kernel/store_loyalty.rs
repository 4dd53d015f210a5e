//! What takes each card of a store as a whole: how often it comes in a period, whether it is a regular
//! at its end, and its scores (docs/definitions.md, "Loyalty").

use std::{collections::BTreeMap, ops::Range};

use nightshard_format::{
    calendar::{Day, Month, Period, PeriodKind},
    record::{
        CardSales, PeriodVisits, Regulars, Run, VISIT_NUMBERS, VisitsOf, encode_loyalty,
        has_quintiles, loyalty_periods, loyalty_spans, visit_class,
    },
    regular::RegularRule,
};

use super::{
    card_sums::CardSums, card_visits::Visit, quintiles::QuintileCounts, store_days::EncodedRecords,
};
use crate::Result;

/// Counts the cards of one store, one after the other, by period.
#[derive(Debug)]
pub(super) struct StoreLoyalty {
    rule: RegularRule,
    kinds: [Periods; 4],
}

/// The periods of one kind that a card has a visit in, or is a regular in.
#[derive(Debug)]
struct Periods {
    kind: PeriodKind,
    has_quintiles: bool,
    /// By number: that of months, quarters or years since the year 0.
    counts: BTreeMap<i32, PeriodCounts>,
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
        let kinds = [
            PeriodKind::Month,
            PeriodKind::Quarter,
            PeriodKind::Year,
            PeriodKind::All,
        ];
        Self {
            rule,
            kinds: kinds.map(|kind| Periods {
                kind,
                has_quintiles: has_quintiles(Period::containing(Day(0), kind)),
                counts: BTreeMap::new(),
            }),
        }
    }

    /// Adds a card by all its visits, whose days ascend.
    pub(super) fn add(&mut self, visits: &[Visit]) {
        for periods in &mut self.kinds {
            periods.add(visits, self.rule);
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
        let (kind, number) = match period {
            Period::Month(month) => (0, month.0),
            Period::Quarter(first) => (1, first.0 / 3),
            Period::Year(year) => (2, year),
            _ => (3, 0),
        };
        self.kinds[kind].counts.get_mut(&number)?.visits_of(period)
    }
}

impl Periods {
    /// Returns the number of the period that has a month.
    fn number(&self, month: Month) -> i32 {
        match self.kind {
            PeriodKind::Quarter => month.0 / 3,
            PeriodKind::Year => month.year(),
            PeriodKind::All => 0,
            _ => month.0,
        }
    }

    /// Adds a card by all its visits.
    fn add(&mut self, visits: &[Visit], rule: RegularRule) {
        let mut start = 0;
        while let Some(first) = visits.get(start) {
            let number = self.number(first.month);
            let rest = visits[start..].iter();
            let of_period = rest.take_while(|visit| self.number(visit.month) == number);
            let end = start + of_period.count();
            let of_period = &visits[start..end];
            let sales = of_period.iter().map(|visit| visit.sales).sum();
            let counts = self.counts.entry(number).or_default();
            counts.add(of_period, sales, self.has_quintiles);
            if let Some(until) = regular_until(&visits[..end], rule) {
                let next = visits.get(end);
                let next = next.map_or(i32::MAX, |next| self.number(next.month));
                self.add_regular(number..next, until, sales);
            }
            start = end;
        }
    }

    /// Adds a card to the regulars of the periods in which its last visit so far makes it one: from the
    /// one that has this visit to that in which it is too long ago, or which has the next.
    fn add_regular(&mut self, numbers: Range<i32>, until: Day, sales: u128) {
        let first = numbers.start;
        let last = self.number(until.month());
        for number in numbers.take_while(|number| *number <= last) {
            let sales = if number == first { sales } else { 0 };
            let counts = self.counts.entry(number).or_default();
            counts.regulars.add(until, CardSales { cards: 1, sales });
        }
    }
}

/// Returns until which day a card is a regular that does not come again, if it has enough visits; that
/// day may lie before the last of them.
fn regular_until(visits: &[Visit], rule: RegularRule) -> Option<Day> {
    let enough = usize::try_from(rule.visits()).unwrap_or(usize::MAX);
    let first = visits.len().checked_sub(enough)?;
    Some(rule.until(visits[first].day))
}

impl PeriodCounts {
    /// Adds a card by its visits in the period, at least one, and what it bought for.
    fn add(&mut self, visits: &[Visit], sales: u128, has_quintiles: bool) {
        let last = visits[visits.len() - 1].day;
        self.last = self.last.max(Some(last));
        let number = visits.len() as u64;
        self.visits[visit_class(number)] += 1;
        if has_quintiles {
            self.quintiles.add(last, number, sales);
        }
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
