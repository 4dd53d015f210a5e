//! The places of which it is told who comes back, taking each card as a whole, in the order of their records.

use std::ops::Range;

use nightshard_format::{
    key,
    record::{MARKET_ALL, MARKETS, atoms_key},
};

use super::places::{Leaf, PlaceKind, Places};

/// Most partitions of the exchange of what takes each card as a whole.
const PARTITIONS_MAX: usize = 128;

/// One of the places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoyalPlace {
    /// The key of its records.
    pub key: Vec<u8>,
    /// The dataset of its months.
    pub dataset: &'static str,
    /// The key of its months.
    pub own_key: Vec<u8>,
}

/// The places, numbered in the order of their keys.
#[derive(Debug)]
pub struct LoyalPlaces {
    list: Vec<LoyalPlace>,
    /// By ordinal of a place; tiles have none.
    numbers: Vec<Option<u32>>,
    market: Option<u32>,
    /// How many are in a partition.
    each: usize,
}

impl LoyalPlaces {
    /// Numbers all places but tiles, and the market, whose records have the keys of atoms.
    #[must_use]
    pub fn of_places(places: &Places) -> Self {
        let own = (0..).zip(places.list());
        let own = own.filter(|(_, place)| place.kind != PlaceKind::Tile);
        let own = own.map(|(ordinal, place)| {
            let place = LoyalPlace {
                key: atoms_key(place.kind.dataset(), &place.key),
                dataset: place.kind.dataset(),
                own_key: place.key.clone(),
            };
            (place, Some(ordinal))
        });
        let market = LoyalPlace {
            key: atoms_key(MARKETS, MARKET_ALL),
            dataset: MARKETS,
            own_key: MARKET_ALL.to_vec(),
        };
        Self::number(own.chain([(market, None)]).collect(), places)
    }

    /// Numbers merchants, whose records have their ids.
    #[must_use]
    pub fn of_merchants(merchants: &Places) -> Self {
        let own = (0..).zip(merchants.list()).map(|(ordinal, place)| {
            let place = LoyalPlace {
                key: place.key.clone(),
                dataset: place.kind.dataset(),
                own_key: place.key.clone(),
            };
            (place, Some(ordinal))
        });
        Self::number(own.collect(), merchants)
    }

    /// Numbers places, which are given with their ordinals; what has none is the market.
    fn number(mut given: Vec<(LoyalPlace, Option<usize>)>, places: &Places) -> Self {
        given.sort_unstable_by(|(a, _), (b, _)| key::order(&a.key).cmp(&key::order(&b.key)));
        let (mut numbers, mut market) = (vec![None; places.list().len()], None);
        for (number, (_, ordinal)) in (0..).zip(&given) {
            match ordinal {
                Some(ordinal) => numbers[*ordinal] = Some(number),
                None => market = Some(number),
            }
        }
        Self {
            each: given.len().div_ceil(PARTITIONS_MAX).max(1),
            list: given.into_iter().map(|(place, _)| place).collect(),
            numbers,
            market,
        }
    }

    /// Returns the places, in the order of their keys.
    #[must_use]
    pub fn list(&self) -> &[LoyalPlace] {
        &self.list
    }

    /// Returns the numbers of the places that a leaf is in.
    pub(super) fn of_leaf(&self, places: &Places, leaf: Leaf) -> impl Iterator<Item = u32> {
        let of_leaf = places.of_leaf(leaf).iter();
        let numbers = of_leaf.filter_map(|ordinal| self.numbers[*ordinal as usize]);
        numbers.chain(self.market)
    }

    /// Returns how many partitions there are.
    #[must_use]
    pub fn partitions(&self) -> u16 {
        u16::try_from(self.list.len().div_ceil(self.each)).unwrap_or(u16::MAX)
    }

    /// Returns the partition of a place.
    pub(super) fn partition_of(&self, place: usize) -> u16 {
        u16::try_from(place / self.each).unwrap_or(u16::MAX)
    }

    /// Returns the numbers of a partition's places.
    pub(super) fn places(&self, partition: u16) -> Range<usize> {
        let start = usize::from(partition) * self.each;
        start..(start + self.each).min(self.list.len())
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::tile::Tile;

    use super::*;
    use crate::kernel::row::StoreOrdinal;

    #[test]
    fn the_market_and_all_places_but_tiles_are_numbered_by_their_keys_and_in_one_partition_each() {
        let store = |index| StoreOrdinal::new(0, index).unwrap();
        let ids: Vec<String> = (0..150).map(|number| format!("r{number}")).collect();
        let stores = ids
            .iter()
            .enumerate()
            .map(|(at, id)| (store(at), Some(&**id), (at > 0).then_some("food")));
        let mut places = Places::of(stores, None).unwrap();
        let tile = Tile::of((375_665_000, 1_269_780_000));
        places.add_tiles([(0, store(0), tile)]).unwrap();
        let told = LoyalPlaces::of_places(&places);
        // Regions, one category, the categories of regions, and the market.
        assert_eq!(told.list().len(), 150 + 1 + 149 + 1);
        assert!(told.list().is_sorted_by_key(|place| key::order(&place.key)));
        let of_leaf = |at| -> Vec<Vec<u8>> {
            let numbers = told.of_leaf(&places, places.leaf_of(store(at)));
            let keys = numbers.map(|number| told.list()[number as usize].key.clone());
            keys.collect()
        };
        let all = atoms_key(MARKETS, MARKET_ALL);
        assert_eq!(of_leaf(0), [atoms_key("regions", "r0"), all.clone()]);
        let mut found = of_leaf(7);
        found.sort_unstable();
        let mut expected = vec![
            atoms_key("categories", "food"),
            all,
            atoms_key("region_categories", b"r7\0food"),
            atoms_key("regions", "r7"),
        ];
        expected.sort_unstable();
        assert_eq!(found, expected);
        let partitions = 0..told.partitions();
        assert!(partitions.len() <= PARTITIONS_MAX);
        let mut next = 0;
        for partition in partitions {
            let places = told.places(partition);
            assert_eq!(places.start, next);
            for place in places.clone() {
                assert_eq!(told.partition_of(place), partition);
            }
            next = places.end;
        }
        assert_eq!(next, told.list().len());
    }
}
