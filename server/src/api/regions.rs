//! What is said of a region where a build had a file of regions.

use nightshard_format::{record::RegionRecord, region_tree::RegionTree};

use super::stores::write_location;
use crate::json::Json;

/// Writes the members that say what the file of regions says of one: all are null of one that it does not have. Without
/// such a file there are none.
pub(super) fn write_region(json: &mut Json, tree: &RegionTree, id: &[u8]) {
    if tree.is_empty() {
        return;
    }
    let region = tree.get(id);
    write_parent(json, region);
    json.key("name")
        .optional_string(region.and_then(|region| region.name.as_deref()));
    write_location(json, region.and_then(|region| region.location));
}

/// Writes the region that one is a part of.
pub(super) fn write_parent(json: &mut Json, region: Option<&RegionRecord>) {
    json.key("parent")
        .optional_string(region.and_then(|region| region.parent.as_deref()));
}
