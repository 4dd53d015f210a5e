//! What may be told of many stores together: sums of atoms (docs/format.md, "Atoms").

use super::{
    StoreProfile, cold,
    runs::{self, Run},
};
use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_signed_i128, put_varint},
    calendar::{Day, DayRange, MONTHS, Month},
};

const STRUCTURE: &str = "atoms";

/// Atoms of the same days, added up.
///
/// # Units
/// `sum` in minor units, net.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtomGroup {
    /// The days that each of them has, all in one month.
    pub days: DayRange,
    /// How many there are, at least one.
    pub atoms: u64,
    /// Distinct cards of a single atom of one leaf, unknown of others and of several.
    pub cards: Option<u64>,
    /// Rows, at least one.
    pub count: u64,
    /// Net sum.
    pub sum: i128,
}

/// The cards of which the first atom in a month ends on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtomCards {
    /// The day, in the month.
    pub day: Day,
    /// Cards that are in no atom of an earlier month.
    pub first_ever: u64,
    /// The others by how many months ago they were in one before, in the place of days.
    pub returning: Vec<Run>,
}

/// The atoms of a place or market in one month.
///
/// # Shape
/// Groups ascend by last day, then first day; cards by day, and each of these days is a last day of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtomMonth {
    /// Atoms by their days.
    pub groups: Vec<AtomGroup>,
    /// Cards by the day on which their first atom ends.
    pub cards: Vec<AtomCards>,
}

impl AtomMonth {
    /// Appends the record of a month.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is not as its shape says.
    pub fn encode(&self, month: Month, out: &mut Vec<u8>) -> Result<()> {
        let first = month.first_day();
        self.check(month)
            .map_err(|problem| Error::invalid(STRUCTURE, problem))?;
        put_varint(out, self.groups.len() as u64);
        let mut before = first;
        for group in &self.groups {
            put_varint(out, days_between(before, group.days.last));
            put_varint(out, days_between(group.days.first, group.days.last));
            put_varint(out, group.atoms - 1);
            if group.atoms == 1 {
                put_varint(out, group.cards.unwrap_or(0));
            }
            put_varint(out, group.count - 1);
            put_signed_i128(out, group.sum);
            before = group.days.last;
        }
        put_varint(out, self.cards.len() as u64);
        let mut before = first;
        for cards in &self.cards {
            put_varint(out, days_between(before, cards.day));
            put_varint(out, cards.first_ever);
            runs::encode(&cards.returning, out);
            before = cards.day;
        }
        Ok(())
    }

    /// Reads the record of a month.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, something is left over or it is not as its shape says.
    pub fn parse(month: Month, bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let groups = parse_groups(month, &mut bytes)?;
        let cards = parse_cards(month, &mut bytes)?;
        if !bytes.is_empty() {
            return Err(Error::corrupt(STRUCTURE, "bytes are left over"));
        }
        let read = Self { groups, cards };
        read.check(month)
            .map_err(|problem| Error::corrupt(STRUCTURE, problem))?;
        Ok(read)
    }

    /// Counts the cards of atoms that end up to `last` and are in no atom since the month `since` before this
    /// one: summed up from that month on, the distinct cards.
    #[must_use]
    pub fn cards_since(&self, month: Month, since: Month, last: Day) -> u64 {
        let months = u32::try_from(month.0 - since.0).unwrap_or(0);
        let mut count = 0_u64;
        for cards in self.cards.iter().take_while(|cards| cards.day <= last) {
            let returning = cards.returning.iter().filter(|run| run.distance > months);
            let counts = returning.map(|run| run.count);
            count = counts.fold(count.saturating_add(cards.first_ever), u64::saturating_add);
        }
        count
    }

    /// Returns the totals of the month, whose record this is.
    #[must_use]
    pub fn totals(&self, month: Month) -> AtomTotals {
        let groups = self.groups.iter();
        let add = |(count, sum): (u64, i128), group: &AtomGroup| {
            (
                count.saturating_add(group.count),
                sum.saturating_add(group.sum),
            )
        };
        let (count, sum) = groups.fold((0, 0), add);
        AtomTotals {
            month,
            count,
            sum,
            cards: self.cards_since(month, month, month.days().last),
        }
    }

    fn check(&self, month: Month) -> std::result::Result<(), &'static str> {
        let days = month.days();
        let order = |group: &AtomGroup| (group.days.last, group.days.first);
        let is_in_month = |group: &AtomGroup| !group.days.is_empty() && days.covers(group.days);
        if !self.groups.iter().all(is_in_month)
            || !self.groups.is_sorted_by(|a, b| order(a) < order(b))
        {
            return Err("its atoms are not in the order of the month's days");
        }
        let is_sound = |group: &AtomGroup| {
            group.atoms > 0
                && group.count > 0
                && group
                    .cards
                    .is_none_or(|cards| group.atoms == 1 && (1..=group.count).contains(&cards))
        };
        if !self.groups.iter().all(is_sound) {
            return Err("its atoms have no rows, or cards that they cannot have");
        }
        if !self.cards.is_sorted_by(|a, b| a.day < b.day) {
            return Err("the days of its cards do not ascend");
        }
        let ends = |day: Day| {
            let found = self.groups.binary_search_by_key(&day, |it| it.days.last);
            found.is_ok()
        };
        let has_some = |it: &AtomCards| it.first_ever > 0 || !it.returning.is_empty();
        if !self.cards.iter().all(|it| ends(it.day) && has_some(it)) {
            return Err("its cards are not on days on which atoms end");
        }
        let are_runs = |it: &AtomCards| {
            let mut runs = it.returning.iter();
            runs.all(|run| run.distance > 0 && run.count > 0)
                && it.returning.is_sorted_by(|a, b| a.distance < b.distance)
        };
        if !self.cards.iter().all(are_runs) {
            return Err("its cards do not come back after ascending numbers of months");
        }
        Ok(())
    }
}

fn parse_groups(month: Month, bytes: &mut Bytes<'_>) -> Result<Vec<AtomGroup>> {
    let len = bytes.length()?;
    let mut groups = Vec::with_capacity(len);
    let mut last = month.first_day();
    for _ in 0..len {
        last = later(last, bytes.varint()?)?;
        let first = earlier(last, bytes.varint()?)?;
        let atoms = bytes.varint()?.saturating_add(1);
        groups.push(AtomGroup {
            days: DayRange { first, last },
            atoms,
            cards: if atoms == 1 {
                Some(bytes.varint()?).filter(|cards| *cards > 0)
            } else {
                None
            },
            count: bytes.varint()?.saturating_add(1),
            sum: bytes.signed_i128()?,
        });
    }
    Ok(groups)
}

fn parse_cards(month: Month, bytes: &mut Bytes<'_>) -> Result<Vec<AtomCards>> {
    let len = bytes.length()?;
    let mut cards = Vec::with_capacity(len);
    let mut day = month.first_day();
    for _ in 0..len {
        day = later(day, bytes.varint()?)?;
        let first_ever = bytes.varint()?;
        let mut ahead = *bytes;
        let mut returning = Vec::with_capacity(ahead.length()?);
        runs::decode(bytes, |run| returning.push(run))?;
        cards.push(AtomCards {
            day,
            first_ever,
            returning,
        });
    }
    Ok(cards)
}

/// The totals of a place's atoms of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtomTotals {
    /// Which month.
    pub month: Month,
    /// Rows.
    pub count: u64,
    /// Net sum, in minor units.
    pub sum: i128,
    /// Distinct cards, to be rounded down to a multiple of k.
    pub cards: u64,
}

/// What is known of a place or market by its atoms.
///
/// # Shape
/// Months ascend; those without atoms are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtomSummary {
    /// What it is.
    pub profile: StoreProfile,
    /// Totals by month.
    pub months: Vec<AtomTotals>,
}

impl AtomSummary {
    /// Returns the rows of all months and their net sum, or `None` without atoms.
    #[must_use]
    pub fn total(&self) -> Option<(u64, i128)> {
        let months = self.months.iter();
        let totals = months.map(|totals| (totals.count, totals.sum));
        totals.reduce(|a, b| (a.0.saturating_add(b.0), a.1.saturating_add(b.1)))
    }

    /// Appends the record.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the profile is too long.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let profile = cold::encode(&self.profile)?;
        put_varint(out, profile.len() as u64);
        out.extend_from_slice(&profile);
        put_varint(out, self.months.len() as u64);
        let mut before = 0;
        for totals in &self.months {
            put_signed(out, i64::from(totals.month.0 - before));
            put_varint(out, totals.count);
            put_signed_i128(out, totals.sum);
            put_varint(out, totals.cards);
            before = totals.month.0;
        }
        Ok(())
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, something is left over or months do not ascend.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let profile = cold::decode(bytes.take_prefixed()?)?;
        let len = bytes.length()?;
        let mut months = Vec::with_capacity(len);
        let mut before = 0_i64;
        for position in 0..len {
            let step = bytes.signed()?;
            let month = before.saturating_add(step);
            let is_later = position == 0 || step > 0;
            let month = i32::try_from(month)
                .ok()
                .filter(|month| is_later && MONTHS.contains(month));
            let month =
                month.ok_or_else(|| Error::corrupt(STRUCTURE, "its months do not ascend"))?;
            months.push(AtomTotals {
                month: Month(month),
                count: bytes.varint()?,
                sum: bytes.signed_i128()?,
                cards: bytes.varint()?,
            });
            before = month.into();
        }
        if !bytes.is_empty() {
            return Err(Error::corrupt(STRUCTURE, "bytes are left over"));
        }
        Ok(Self { profile, months })
    }
}

fn days_between(first: Day, last: Day) -> u64 {
    (last.0 - first.0).cast_unsigned().into()
}

fn later(day: Day, days: u64) -> Result<Day> {
    i32::try_from(days)
        .ok()
        .and_then(|days| day.0.checked_add(days))
        .map(Day)
        .ok_or_else(|| Error::corrupt(STRUCTURE, "a day is out of bounds"))
}

fn earlier(day: Day, days: u64) -> Result<Day> {
    i32::try_from(days)
        .ok()
        .and_then(|days| day.0.checked_sub(days))
        .map(Day)
        .ok_or_else(|| Error::corrupt(STRUCTURE, "a day is out of bounds"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn month() -> Month {
        Month::new(2018, 2).unwrap()
    }

    fn day(number: i32) -> Day {
        Day(month().first_day().0 + number)
    }

    /// Two atoms of the first ten days, one of the eleventh, one of the rest.
    fn sample() -> AtomMonth {
        let group = |first, last, atoms: u64, count| AtomGroup {
            days: DayRange {
                first: day(first),
                last: day(last),
            },
            atoms,
            cards: (atoms == 1).then_some(10),
            count,
            sum: -5,
        };
        let run = |distance, count| Run { distance, count };
        let cards = |at, first_ever, returning: &[Run]| AtomCards {
            day: day(at),
            first_ever,
            returning: returning.to_vec(),
        };
        AtomMonth {
            groups: vec![
                group(0, 9, 2, 40),
                group(10, 10, 1, 12),
                group(11, 27, 1, 1 << 40),
            ],
            cards: vec![
                cards(9, 12, &[run(1, 3), run(5, 1)]),
                cards(27, 0, &[run(2, 2)]),
            ],
        }
    }

    fn encoded(atoms: &AtomMonth) -> Vec<u8> {
        let mut bytes = Vec::new();
        atoms.encode(month(), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_month_is_read_as_it_was_written() {
        let mut of_several_leaves = sample();
        of_several_leaves.groups[2].cards = None;
        for atoms in [sample(), of_several_leaves, AtomMonth::default()] {
            assert_eq!(AtomMonth::parse(month(), &encoded(&atoms)).unwrap(), atoms);
        }
    }

    #[test]
    fn cards_count_where_they_were_in_no_atom_since() {
        let (atoms, this) = (sample(), month());
        let cards = |months_before: i32, last| {
            atoms.cards_since(this, Month(this.0 - months_before), day(last))
        };
        assert_eq!([cards(0, 27), cards(0, 9), cards(0, 8)], [18, 16, 0]);
        assert_eq!([cards(1, 27), cards(2, 27), cards(5, 27)], [15, 13, 12]);
    }

    /// A change of a right month, and what is wrong with it then.
    type Forgery = (fn(&mut AtomMonth), &'static str);

    #[test]
    fn what_is_not_of_the_shape_is_refused() {
        let changes: [Forgery; 10] = [
            (|it| it.groups.swap(0, 1), "not in the order"),
            (|it| it.groups[2].days.last = day(28), "not in the order"),
            (|it| it.groups[0].count = 0, "no rows"),
            (|it| it.groups[1].count = 9, "cards that they cannot have"),
            (
                |it| it.groups[1].cards = Some(0),
                "cards that they cannot have",
            ),
            (
                |it| it.groups[0].cards = Some(9),
                "cards that they cannot have",
            ),
            (|it| it.cards[0].day = day(8), "not on days"),
            (|it| it.cards[1].returning.clear(), "not on days"),
            (|it| it.cards[0].returning.swap(0, 1), "ascending numbers"),
            (|it| it.cards[0].returning[0].count = 0, "ascending numbers"),
        ];
        for (change, problem) in changes {
            let mut atoms = sample();
            change(&mut atoms);
            let error = atoms
                .encode(month(), &mut Vec::new())
                .unwrap_err()
                .to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn damage_is_an_error_or_another_month_and_never_a_panic() {
        let bytes = encoded(&sample());
        for at in 0..bytes.len() {
            assert!(AtomMonth::parse(month(), &bytes[..at]).is_err());
            for value in 0..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(read) = AtomMonth::parse(month(), &damaged) {
                    assert!(value == bytes[at] || read != sample());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_summary_is_read_as_it_was_written(
            months in prop::collection::btree_map(0..2_000_i32, (any::<u64>(), any::<i128>(), any::<u64>()), 0..9),
        ) {
            let first = *MONTHS.start();
            let months = months.into_iter().map(|(month, (count, sum, cards))| AtomTotals {
                month: Month((first + month).min(*MONTHS.end())), count, sum, cards,
            });
            let summary = AtomSummary {
                profile: StoreProfile { region: Some("Seoul".into()), ..StoreProfile::default() },
                months: months.collect(),
            };
            let mut bytes = Vec::new();
            summary.encode(&mut bytes).unwrap();
            prop_assert_eq!(AtomSummary::parse(&bytes).unwrap(), summary);
            for end in 0..bytes.len() {
                prop_assert!(AtomSummary::parse(&bytes[..end]).is_err());
            }
        }
    }
}
