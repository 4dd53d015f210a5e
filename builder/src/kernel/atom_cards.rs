//! One partition of cards to the distinct cards of atoms, in an exchange by place.

use std::{collections::BTreeMap, ops::Range};

use nightshard_format::{
    calendar::{Day, Month},
    record::{AtomCards, Run},
};

use super::{
    card_days::DayDistance,
    card_partition::CardSink,
    cells::{Cells, Reach},
    even_partitions::EvenPartitions,
    frozen::Frozen,
    place_row::{self, PlaceCount, PlaceCounts, PlaceRow},
    places::{PlaceKind, Places},
    row::CardVisit,
    spend_row::SpendRow,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox},
};

/// Finds out in which months cards are in an atom of a place, and sends it on.
///
/// # Shape
/// The market is the place after all others.
pub struct AtomCardsSink<'a> {
    places: &'a Places,
    cells: &'a Cells,
    frozen: Option<&'a Frozen<'a>>,
    partitions: EvenPartitions,
    /// The atoms of a card.
    ends: Vec<End>,
    outbox: Outbox<PlaceRow>,
}

/// Where and when an atom ends that a card is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    place: u32,
    day: i32,
    /// Whether the atom was told before.
    is_told: bool,
}

impl End {
    fn month(self) -> Month {
        Day(self.day).month()
    }
}

impl<'a> AtomCardsSink<'a> {
    /// Sends to `outbox`.
    #[must_use]
    pub fn new(
        places: &'a Places,
        cells: &'a Cells,
        frozen: Option<&'a Frozen<'a>>,
        outbox: Outbox<PlaceRow>,
    ) -> Self {
        Self {
            places,
            cells,
            frozen,
            partitions: partitions(places),
            ends: Vec::new(),
            outbox,
        }
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<PlaceRow> {
        self.outbox
    }

    /// Notes the last day of the atom that a visit is in, for all places that the atom is in.
    fn note(&mut self, visit: CardVisit) {
        let leaf = visit.leaf();
        let Some(cell) = self.cells.find(leaf, Day(visit.day())) else {
            return;
        };
        let end = End {
            place: market(self.places),
            day: cell.days.last.0,
            is_told: self
                .frozen
                .is_some_and(|frozen| frozen.has_told(leaf, cell.days.last)),
        };
        self.ends.push(end);
        for place in self.places.of_leaf(leaf) {
            let is_region = self.places.list()[*place as usize].kind == PlaceKind::Region;
            if cell.reach == Reach::Leaf || (cell.reach == Reach::Region && is_region) {
                self.ends.push(End {
                    place: *place,
                    ..end
                });
            }
        }
    }

    /// Sends that a card is in atoms of a place in a month, so many months after those before.
    fn send(&mut self, of_month: &[End], months: u32) -> Result<()> {
        // In a month, a card counts on the day on which the first atom that it is in ends.
        self.push(PlaceCount::Card, of_month[0], months)?;
        let first = of_month[0];
        if self.frozen.and_then(Frozen::month) != Some(first.month()) {
            return Ok(());
        }
        match of_month.iter().find(|it| it.is_told) {
            Some(told) => self.push(PlaceCount::InTold, *told, months),
            None => self.push(PlaceCount::InNew, first, months),
        }
    }

    fn push(&mut self, count: PlaceCount, end: End, months: u32) -> Result<()> {
        let row = PlaceRow::new(end.place, count, DayDistance::new(end.day, months));
        self.outbox.push(self.partitions.of(end.place), row)
    }
}

/// Returns the number of the market.
fn market(places: &Places) -> u32 {
    u32::try_from(places.list().len()).unwrap_or(u32::MAX)
}

/// Returns the partitions of all places and the market.
#[must_use]
pub fn partitions(places: &Places) -> EvenPartitions {
    EvenPartitions::new(places.list().len() + 1)
}

impl CardSink for AtomCardsSink<'_> {
    fn card(&mut self, visits: &[CardVisit], _sold: &[SpendRow]) -> Result<()> {
        self.ends.clear();
        visits.iter().for_each(|visit| self.note(*visit));
        self.ends.sort_unstable();
        let ends = std::mem::take(&mut self.ends);
        for of_place in ends.chunk_by(|a, b| a.place == b.place) {
            let mut before = None;
            for of_month in of_place.chunk_by(|a, b| a.month() == b.month()) {
                let month = of_month[0].month();
                let gap = before
                    .replace(month)
                    .map_or(0, |last: Month| month.0 - last.0);
                self.send(of_month, gap.unsigned_abs())?;
            }
        }
        self.ends = ends;
        self.outbox.spill_if_full()?;
        Ok(())
    }
}

/// The distinct cards of a place, by the day on which the first atom of the month that they are in ends.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PlaceAtomCards {
    /// Of all atoms.
    pub all: Vec<AtomCards>,
    /// Of the month that goes on from what was told: those in atoms that were told before, by the first of these.
    pub in_told: Vec<AtomCards>,
    /// Of the same month: those in none of them.
    pub in_new: Vec<AtomCards>,
}

/// The distinct cards of the places of one partition.
#[derive(Debug)]
pub struct AtomCardCounts {
    /// The places.
    pub places: Range<usize>,
    counts: Vec<Counts>,
}

/// How many cards there are at each day and distance in months.
type Counts = [Vec<(DayDistance, u64)>; 3];

impl AtomCardCounts {
    /// Returns the cards of a place.
    #[must_use]
    pub fn of(&self, place: usize) -> PlaceAtomCards {
        let [all, in_told, in_new] = &self.counts[place - self.places.start];
        PlaceAtomCards {
            all: by_day(all),
            in_told: by_day(in_told),
            in_new: by_day(in_new),
        }
    }
}

fn by_day(counts: &[(DayDistance, u64)]) -> Vec<AtomCards> {
    let days = counts.chunk_by(|(a, _), (b, _)| a.day() == b.day());
    days.map(|of_day| {
        let (never, again) = match of_day {
            [(at, cards), rest @ ..] if at.distance() == 0 => (*cards, rest),
            rest => (0, rest),
        };
        let run = |(at, count): &(DayDistance, u64)| Run {
            distance: at.distance(),
            count: *count,
        };
        AtomCards {
            day: Day(of_day[0].0.day()),
            first_ever: never,
            returning: again.iter().map(run).collect(),
        }
    })
    .collect()
}

/// Adds up cards that are not the same.
#[must_use]
pub fn sum(some: &[AtomCards], others: &[AtomCards]) -> Vec<AtomCards> {
    let mut days = BTreeMap::<Day, (u64, BTreeMap<u32, u64>)>::new();
    for of_day in some.iter().chain(others) {
        let (never, again) = days.entry(of_day.day).or_default();
        *never += of_day.first_ever;
        for run in &of_day.returning {
            *again.entry(run.distance).or_default() += run.count;
        }
    }
    let days = days.into_iter();
    days.map(|(day, (first_ever, returning))| AtomCards {
        day,
        first_ever,
        returning: returning
            .into_iter()
            .map(|(distance, count)| Run { distance, count })
            .collect(),
    })
    .collect()
}

/// Takes one partition of the exchange by place, keeping about `budget_bytes` of its rows in memory.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn take(
    exchanged: &Exchanged<PlaceRow>,
    partition: u16,
    partitions: EvenPartitions,
    budget_bytes: usize,
) -> Result<AtomCardCounts> {
    let places = partitions.numbers(partition);
    let mut counts = AtomCardCounts {
        counts: vec![Counts::default(); places.len()],
        places,
    };
    place_row::take(exchanged, partition, budget_bytes, &mut counts)?;
    Ok(counts)
}

impl PlaceCounts for AtomCardCounts {
    fn add(&mut self, row: PlaceRow, rows: i64) {
        let [all, in_told, in_new] = &mut self.counts[row.place() - self.places.start];
        let counts = match row.count() {
            PlaceCount::InTold => in_told,
            PlaceCount::InNew => in_new,
            _ => all,
        };
        counts.push((row.at(), rows.unsigned_abs()));
    }

    fn compact(&mut self) {
        for counts in self.counts.iter_mut().flatten() {
            counts.sort_unstable_by_key(|(at, _)| *at);
            counts.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 += next.1;
                }
                same
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_add_up_day_by_day_and_distance_by_distance() {
        let cards = |day, first_ever, returning: &[(u32, u64)]| AtomCards {
            day: Day(day),
            first_ever,
            returning: returning
                .iter()
                .map(|(distance, count)| Run {
                    distance: *distance,
                    count: *count,
                })
                .collect(),
        };
        let told = [cards(3, 5, &[(1, 2), (4, 1)]), cards(9, 0, &[(2, 7)])];
        let new = [cards(3, 1, &[(2, 3), (4, 2)]), cards(12, 6, &[])];
        let expected = [
            cards(3, 6, &[(1, 2), (2, 3), (4, 3)]),
            cards(9, 0, &[(2, 7)]),
            cards(12, 6, &[]),
        ];
        assert_eq!(sum(&told, &new), expected);
        assert_eq!(sum(&told, &[]), told);
    }
}
