//! One partition of cards to what is known of the cards of leaves, in an exchange by leaf.

use std::{collections::BTreeMap, ops::Range};

use nightshard_format::calendar::{Day, Month};

use super::{
    card_days::{CountKind, DayDistance, DistanceCounts},
    card_memory::{Before, CardMemory},
    card_partition::CardSink,
    even_partitions::EvenPartitions,
    folded::Alone,
    place_row::{self, PlaceCount, PlaceCounts, PlaceRow},
    places::{Leaf, Places},
    row::{CardDay, CardVisit},
    spend_row::SpendRow,
    store_partition::buyer_changes,
};
use crate::{
    Result,
    exchange::{Exchanged, Outbox},
};

/// Finds out how cards come to leaves, and sends it on.
pub struct LeafCards<'a> {
    places: &'a Places,
    partitions: EvenPartitions,
    memory: CardMemory,
    /// The leaves that a card bought in within a month.
    bought_in: Vec<Leaf>,
    outbox: Outbox<PlaceRow>,
}

impl<'a> LeafCards<'a> {
    /// Sends to `outbox`.
    #[must_use]
    pub fn new(places: &'a Places, outbox: Outbox<PlaceRow>) -> Self {
        Self {
            places,
            partitions: EvenPartitions::new(places.leaves()),
            memory: CardMemory::default(),
            bought_in: Vec::new(),
            outbox,
        }
    }

    fn see(&mut self, visit: CardVisit) -> Result<()> {
        let (leaf, day) = (visit.leaf(), visit.day());
        // Of one card, it is leaves that are remembered.
        let of_leaf = CardDay::of_place(leaf, day, visit.is_sale());
        let seen = self.memory.see(of_leaf);
        if seen.row == Before::SameDay {
            return Ok(());
        }
        self.send(leaf, PlaceCount::Card, day, seen.row.distance())?;
        for change in buyer_changes(seen) {
            let count = match change.cards {
                1.. => PlaceCount::BuyerMore,
                _ => PlaceCount::BuyerLess,
            };
            self.send(leaf, count, day, change.distance)?;
        }
        Ok(())
    }

    /// Says of which leaves a card bought in one alone, of a region and of all, in a month.
    fn see_month(&mut self, month: Month, visits: &[CardVisit]) -> Result<()> {
        let mut bought_in = std::mem::take(&mut self.bought_in);
        bought_in.clear();
        let sales = visits.iter().filter(|visit| visit.is_sale());
        bought_in.extend(sales.map(|visit| visit.leaf()));
        let places = self.places;
        bought_in.sort_unstable_by_key(|leaf| (places.region_of(*leaf), *leaf));
        bought_in.dedup();
        let first_day = month.first_day().0;
        if let [leaf] = bought_in[..] {
            self.send(leaf, PlaceCount::AloneInMarket, first_day, 0)?;
        }
        for of_region in bought_in.chunk_by(|a, b| places.region_of(*a) == places.region_of(*b)) {
            if let [leaf] = *of_region {
                self.send(leaf, PlaceCount::AloneInRegion, first_day, 0)?;
            }
        }
        self.bought_in = bought_in;
        Ok(())
    }

    fn send(&mut self, leaf: Leaf, count: PlaceCount, day: i32, distance: u32) -> Result<()> {
        let row = PlaceRow::new(leaf, count, DayDistance::new(day, distance));
        self.outbox.push(self.partitions.of(leaf), row)
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<PlaceRow> {
        self.outbox
    }
}

impl CardSink for LeafCards<'_> {
    fn card(&mut self, visits: &[CardVisit], _sold: &[SpendRow]) -> Result<()> {
        self.memory.forget(visits.len());
        let month = |visit: &CardVisit| Day(visit.day()).month();
        for of_month in visits.chunk_by(|a, b| month(a) == month(b)) {
            for visit in of_month {
                self.see(*visit)?;
            }
            self.see_month(month(&of_month[0]), of_month)?;
        }
        self.outbox.spill_if_full()?;
        Ok(())
    }
}

/// What is known of the cards of a leaf.
#[derive(Debug, Default, Clone)]
pub struct LeafCounts {
    /// By day and distance.
    pub distances: DistanceCounts,
    /// Who bought nowhere else, by month.
    pub alone: BTreeMap<Month, Alone>,
}

/// The cards of the leaves of one partition.
#[derive(Debug)]
pub struct LeavesCounts {
    /// The leaves.
    pub leaves: Range<usize>,
    /// By leaf.
    pub counts: Vec<LeafCounts>,
}

/// Takes one partition of the exchange by leaf, keeping about `budget_bytes` of its rows in memory.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub fn take(
    exchanged: &Exchanged<PlaceRow>,
    partition: u16,
    partitions: EvenPartitions,
    budget_bytes: usize,
) -> Result<LeavesCounts> {
    let leaves = partitions.numbers(partition);
    let mut counts = LeavesCounts {
        counts: vec![LeafCounts::default(); leaves.len()],
        leaves,
    };
    place_row::take(exchanged, partition, budget_bytes, &mut counts)?;
    Ok(counts)
}

impl PlaceCounts for LeavesCounts {
    fn add(&mut self, row: PlaceRow, rows: i64) {
        let LeafCounts { distances, alone } = &mut self.counts[row.place() - self.leaves.start];
        let month = Day(row.at().day()).month();
        match row.count() {
            PlaceCount::Card => distances.add_count(CountKind::Cards, row.at(), rows),
            PlaceCount::BuyerMore => distances.add_count(CountKind::Buyers, row.at(), rows),
            PlaceCount::BuyerLess => distances.add_count(CountKind::Buyers, row.at(), -rows),
            PlaceCount::AloneInRegion => {
                alone.entry(month).or_default().in_region += rows.unsigned_abs();
            }
            PlaceCount::AloneInMarket => {
                alone.entry(month).or_default().in_market += rows.unsigned_abs();
            }
            // Leaves are asked for none of these.
            PlaceCount::Second | PlaceCount::Cohort | PlaceCount::InTold | PlaceCount::InNew => {}
        }
    }

    fn compact(&mut self) {
        let counts = self.counts.iter_mut();
        counts.for_each(|it| it.distances.add_up());
    }
}
