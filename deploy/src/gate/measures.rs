//! What the gate measures of a generation.

use std::collections::BTreeMap;

use nightshard_format::{
    key,
    manifest::{Manifest, Transactions},
    record::{MARKET_ALL, MARKETS, Summary},
    shard::Span,
};
use serde::{Deserialize, Serialize};

use super::SeriesMeasures;
use crate::{Repository, Result};

/// What is known of a generation at its gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures {
    /// Last business day.
    pub as_of: String,
    /// The version of the manifest.
    pub format_version: u32,
    /// Bytes of all shards.
    pub size_bytes: u64,
    /// Each dataset.
    pub datasets: BTreeMap<String, DatasetMeasures>,
    /// What was made of transactions, if there are some.
    pub rows: Option<RowMeasures>,
    /// The market's totals, if they are there and can be read.
    pub market: Option<Market>,
    /// The side series, as far as they can be read; of a candidate alone.
    #[serde(default)]
    pub series: SeriesMeasures,
}

/// What is known of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetMeasures {
    /// Records in all its shards.
    pub records: u64,
    /// Bytes of its shards.
    pub size_bytes: u64,
    /// Whether it was packed of a table.
    pub is_packed: bool,
}

/// What became of the rows of transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowMeasures {
    /// Rows read.
    pub read: u64,
    /// Rows that figures are computed from.
    pub used: u64,
    /// Rows rejected, for whatever reason.
    pub rejected: u64,
    /// Stores that have rows.
    pub stores: u64,
    /// Base currency.
    pub currency: String,
}

/// The totals of everything.
///
/// # Units
/// `sum_minor` in minor units of the base currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// Rows.
    pub count: u64,
    /// Net sum.
    pub sum_minor: i128,
}

impl Measures {
    /// Returns what the manifest alone says; the market and side series are in shards.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let mut datasets: BTreeMap<String, DatasetMeasures> = BTreeMap::new();
        for dataset in manifest.packed.keys() {
            datasets.entry(dataset.clone()).or_default().is_packed = true;
        }
        for entry in &manifest.shards {
            let measures = datasets.entry(entry.dataset.clone()).or_default();
            measures.records += entry.records;
            measures.size_bytes += entry.size_bytes;
        }
        Self {
            as_of: manifest.as_of.clone(),
            format_version: manifest.format_version,
            size_bytes: datasets.values().map(|dataset| dataset.size_bytes).sum(),
            datasets,
            rows: manifest.transactions.as_ref().map(RowMeasures::of),
            market: None,
            series: SeriesMeasures::default(),
        }
    }
}

impl RowMeasures {
    fn of(transactions: &Transactions) -> Self {
        let rows = &transactions.rows;
        Self {
            read: rows.read,
            used: rows.used,
            // The manifest was checked to add up, so that this does not overflow.
            rejected: rows.rejected.values().sum(),
            stores: transactions.stores,
            currency: transactions.currency.clone(),
        }
    }
}

impl Repository {
    /// Reads the totals of everything through the shard reader.
    ///
    /// # Errors
    /// [`crate::Error::MissingBlob`], [`crate::Error::BadBlob`] or [`crate::Error::Storage`].
    pub(super) async fn market_of(&self, manifest: &Manifest) -> Result<Option<Market>> {
        let current = Span::Current.to_string();
        let partition = key::partition_of(key::hash(MARKET_ALL));
        let mut entries = manifest.shards_of(MARKETS);
        let Some(entry) = entries.find(|entry| {
            let run = entry.first_partition..entry.end_partition;
            entry.span == current && run.contains(&partition)
        }) else {
            return Ok(None);
        };
        let shard = self.read_shard(entry).await?;
        let market = shard.get(MARKET_ALL).and_then(|value| {
            let summary = value.map(|value| Summary::parse(&value.read()?));
            summary.transpose()
        });
        let market = market.map_err(|source| self.bad_blob(entry, source))?;
        Ok(market.map(|summary| {
            let statistics = summary.statistics();
            Market {
                count: statistics.count,
                sum_minor: statistics.sum,
            }
        }))
    }
}
