//! What each card did in the months, quarters and years that it has visits in, and in everything, taken as a whole
//! (docs/definitions.md, "Loyalty").

use std::ops::Range;

use nightshard_format::{
    calendar::{Day, Month, Period, PeriodKind},
    record::has_quintiles,
    regular::RegularRule,
};

use super::card_visits::Visit;

/// The kinds of periods that cards are counted in.
pub(super) const KINDS: [PeriodKind; 4] = [
    PeriodKind::Month,
    PeriodKind::Quarter,
    PeriodKind::Year,
    PeriodKind::All,
];

/// A period of one of [`KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PeriodNumber {
    /// Which kind.
    pub(super) kind: usize,
    /// That of months, quarters or years since the year 0.
    pub(super) number: i32,
}

impl PeriodNumber {
    /// Returns the number of a period that cards are counted in.
    pub(super) fn of(period: Period) -> Self {
        let (kind, number) = match period {
            Period::Month(month) => (0, month.0),
            Period::Quarter(first) => (1, first.0 / 3),
            Period::Year(year) => (2, year),
            _ => (3, 0),
        };
        Self { kind, number }
    }

    /// Returns the period of a kind that has a month.
    fn with(kind: usize, month: Month) -> Self {
        let number = match KINDS[kind] {
            PeriodKind::Quarter => month.0 / 3,
            PeriodKind::Year => month.year(),
            PeriodKind::All => 0,
            _ => month.0,
        };
        Self { kind, number }
    }

    /// Returns whether cards have scores in such a period.
    pub(super) fn has_quintiles(self) -> bool {
        has_quintiles(match KINDS[self.kind] {
            PeriodKind::Quarter => Period::Quarter(Month(0)),
            PeriodKind::Year => Period::Year(self.number),
            PeriodKind::All => Period::All,
            _ => Period::Month(Month(self.number)),
        })
    }
}

/// What a card did in a period that it has a visit in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Came {
    /// The day of its last visit.
    pub(super) last: Day,
    /// How many there are.
    pub(super) visits: u64,
    /// What it bought for.
    pub(super) sales: u128,
}

/// Counts cards by period.
pub(super) trait PeriodsOfCards {
    /// Counts a card in a period that it has a visit in.
    fn came(&mut self, period: PeriodNumber, came: Came);

    /// Counts a card in a period that it is a regular in until a day, which may lie before its last visit, unless it
    /// comes again; `sales` is what it bought for in the period.
    fn is_regular(&mut self, period: PeriodNumber, until: Day, sales: u128);
}

/// Counts a card by all its visits, whose days ascend.
pub(super) fn count_card(visits: &[Visit], rule: RegularRule, counts: &mut impl PeriodsOfCards) {
    for kind in 0..KINDS.len() {
        count_in(kind, visits, rule, counts);
    }
}

/// Counts a card in the periods of one kind.
fn count_in(kind: usize, visits: &[Visit], rule: RegularRule, counts: &mut impl PeriodsOfCards) {
    let number = |visit: &Visit| PeriodNumber::with(kind, visit.month).number;
    let mut start = 0;
    while let Some(first) = visits.get(start) {
        let period = PeriodNumber::with(kind, first.month);
        let rest = visits[start..].iter();
        let of_period = rest.take_while(|visit| number(visit) == period.number);
        let end = start + of_period.count();
        let of_period = &visits[start..end];
        let came = Came {
            last: of_period[of_period.len() - 1].day,
            visits: of_period.len() as u64,
            sales: of_period.iter().map(|visit| visit.sales).sum(),
        };
        counts.came(period, came);
        if let Some(until) = regular_until(&visits[..end], rule) {
            let next = visits.get(end).map_or(i32::MAX, number);
            count_regular(kind, period.number..next, (until, came.sales), counts);
        }
        start = end;
    }
}

/// Counts a card among the regulars of the periods in which its last visit so far makes it one: from the
/// one that has this visit to that in which it is too long ago, or which has the next.
fn count_regular(
    kind: usize,
    numbers: Range<i32>,
    (until, sales): (Day, u128),
    counts: &mut impl PeriodsOfCards,
) {
    let first = numbers.start;
    let last = PeriodNumber::with(kind, until.month()).number;
    for number in numbers.take_while(|number| *number <= last) {
        let sales = if number == first { sales } else { 0 };
        counts.is_regular(PeriodNumber { kind, number }, until, sales);
    }
}

/// Returns until which day a card is a regular that does not come again, if it has enough visits; that
/// day may lie before the last of them.
fn regular_until(visits: &[Visit], rule: RegularRule) -> Option<Day> {
    let enough = usize::try_from(rule.visits()).unwrap_or(usize::MAX);
    let first = visits.len().checked_sub(enough)?;
    Some(rule.until(visits[first].day))
}
