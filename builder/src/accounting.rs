//! What became of every row: used, rejected and excluded add up to the rows read.

use std::collections::BTreeMap;

use nightshard_format::manifest::Rows;

use crate::{
    Error, Result,
    emit::StoreShards,
    kernel::scan::ScanCounts,
    regions::RegionTable,
    row_outcome::{Reason, Rule},
    stores::StoreTable,
};

/// The flag of stores whose coordinates are out of range.
const STORES_OFF_THE_MAP: &str = "store_coordinate_out_of_range";
/// Likewise of regions.
const REGIONS_OFF_THE_MAP: &str = "region_coordinate_out_of_range";

/// Adds up what became of every row.
///
/// # Errors
/// [`Error::Internal`] if a row is missing or there twice.
pub(crate) fn account(counts: &ScanCounts, stores: &StoreShards<'_>) -> Result<Rows> {
    let mut rows = rows_of_scan(counts);
    add_unless_zero(
        &mut rows.rejected,
        Reason::ConflictingContent.as_str(),
        stores.conflicting_rows,
    );
    add_unless_zero(
        &mut rows.excluded,
        Rule::Duplicate.as_str(),
        stores.duplicates,
    );
    add_unless_zero(
        &mut rows.excluded,
        Rule::OtherCurrency.as_str(),
        stores.other_currency,
    );
    rows.used = stores.used;
    if rows.add_up() {
        Ok(rows)
    } else {
        Err(Error::Internal(format!("rows do not add up: {rows:?}")))
    }
}

/// Returns what became of the rows that went no further than the scan.
pub(crate) fn rows_of_scan(counts: &ScanCounts) -> Rows {
    let named = |(why, count): (&'static str, &u64)| (why.to_owned(), *count);
    let rejected = counts.rejected.iter().map(|(why, n)| (why.as_str(), n));
    let excluded = counts.excluded.iter().map(|(why, n)| (why.as_str(), n));
    let rejected: BTreeMap<String, u64> = rejected.map(named).collect();
    let excluded: BTreeMap<String, u64> = excluded.map(named).collect();
    Rows {
        read: counts.accepted + rejected.values().chain(excluded.values()).sum::<u64>(),
        used: 0,
        rejected,
        excluded,
    }
}

/// Returns what is odd and kept, by name.
pub(crate) fn flagged(
    counts: &ScanCounts,
    stores: &StoreTable,
    regions: &RegionTable,
) -> BTreeMap<String, u64> {
    let rows = counts.flagged.iter();
    let mut flagged: BTreeMap<String, u64> = rows
        .map(|(flag, count)| (flag.as_str().to_owned(), *count))
        .collect();
    add_unless_zero(&mut flagged, STORES_OFF_THE_MAP, stores.off_the_map());
    add_unless_zero(&mut flagged, REGIONS_OFF_THE_MAP, regions.off_the_map());
    flagged
}

fn add_unless_zero(counts: &mut BTreeMap<String, u64>, why: &str, count: u64) {
    if count > 0 {
        *counts.entry(why.to_owned()).or_default() += count;
    }
}

/// Says why there is nothing to build from.
pub(crate) fn describe_nothing(rows: &Rows) -> String {
    let Rows {
        read,
        rejected,
        excluded,
        ..
    } = rows;
    let reasons = rejected.iter().chain(excluded);
    match reasons.max_by_key(|(_, count)| **count) {
        None => "the input has none at all".to_owned(),
        Some((why, _)) => format!(
            "of {read} read {} were rejected and {} excluded, most of them for {why:?}",
            rejected.values().sum::<u64>(),
            excluded.values().sum::<u64>(),
        ),
    }
}
