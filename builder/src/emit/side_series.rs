//! The dataset of side series.

use nightshard_format::record::{SERIES, encode_side_series};

use super::shard_set::{CurrentRecord, Staged, Staging};
use crate::{Result, series::KnownSeries};

/// Writes the series that have a value.
///
/// # Errors
/// [`crate::Error::File`] if the staging folder takes no more.
pub fn write_side_series(staging: &Staging, series: &[KnownSeries<'_>]) -> Result<Vec<Staged>> {
    let with_values = series.iter().filter(|series| !series.values.is_empty());
    let records = with_values.map(|series| {
        let mut value = Vec::new();
        encode_side_series(&series.values, &mut value)?;
        Ok(CurrentRecord {
            key: series.name.into(),
            value,
            terms: Vec::new(),
        })
    });
    staging.write_current(SERIES, records.collect::<Result<Vec<_>>>()?)
}
