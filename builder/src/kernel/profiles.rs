//! The profiles of a partition's rows: which stores they are of, and who those are.

use std::collections::{BTreeMap, HashMap};

use nightshard_format::{key::order, record::StoreProfile};

use super::{
    loaded_rows::LoadedRows, profile::RowProfile, row::PartitionRow, sent_rows::SentRow,
    store_partition::Conflict,
};
use crate::{
    Result,
    exchange::Visitor,
    regions::{Joined, RegionTable},
    stores::StoreTable,
};

/// Loads the rows of a partition, giving profiles ordinals of the partition's own.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) profiles: ProfileSet,
    pub(super) rows: LoadedRows,
    ordinals: Vec<u32>,
}

impl Load {
    /// Loads so many rows into the memory of others.
    pub(super) fn into(mut rows: LoadedRows, len_rows: usize) -> Self {
        rows.clear_for(len_rows);
        Self {
            rows,
            ..Self::default()
        }
    }
}

impl<R: SentRow> Visitor<R> for Load {
    fn dictionary<'a>(&mut self, entries: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.ordinals.clear();
        self.ordinals
            .extend(entries.map(|entry| self.profiles.ordinal(entry)));
        Ok(())
    }

    fn rows(&mut self, rows: &[R]) -> Result<()> {
        let ordinals = &self.ordinals;
        let profile_of = |sent: &R| ordinals[usize::from(sent.row().profile())];
        self.rows.extend(
            rows.iter()
                .map(|sent| PartitionRow::new(sent, profile_of(sent))),
            rows.iter().filter_map(SentRow::settlement),
        );
        Ok(())
    }
}

/// The profiles of a partition.
#[derive(Debug, Default)]
pub(super) struct ProfileSet {
    ordinals: HashMap<Box<[u8]>, u32>,
}

impl ProfileSet {
    pub(super) fn ordinal(&mut self, entry: &[u8]) -> u32 {
        if let Some(ordinal) = self.ordinals.get(entry) {
            return *ordinal;
        }
        let ordinal = u32::try_from(self.ordinals.len()).unwrap_or(u32::MAX);
        self.ordinals.insert(entry.into(), ordinal);
        ordinal
    }

    /// Ends the gathering: finds the stores, in the order of a shard's keys.
    pub(super) fn resolve(&mut self, base_currency: &[u8]) -> Profiles {
        let mut entries = vec![Box::default(); self.ordinals.len()];
        for (entry, ordinal) in self.ordinals.drain() {
            entries[ordinal as usize] = entry;
        }
        let mut stores: Vec<Vec<u8>> = entries
            .iter()
            .map(|entry| RowProfile::decode(entry).store.to_vec())
            .collect();
        stores.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        stores.dedup();
        let by_profile = entries
            .iter()
            .map(|entry| {
                let profile = RowProfile::decode(entry);
                let wanted = order(profile.store);
                let store = stores.partition_point(|store| order(store) < wanted);
                let store = u32::try_from(store).unwrap_or(u32::MAX);
                (store, profile.currency == base_currency)
            })
            .collect();
        Profiles {
            stores,
            entries,
            by_profile,
        }
    }
}

/// The stores and profiles of a partition.
#[derive(Debug)]
pub(super) struct Profiles {
    /// Ids, in the order of a shard's keys.
    pub(super) stores: Vec<Vec<u8>>,
    entries: Vec<Box<[u8]>>,
    /// By profile: its store, and whether its currency is the base currency.
    by_profile: Vec<(u32, bool)>,
}

impl Profiles {
    pub(super) fn store_of(&self, row: &PartitionRow) -> u32 {
        self.by_profile[row.profile as usize].0
    }

    /// Returns the store of a row in the base currency.
    #[inline]
    pub(super) fn base_store_of(&self, row: &PartitionRow) -> Option<usize> {
        self.base_store(row.profile as usize)
    }

    /// Returns the store of a profile in the base currency.
    #[inline]
    pub(super) fn base_store(&self, profile: usize) -> Option<usize> {
        let (store, is_base_currency) = self.by_profile[profile];
        is_base_currency.then_some(store as usize)
    }

    /// Names the stores of conflicts.
    pub(super) fn conflicts(&self, conflicts: Vec<(u32, u64)>) -> Vec<Conflict> {
        let named = conflicts.into_iter().map(|(store, tx)| Conflict {
            store: self.stores[store as usize].clone(),
            tx,
        });
        named.collect()
    }

    /// Returns the currency of a profile.
    pub(super) fn currency(&self, profile: usize) -> &[u8] {
        RowProfile::decode(&self.entries[profile]).currency
    }

    /// Returns how many profiles there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns who a store is: the dimension file's word, else what most of its rows say, ties
    /// alphabetically.
    pub(super) fn store_profile(
        &self,
        store: usize,
        profile_rows: &[u64],
        (table, regions): (&StoreTable, &RegionTable),
    ) -> StoreProfile {
        let mut categories = BTreeMap::<&[u8], u64>::new();
        let mut said = BTreeMap::<&[u8], u64>::new();
        for ((entry, (of, _)), rows) in self.entries.iter().zip(&self.by_profile).zip(profile_rows)
        {
            if *of as usize == store {
                let profile = RowProfile::decode(entry);
                *categories.entry(profile.category).or_default() += rows;
                *said.entry(profile.region).or_default() += rows;
            }
        }
        let mut profile = table.profile(&self.stores[store]);
        profile.category = profile.category.or_else(|| most_rows(&categories));
        profile.region = profile.region.or_else(|| most_rows(&said));
        if let Some(region) = &mut profile.region
            && let Joined::Known(id) = regions.join(region)
        {
            id.clone_into(region);
        }
        profile
    }
}

fn most_rows(counts: &BTreeMap<&[u8], u64>) -> Option<String> {
    let known = counts
        .iter()
        .filter(|(value, rows)| !value.is_empty() && **rows > 0);
    // `max_by_key` keeps the last of equals: reversed, that is the first of the alphabet.
    let (value, _) = known.rev().max_by_key(|(_, rows)| **rows)?;
    Some(String::from_utf8_lossy(value).into_owned())
}
