//! One partition of cards to the distances of places, which come together in an exchange by place.

use bytemuck::{Pod, Zeroable};

use super::{
    card_days::{CountKind, DayDistance, DistanceCounts},
    card_memory::{Before, CardMemory},
    place_partitions::PlacePartitions,
    places::Places,
    row::{CardDay, CardVisit},
    store_partition::buyer_changes,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox, Visitor},
};

/// One card more, or one buyer less, of a place on a day and at a distance.
///
/// # Shape
/// Ordered by place, then what is counted, day and distance, so that equal ones meet when sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct PlaceRow(u64);

/// What a row counts, and by which sign.
const KINDS: [(CountKind, i64); 5] = [
    (CountKind::Cards, 1),
    (CountKind::Buyers, 1),
    (CountKind::Buyers, -1),
    (CountKind::Second, 1),
    (CountKind::Cohorts, 1),
];
const CARDS: u64 = 0;
const MORE_BUYERS: u64 = 1;
const FEWER_BUYERS: u64 = 2;
const SECOND: u64 = 3;
const COHORTS: u64 = 4;
const KIND_SHIFT: u32 = 32;
const PLACE_SHIFT: u32 = 35;
const _: () = assert!(super::places::PLACES_MAX - 1 <= u64::MAX >> PLACE_SHIFT);

impl PlaceRow {
    fn new(place: u32, kind: u64, at: DayDistance) -> Self {
        Self(u64::from(place) << PLACE_SHIFT | kind << KIND_SHIFT | u64::from(at.bits()))
    }

    fn place(self) -> usize {
        usize::try_from(self.0 >> PLACE_SHIFT).unwrap_or(usize::MAX)
    }

    fn kind(self) -> (CountKind, i64) {
        let kind = usize::try_from(self.0 >> KIND_SHIFT & 7).unwrap_or(0);
        KINDS[kind]
    }

    fn at(self) -> DayDistance {
        DayDistance::from_bits(u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(0))
    }
}

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

    /// Counts all days of a card.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the scratch folder takes no more.
    pub fn count(&mut self, visits: &[CardVisit]) -> Result<()> {
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

    fn see(&mut self, place: u32, visit: CardVisit) -> Result<()> {
        let day = visit.day();
        // Of one card, it is places that are remembered.
        let of_place = CardDay::of_place(place, day, visit.is_sale());
        let seen = self.memory.see(of_place);
        if seen.row == Before::SameDay {
            return Ok(());
        }
        self.send(place, CARDS, day, seen.row.distance())?;
        for change in buyer_changes(seen) {
            let kind = match change.cards {
                1.. => MORE_BUYERS,
                _ => FEWER_BUYERS,
            };
            self.send(place, kind, day, change.distance)?;
        }
        if let Some(sale) = seen.sale {
            if sale.is_second {
                self.send(place, SECOND, day, sale.before.distance())?;
            }
            if let Some(months) = sale.cohort {
                self.send(place, COHORTS, day, months)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, place: u32, kind: u64, day: i32, distance: u32) -> Result<()> {
        let partition = self.partitions.of(place as usize);
        let row = PlaceRow::new(place, kind, DayDistance::new(day, distance));
        self.outbox.push(partition, row)
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<PlaceRow> {
        self.outbox
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
    let mut gathered = Gathered {
        rows: Vec::new(),
        limit: budget_bytes / size_of::<PlaceRow>(),
        distances: PlaceDistances {
            first: places.start,
            counts: vec![DistanceCounts::default(); places.len()],
        },
    };
    exchanged.take(partition, &mut gathered)?;
    gathered.count();
    Ok(gathered.distances)
}

/// Rows that are counted whenever many have come.
struct Gathered {
    rows: Vec<PlaceRow>,
    limit: usize,
    distances: PlaceDistances,
}

impl Gathered {
    fn count(&mut self) {
        self.rows.sort_unstable();
        let PlaceDistances { first, counts } = &mut self.distances;
        for of_place in self.rows.chunk_by(|a, b| a.place() == b.place()) {
            let counts = &mut counts[of_place[0].place() - *first];
            for equal in of_place.chunk_by(|a, b| a == b) {
                let (kind, sign) = equal[0].kind();
                let rows = i64::try_from(equal.len()).unwrap_or(i64::MAX);
                counts.add_count(kind, equal[0].at(), sign * rows);
            }
            counts.add_up();
        }
        self.rows.clear();
    }
}

impl Visitor<PlaceRow> for Gathered {
    fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &[PlaceRow]) -> Result<()> {
        self.rows.extend_from_slice(rows);
        if self.rows.len() >= self.limit {
            self.count();
        }
        Ok(())
    }
}
