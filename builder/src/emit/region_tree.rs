//! The dataset of the tree of regions.

use std::collections::BTreeMap;

use nightshard_format::record::{REGION_TREE, RegionRecord};

use super::shard_set::{CurrentRecord, Staged, Staging};
use crate::{Result, regions::RegionTable};

/// Writes all regions of the file, with how many of the stores, whose regions are given, are in each.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_region_tree<'a>(
    staging: &Staging,
    tree: &RegionTable,
    of_stores: impl Iterator<Item = &'a str>,
) -> Result<Vec<Staged>> {
    let mut stores = BTreeMap::<&str, u64>::new();
    of_stores.for_each(|region| *stores.entry(region).or_default() += 1);
    let mut children = BTreeMap::<&str, Vec<String>>::new();
    for (id, region) in tree.iter() {
        if let Some(parent) = &region.parent {
            // Ids ascend, and so do those of each parent's parts.
            children.entry(parent).or_default().push(id.to_owned());
        }
    }
    let records = tree.iter().map(|(id, region)| {
        let record = RegionRecord {
            stores: stores.get(id).copied().unwrap_or_default(),
            parent: region.parent.clone(),
            name: region.name.clone(),
            location: region.location,
            children: children.remove(id).unwrap_or_default(),
        };
        let mut value = Vec::new();
        record.encode(&mut value)?;
        Ok(CurrentRecord {
            key: id.into(),
            value,
            terms: Vec::new(),
        })
    });
    staging.write_current(REGION_TREE, records.collect::<Result<Vec<_>>>()?)
}
