//! Who comes back: distinct buyers of a store over any days, by what they did before and after
//! (docs/definitions.md, "Loyalty").
//!
//! Nothing tells one card from another. Each buyer of a day comes with the days since its sale before,
//! so that one with a sale before the period is known by its first visit in it; and each second visit
//! with the days since the first.

use std::collections::BTreeMap;

use crate::{
    calendar::{Day, DayRange, Month},
    record::{Change, Run},
    statistics::nearest_quotient,
};

/// Cards by their first visit, of which some came again in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    /// Within how many days of the first visit.
    pub days: u32,
    cards: i64,
    /// How many of them came again.
    pub returned: u64,
}

impl Repeat {
    fn within(days: u32) -> Self {
        Self {
            days,
            cards: 0,
            returned: 0,
        }
    }

    /// Returns how many cards there are.
    #[must_use]
    pub fn cards(self) -> u64 {
        u64::try_from(self.cards).unwrap_or(0)
    }

    /// Returns the share of them who came again, or `None` of nobody.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        nearest_quotient(self.returned.into(), self.cards())
    }
}

/// Cards by the month of their first visit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohort {
    cards: i64,
    /// How many of them have a visit in each later month, up to the last of the data.
    pub retained: Vec<u64>,
}

impl Cohort {
    /// Returns how many cards there are.
    #[must_use]
    pub fn cards(&self) -> u64 {
        u64::try_from(self.cards).unwrap_or(0)
    }
}

/// The figures of a period.
#[derive(Debug)]
pub struct Loyalty {
    days: DayRange,
    absence: u32,
    as_of: Day,
    active: i64,
    new: i64,
    reactivated: i64,
    visits: i64,
    /// Visits by the days since the card's visit before.
    gaps: BTreeMap<u32, i64>,
    /// Second visits until the last day on which a lapsed card was there.
    came_twice: u64,
    /// Cards that were there by then, and again until the period's end.
    came_since: i64,
    /// Those of them that had been there once.
    came_since_second: u64,
    repeats: Vec<Repeat>,
    cohorts: BTreeMap<Month, Cohort>,
}

impl Loyalty {
    /// Begins to count over `days`, of data that ends with `as_of`.
    ///
    /// # Shape
    /// `days` are days of the data; if there are none, they end where the period does. `absence` is how
    /// many days make a card absent, at least 1, and `repeat_days` within how many of its first visit one comes again.
    #[must_use]
    pub fn new(days: DayRange, absence: u32, repeat_days: &[u32], as_of: Day) -> Self {
        Self {
            days,
            absence,
            as_of,
            active: 0,
            new: 0,
            reactivated: 0,
            visits: 0,
            gaps: BTreeMap::new(),
            came_twice: 0,
            came_since: 0,
            came_since_second: 0,
            repeats: repeat_days
                .iter()
                .map(|days| Repeat::within(*days))
                .collect(),
            cohorts: BTreeMap::new(),
        }
    }

    /// Returns the last day on which a card is lapsed that has not come since.
    fn lapse_day(&self) -> Day {
        Day(self.days.last.0.saturating_sub_unsigned(self.absence))
    }

    /// Returns the days whose buyers have to be added.
    #[must_use]
    pub fn days_of_buyers(&self) -> DayRange {
        let after_lapse = Day(self.lapse_day().0.saturating_add(1));
        DayRange {
            first: after_lapse.min(self.days.first),
            last: self.days.last,
        }
    }

    /// Adds buyers of a day by the days since their sale before.
    pub fn add_buyers(&mut self, day: Day, buyers: Change) {
        let Change { distance, cards } = buyers;
        let before = Day(day.0.saturating_sub_unsigned(distance));
        if day > self.lapse_day() && distance > 0 && before <= self.lapse_day() {
            self.came_since = self.came_since.saturating_add(cards);
        }
        if !self.days.contains(day) {
            return;
        }
        self.visits = self.visits.saturating_add(cards);
        if distance == 0 {
            self.add_new(day, cards);
        } else {
            let gap = self.gaps.entry(distance).or_default();
            *gap = gap.saturating_add(cards);
            if before < self.days.first {
                self.active = self.active.saturating_add(cards);
                if distance >= self.absence {
                    self.reactivated = self.reactivated.saturating_add(cards);
                }
            }
        }
    }

    fn add_new(&mut self, day: Day, cards: i64) {
        self.active = self.active.saturating_add(cards);
        self.new = self.new.saturating_add(cards);
        for repeat in &mut self.repeats {
            if day.0.saturating_add_unsigned(repeat.days) <= self.as_of.0 {
                repeat.cards = repeat.cards.saturating_add(cards);
            }
        }
        if let Some(cohort) = self.cohorts.get_mut(&day.month()) {
            cohort.cards = cohort.cards.saturating_add(cards);
        }
    }

    /// Adds second visits of any day of the data by the days since the first.
    pub fn add_second_visits(&mut self, day: Day, visits: Run) {
        let Run { distance, count } = visits;
        let first = Day(day.0.saturating_sub_unsigned(distance));
        if day <= self.lapse_day() {
            self.came_twice = self.came_twice.saturating_add(count);
        } else if day <= self.days.last && first <= self.lapse_day() {
            self.came_since_second = self.came_since_second.saturating_add(count);
        }
        if !self.days.contains(first) {
            return;
        }
        for repeat in &mut self.repeats {
            let is_old = first.0.saturating_add_unsigned(repeat.days) <= self.as_of.0;
            if is_old && distance <= repeat.days {
                repeat.returned = repeat.returned.saturating_add(count);
            }
        }
    }

    /// Begins a cohort, before its cards are added.
    pub fn begin_cohort(&mut self, month: Month) {
        let later = self.as_of.month().0 - month.0;
        let cohort = Cohort {
            cards: 0,
            retained: vec![0; usize::try_from(later).unwrap_or(0)],
        };
        self.cohorts.insert(month, cohort);
    }

    /// Adds the distinct buyers of a month by how many months before it they were there first.
    pub fn add_retained(&mut self, month: Month, buyers: Run) {
        let since = buyers.distance;
        let first = Month(month.0.saturating_sub_unsigned(since));
        let Some(cohort) = self.cohorts.get_mut(&first) else {
            return;
        };
        let place = usize::try_from(since).ok().and_then(|it| it.checked_sub(1));
        if let Some(retained) = place.and_then(|place| cohort.retained.get_mut(place)) {
            *retained = retained.saturating_add(buyers.count);
        }
    }

    /// Returns the distinct cards with a visit.
    #[must_use]
    pub fn active(&self) -> u64 {
        u64::try_from(self.active).unwrap_or(0)
    }

    /// Returns those whose first visit it is.
    #[must_use]
    pub fn new_cards(&self) -> u64 {
        u64::try_from(self.new).unwrap_or(0)
    }

    /// Returns those who were there before.
    #[must_use]
    pub fn returning(&self) -> u64 {
        self.active().saturating_sub(self.new_cards())
    }

    /// Returns those of them who had been absent.
    #[must_use]
    pub fn reactivated(&self) -> u64 {
        u64::try_from(self.reactivated).unwrap_or(0)
    }

    /// Returns cards of two visits or more that are absent at the period's end.
    #[must_use]
    pub fn lapsed(&self) -> u64 {
        let came_since = u64::try_from(self.came_since).unwrap_or(0);
        let regulars_since = came_since.saturating_sub(self.came_since_second);
        self.came_twice.saturating_sub(regulars_since)
    }

    /// Returns the visits.
    #[must_use]
    pub fn visits(&self) -> u64 {
        u64::try_from(self.visits).unwrap_or(0)
    }

    /// Returns the median of the days between a visit and the one before it, the mean of the two in
    /// the middle if their number is even.
    #[must_use]
    pub fn median_gap(&self) -> Option<f64> {
        let gaps = self.gaps.values();
        let visits = gaps.fold(0_i64, |sum, visits| sum.saturating_add(*visits));
        let last = visits.checked_sub(1).filter(|last| *last >= 0)?;
        let (low, high) = (self.gap_at(last / 2), self.gap_at(last - last / 2));
        Some((f64::from(low) + f64::from(high)) / 2.0)
    }

    /// Returns the gap at a place of all gaps in order.
    fn gap_at(&self, place: i64) -> u32 {
        let mut before = 0_i64;
        let mut gaps = self.gaps.iter().filter(|(_, visits)| **visits > 0);
        let found = gaps.find(|(_, visits)| {
            before = before.saturating_add(**visits);
            before > place
        });
        found.map_or(0, |(gap, _)| *gap)
    }

    /// Returns the cards by their first visit in the period and long enough ago, for each number of days within
    /// which they come again, or not.
    #[must_use]
    pub fn repeats(&self) -> &[Repeat] {
        &self.repeats
    }

    /// Returns the cohorts, in order.
    pub fn cohorts(&self) -> impl Iterator<Item = (Month, &Cohort)> {
        self.cohorts.iter().map(|(month, cohort)| (*month, cohort))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// The days of visits of each card, ascending.
    type Visits = Vec<BTreeSet<i32>>;

    fn count(
        visits: &Visits,
        days: DayRange,
        absence: u32,
        repeat_days: &[u32],
        as_of: Day,
    ) -> Loyalty {
        let mut loyalty = Loyalty::new(days, absence, repeat_days, as_of);
        for month in days.first.month().0..=days.last.month().0 {
            loyalty.begin_cohort(Month(month));
        }
        let read = loyalty.days_of_buyers();
        for card in visits {
            let mut before: Option<i32> = None;
            for (number, day) in card.iter().copied().enumerate() {
                let distance = before.map_or(0, |before| (day - before).cast_unsigned());
                if read.contains(Day(day)) {
                    loyalty.add_buyers(Day(day), Change { distance, cards: 1 });
                }
                if number == 1 {
                    loyalty.add_second_visits(Day(day), Run { distance, count: 1 });
                }
                before = Some(day);
            }
            let months: BTreeSet<i32> = card.iter().map(|day| Day(*day).month().0).collect();
            let first = months.first().copied().unwrap_or_default();
            for month in months.into_iter().skip(1) {
                let distance = (month - first).cast_unsigned();
                loyalty.add_retained(Month(month), Run { distance, count: 1 });
            }
        }
        loyalty
    }

    fn number<'a>(visits: &'a Visits, is_so: impl Fn(&BTreeSet<i32>) -> bool + 'a) -> u64 {
        visits.iter().filter(|card| is_so(card)).count() as u64
    }

    proptest! {
        #[test]
        fn figures_are_those_of_each_card_by_itself(
            visits in prop::collection::vec(prop::collection::btree_set(17_600_i32..18_000, 1..12), 0..40),
            first in 17_600_i32..18_000,
            len in 0_i32..400,
            absence in 1_u32..120,
            repeat_days in prop::collection::btree_set(1_u32..500, 0..9),
        ) {
            let as_of = Day(18_000);
            let days = DayRange { first: Day(first), last: Day((first + len).min(as_of.0)) };
            let repeat_days: Vec<u32> = repeat_days.into_iter().collect();
            let loyalty = count(&visits, days, absence, &repeat_days, as_of);
            let within = |day: &i32| days.contains(Day(*day));
            let first_in = |card: &BTreeSet<i32>| card.iter().copied().find(within);
            let before_of = |card: &BTreeSet<i32>, day: i32| card.range(..day).last().copied();
            let absence = i32::try_from(absence).unwrap();

            prop_assert_eq!(loyalty.active(), number(&visits, |card| first_in(card).is_some()));
            let is_new = |card: &BTreeSet<i32>| card.first().is_some_and(within);
            prop_assert_eq!(loyalty.new_cards(), number(&visits, is_new));
            let reactivated = number(&visits, |card| {
                let visit = first_in(card);
                let gap = visit.and_then(|day| Some(day - before_of(card, day)?));
                gap.is_some_and(|gap| gap >= absence)
            });
            prop_assert_eq!(loyalty.reactivated(), reactivated);
            let lapsed = number(&visits, |card| {
                let until: Vec<i32> = card.range(..=days.last.0).copied().collect();
                until.len() >= 2 && days.last.0 - until[until.len() - 1] >= absence
            });
            prop_assert_eq!(loyalty.lapsed(), lapsed);
            let in_days = visits.iter().flatten().filter(|day| within(day)).count();
            prop_assert_eq!(loyalty.visits(), in_days as u64);

            let mut gaps: Vec<i32> = Vec::new();
            for card in &visits {
                let pairs = card.iter().zip(card.iter().skip(1));
                gaps.extend(pairs.filter(|(_, day)| within(day)).map(|(before, day)| day - before));
            }
            gaps.sort_unstable();
            let median = gaps.len().checked_sub(1).map(|last| {
                f64::from(gaps[last / 2] + gaps[last - last / 2]) / 2.0
            });
            prop_assert_eq!(loyalty.median_gap(), median);

            prop_assert_eq!(loyalty.repeats().len(), repeat_days.len());
            for (repeat, within_days) in loyalty.repeats().iter().zip(repeat_days) {
                prop_assert_eq!(repeat.days, within_days);
                let within_days = within_days.cast_signed();
                let counts = |card: &BTreeSet<i32>| {
                    card.first().filter(|day| within(day) && **day + within_days <= as_of.0).copied()
                };
                prop_assert_eq!(repeat.cards(), number(&visits, |card| counts(card).is_some()));
                let returned = number(&visits, |card| {
                    counts(card).is_some_and(|day| card.range(day + 1..=day + within_days).next().is_some())
                });
                prop_assert_eq!(repeat.returned, returned);
            }
            for (month, cohort) in loyalty.cohorts() {
                let month_of = |day: i32| Day(day).month().0;
                let began = |card: &BTreeSet<i32>| card.first().is_some_and(|day| month_of(*day) == month.0);
                let in_period = |card: &BTreeSet<i32>| began(card) && is_new(card);
                prop_assert_eq!(cohort.cards(), number(&visits, in_period));
                for (later, retained) in (month.0 + 1..).zip(&cohort.retained) {
                    let came = |card: &BTreeSet<i32>| card.iter().any(|day| month_of(*day) == later);
                    prop_assert_eq!(*retained, number(&visits, |card| began(card) && came(card)));
                }
            }
        }
    }
}
