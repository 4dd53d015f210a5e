//! What is counted of cards by place, in an exchange of its own.

use bytemuck::{Pod, Zeroable};

use super::card_days::DayDistance;
use crate::{
    Result,
    exchange::{Exchanged, Visitor},
};

/// What a row counts one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlaceCount {
    /// Cards, by distance to their day before.
    Card,
    /// Buyers whose distance is not that of the card.
    BuyerMore,
    /// The card's distance where it is not that of the buyer.
    BuyerLess,
    /// Second days with a sale.
    Second,
    /// First days with a sale in a month, by months since that of the first sale.
    Cohort,
    /// Buyers of a month in no other leaf of the region.
    AloneInRegion,
    /// Buyers of a month in no other leaf.
    AloneInMarket,
    /// Cards in atoms that were told before, by the first of these in the month.
    InTold,
    /// Cards in atoms of the month of which none was told before.
    InNew,
}

impl PlaceCount {
    const ALL: [Self; 9] = [
        Self::Card,
        Self::BuyerMore,
        Self::BuyerLess,
        Self::Second,
        Self::Cohort,
        Self::AloneInRegion,
        Self::AloneInMarket,
        Self::InTold,
        Self::InNew,
    ];
}

/// One more of what is counted of a place, on a day and at a distance.
///
/// # Shape
/// Ordered by place, then what is counted, day and distance, so that equal ones meet when sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(transparent)]
pub struct PlaceRow(u64);

const COUNT_SHIFT: u32 = 32;
const COUNT_MASK: u64 = 15;
const PLACE_SHIFT: u32 = 36;
const _: () = assert!(super::places::PLACES_MAX - 1 <= u64::MAX >> PLACE_SHIFT);

impl PlaceRow {
    pub(super) fn new(place: u32, count: PlaceCount, at: DayDistance) -> Self {
        let place = u64::from(place) << PLACE_SHIFT;
        Self(place | (count as u64) << COUNT_SHIFT | u64::from(at.bits()))
    }

    pub(super) fn place(self) -> usize {
        usize::try_from(self.0 >> PLACE_SHIFT).unwrap_or(usize::MAX)
    }

    pub(super) fn count(self) -> PlaceCount {
        let count = usize::try_from(self.0 >> COUNT_SHIFT & COUNT_MASK).unwrap_or(0);
        PlaceCount::ALL[count]
    }

    pub(super) fn at(self) -> DayDistance {
        DayDistance::from_bits(u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(0))
    }
}

/// Takes what was counted.
pub(super) trait PlaceCounts {
    /// Adds so many equal rows.
    fn add(&mut self, row: PlaceRow, rows: i64);

    /// Adds up what was added, so that it takes less memory.
    fn compact(&mut self);
}

/// Passes the rows of one partition to `counts`, keeping about `budget_bytes` of them in memory.
///
/// # Errors
/// [`crate::Error::File`] if the scratch folder cannot be read.
pub(super) fn take(
    exchanged: &Exchanged<PlaceRow>,
    partition: u16,
    budget_bytes: usize,
    counts: &mut impl PlaceCounts,
) -> Result<()> {
    let mut gathered = Gathered {
        rows: Vec::new(),
        limit: budget_bytes / size_of::<PlaceRow>(),
        counts,
    };
    exchanged.take(partition, &mut gathered)?;
    gathered.count();
    Ok(())
}

/// Rows that are counted whenever many have come.
struct Gathered<'a, C> {
    rows: Vec<PlaceRow>,
    limit: usize,
    counts: &'a mut C,
}

impl<C: PlaceCounts> Gathered<'_, C> {
    fn count(&mut self) {
        self.rows.sort_unstable();
        for equal in self.rows.chunk_by(|a, b| a == b) {
            let rows = i64::try_from(equal.len()).unwrap_or(i64::MAX);
            self.counts.add(equal[0], rows);
        }
        self.counts.compact();
        self.rows.clear();
    }
}

impl<C: PlaceCounts> Visitor<PlaceRow> for Gathered<'_, C> {
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
