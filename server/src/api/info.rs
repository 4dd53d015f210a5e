//! `GET /v1/info/...`: the generation itself, and the regions and categories there are.

use std::collections::BTreeMap;

use nightshard_format::{
    manifest::InputRole,
    payer::is_about_customers,
    record::{CATALOG, CUSTOMERS, EntityKind, RankBy, Ranking},
    shard::Span,
};

use super::{
    Lookup, filter::find, parameters::Parameters, regions::write_region, stores::write_hidden,
};
use crate::problem::Result;

/// The time to read and write a row of a catalogue, in nanoseconds.
const ROW_NS: u64 = 1_000;

/// Writes what a generation is made of.
pub(super) fn write_generation(parameters: Parameters<'_>, lookup: &mut Lookup<'_>) -> Result<()> {
    parameters.finish()?;
    let manifest = lookup.served.generation().manifest();
    let transactions = lookup.served.find_transactions();
    // How many rows there are is a figure of the market.
    let is_whole = lookup.caller.sees_market();
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("format_version").integer(manifest.format_version);
    if let Some((facts, transactions)) = transactions.zip(manifest.transactions.as_ref()) {
        json.key("first_date").display(facts.days.first);
        json.key("last_date").display(facts.last_row);
        json.members(&facts.currency);
        json.key("stores").integer(transactions.stores);
        if is_whole {
            json.key("rows").value(&transactions.rows);
        } else {
            write_hidden(json, &["rows"]);
        }
        if facts.privacy.is_protecting() {
            json.key("privacy").begin_object();
            json.key("k").integer(facts.privacy.k());
            json.end_object();
        }
    }
    if is_whole && !manifest.packed.is_empty() {
        json.key("packed").value(&manifest.packed);
    }
    let inputs = manifest.inputs.iter();
    let inputs = inputs.filter(|input| input.role() != Some(InputRole::Customers));
    json.key("inputs").integer(inputs.count() as u64);
    let configuration = manifest.configuration.iter();
    // Which rows are flagged, say, is for who watches customers.
    let shown: BTreeMap<_, _> = configuration
        .filter(|(key, _)| !is_about_customers(key))
        .collect();
    json.key("configuration").value(&shown);
    if let Some(transactions) = &manifest.transactions {
        json.key("card_key").string(&transactions.card_key);
    }
    // What came of customers in a night is for who watches them, too.
    let shards = || {
        manifest
            .shards
            .iter()
            .filter(|shard| shard.dataset != CUSTOMERS)
    };
    json.key("shards").integer(shards().count() as u64);
    // No overflow: each is the length of a file that is mapped.
    let size_bytes: u64 = shards().map(|shard| shard.size_bytes).sum();
    json.key("size_bytes").integer(size_bytes);
    json.end_object();
    Ok(())
}

/// Writes the regions or the categories, those of most stores first.
pub(super) fn write_catalog(
    kind: EntityKind,
    mut parameters: Parameters<'_>,
    lookup: &mut Lookup<'_>,
) -> Result<()> {
    let served = lookup.served;
    let tree = &served.transactions()?.regions;
    let name: &[u8] = match kind {
        EntityKind::Region => b"regions",
        _ => b"categories",
    };
    let page = lookup.page(&mut parameters, &[Some("info"), Some(kind.as_str())])?;
    parameters.finish()?;
    let found = served.generation().get(CATALOG, Span::Current, name)?;
    let ids = found.map(|ids| Ranking::parse(ids.in_place()?));
    let ids = ids.transpose()?;
    let len = ids.map_or(0, |ids| ids.len());
    let positions = page.positions(len);
    lookup.work.spend(positions.len() as u64 * ROW_NS)?;
    let json = &mut *lookup.json;
    json.begin_object();
    json.key("total").integer(len as u64);
    json.key("rows").begin_array();
    for id in positions.filter_map(|position| ids?.get(position)) {
        let text = String::from_utf8_lossy(id);
        let (region, category) = match kind {
            EntityKind::Region => (Some(&*text), None),
            _ => (None, Some(&*text)),
        };
        let stores = find(served, RankBy::Transactions, region, category)?;
        json.begin_object();
        json.key("id").string(&text);
        if kind == EntityKind::Region {
            write_region(json, tree, id);
        }
        json.key("stores")
            .integer(stores.map_or(0, |stores| stores.len()) as u64);
        json.end_object();
    }
    json.end_array();
    if let Some(cursor) = page.next(len) {
        json.key("next").display(cursor);
    }
    json.end_object();
    Ok(())
}
