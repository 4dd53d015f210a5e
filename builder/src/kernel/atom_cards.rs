//! One partition of cards to the distinct cards of atoms, in an exchange by place.

use std::ops::Range;

use nightshard_format::{
    calendar::{Day, Month},
    record::{AtomCards, Run},
};

use super::{
    card_days::DayDistance,
    card_partition::CardSink,
    cells::{Cells, Reach},
    even_partitions::EvenPartitions,
    place_row::{self, PlaceCount, PlaceCounts, PlaceRow},
    places::{PlaceKind, Places},
    row::CardVisit,
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
    partitions: EvenPartitions,
    /// The places of a card, and the last days of its atoms.
    ends: Vec<(u32, i32)>,
    outbox: Outbox<PlaceRow>,
}

impl<'a> AtomCardsSink<'a> {
    /// Sends to `outbox`.
    #[must_use]
    pub fn new(places: &'a Places, cells: &'a Cells, outbox: Outbox<PlaceRow>) -> Self {
        Self {
            places,
            cells,
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
        let end = cell.days.last.0;
        self.ends.push((market(self.places), end));
        for place in self.places.of_leaf(leaf) {
            let is_region = self.places.list()[*place as usize].kind == PlaceKind::Region;
            if cell.reach == Reach::Leaf || (cell.reach == Reach::Region && is_region) {
                self.ends.push((*place, end));
            }
        }
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
    fn card(&mut self, visits: &[CardVisit]) -> Result<()> {
        self.ends.clear();
        visits.iter().for_each(|visit| self.note(*visit));
        self.ends.sort_unstable();
        let mut before: Option<(u32, Month)> = None;
        for (place, end) in &self.ends {
            let month = Day(*end).month();
            let gap = match before {
                Some((same, last)) if same == *place => month.0 - last.0,
                _ => 0,
            };
            // In a month, a card counts on the day on which the first atom that it is in ends.
            if before.replace((*place, month)) == Some((*place, month)) {
                continue;
            }
            let at = DayDistance::new(*end, gap.unsigned_abs());
            let row = PlaceRow::new(*place, PlaceCount::Card, at);
            self.outbox.push(self.partitions.of(*place), row)?;
        }
        self.outbox.spill_if_full()?;
        Ok(())
    }
}

/// The distinct cards of the places of one partition.
#[derive(Debug)]
pub struct AtomCardCounts {
    /// The places.
    pub places: Range<usize>,
    /// By place, day and distance in months.
    counts: Vec<Vec<(DayDistance, u64)>>,
}

impl AtomCardCounts {
    /// Returns the cards of a place, by day.
    #[must_use]
    pub fn of(&self, place: usize) -> Vec<AtomCards> {
        let counts = &self.counts[place - self.places.start];
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
        counts: vec![Vec::new(); places.len()],
        places,
    };
    place_row::take(exchanged, partition, budget_bytes, &mut counts)?;
    Ok(counts)
}

impl PlaceCounts for AtomCardCounts {
    fn add(&mut self, row: PlaceRow, rows: i64) {
        let counts = &mut self.counts[row.place() - self.places.start];
        counts.push((row.at(), rows.unsigned_abs()));
    }

    fn compact(&mut self) {
        for counts in &mut self.counts {
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
