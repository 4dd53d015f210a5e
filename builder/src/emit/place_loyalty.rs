//! The shards of what takes each card of a place, of the market or of a merchant as a whole.

use std::collections::BTreeMap;

use nightshard_format::calendar::Month;

use super::{
    run_shards::RunShards,
    shard_set::{Staged, Staging},
    written::Written,
};
use crate::{
    Result,
    kernel::{
        loyal_places::LoyalPlaces, place_loyalty::LoyaltyOfPlaces, store_days::EncodedRecords,
    },
};

/// The records of some places, one after the other.
pub struct LoyaltyRecords {
    first: usize,
    records: EncodedRecords,
    /// Where the records of each place end.
    ends: Vec<usize>,
}

/// Encodes the records of the places of one partition, of which `written` has the months, by dataset.
///
/// # Errors
/// [`crate::Error::Format`] if a shard that was just written cannot be read.
pub fn encode(
    mut loyalty: LoyaltyOfPlaces,
    told: &LoyalPlaces,
    written: &BTreeMap<&'static str, Written>,
) -> Result<LoyaltyRecords> {
    let mut records = EncodedRecords::default();
    let months_of = |number: usize| {
        let place = &told.list()[number];
        match written.get(place.dataset) {
            Some(written) => months_with(written, &place.own_key),
            None => Ok(Vec::new()),
        }
    };
    let ends = loyalty.encode(months_of, &mut records)?;
    Ok(LoyaltyRecords {
        first: loyalty.first,
        records,
        ends,
    })
}

/// Returns the months that a key has rows in.
fn months_with(written: &Written, key: &[u8]) -> Result<Vec<Month>> {
    let summary = written.summary(key)?;
    let months = summary.into_iter().flat_map(|summary| summary.months);
    Ok(months.map(|totals| totals.month).collect())
}

/// Takes the records of places, in order, to shards.
pub struct LoyaltyShards<'a> {
    told: &'a LoyalPlaces,
    shards: RunShards<'a>,
}

impl<'a> LoyaltyShards<'a> {
    /// Starts writing a dataset into `staging`.
    #[must_use]
    pub fn new(staging: &'a Staging, dataset: &'a str, told: &'a LoyalPlaces) -> Self {
        let shards = RunShards::new(staging, dataset);
        Self { told, shards }
    }

    /// Adds the next records.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn add(&mut self, of: &LoyaltyRecords) -> Result<()> {
        let EncodedRecords { values, spans } = &of.records;
        let mut records = spans.iter();
        let (mut number, mut start) = (0, 0);
        for (place, end_records) in self.told.list()[of.first..].iter().zip(&of.ends) {
            for (span, end) in records.by_ref().take(end_records - number) {
                self.shards
                    .append(*span, &place.key, &values[start..*end])?;
                start = *end;
            }
            number = *end_records;
        }
        Ok(())
    }

    /// Ends all shards.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn finish(self) -> Result<Vec<Staged>> {
        self.shards.finish()
    }
}
