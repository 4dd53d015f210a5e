//! Where the cards of stores come from: the region of most of their visits elsewhere (docs/definitions.md,
//! "Origins").

use std::{cmp::Ordering, collections::BTreeSet};

use bytemuck::{Pod, Zeroable};
use nightshard_format::{
    calendar::{Day, Month},
    record::{Label, split_leaf_key},
};

use super::{
    places::Places,
    row::{CardVisit, StoreOrdinal},
};
use crate::{Result, exchange::Outbox};

/// Fewer visits elsewhere say nothing.
const VISITS_MIN: usize = 3;

/// The number of a region, in the order of ids.
type Region = u32;

/// The region of stores of which none is known, and the origin of cards of which it is not.
const UNKNOWN: Region = 0;

/// The regions of all stores, by number.
#[derive(Debug)]
pub struct StoreRegions<'a> {
    places: &'a Places,
    /// Of the regions from 1 on.
    ids: Vec<&'a str>,
    /// By leaf.
    of_leaves: Vec<Region>,
}

impl<'a> StoreRegions<'a> {
    /// Numbers the regions of places.
    #[must_use]
    pub fn of(places: &'a Places) -> Self {
        let region_of = |key: &'a [u8]| split_leaf_key(key).and_then(|(region, _)| region);
        let ids = places.leaf_keys().filter_map(|(key, _)| region_of(key));
        let ids: Vec<&str> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        let number_of = |id: &str| {
            let before = ids.partition_point(|it| *it < id);
            Region::try_from(before + 1).expect("there are fewer regions than places")
        };
        let mut of_leaves = vec![UNKNOWN; places.leaves()];
        for (key, leaf) in places.leaf_keys() {
            of_leaves[leaf as usize] = region_of(key).map_or(UNKNOWN, number_of);
        }
        Self {
            places,
            ids,
            of_leaves,
        }
    }

    /// Returns whether no store is in any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn of_store(&self, store: StoreOrdinal) -> Region {
        self.of_leaves[self.places.leaf_of(store) as usize]
    }

    /// Returns what a number stands for.
    pub(super) fn label(&self, region: Region) -> Label<&[u8]> {
        match (region as usize).checked_sub(1) {
            None => Label::Unknown,
            Some(at) => Label::Text(self.ids[at].as_bytes()),
        }
    }
}

/// A card of a store's month, by where it comes from.
///
/// # Shape
/// Ordered by store, month and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub struct OriginRow {
    store: u32,
    month: u32,
    region: Region,
}

impl OriginRow {
    pub(super) fn new(store: StoreOrdinal, month: Month, region: Region) -> Self {
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

    pub(super) fn region(self) -> Region {
        self.region
    }

    pub(super) fn is_same_month(self, other: Self) -> bool {
        (self.store, self.month) == (other.store, other.month)
    }
}

/// How often a card was in a region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct OfRegion {
    region: Region,
    visits: usize,
}

/// Finds out where cards come from, and sends it to the partitions of stores.
pub struct CardOrigins<'a> {
    regions: &'a StoreRegions<'a>,
    last: Month,
    visits: Vec<(Region, StoreOrdinal)>,
    outbox: Outbox<OriginRow>,
}

impl<'a> CardOrigins<'a> {
    /// Sends to `outbox` what there is of months up to `last`.
    #[must_use]
    pub fn new(regions: &'a StoreRegions<'a>, last: Month, outbox: Outbox<OriginRow>) -> Self {
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
        let most = most_visited(&self.visits[unknown..]);
        for of_store in self.visits.chunk_by(|a, b| a == b) {
            let (region, store) = of_store[0];
            let own = OfRegion {
                region,
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

/// Returns the two regions of most visits, which are in the order of regions; of as many, the first.
fn most_visited(visits: &[(Region, StoreOrdinal)]) -> [OfRegion; 2] {
    let [mut first, mut second] = [OfRegion::default(); 2];
    for of_region in visits.chunk_by(|a, b| a.0 == b.0) {
        let found = OfRegion {
            region: of_region[0].0,
            visits: of_region.len(),
        };
        if found.visits > first.visits {
            (first, second) = (found, first);
        } else if found.visits > second.visits {
            second = found;
        }
    }
    [first, second]
}

/// Returns the region of most visits elsewhere, of a card that was so often in a store of its own region, and
/// `known` times in stores of any.
fn origin(own: OfRegion, [first, second]: [OfRegion; 2], known: usize) -> Region {
    let here = match own.region {
        UNKNOWN => 0,
        _ => own.visits,
    };
    if known - here < VISITS_MIN {
        return UNKNOWN;
    }
    if first.region != own.region {
        return first.region;
    }
    match (first.visits - here).cmp(&second.visits) {
        Ordering::Greater => first.region,
        Ordering::Equal => first.region.min(second.region),
        Ordering::Less => second.region,
    }
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BTreeMap};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::{Exchanged, Scratch, Visitor},
        kernel::row::{CardDay, CardRow},
    };

    struct Rows(Vec<OriginRow>);

    impl Visitor<OriginRow> for Rows {
        fn dictionary<'a>(&mut self, _entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
            Ok(())
        }

        fn rows(&mut self, rows: &[OriginRow]) -> Result<()> {
            self.0.extend_from_slice(rows);
            Ok(())
        }
    }

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
        Places::of(stores).unwrap()
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
            let regions = StoreRegions::of(&places);
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
            let mut found = Rows(Vec::new());
            Exchanged::new(vec![origins.finish()]).unwrap().visit(0, &mut found).unwrap();
            found.0.sort_unstable();
            let sales = visits.iter().filter(|(_, is_sale)| **is_sale).map(|(visit, _)| *visit);
            prop_assert_eq!(found.0, expected(&sales.collect(), february));
        }
    }

    #[test]
    fn regions_are_numbered_in_the_order_of_their_ids() {
        let places = places();
        let regions = StoreRegions::of(&places);
        assert!(!regions.is_empty());
        let labels = [0, 1, 2, 3].map(|number| regions.label(number));
        let text = |id: &'static str| Label::Text(id.as_bytes());
        assert_eq!(labels, [Label::Unknown, text("a"), text("b"), text("c")]);
        assert_eq!([0, 1, 2].map(|it| regions.of_store(store(it))), [2, 0, 1]);
        let nowhere = Places::of([(store(0), None, Some("food"))]).unwrap();
        assert!(StoreRegions::of(&nowhere).is_empty());
    }
}
