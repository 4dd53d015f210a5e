//! Where the cards of stores come from: the region of most of their visits elsewhere (docs/definitions.md,
//! "Origins").

use bytemuck::{Pod, Zeroable};
use nightshard_format::calendar::{Day, Month};

use super::{
    row::{CardVisit, StoreOrdinal},
    store_labels::{LabelNumber, OfLabel, StoreLabels, UNKNOWN, most_elsewhere, most_visited},
};
use crate::{Result, exchange::Outbox};

/// Fewer visits elsewhere say nothing.
const VISITS_MIN: usize = 3;

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
        let sales = visits.iter().filter(|visit| visit.is_sale());
        let stores = sales.map(|visit| visit.store());
        self.visits.clear();
        self.visits
            .extend(stores.map(|store| (self.regions.of_store(store), store)));
        self.visits.sort_unstable();
        let unknown = self
            .visits
            .partition_point(|(region, _)| *region == UNKNOWN);
        let known = self.visits.len() - unknown;
        let most = most_visited(&self.visits);
        for of_store in self.visits.chunk_by(|a, b| a == b) {
            let (region, store) = of_store[0];
            let own = OfLabel {
                label: region,
                visits: of_store.len(),
            };
            let row = OriginRow::new(store, month, origin(own, most, known));
            let (partition, _) = store.parts();
            self.outbox
                .push(u16::try_from(partition).unwrap_or(u16::MAX), row)?;
        }
        Ok(())
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<OriginRow> {
        self.outbox
    }
}

/// Returns the region of most visits elsewhere, of a card that was so often in a store of its own region, and
/// `known` times in stores of any.
fn origin(own: OfLabel, most: [OfLabel; 2], known: usize) -> LabelNumber {
    let here = match own.label {
        UNKNOWN => 0,
        _ => own.visits,
    };
    match known - here < VISITS_MIN {
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
            for (day, at) in visits {
                if let Some(region) = REGIONS[*at]
                    && *at != own
                    && Day(*day).month() == month
                {
                    *elsewhere.entry(region).or_default() += 1;
                }
            }
            let most = elsewhere
                .iter()
                .max_by_key(|(region, visits)| (**visits, Reverse(**region)));
            let most = most.filter(|_| elsewhere.values().sum::<usize>() >= 3);
            let number = most.map_or(0, |(region, _)| match *region {
                "a" => 1,
                "b" => 2,
                _ => 3,
            });
            OriginRow::new(store(own), month, number)
        });
        rows.collect()
    }

    proptest! {
        #[test]
        fn an_origin_is_the_region_of_most_visits_at_other_stores(
            visits in prop::collection::btree_map((0_i32..75, 0_usize..7), any::<bool>(), 0..60),
        ) {
            let places = places();
            let regions = StoreLabels::regions(&places);
            let outbox = Outbox::new(1, 1 << 20, &Scratch::new(&std::env::temp_dir()));
            let february = Day(40).month();
            let mut origins = CardOrigins::new(&regions, february, outbox);
            let rows = visits.iter().map(|((day, at), is_sale)| {
                let card_day = CardDay::new(1 << 100, *day, *is_sale);
                CardVisit::at_store(CardRow::new(card_day, store(*at)))
            });
            let mut rows: Vec<CardVisit> = rows.collect();
            rows.sort_unstable();
            origins.card(&rows).unwrap();
            let sent = Exchanged::new(vec![origins.finish()]).unwrap();
            let mut found = sent.take_rows(0).unwrap();
            found.sort_unstable();
            let sales = visits.iter().filter(|(_, is_sale)| **is_sale).map(|(visit, _)| *visit);
            prop_assert_eq!(found, expected(&sales.collect(), february));
        }
    }
}
