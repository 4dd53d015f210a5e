//! One partition of cards to the distances of places, which come together in an exchange by place.

use super::{
    card_days::{CountKind, DayDistance, DistanceCounts},
    card_memory::{Before, CardMemory},
    card_partition::CardSink,
    place_partitions::PlacePartitions,
    place_row::{self, PlaceCount, PlaceCounts, PlaceRow},
    places::Places,
    row::{CardDay, CardVisit},
    spend_row::SpendRow,
    store_partition::buyer_changes,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox},
};

/// Finds out how cards come to places, and sends it on.
pub struct PlaceCards<'a> {
    places: &'a Places,
    partitions: PlacePartitions,
    memory: CardMemory,
    outbox: Outbox<PlaceRow>,
}

impl<'a> PlaceCards<'a> {
    /// Sends to `outbox`.
    #[must_use]
    pub fn new(places: &'a Places, outbox: Outbox<PlaceRow>) -> Self {
        Self {
            places,
            partitions: PlacePartitions::new(places),
            memory: CardMemory::default(),
            outbox,
        }
    }

    fn see(&mut self, place: u32, visit: CardVisit) -> Result<()> {
        let day = visit.day();
        // Of one card, it is places that are remembered.
        let of_place = CardDay::of_place(place, day, visit.is_sale());
        let seen = self.memory.see(of_place);
        if seen.row == Before::SameDay {
            return Ok(());
        }
        self.send(place, PlaceCount::Card, day, seen.row.distance())?;
        for change in buyer_changes(seen) {
            let count = match change.cards {
                1.. => PlaceCount::BuyerMore,
                _ => PlaceCount::BuyerLess,
            };
            self.send(place, count, day, change.distance)?;
        }
        if let Some(sale) = seen.sale {
            if sale.is_second {
                self.send(place, PlaceCount::Second, day, sale.before.distance())?;
            }
            if let Some(months) = sale.cohort {
                self.send(place, PlaceCount::Cohort, day, months)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, place: u32, count: PlaceCount, day: i32, distance: u32) -> Result<()> {
        let partition = self.partitions.of(place as usize);
        let row = PlaceRow::new(place, count, DayDistance::new(day, distance));
        self.outbox.push(partition, row)
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<PlaceRow> {
        self.outbox
    }
}

impl CardSink for PlaceCards<'_> {
    fn card(&mut self, visits: &[CardVisit], _sold: &[SpendRow]) -> Result<()> {
        if self.places.list().is_empty() {
            return Ok(());
        }
        self.memory.forget(visits.len());
        for visit in visits {
            for place in self.places.of_leaf(visit.leaf()) {
                self.see(*place, *visit)?;
            }
        }
        self.outbox.spill_if_full()?;
        Ok(())
    }
}

/// The distances of the places of one partition.
#[derive(Debug)]
pub struct PlaceDistances {
    /// The ordinal of the first place.
    pub first: usize,
    /// By place.
    pub counts: Vec<DistanceCounts>,
}

/// Takes one partition of the exchange by place, keeping about `budget_bytes` of its rows in memory.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn take(
    exchanged: &Exchanged<PlaceRow>,
    partition: u16,
    partitions: PlacePartitions,
    budget_bytes: usize,
) -> Result<PlaceDistances> {
    let places = partitions.places(partition);
    let mut distances = PlaceDistances {
        first: places.start,
        counts: vec![DistanceCounts::default(); places.len()],
    };
    place_row::take(exchanged, partition, budget_bytes, &mut distances)?;
    Ok(distances)
}

impl PlaceCounts for PlaceDistances {
    fn add(&mut self, row: PlaceRow, rows: i64) {
        let counts = &mut self.counts[row.place() - self.first];
        let (kind, count) = match row.count() {
            PlaceCount::Card => (CountKind::Cards, rows),
            PlaceCount::BuyerMore => (CountKind::Buyers, rows),
            PlaceCount::BuyerLess => (CountKind::Buyers, -rows),
            PlaceCount::Second => (CountKind::Second, rows),
            PlaceCount::Cohort => (CountKind::Cohorts, rows),
            // Only what makes atoms asks these.
            PlaceCount::AloneInRegion
            | PlaceCount::AloneInMarket
            | PlaceCount::InTold
            | PlaceCount::InNew => return,
        };
        counts.add_count(kind, row.at(), count);
    }

    fn compact(&mut self) {
        self.counts.iter_mut().for_each(DistanceCounts::add_up);
    }
}
