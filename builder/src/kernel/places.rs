//! Regions, categories, the categories of each region, tiles of the map, and merchants, as sets of stores.

mod merchants;

use std::collections::{BTreeMap, HashMap};

use nightshard_format::{
    calendar::{Day, DayRange},
    key,
    record::{
        CATEGORIES, MERCHANTS, REGION_CATEGORIES, REGIONS, StoreProfile, TILES, leaf_key,
        region_category_key, split_leaf_key,
    },
    tile::Tile,
};

use super::row::StoreOrdinal;
use crate::{Error, Result, regions::RegionTable};

/// What kind of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlaceKind {
    /// A category of a region; these come first, since others are sums of them.
    RegionCategory,
    /// A category.
    Category,
    /// A region.
    Region,
    /// A tile of the map.
    Tile,
    /// A merchant of several stores.
    Merchant,
}

impl PlaceKind {
    /// Returns the dataset of such places.
    #[must_use]
    pub fn dataset(self) -> &'static str {
        match self {
            Self::Category => CATEGORIES,
            Self::RegionCategory => REGION_CATEGORIES,
            Self::Region => REGIONS,
            Self::Tile => TILES,
            Self::Merchant => MERCHANTS,
        }
    }
}

/// A place, and its stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is.
    pub kind: PlaceKind,
    /// Its key in the dataset of its kind.
    pub key: Vec<u8>,
    /// Its region and category, or which merchant it is.
    pub profile: StoreProfile,
    /// What it is the sum of.
    pub parts: Vec<Part>,
}

/// What a place is the sum of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A store, by its number in the order in which they were given.
    Store(usize),
    /// A category of a region, by its ordinal.
    Place(u32),
}

/// There are fewer places than this.
pub(super) const PLACES_MAX: u64 = 1 << 28;

/// Stores of the same places.
pub type Leaf = u32;

/// All places.
#[derive(Debug, Default)]
pub struct Places {
    /// By kind, then in the order of a shard's keys.
    list: Vec<Place>,
    /// The ordinals in `list` of the places that a leaf is in.
    of_leaf: Vec<Vec<u32>>,
    /// By partition and index of a store.
    leaves: Vec<Vec<Leaf>>,
    by_key: BTreeMap<Vec<u8>, Leaf>,
    held: Option<Held>,
}

/// Stores that count as those of another leaf on some days.
#[derive(Debug)]
struct Held {
    days: DayRange,
    leaves: HashMap<StoreOrdinal, Leaf>,
}

impl Places {
    /// Finds the places of stores, given with their region and category where these are known; where a tree is given,
    /// the regions that others are parts of are places of their stores, too.
    ///
    /// # Errors
    /// [`Error::Internal`] if there are 2^28 places.
    pub fn of<'a>(
        stores: impl IntoIterator<Item = (StoreOrdinal, Option<&'a str>, Option<&'a str>)>,
        tree: Option<&RegionTable>,
    ) -> Result<Self> {
        let mut places = Self::default();
        let mut by_leaf = BTreeMap::<(Option<&str>, Option<&str>), (Leaf, Vec<usize>)>::new();
        for (number, (ordinal, region, category)) in stores.into_iter().enumerate() {
            let next = Leaf::try_from(by_leaf.len()).unwrap_or(Leaf::MAX);
            let (leaf, stores) = by_leaf
                .entry((region, category))
                .or_insert_with(|| (next, Vec::new()));
            stores.push(number);
            places.note(ordinal, *leaf);
        }
        let mut found = BTreeMap::<(PlaceKind, u64, Vec<u8>), (Place, Vec<Leaf>)>::new();
        for ((region, category), (leaf, _)) in &by_leaf {
            let above = region.zip(tree).map(|(region, tree)| tree.above(region));
            let of_above = above
                .into_iter()
                .flatten()
                .flat_map(|region| places_of_region(region, *category));
            for place in places_of(*region, *category).into_iter().chain(of_above) {
                let order = (place.kind, key::hash(&place.key), place.key.clone());
                let (_, leaves) = found.entry(order).or_insert((place, Vec::new()));
                leaves.push(*leaf);
            }
        }
        places.of_leaf.resize(by_leaf.len(), Vec::new());
        let leaves = by_leaf.iter();
        let keys =
            leaves.map(|((region, category), (leaf, _))| (leaf_key(*region, *category), *leaf));
        places.by_key = keys.collect();
        let mut leaves_of = Vec::with_capacity(found.len());
        for (ordinal, (place, leaves)) in (0..).zip(found.into_values()) {
            for leaf in &leaves {
                places.of_leaf[*leaf as usize].push(ordinal);
            }
            places.list.push(place);
            leaves_of.push(leaves.len());
        }
        for (leaf, stores) in by_leaf.into_values() {
            places.add_up(leaf, &stores, &leaves_of);
        }
        places.check_len()?;
        Ok(places)
    }

    fn check_len(&self) -> Result<()> {
        if self.list.len() as u64 >= PLACES_MAX {
            return Err(Error::Internal("there are 2^28 places".into()));
        }
        Ok(())
    }

    /// Adds the tiles of stores, given by number and tile, as places of the stores in them. Stores of a leaf that are
    /// in different tiles are of different leaves then.
    ///
    /// # Errors
    /// [`Error::Internal`] if there are 2^28 places.
    pub fn add_tiles(
        &mut self,
        stores: impl IntoIterator<Item = (usize, StoreOrdinal, Tile)>,
    ) -> Result<()> {
        let mut tiles = BTreeMap::<(u64, Vec<u8>), Vec<(usize, StoreOrdinal)>>::new();
        for (number, ordinal, tile) in stores {
            let key = tile.to_string().into_bytes();
            let stores = tiles.entry((key::hash(&key), key)).or_default();
            stores.push((number, ordinal));
        }
        for ((_, key), stores) in tiles {
            let place = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
            let mut leaves = BTreeMap::<Leaf, Leaf>::new();
            for (_, ordinal) in &stores {
                let own = self.leaf_of(*ordinal);
                let next = Leaf::try_from(self.of_leaf.len()).unwrap_or(Leaf::MAX);
                let leaf = *leaves.entry(own).or_insert(next);
                if leaf == next {
                    let mut of_leaf = self.of_leaf(own).to_vec();
                    of_leaf.push(place);
                    self.of_leaf.push(of_leaf);
                }
                self.note(*ordinal, leaf);
            }
            let parts = stores.into_iter().map(|(number, _)| Part::Store(number));
            self.list.push(Place {
                kind: PlaceKind::Tile,
                key,
                profile: StoreProfile::default(),
                parts: parts.collect(),
            });
        }
        self.check_len()
    }

    /// Returns whether there are tiles.
    #[must_use]
    pub fn has_tiles(&self) -> bool {
        self.list
            .last()
            .is_some_and(|it| it.kind == PlaceKind::Tile)
    }

    /// Says of what the places of a leaf are the sum: categories of regions of its stores, all others of the category
    /// of a region that is of this leaf alone; where there is none, of the stores, too. `leaves_of`: of how many leaves
    /// each place is.
    fn add_up(&mut self, leaf: Leaf, stores: &[usize], leaves_of: &[usize]) {
        let of_leaf = &self.of_leaf[leaf as usize];
        let is_whole = |ordinal: &u32| {
            let at = *ordinal as usize;
            self.list[at].kind == PlaceKind::RegionCategory && leaves_of[at] == 1
        };
        let whole = of_leaf.iter().copied().find(is_whole);
        for ordinal in of_leaf {
            let place = &mut self.list[*ordinal as usize];
            match whole.filter(|_| place.kind != PlaceKind::RegionCategory) {
                Some(whole) => place.parts.push(Part::Place(whole)),
                None => place.parts.extend(stores.iter().copied().map(Part::Store)),
            }
        }
    }

    fn note(&mut self, store: StoreOrdinal, leaf: Leaf) {
        let (partition, index) = store.parts();
        if self.leaves.len() <= partition {
            self.leaves.resize(partition + 1, Vec::new());
        }
        let leaves = &mut self.leaves[partition];
        if leaves.len() <= index {
            leaves.resize(index + 1, 0);
        }
        leaves[index] = leaf;
    }

    /// Returns all places, by kind, then in the order of a shard's keys.
    #[must_use]
    pub fn list(&self) -> &[Place] {
        &self.list
    }

    /// Returns the leaf of a store that was given.
    #[must_use]
    #[inline]
    pub fn leaf_of(&self, store: StoreOrdinal) -> Leaf {
        let (partition, index) = store.parts();
        self.leaves[partition][index]
    }

    /// Returns the leaf of a store on a day: for some days it may be held in another one.
    #[must_use]
    #[inline]
    pub fn leaf_on(&self, store: StoreOrdinal, day: Day) -> Leaf {
        let held = self.held.as_ref().filter(|held| held.days.contains(day));
        let leaf = held.and_then(|held| held.leaves.get(&store).copied());
        leaf.unwrap_or_else(|| self.leaf_of(store))
    }

    /// Holds stores on some days in leaves that are not theirs otherwise.
    pub fn hold(&mut self, days: DayRange, leaves: HashMap<StoreOrdinal, Leaf>) {
        self.held = (!leaves.is_empty()).then_some(Held { days, leaves });
    }

    /// Returns the leaf in which a store is held, if it is.
    #[must_use]
    pub fn held_in(&self, store: StoreOrdinal) -> Option<Leaf> {
        self.held.as_ref()?.leaves.get(&store).copied()
    }

    /// Returns the leaf of a key, which is made where no store has it any more: one of those of its places that
    /// there still are.
    ///
    /// # Errors
    /// [`Error::Internal`] if the key is of no leaf.
    pub fn leaf_of_key(&mut self, key: &[u8]) -> Result<Leaf> {
        if let Some(leaf) = self.by_key.get(key) {
            return Ok(*leaf);
        }
        let (region, category) =
            split_leaf_key(key).ok_or_else(|| Error::Internal("a key is of no leaf".into()))?;
        let mut of_leaf = Vec::new();
        for place in places_of(region, category) {
            let is_it = |it: &Place| it.kind == place.kind && it.key == place.key;
            let found = self.list.iter().position(is_it);
            of_leaf.extend(found.and_then(|ordinal| u32::try_from(ordinal).ok()));
        }
        // In the order of kinds, as those of all leaves.
        of_leaf.sort_unstable();
        let leaf = Leaf::try_from(self.of_leaf.len()).unwrap_or(Leaf::MAX);
        self.of_leaf.push(of_leaf);
        self.by_key.insert(key.to_owned(), leaf);
        Ok(leaf)
    }

    /// Returns the keys of all leaves, ascending.
    pub fn leaf_keys(&self) -> impl Iterator<Item = (&[u8], Leaf)> {
        self.by_key
            .iter()
            .map(|(key, leaf)| (key.as_slice(), *leaf))
    }

    /// Returns how many leaves there are.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.of_leaf.len()
    }

    /// Returns the ordinal of the region that a leaf is in, if it is known, of places that were found without a tree.
    #[must_use]
    pub fn region_of(&self, leaf: Leaf) -> Option<u32> {
        // Regions come last.
        let last = self.of_leaf(leaf).last().copied();
        last.filter(|place| self.list[*place as usize].kind == PlaceKind::Region)
    }

    /// Returns the ordinals in [`Places::list`] of the places that a leaf is in.
    #[must_use]
    #[inline]
    pub fn of_leaf(&self, leaf: Leaf) -> &[u32] {
        &self.of_leaf[leaf as usize]
    }
}

/// Returns the places of a region above that of a leaf, without parts.
fn places_of_region(region: &str, category: Option<&str>) -> Vec<Place> {
    let mut places = places_of(Some(region), category);
    places.retain(|place| place.kind != PlaceKind::Category);
    places
}

/// Returns the places of a region and category, without parts.
fn places_of(region: Option<&str>, category: Option<&str>) -> Vec<Place> {
    let place = |kind, key: Vec<u8>, region: Option<&str>, category: Option<&str>| Place {
        kind,
        key,
        profile: StoreProfile {
            region: region.map(str::to_owned),
            category: category.map(str::to_owned),
            ..StoreProfile::default()
        },
        parts: Vec::new(),
    };
    let mut places = Vec::new();
    if let Some(id) = region {
        places.push(place(PlaceKind::Region, id.into(), region, None));
    }
    if let Some(id) = category {
        places.push(place(PlaceKind::Category, id.into(), None, category));
    }
    if let Some((of, id)) = region.zip(category) {
        let key = region_category_key(of, id);
        places.push(place(PlaceKind::RegionCategory, key, region, category));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stores_of(places: &Places, place: &Place) -> Vec<usize> {
        let stores = |part: &Part| match part {
            Part::Store(store) => vec![*store],
            Part::Place(ordinal) => stores_of(places, &places.list[*ordinal as usize]),
        };
        place.parts.iter().flat_map(stores).collect()
    }

    #[test]
    fn every_store_is_in_its_region_its_category_and_both_together() {
        let given = [
            (Some("north"), Some("café")),
            (Some("south"), Some("café")),
            (Some("north"), Some("bar")),
            (None, Some("bar")),
            (Some("north"), None),
            (None, None),
            (Some("north"), Some("café")),
        ];
        let ordinal = |number: usize| {
            let partition = u16::try_from(number % 3 * 7).unwrap();
            StoreOrdinal::new(partition, number).unwrap()
        };
        let stores = given.iter().enumerate();
        let places = Places::of(
            stores.map(|(at, (region, category))| (ordinal(at), *region, *category)),
            None,
        )
        .unwrap();
        let mut named: Vec<_> = places
            .list()
            .iter()
            .map(|it| {
                (
                    it.kind,
                    String::from_utf8_lossy(&it.key),
                    stores_of(&places, it),
                )
            })
            .collect();
        named.iter_mut().for_each(|it| it.2.sort_unstable());
        named.sort();
        let expected = [
            (PlaceKind::RegionCategory, "north\0bar", vec![2]),
            (PlaceKind::RegionCategory, "north\0café", vec![0, 6]),
            (PlaceKind::RegionCategory, "south\0café", vec![1]),
            (PlaceKind::Category, "bar", vec![2, 3]),
            (PlaceKind::Category, "café", vec![0, 1, 6]),
            (PlaceKind::Region, "north", vec![0, 2, 4, 6]),
            (PlaceKind::Region, "south", vec![1]),
        ];
        let expected = expected.map(|(kind, key, stores)| (kind, key.into(), stores));
        assert_eq!(named, expected);
        for (number, place) in places.list().iter().enumerate() {
            for store in 0..given.len() {
                let of_leaf = places.of_leaf(places.leaf_of(ordinal(store)));
                let is_in = of_leaf.iter().any(|ordinal| *ordinal as usize == number);
                assert_eq!(
                    is_in,
                    stores_of(&places, place).contains(&store),
                    "{place:?}"
                );
            }
        }
    }

    #[test]
    fn a_store_is_in_its_tile_beside_the_places_of_its_leaf() {
        let ordinals = [0, 1, 2].map(|index| StoreOrdinal::new(3, index).unwrap());
        let stores = ordinals.map(|ordinal| (ordinal, Some("north"), Some("bar")));
        let mut places = Places::of(stores, None).unwrap();
        assert!(!places.has_tiles());
        let before = places.list().len();
        // Of the third store nobody knows where it is.
        let [here, there] = [(525_000_000, 0), (-10, 10)].map(Tile::of);
        places
            .add_tiles([(0, ordinals[0], here), (1, ordinals[1], there)])
            .unwrap();
        assert!(places.has_tiles());
        let tiles_of = |store: usize| {
            let of_leaf = places.of_leaf(places.leaf_of(ordinals[store]));
            let (own, tiles) = of_leaf.split_at(before);
            assert_eq!(own, [0, 1, 2]);
            let tiles = tiles.iter().map(|it| &places.list()[*it as usize]);
            tiles.map(|it| it.key.clone()).collect::<Vec<_>>()
        };
        assert_eq!(tiles_of(0), [here.to_string().into_bytes()]);
        assert_eq!(tiles_of(1), [there.to_string().into_bytes()]);
        assert!(tiles_of(2).is_empty());
        let [.., a, b] = places.list() else {
            panic!("there are two tiles");
        };
        for tile in [a, b] {
            let is_here = tile.key == here.to_string().as_bytes();
            assert_eq!(tile.parts, [Part::Store(usize::from(!is_here))]);
        }
    }

    #[test]
    fn regions_above_others_are_sums_of_whole_categories_of_regions_and_else_of_stores() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("regions.csv");
        std::fs::write(&path, "region,parent\ncity,\nnorth,city\n").unwrap();
        let tree = RegionTable::read(&path).unwrap();
        let given = [
            (Some("north"), Some("bar")),
            (Some("city"), Some("bar")),
            (Some("north"), None),
            (Some("else"), Some("bar")),
        ];
        let ordinal = |number| StoreOrdinal::new(1, number).unwrap();
        let stores = given.iter().enumerate();
        let stores = stores.map(|(at, (region, category))| (ordinal(at), *region, *category));
        let places = Places::of(stores, Some(&tree)).unwrap();
        let mut named: Vec<_> = places.list().iter().collect();
        named.sort_by_key(|it| (it.kind, it.key.clone()));
        let expected: [(&str, &[usize]); 7] = [
            ("city\0bar", &[0, 1]),
            ("else\0bar", &[3]),
            ("north\0bar", &[0]),
            ("bar", &[0, 1, 3]),
            ("city", &[0, 1, 2]),
            ("else", &[3]),
            ("north", &[0, 2]),
        ];
        assert_eq!(named.len(), expected.len());
        for (place, (key, stores)) in named.into_iter().zip(expected) {
            let mut found = stores_of(&places, place);
            found.sort_unstable();
            assert_eq!(
                (&*String::from_utf8_lossy(&place.key), &*found),
                (key, stores)
            );
        }
    }

    #[test]
    fn a_store_is_held_for_some_days_in_a_leaf_that_may_have_no_others() {
        let ordinals = [0, 1].map(|index| StoreOrdinal::new(5, index).unwrap());
        let stores = [
            (ordinals[0], Some("north"), Some("bar")),
            (ordinals[1], Some("south"), None),
        ];
        let mut places = Places::of(stores, None).unwrap();
        let own = places.leaf_of(ordinals[0]);
        assert_eq!(places.leaf_of_key(b"north\0bar").unwrap(), own);
        let gone = places.leaf_of_key(b"south\0bar").unwrap();
        assert_eq!([places.leaf_of_key(b"south\0bar").unwrap(), 2], [gone; 2]);
        let kinds = places.of_leaf(gone).iter();
        let kinds: Vec<_> = kinds.map(|it| places.list()[*it as usize].kind).collect();
        assert_eq!(kinds, [PlaceKind::Category, PlaceKind::Region]);
        let region = places.region_of(gone).unwrap();
        assert_eq!(places.list()[region as usize].key, b"south");
        let days = DayRange {
            first: Day(10),
            last: Day(19),
        };
        places.hold(days, HashMap::from([(ordinals[0], gone)]));
        let on = |day| places.leaf_on(ordinals[0], Day(day));
        assert_eq!([on(9), on(10), on(19), on(20)], [own, gone, gone, own]);
        assert_eq!(places.held_in(ordinals[0]), Some(gone));
        assert_eq!(places.held_in(ordinals[1]), None);
        assert_eq!(
            places.leaf_on(ordinals[1], Day(10)),
            places.leaf_of(ordinals[1])
        );
        assert!(places.leaf_of_key(b"north").is_err());
    }
}
