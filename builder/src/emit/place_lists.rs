//! Lists of regions, of categories, of the categories of each region, of tiles and of merchants, by size and growth.

use std::collections::BTreeMap;

use nightshard_format::record::{
    CATEGORIES, REGION_CATEGORIES, REGIONS, RankBy, StoreProfile, place_ranking_key,
};

use super::{
    catalog::{Sized, StoreFacts},
    size::Size,
};
use crate::{
    kernel::{
        leaf_month::Totals,
        places::{Place, PlaceKind, Places},
    },
    regions::RegionTable,
};

/// By what places are listed.
#[derive(Debug, Clone, Copy)]
pub enum PlaceSizes<'a> {
    /// By the sums of these stores; regions above others are places, too.
    Exact(&'a [StoreFacts]),
    /// By what is told of each place, which nothing may be; of regions above others, by what is told of these together.
    Told(&'a [Option<Totals>]),
}

/// A place of a list: of which kind, the region that it is listed under, and its id.
type Listed<'a> = (PlaceKind, Option<&'a str>, &'a str);

/// Places that are listed.
#[derive(Debug, Clone, Copy)]
pub struct PlaceLists<'a> {
    places: &'a Places,
    sizes: PlaceSizes<'a>,
    /// The regions that others are parts of, where there may be some.
    tree: Option<&'a RegionTable>,
    /// Datasets that have a list even where there is no such place.
    always: &'a [&'static str],
}

impl<'a> PlaceLists<'a> {
    /// Lists regions, categories, the categories of regions and tiles.
    #[must_use]
    pub fn of_places(places: &'a Places, sizes: PlaceSizes<'a>, tree: &'a RegionTable) -> Self {
        Self {
            places,
            sizes,
            tree: (!tree.is_empty()).then_some(tree),
            always: &[REGIONS, CATEGORIES],
        }
    }

    /// Lists merchants of several of these stores, if there are any: what they sold is their own.
    #[must_use]
    pub fn of_merchants(merchants: &'a Places, stores: &'a [StoreFacts]) -> Self {
        Self {
            places: merchants,
            sizes: PlaceSizes::Exact(stores),
            tree: None,
            always: &[],
        }
    }

    /// Returns whether there are tiles.
    pub(super) fn has_tiles(&self) -> bool {
        self.places.has_tiles()
    }

    /// Returns all lists in one order, the largest first, ties by id. How places grew is told of none but
    /// exactly.
    pub(super) fn rank(&self, by: RankBy) -> BTreeMap<Vec<u8>, Sized<'a>> {
        let Some(sizes) = self.sizes.of_places(by, self.places, self.tree) else {
            return BTreeMap::new();
        };
        let mut lists = BTreeMap::<Vec<u8>, BTreeMap<&[u8], Size>>::new();
        // There may be no region or category at all, and no category in a region: lists say so.
        for dataset in self.always {
            let key = place_ranking_key(by, dataset, None);
            lists.entry(key).or_default();
        }
        for ((kind, of, id), size) in sizes {
            let mut keys = vec![place_ranking_key(by, kind.dataset(), of)];
            if kind == PlaceKind::Region {
                let of_region = place_ranking_key(by, REGION_CATEGORIES, Some(id));
                lists.entry(of_region).or_default();
                keys.extend(
                    self.parent_of(id)
                        .map(|it| place_ranking_key(by, REGIONS, Some(it))),
                );
            }
            for key in keys {
                lists.entry(key).or_default().insert(id.as_bytes(), size);
            }
        }
        let ranked = |(key, sizes): (_, BTreeMap<_, _>)| {
            let mut sized: Sized<'_> = sizes.into_iter().collect();
            // A stable sort keeps the order of ids among equals.
            sized.sort_by(|(_, size), (_, other)| size.descending(other));
            (key, sized)
        };
        lists.into_iter().map(ranked).collect()
    }

    /// Returns the region that one is listed under as a part: nothing but a tree has such lists, of which that of the
    /// roots is empty.
    fn parent_of(&self, id: &str) -> Option<&'a str> {
        self.tree
            .map(|tree| tree.above(id).next().unwrap_or_default())
    }
}

/// Returns the regions that one is a part of.
fn above<'a>(tree: Option<&'a RegionTable>, id: &str) -> impl Iterator<Item = &'a str> {
    tree.into_iter().flat_map(move |tree| tree.above(id))
}

impl PlaceSizes<'_> {
    /// Returns the size of each place, or nothing if that is not told.
    fn of_places<'a>(
        self,
        by: RankBy,
        places: &'a Places,
        tree: Option<&'a RegionTable>,
    ) -> Option<Vec<(Listed<'a>, Size)>> {
        match self {
            Self::Exact(stores) => {
                let mut sizes = vec![Size::default(); places.list().len()];
                for store in stores {
                    for place in places.of_leaf(places.leaf_of(store.ordinal)) {
                        sizes[*place as usize].add(Size::of(by, store));
                    }
                }
                let listed = places.list().iter().map(listed);
                Some(listed.zip(sizes).collect())
            }
            Self::Told(totals) => {
                let told = told(places, totals, tree).into_iter();
                told.map(|(place, totals)| Some((place, Size::told(by, totals)?)))
                    .collect()
            }
        }
    }
}

/// Returns what is told of each place, and of the regions above them and their categories.
fn told<'a>(
    places: &'a Places,
    totals: &[Option<Totals>],
    tree: Option<&'a RegionTable>,
) -> BTreeMap<Listed<'a>, Option<Totals>> {
    let mut told = BTreeMap::<Listed<'_>, Option<Totals>>::new();
    let mut add = |place, totals: Option<Totals>| {
        let of_place = told.entry(place).or_default();
        if let Some(totals) = totals {
            of_place.get_or_insert_default().add(totals);
        }
    };
    for (place, totals) in places.list().iter().zip(totals) {
        let own = listed(place);
        add(own, *totals);
        match own {
            (PlaceKind::Region, of, id) => {
                above(tree, id).for_each(|above| add((PlaceKind::Region, of, above), *totals))
            }
            (PlaceKind::RegionCategory, Some(of), id) => above(tree, of)
                .for_each(|above| add((PlaceKind::RegionCategory, Some(above), id), *totals)),
            _ => {}
        }
    }
    told
}

/// Returns as what a place is listed.
fn listed(place: &Place) -> Listed<'_> {
    let StoreProfile {
        region,
        category,
        merchant_id,
        ..
    } = &place.profile;
    let [region, category, merchant] = [region, category, merchant_id].map(Option::as_deref);
    let (of, id) = match place.kind {
        PlaceKind::RegionCategory => (region, category),
        PlaceKind::Category => (None, category),
        PlaceKind::Region => (None, region),
        PlaceKind::Merchant => (None, merchant),
        PlaceKind::Tile => (None, std::str::from_utf8(&place.key).ok()),
    };
    (place.kind, of, id.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::row::StoreOrdinal;

    #[test]
    fn what_is_told_of_a_region_is_told_of_those_above_it_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        std::fs::write(&path, "region,parent\ncity,\nnorth,city\nsouth,city\n").unwrap();
        let tree = RegionTable::read(&path).unwrap();
        let stores = [
            ("north", "bar"),
            ("south", "bar"),
            ("south", "shop"),
            ("else", "bar"),
        ];
        let stores = stores.iter().enumerate().map(|(at, (region, category))| {
            let ordinal = StoreOrdinal::new(0, at).unwrap();
            (ordinal, Some(*region), Some(*category))
        });
        let places = Places::of(stores, None).unwrap();
        let totals = places.list().iter().map(|place| {
            let count = match listed(place) {
                (PlaceKind::Region, _, "north") => 3,
                (PlaceKind::Region, _, "south") => 5,
                (PlaceKind::RegionCategory, Some("north"), "bar") => 2,
                _ => return None,
            };
            Some(Totals {
                count,
                sum: i128::from(count) * 10,
            })
        });
        let totals: Vec<Option<Totals>> = totals.collect();
        let lists = PlaceLists::of_places(&places, PlaceSizes::Told(&totals), &tree);
        let lists = lists.rank(RankBy::Transactions);
        let ids = |dataset, of| {
            let key = place_ranking_key(RankBy::Transactions, dataset, of);
            let ids = lists[&key].iter().map(|(id, _)| *id);
            ids.map(|id| std::str::from_utf8(id).unwrap())
                .collect::<Vec<_>>()
        };
        // Of what nothing is told comes last.
        assert_eq!(ids(REGIONS, None), ["city", "south", "north", "else"]);
        assert_eq!(ids(REGIONS, Some("")), ["city", "else"]);
        assert_eq!(ids(REGIONS, Some("city")), ["south", "north"]);
        assert_eq!(ids(REGION_CATEGORIES, Some("city")), ["bar", "shop"]);
        assert!(!lists.contains_key(&place_ranking_key(
            RankBy::Transactions,
            REGIONS,
            Some("north")
        )));
        let told = told(&places, &totals, Some(&tree));
        let of = |kind, of, id| told[&(kind, of, id)];
        let city = of(PlaceKind::Region, None, "city").unwrap();
        assert_eq!((city.count, city.sum), (8, 80));
        let bars = of(PlaceKind::RegionCategory, Some("city"), "bar").unwrap();
        assert_eq!(bars.count, 2);
        assert!(of(PlaceKind::RegionCategory, Some("city"), "shop").is_none());
    }
}
