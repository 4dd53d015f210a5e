//! How often cards come in a period, and who of them is a regular (docs/format.md, "Loyalty").

use super::{
    quintiles::Quintiles,
    runs::{self, Run},
};
use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_varint, put_varint_u128},
    calendar::{DAYS, Day, Period},
};

const STRUCTURE: &str = "loyalty";

/// The first numbers of visits of the classes above the numbers that stand for themselves.
const CLASSES: [u64; 6] = [10, 15, 20, 30, 50, 100];

/// The numbers of visits that cards are told apart by, in order.
pub const VISIT_NUMBERS: [u64; 15] = {
    let mut numbers = [0; 15];
    let mut at = 0;
    while at < numbers.len() {
        numbers[at] = if at < 9 {
            at as u64 + 1
        } else {
            CLASSES[at - 9]
        };
        at += 1;
    }
    numbers
};

/// Returns the place in [`VISIT_NUMBERS`] of a number of visits, at least 1.
#[must_use]
pub fn visit_class(visits: u64) -> usize {
    VISIT_NUMBERS.partition_point(|first| *first <= visits) - 1
}

/// Cards, and what they bought for together.
///
/// # Units
/// `sales` in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CardSales {
    /// How many.
    pub cards: u64,
    /// The sum of their sales.
    pub sales: u128,
}

impl CardSales {
    /// Adds other cards.
    pub fn add(&mut self, other: Self) {
        self.cards = self.cards.saturating_add(other.cards);
        self.sales = self.sales.saturating_add(other.sales);
    }

    /// Appends at least one card.
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        put_varint(out, self.cards - 1);
        put_varint_u128(out, self.sales);
    }

    /// Reads at least one card.
    pub(super) fn decode(bytes: &mut Bytes<'_>) -> Result<Self> {
        Ok(Self {
            cards: bytes.varint()?.saturating_add(1),
            sales: bytes.varint_u128()?,
        })
    }
}

/// Cards that stay regular for so many days without coming again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Regulars {
    /// Days from that of the period's last visit on, which is 1, at most up to the period's end.
    pub days: u32,
    /// Who they are; what they bought for in the period.
    pub of: CardSales,
}

/// What needs each card of a store as a whole, over one period.
///
/// # Shape
/// `visits` and `regulars` ascend. Quintiles are there for years and everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodVisits {
    /// The day of the last visit.
    pub last: Day,
    /// Cards by their number of visits, in the place of days; numbers are of [`VISIT_NUMBERS`].
    pub visits: Vec<Run>,
    /// Who is regular on the day of the last visit.
    pub regulars: Vec<Regulars>,
    /// Cards by fifths.
    pub quintiles: Option<Quintiles>,
}

/// Returns whether a period has quintiles.
///
/// In shorter ones most cards come once, so that fifths of their visits say nothing.
#[must_use]
pub fn has_quintiles(period: Period) -> bool {
    matches!(period, Period::Year(_) | Period::All)
}

impl PeriodVisits {
    /// Returns the distinct cards.
    #[must_use]
    pub fn cards(&self) -> u64 {
        let counts = self.visits.iter().map(|run| run.count);
        counts.fold(0, u64::saturating_add)
    }

    /// Returns who is regular on a day, at least that of the last visit, and in the period.
    #[must_use]
    pub fn regulars_on(&self, day: Day) -> CardSales {
        let later = u32::try_from(day.0.saturating_sub(self.last.0)).unwrap_or(0);
        let mut regulars = CardSales::default();
        let still = self.regulars.iter().filter(|it| it.days > later);
        still.for_each(|it| regulars.add(it.of));
        regulars
    }

    /// Appends the figures of a period that has days up to `end`, or of everything.
    pub(super) fn encode(&self, end: Option<Day>, out: &mut Vec<u8>) {
        match end {
            Some(end) => put_varint(out, (end.0 - self.last.0).cast_unsigned().into()),
            None => put_signed(out, self.last.0.into()),
        }
        runs::encode(&self.visits, out);
        put_varint(out, self.regulars.len() as u64);
        let mut before = 0;
        for regulars in &self.regulars {
            put_varint(out, (regulars.days - before).into());
            regulars.of.encode(out);
            before = regulars.days;
        }
        if let Some(quintiles) = &self.quintiles {
            quintiles.encode(self.last, out);
        }
    }

    /// Reads the figures of a period.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they end early or contradict each other.
    pub(super) fn decode(period: Period, bytes: &mut Bytes<'_>) -> Result<Self> {
        let last = decode_last(period, bytes)?;
        let mut visits = Vec::new();
        runs::decode(bytes, |run| visits.push(run))?;
        let mut read = Self {
            last,
            visits,
            regulars: decode_regulars(bytes)?,
            quintiles: None,
        };
        if has_quintiles(period) {
            read.quintiles = Some(Quintiles::decode(bytes, last)?);
        }
        read.check(period)
    }

    fn check(self, period: Period) -> Result<Self> {
        let is_number = |run: &Run| VISIT_NUMBERS.contains(&run.distance.into());
        let ascends = self.visits.is_sorted_by(|a, b| a.distance < b.distance);
        if self.visits.is_empty() || !ascends || !self.visits.iter().all(is_number) {
            return Err(corrupt("its numbers of visits are not those there are"));
        }
        let days_left = period.days().map(|days| days.last.0 - self.last.0 + 1);
        let days = self.regulars.last().map_or(0, |last| last.days);
        if days_left.is_some_and(|left| u32::try_from(left).is_ok_and(|left| days > left)) {
            return Err(corrupt("its regulars stay beyond its end"));
        }
        let of_quintiles = self
            .quintiles
            .as_ref()
            .map(|quintiles| quintiles.all().cards);
        if of_quintiles.is_some_and(|cards| cards != self.cards()) {
            return Err(corrupt("its quintiles have other cards than its visits"));
        }
        Ok(self)
    }
}

fn decode_last(period: Period, bytes: &mut Bytes<'_>) -> Result<Day> {
    let last = match period.days() {
        Some(days) => {
            let before_end = i32::try_from(bytes.varint()?).ok();
            let last = before_end.and_then(|before| days.last.0.checked_sub(before));
            last.filter(|last| days.contains(Day(*last)))
        }
        None => {
            let last = i32::try_from(bytes.signed()?).ok();
            last.filter(|last| DAYS.contains(last))
        }
    };
    last.map(Day)
        .ok_or_else(|| corrupt("its last visit is not in it"))
}

fn decode_regulars(bytes: &mut Bytes<'_>) -> Result<Vec<Regulars>> {
    let mut regulars = Vec::new();
    let mut before = 0_u32;
    for _ in 0..bytes.varint()? {
        let days = u32::try_from(bytes.varint()?).ok();
        let days = days.and_then(|days| before.checked_add(days));
        let days = days.filter(|days| *days > before);
        let days = days.ok_or_else(|| corrupt("its regulars do not ascend"))?;
        regulars.push(Regulars {
            days,
            of: CardSales::decode(bytes)?,
        });
        before = days;
    }
    Ok(regulars)
}

fn corrupt(problem: &str) -> Error {
    Error::corrupt(STRUCTURE, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_visits_are_exact_below_ten() {
        let found: Vec<u64> = [1, 2, 9, 10, 14, 15, 99, 100, 4_000]
            .map(|visits| VISIT_NUMBERS[visit_class(visits)])
            .into();
        assert_eq!(found, [1, 2, 9, 10, 10, 15, 50, 100, 100]);
    }

    #[test]
    fn regulars_stay_for_their_days() {
        let of = |cards| CardSales {
            cards,
            sales: u128::from(cards) * 10,
        };
        let visits = PeriodVisits {
            last: Day(100),
            visits: Vec::new(),
            regulars: vec![
                Regulars { days: 1, of: of(4) },
                Regulars { days: 3, of: of(2) },
            ],
            quintiles: None,
        };
        for (day, cards) in [(100, 6), (101, 2), (102, 2), (103, 0)] {
            assert_eq!(visits.regulars_on(Day(day)), of(cards), "{day}");
        }
    }
}
