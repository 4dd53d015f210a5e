//! When a place is visited whose answers are protected (docs/format.md, "Patterns").

use super::HALF_HOURS;
use crate::{
    Error, Result,
    bytes::{Bytes, put_varint},
    calendar::Day,
};

const STRUCTURE: &str = "pattern";

/// Hours of a day.
pub const HOURS: usize = HALF_HOURS as usize / 2;
/// Days of a week.
pub const WEEKDAYS: usize = 7;

/// The rows of an hour, a weekday or a value, and how they are spread over merchants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PatternCell {
    /// How many.
    pub count: u64,
    /// One merchant has at most so many.
    pub largest: u64,
    /// Two merchants have at most so many more than `largest` together.
    pub second: u64,
    /// At least so many merchants have some.
    pub merchants: u64,
}

impl PatternCell {
    /// Makes one of the rows of each merchant.
    #[must_use]
    pub fn of(merchants: impl IntoIterator<Item = u64>) -> Self {
        let mut cell = Self::default();
        for count in merchants.into_iter().filter(|count| *count > 0) {
            cell.count = cell.count.saturating_add(count);
            cell.second = cell.second.max(count.min(cell.largest));
            cell.largest = cell.largest.max(count);
            cell.merchants += 1;
        }
        cell
    }

    /// Adds other rows, of the same merchants or of others.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.largest = self.largest.saturating_add(other.largest);
        self.second = self.second.saturating_add(other.second);
        self.merchants = self.merchants.max(other.merchants);
    }

    /// Appends how many rows there are, and the rest where there are some.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.count);
        if self.count > 0 {
            put_varint(out, self.largest);
            put_varint(out, self.second);
            put_varint(out, self.merchants);
        }
    }

    /// Reads what [`PatternCell::put`] wrote, sound or not.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early.
    pub(super) fn read(bytes: &mut Bytes<'_>) -> Result<Self> {
        let count = bytes.varint()?;
        if count == 0 {
            return Ok(Self::default());
        }
        Ok(Self {
            count,
            largest: bytes.varint()?,
            second: bytes.varint()?,
            merchants: bytes.varint()?,
        })
    }

    /// Returns whether merchants can have such rows.
    pub(super) fn is_sound(&self) -> bool {
        let of_two = self.largest.checked_add(self.second);
        self.second <= self.largest
            && of_two.is_some_and(|of_two| of_two <= self.count)
            && self.merchants <= self.count
            && (self.merchants == 0) == (self.largest == 0)
            && (self.merchants < 2) == (self.second == 0)
            && (self.count == 0) == (self.largest == 0)
    }
}

/// The rows of a place in a month that is told of, whose time is known, by hour of the clock and by weekday.
///
/// # Shape
/// Hours from midnight on, weekdays from Monday on. Both have the same rows, at least one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlacePattern {
    /// By hour.
    pub hours: [PatternCell; HOURS],
    /// By weekday of the business day.
    pub weekdays: [PatternCell; WEEKDAYS],
}

impl PlacePattern {
    /// Returns where the rows of a half hour of a business day count.
    #[must_use]
    pub fn slots(day: Day, half_hour: u8) -> (usize, usize) {
        let weekday = day.weekday().saturating_sub(1) as usize;
        ((half_hour / 2).into(), weekday)
    }

    /// Returns whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hours.iter().all(|cell| cell.count == 0)
    }

    /// Adds rows of other stores, or of other days.
    pub fn add(&mut self, other: &Self) {
        let own = self.hours.iter_mut().chain(&mut self.weekdays);
        let others = other.hours.iter().chain(&other.weekdays);
        own.zip(others).for_each(|(own, other)| own.add(*other));
    }

    /// Appends the record.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is not as its shape says.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.check()
            .map_err(|problem| Error::invalid(STRUCTURE, problem))?;
        let cells = self.hours.iter().chain(&self.weekdays);
        cells.for_each(|cell| cell.put(out));
        Ok(())
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, something is left over or it is not as its shape says.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let mut read = Self::default();
        for cell in read.hours.iter_mut().chain(&mut read.weekdays) {
            *cell = PatternCell::read(&mut bytes)?;
        }
        if !bytes.is_empty() {
            return Err(Error::corrupt(STRUCTURE, "bytes are left over"));
        }
        read.check()
            .map_err(|problem| Error::corrupt(STRUCTURE, problem))?;
        Ok(read)
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        let mut cells = self.hours.iter().chain(&self.weekdays);
        if !cells.all(PatternCell::is_sound) {
            return Err("its merchants cannot have these rows");
        }
        let sum = |cells: &[PatternCell]| cells.iter().map(|cell| u128::from(cell.count)).sum();
        let [hours, weekdays]: [u128; 2] = [sum(&self.hours), sum(&self.weekdays)];
        if hours != weekdays {
            return Err("its hours have other rows than its weekdays");
        }
        match hours {
            0 => Err("it has no rows"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> PlacePattern {
        let mut pattern = PlacePattern::default();
        pattern.hours[9] = PatternCell::of([3, 0, 5, 1]);
        pattern.hours[23] = PatternCell::of([2]);
        pattern.weekdays[0] = PatternCell::of([4, 5]);
        pattern.weekdays[6] = PatternCell::of([1, 1]);
        pattern
    }

    fn encoded(pattern: &PlacePattern) -> Vec<u8> {
        let mut bytes = Vec::new();
        pattern.encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_cell_knows_the_two_largest_of_its_merchants() {
        let cell = |count, largest, second, merchants| PatternCell {
            count,
            largest,
            second,
            merchants,
        };
        assert_eq!(PatternCell::of([3, 0, 5, 1]), cell(9, 5, 3, 3));
        assert_eq!(PatternCell::of([4, 4]), cell(8, 4, 4, 2));
        assert_eq!(PatternCell::of([0, 0]), PatternCell::default());
        let mut sum = cell(9, 5, 3, 3);
        sum.add(cell(2, 2, 0, 1));
        assert_eq!(sum, cell(11, 7, 3, 3));
        assert!(sum.is_sound());
    }

    #[test]
    fn half_hours_count_in_their_hour_and_on_their_weekday() {
        let sunday: Day = "2018-03-04".parse().unwrap();
        assert_eq!(PlacePattern::slots(sunday, 47), (23, 6));
        assert_eq!(PlacePattern::slots(Day(sunday.0 + 1), 19), (9, 0));
    }

    #[test]
    fn a_pattern_is_read_as_it_was_written() {
        let mut twice = sample();
        twice.add(&sample());
        assert_eq!(twice.hours[9].count, 18);
        for pattern in [sample(), twice] {
            assert_eq!(PlacePattern::parse(&encoded(&pattern)).unwrap(), pattern);
        }
    }

    /// A change of a right pattern, and what is wrong with it then.
    type Forgery = (fn(&mut PlacePattern), &'static str);

    #[test]
    fn what_is_not_of_the_shape_is_refused() {
        let changes: [Forgery; 7] = [
            (|it| it.hours[9].largest = 7, "cannot have"),
            (|it| it.hours[9].second = 6, "cannot have"),
            (|it| it.hours[9].merchants = 1, "cannot have"),
            (|it| it.hours[23].merchants = 3, "cannot have"),
            (|it| it.hours[23] = PatternCell::default(), "other rows"),
            (|it| it.weekdays[1] = PatternCell::of([1]), "other rows"),
            (|it| *it = PlacePattern::default(), "no rows"),
        ];
        for (change, problem) in changes {
            let mut pattern = sample();
            change(&mut pattern);
            let error = pattern.encode(&mut Vec::new()).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn damage_is_an_error_or_another_pattern_and_never_a_panic() {
        let bytes = encoded(&sample());
        for at in 0..bytes.len() {
            assert!(PlacePattern::parse(&bytes[..at]).is_err());
            for value in 0..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(read) = PlacePattern::parse(&damaged) {
                    assert_eq!(PlacePattern::parse(&encoded(&read)).unwrap(), read);
                }
            }
        }
    }
}
