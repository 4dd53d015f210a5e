//! Merchants of several stores, as sets of stores: places of their own, apart from regions and categories.

use std::collections::BTreeMap;

use nightshard_format::{key, record::StoreProfile};

use super::{Leaf, Part, Place, PlaceKind, Places};
use crate::{Result, kernel::row::StoreOrdinal};

impl Places {
    /// Finds the merchants of at least two stores, which are given with whose they are, where that is known.
    ///
    /// # Shape
    /// All stores of a merchant are in one leaf, and in no other place. Those of no such merchant share a leaf that
    /// is in no place.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] if there are 2^28 merchants.
    pub fn of_merchants<'a>(
        stores: impl IntoIterator<Item = (StoreOrdinal, Option<&'a str>)>,
    ) -> Result<Self> {
        let mut places = Self::default();
        let mut by_merchant = BTreeMap::<&str, Vec<(usize, StoreOrdinal)>>::new();
        for (number, (store, merchant)) in stores.into_iter().enumerate() {
            places.note(store, 0);
            if let Some(id) = merchant {
                by_merchant.entry(id).or_default().push((number, store));
            }
        }
        places.of_leaf.push(Vec::new());
        let merchants = by_merchant.into_iter().filter(|(_, own)| own.len() > 1);
        let mut merchants: Vec<_> = merchants.collect();
        merchants.sort_by_cached_key(|(id, _)| (key::hash(id.as_bytes()), *id));
        for (ordinal, (id, own)) in (0_u32..).zip(merchants) {
            let leaf: Leaf = ordinal + 1;
            own.iter().for_each(|(_, store)| places.note(*store, leaf));
            places.of_leaf.push(vec![ordinal]);
            places.list.push(merchant(id, own));
        }
        places.check_len()?;
        Ok(places)
    }
}

/// Makes the place of a merchant's stores.
fn merchant(id: &str, stores: Vec<(usize, StoreOrdinal)>) -> Place {
    let parts = stores.into_iter().map(|(number, _)| Part::Store(number));
    Place {
        kind: PlaceKind::Merchant,
        key: id.into(),
        profile: StoreProfile {
            merchant_id: Some(id.to_owned()),
            ..StoreProfile::default()
        },
        parts: parts.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merchants_of_two_stores_or_more_are_places_and_all_others_are_in_none() {
        let given = [Some("b"), None, Some("a"), Some("c"), Some("b"), Some("a")];
        let stores: Vec<(StoreOrdinal, Option<&str>)> = (0..)
            .zip(given)
            .map(|(at, merchant)| {
                let partition = u16::try_from(at % 2 * 9).unwrap();
                (StoreOrdinal::new(partition, at).unwrap(), merchant)
            })
            .collect();
        let places = Places::of_merchants(stores.iter().copied()).unwrap();
        let order = |place: &Place| (key::hash(&place.key), place.key.clone());
        assert!(places.list().is_sorted_by_key(order));
        assert_eq!(places.list().len(), 2);
        for place in places.list() {
            let (id, numbers) = match &place.key[..] {
                b"a" => ("a", [2, 5]),
                _ => ("b", [0, 4]),
            };
            assert_eq!(place.key, id.as_bytes());
            assert_eq!(place.parts, numbers.map(Part::Store));
            assert_eq!(place.kind.dataset(), "merchants");
            assert_eq!(place.profile.merchant_id.as_deref(), Some(id));
        }
        for (store, merchant) in stores {
            let of = places.of_leaf(places.leaf_of(store)).iter();
            let of: Vec<&[u8]> = of.map(|it| &*places.list()[*it as usize].key).collect();
            let expected = merchant.filter(|id| *id != "c").map(str::as_bytes);
            assert_eq!(of, expected.as_slice());
        }
    }
}
