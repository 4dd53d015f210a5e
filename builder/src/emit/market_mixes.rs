//! How the payments of all stores together divide, added up from the months of stores.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::Month,
    record::{EncodedMixes, MonthRecord},
    shard::Span,
};
use rayon::prelude::*;

use super::written::Written;
use crate::{Result, kernel::added_mixes::AddedMixes};

/// Adds up the mixes of all stores by month, those left out of which no row says anything.
///
/// # Errors
/// [`crate::Error::Format`] if a shard that was just written cannot be read.
pub fn add_up_mixes(of_stores: &Written) -> Result<BTreeMap<Month, EncodedMixes>> {
    let months: Vec<Month> = of_stores.months().collect();
    let of_month = |month: Month| {
        let mut mixes = AddedMixes::default();
        for shard in of_stores.shards(Span::Month(month)) {
            for record in shard.iter() {
                let value = record?.value;
                mixes.add(&MonthRecord::parse(month, value.in_place()?)?)?;
            }
        }
        Ok((month, mixes.encode()))
    };
    let months: Result<Vec<_>> = months.into_par_iter().map(of_month).collect();
    let said = months?.into_iter().filter(|(_, mixes)| !mixes.is_empty());
    Ok(said.collect())
}
