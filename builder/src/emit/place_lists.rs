//! Lists of regions, of categories, of the categories of each region and of merchants, by size and growth.

use std::collections::BTreeMap;

use nightshard_format::record::{
    CATEGORIES, REGION_CATEGORIES, REGIONS, RankBy, StoreProfile, place_ranking_key,
};

use super::{
    catalog::{Sized, StoreFacts},
    size::Size,
};
use crate::kernel::{
    leaf_month::Totals,
    places::{Place, PlaceKind, Places},
};

/// By what places are listed.
#[derive(Debug, Clone, Copy)]
pub enum PlaceSizes<'a> {
    /// By the sums of these stores.
    Exact(&'a [StoreFacts]),
    /// By what is told of each place, which nothing may be.
    Told(&'a [Option<Totals>]),
}

/// Places that are listed.
#[derive(Debug, Clone, Copy)]
pub struct PlaceLists<'a> {
    places: &'a Places,
    sizes: PlaceSizes<'a>,
    /// Datasets that have a list even where there is no such place.
    always: &'a [&'static str],
}

impl<'a> PlaceLists<'a> {
    /// Lists regions, categories and the categories of regions.
    #[must_use]
    pub fn of_places(places: &'a Places, sizes: PlaceSizes<'a>) -> Self {
        Self {
            places,
            sizes,
            always: &[REGIONS, CATEGORIES],
        }
    }

    /// Lists merchants of several of these stores, if there are any: what they sold is their own.
    #[must_use]
    pub fn of_merchants(merchants: &'a Places, stores: &'a [StoreFacts]) -> Self {
        Self {
            places: merchants,
            sizes: PlaceSizes::Exact(stores),
            always: &[],
        }
    }

    /// Returns all lists in one order, the largest first, ties by id. How places grew is told of none but
    /// exactly.
    pub(super) fn rank(&self, by: RankBy) -> BTreeMap<Vec<u8>, Sized<'a>> {
        let places = self.places;
        let Some(sizes) = self.sizes.of_places(by, places) else {
            return BTreeMap::new();
        };
        let mut lists = BTreeMap::<Vec<u8>, BTreeMap<&[u8], Size>>::new();
        // There may be no region or category at all, and no category in a region: lists say so.
        for dataset in self.always {
            let key = place_ranking_key(by, dataset, None);
            lists.entry(key).or_default();
        }
        for (place, size) in places.list().iter().zip(sizes) {
            if let (PlaceKind::Region, Some(region)) = (place.kind, &place.profile.region) {
                let key = place_ranking_key(by, REGION_CATEGORIES, Some(region));
                lists.entry(key).or_default();
            }
            let (of, id) = name(place);
            let list = lists.entry(place_ranking_key(by, place.kind.dataset(), of));
            list.or_default().insert(id.as_bytes(), size);
        }
        let ranked = |(key, sizes): (_, BTreeMap<_, _>)| {
            let mut sized: Sized<'_> = sizes.into_iter().collect();
            // A stable sort keeps the order of ids among equals.
            sized.sort_by(|(_, size), (_, other)| size.descending(other));
            (key, sized)
        };
        lists.into_iter().map(ranked).collect()
    }
}

impl PlaceSizes<'_> {
    /// Returns the size of each place, or nothing if that is not told.
    fn of_places(self, by: RankBy, places: &Places) -> Option<Vec<Size>> {
        match self {
            Self::Exact(stores) => {
                let mut sizes = vec![Size::default(); places.list().len()];
                for store in stores {
                    for place in places.of_leaf(places.leaf_of(store.ordinal)) {
                        sizes[*place as usize].add(Size::of(by, store));
                    }
                }
                Some(sizes)
            }
            Self::Told(totals) => totals.iter().map(|it| Size::told(by, *it)).collect(),
        }
    }
}

/// Returns the region that a place is listed under, and its id.
fn name(place: &Place) -> (Option<&str>, &str) {
    let StoreProfile {
        region,
        category,
        merchant_id,
        ..
    } = &place.profile;
    let [region, category, merchant] = [region, category, merchant_id].map(Option::as_deref);
    match place.kind {
        PlaceKind::RegionCategory => (region, category.unwrap_or_default()),
        PlaceKind::Category => (None, category.unwrap_or_default()),
        PlaceKind::Region => (None, region.unwrap_or_default()),
        PlaceKind::Merchant => (None, merchant.unwrap_or_default()),
    }
}
