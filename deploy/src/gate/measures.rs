//! What the gate measures of a generation.

use std::collections::BTreeMap;

use nightshard_format::{
    manifest::{Manifest, Transactions},
    record::{MARKETS, STORES, Summary},
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    /// Rows.
    pub count: u64,
    /// Net sum.
    pub sum_minor: i128,
}

impl Market {
    fn add(&mut self, summary: &Summary) {
        let statistics = summary.statistics();
        self.count += statistics.count;
        self.sum_minor += statistics.sum;
    }
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
    /// Reads the totals of everything through the shard reader: those of the market, or the sum of all
    /// stores where the market is not told exactly.
    ///
    /// # Errors
    /// [`crate::Error::MissingBlob`], [`crate::Error::BadBlob`] or [`crate::Error::Storage`].
    pub(super) async fn market_of(&self, manifest: &Manifest) -> Result<Option<Market>> {
        let current = Span::Current.to_string();
        let is_exact = manifest.shards_of(MARKETS).next().is_some();
        let dataset = if is_exact { MARKETS } else { STORES };
        let mut market = None::<Market>;
        for entry in manifest.shards_of(dataset) {
            if entry.span != current {
                continue;
            }
            let shard = self.read_shard(entry).await?;
            for record in shard.iter() {
                let summary = record.and_then(|record| Summary::parse(&record.value.read()?));
                let summary = summary.map_err(|source| self.bad_blob(entry, source))?;
                market.get_or_insert_default().add(&summary);
            }
        }
        Ok(market)
    }
}
