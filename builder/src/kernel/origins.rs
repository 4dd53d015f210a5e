//! Where the cards of stores come from: the region of most of their visits elsewhere (docs/definitions.md,
//! "Origins").

use bytemuck::{Pod, Zeroable};
use nightshard_format::calendar::{Day, Month};

use super::{
    row::{CardVisit, StoreOrdinal},
    store_labels::{LabelNumber, OfLabel, StoreLabels, UNKNOWN, most_elsewhere, most_visited},
};
use crate::{Result, exchange::Outbox};

/// Visits elsewhere on fewer days say nothing.
const DAYS_MIN: usize = 3;

/// A card of a store's month, by where it comes from.
///
/// # Shape
/// Ordered by store, month and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub struct OriginRow {
    store: u32,
    month: u32,
    region: LabelNumber,
}

impl OriginRow {
    pub(super) fn new(store: StoreOrdinal, month: Month, region: LabelNumber) -> Self {
        Self {
            store: store.bits(),
            month: month.0.unsigned_abs(),
            region,
        }
    }

    pub(super) fn store(self) -> StoreOrdinal {
        StoreOrdinal::of_bits(self.store)
    }

    pub(super) fn month(self) -> Month {
        Month(i32::try_from(self.month).unwrap_or(0))
    }

    pub(super) fn region(self) -> LabelNumber {
        self.region
    }

    pub(super) fn is_same_month(self, other: Self) -> bool {
        (self.store, self.month) == (other.store, other.month)
    }
}

/// Finds out where cards come from, and sends it to the partitions of stores.
pub struct CardOrigins<'a> {
    regions: &'a StoreLabels<'a>,
    last: Month,
    visits: Vec<(LabelNumber, StoreOrdinal)>,
    /// Of each day with a visit at one store alone whose region is known: that store.
    alone: Vec<StoreOrdinal>,
    outbox: Outbox<OriginRow>,
}

impl<'a> CardOrigins<'a> {
    /// Sends to `outbox` what there is of months up to `last`.
    #[must_use]
    pub fn new(regions: &'a StoreLabels<'a>, last: Month, outbox: Outbox<OriginRow>) -> Self {
        Self {
            regions,
            last,
            visits: Vec::new(),
            alone: Vec::new(),
            outbox,
        }
    }

    /// Takes all visits of a card, by day, each once for a store.
    ///
    /// # Errors
    /// As [`Outbox::push`].
    ///
    /// # Complexity
    /// That of sorting them, in however many stores they are: most regions of a month are counted once.
    pub fn card(&mut self, visits: &[CardVisit]) -> Result<()> {
        let mut rest = visits;
        while let Some(first) = rest.first() {
            let month = Day(first.day()).month();
            if month > self.last {
                break;
            }
            let last = month.days().last;
            let (of_month, later) = rest.split_at(rest.partition_point(|it| it.day() <= last.0));
            rest = later;
            self.month(month, of_month)?;
        }
        self.outbox.spill_if_full()?;
        Ok(())
    }

    fn month(&mut self, month: Month, visits: &[CardVisit]) -> Result<()> {
        let days = self.read(visits);
        let most = most_visited(&self.visits);
        for of_store in self.visits.chunk_by(|a, b| a == b) {
            let (region, store) = of_store[0];
            let own = OfLabel {
                label: region,
                visits: of_store.len(),
            };
            // On the other days it was elsewhere.
            let row = OriginRow::new(
                store,
                month,
                origin(own, most, days - self.days_alone(store)),
            );
            let (partition, _) = store.parts();
            self.outbox
                .push(u16::try_from(partition).unwrap_or(u16::MAX), row)?;
        }
        Ok(())
    }

    /// Takes the visits of a month, and returns on how many days some are at stores whose region is known.
    fn read(&mut self, visits: &[CardVisit]) -> usize {
        self.visits.clear();
        self.alone.clear();
        let mut days = 0;
        for of_day in visits.chunk_by(|a, b| a.day() == b.day()) {
            let sales = of_day.iter().filter(|visit| visit.is_sale());
            let stores = sales.map(|visit| visit.store());
            let before = self.visits.len();
            self.visits
                .extend(stores.map(|store| (self.regions.of_store(store), store)));
            let of_day = self.visits[before..].iter();
            let mut known = of_day.filter(|(region, _)| *region != UNKNOWN);
            if let Some((_, store)) = known.next() {
                days += 1;
                self.alone.extend(known.next().is_none().then_some(*store));
            }
        }
        self.visits.sort_unstable();
        self.alone.sort_unstable();
        days
    }

    /// Returns on how many days the card was at this store and at no other whose region is known.
    fn days_alone(&self, store: StoreOrdinal) -> usize {
        let before = self.alone.partition_point(|it| *it < store);
        let rest = &self.alone[before..];
        rest.partition_point(|it| *it == store)
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<OriginRow> {
        self.outbox
    }
}

/// Returns the region of most visits elsewhere, of a card that was so often in a store of its own region, and elsewhere
/// on so many days, at stores whose regions are known.
fn origin(own: OfLabel, most: [OfLabel; 2], days_elsewhere: usize) -> LabelNumber {
    match days_elsewhere < DAYS_MIN {
        true => UNKNOWN,
        false => most_elsewhere(own, most),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cmp::Reverse,
        collections::{BTreeMap, BTreeSet},
    };

    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::{Exchanged, Scratch},
        kernel::{
            places::Places,
            row::{CardDay, CardRow},
        },
    };

    fn store(number: usize) -> StoreOrdinal {
        StoreOrdinal::new(0, number).unwrap()
    }

    const REGIONS: [Option<&str>; 7] = [
        Some("b"),
        None,
        Some("a"),
        Some("b"),
        Some("c"),
        Some("a"),
        Some("c"),
    ];

    fn places() -> Places {
        let stores = (0..).zip(REGIONS);
        let stores = stores.map(|(number, region)| (store(number), region, Some("food")));
        Places::of(stores, None).unwrap()
    }

    /// Returns where a card comes from by its visits (day, store), looked through for each store and month.
    fn expected(visits: &BTreeSet<(i32, usize)>, last: Month) -> Vec<OriginRow> {
        let months: BTreeSet<(usize, Month)> = visits
            .iter()
            .map(|(day, at)| (*at, Day(*day).month()))
            .collect();
        let months = months.into_iter().filter(|(_, month)| *month <= last);
        let rows = months.map(|(own, month)| {
            let mut elsewhere = BTreeMap::<&str, usize>::new();
            let mut days = BTreeSet::new();
            for (day, at) in visits {
                if let Some(region) = REGIONS[*at]
                    && *at != own
                    && Day(*day).month() == month
                {
                    *elsewhere.entry(region).or_default() += 1;
                    days.insert(day);
                }
            }
            let most = elsewhere
                .iter()
                .max_by_key(|(region, visits)| (**visits, Reverse(**region)));
            let most = most.filter(|_| days.len() >= 3);
            let number = most.map_or(0, |(region, _)| match *region {
                "a" => 1,
                "b" => 2,
                _ => 3,
            });
            OriginRow::new(store(own), month, number)
        });
        rows.collect()
    }

    fn found(visits: impl Iterator<Item = (i32, usize, bool)>, last: Month) -> Vec<OriginRow> {
        let places = places();
        let regions = StoreLabels::regions(&places);
        let outbox = Outbox::new(1, 1 << 20, &Scratch::new(&std::env::temp_dir()));
        let mut origins = CardOrigins::new(&regions, last, outbox);
        let rows = visits.map(|(day, at, is_sale)| {
            let card_day = CardDay::new(1 << 100, day, is_sale);
            CardVisit::at_store(CardRow::new(card_day, store(at)))
        });
        let mut rows: Vec<CardVisit> = rows.collect();
        rows.sort_unstable();
        origins.card(&rows).unwrap();
        let sent = Exchanged::new(vec![origins.finish()]).unwrap();
        let mut found = sent.take_rows(0).unwrap();
        found.sort_unstable();
        found
    }

    #[test]
    fn visits_of_one_day_are_of_one_day_however_many_stores_they_are_at() {
        let january = Day(0).month();
        let origins = |visits: &[(i32, usize)]| {
            let rows = found(visits.iter().map(|(day, at)| (*day, *at, true)), january);
            let rows = rows.iter();
            rows.map(|row| row.region()).collect::<Vec<_>>()
        };
        // Four stores whose regions are known on one day: from each, three visits elsewhere.
        assert_eq!(origins(&[(5, 0), (5, 2), (5, 4), (5, 5)]), [UNKNOWN; 4]);
        // The first store is alone on days 6 and 7: elsewhere are days 5, 8 and 9, and from the others all but one.
        let visits = [(5, 0), (5, 2), (6, 0), (7, 0), (8, 2), (9, 4)];
        assert_eq!(origins(&visits), [1, 2, 2]);
        // A store of an unknown region is on no day; from the third, days 5 to 7 are elsewhere.
        let visits = [(5, 0), (6, 0), (7, 0), (7, 2), (8, 1), (9, 1)];
        assert_eq!(origins(&visits), [UNKNOWN, 2, 2]);
    }

    proptest! {
        #[test]
        fn an_origin_is_the_region_of_most_visits_at_other_stores(
            visits in prop::collection::btree_map((0_i32..75, 0_usize..7), any::<bool>(), 0..60),
        ) {
            let february = Day(40).month();
            let rows = visits.iter().map(|((day, at), is_sale)| (*day, *at, *is_sale));
            let found = found(rows, february);
            let sales = visits.iter().filter(|(_, is_sale)| **is_sale).map(|(visit, _)| *visit);
            prop_assert_eq!(found, expected(&sales.collect(), february));
        }
    }
}
