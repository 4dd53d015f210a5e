//! The table of stores that goes with the transactions.

use super::{
    Plan,
    categories::CATEGORIES,
    encode::{Ids, id, point, region},
    names,
    rows::World,
};

const HEADER: &str = "store_id,store_name,merchant_id,category,region,lat,lon\n";

/// The whole table as CSV, ordered by store.
pub(super) fn table(world: &World, plan: &Plan) -> Vec<u8> {
    let ids = Ids::new(plan);
    let mut stores: Vec<_> = world.stores.list().iter().collect();
    stores.sort_unstable_by_key(|store| store.id);
    let mut out = HEADER.as_bytes().to_vec();
    for store in stores {
        out.extend_from_slice(ids.store(store.id).as_bytes());
        out.push(b',');
        out.extend_from_slice(names::name(store, plan.seed).as_bytes());
        out.push(b',');
        id(b'm', u64::from(store.merchant), 8, &mut out);
        out.push(b',');
        out.extend_from_slice(CATEGORIES[store.category].name.as_bytes());
        out.push(b',');
        region(store, &mut out);
        point(store, &mut out);
        out.push(b'\n');
    }
    out
}
