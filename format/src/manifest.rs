//! The manifest: what binds shards into one generation (docs/format.md, "Manifest").

mod flat;
mod generation_id;
mod merge;
mod packed;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    calendar::{Day, DayRange},
    key::PARTITIONS,
};

pub use generation_id::GenerationId;
pub use packed::{OnDuplicate, Packed, check_dataset_name, check_media_type};

/// The newest version of the manifest, which this release writes.
///
/// It is not that of shards: a new member here rewrites no shard of a closed month.
pub const MANIFEST_VERSION: u32 = 1;

/// A generation's list of shards, and where they came from.
///
/// # Shape
/// It has transactions, packed datasets, or both. In JSON the members of [`Transactions`] stand
/// beside the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "flat::Flat", into = "flat::Flat")]
pub struct Manifest {
    /// The version of the manifest; shards have their own.
    pub format_version: u32,
    /// The id, a digest over everything else here.
    pub id: GenerationId,
    /// Last business day.
    pub as_of: String,
    /// What is known of the transactions that the generation was built from, if it was.
    pub transactions: Option<Transactions>,
    /// Tables without the domain of cards, by the dataset that holds them.
    pub packed: BTreeMap<String, Packed>,
    /// What was read, files by role, dataset and digest, ascending, then atoms.
    pub inputs: Vec<Input>,
    /// The configuration that affects data, by dotted name.
    pub configuration: BTreeMap<String, serde_json::Value>,
    /// The shards, by dataset, span and partition.
    pub shards: Vec<ShardEntry>,
}

/// What a manifest says of transactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transactions {
    /// First and last business day that has rows.
    pub days: [String; 2],
    /// The base currency, ISO 4217.
    pub currency: String,
    /// Decimal digits of the minor unit.
    pub currency_exponent: u8,
    /// How every row read was accounted for.
    pub rows: Rows,
    /// How many stores have rows.
    pub stores: u64,
    /// Fingerprint of the card key.
    pub card_key: String,
}

impl Transactions {
    /// Returns the days from the first to the last that has rows.
    ///
    /// # Errors
    /// [`Error::Label`] if they are no dates.
    pub fn day_range(&self) -> Result<DayRange> {
        Ok(DayRange {
            first: self.days[0].parse()?,
            last: self.days[1].parse()?,
        })
    }

    fn problem(&self) -> Result<Option<&'static str>> {
        Ok(if !self.rows.add_up() {
            Some("its rows do not add up")
        } else if self.day_range()?.is_empty() {
            Some("its days are no range")
        } else {
            None
        })
    }
}

/// The accounting of rows: `used + rejected + excluded = read`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// Rows in the input.
    pub read: u64,
    /// Rows that figures are computed from.
    pub used: u64,
    /// Rows in the quarantine file, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Rows left out, by rule.
    pub excluded: BTreeMap<String, u64>,
}

impl Rows {
    /// Returns whether every row is accounted for.
    #[must_use]
    pub fn add_up(&self) -> bool {
        let mut counts = self.rejected.values().chain(self.excluded.values());
        let total = counts.try_fold(self.used, |total, count| total.checked_add(*count));
        total == Some(self.read)
    }
}

/// What an input is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputRole {
    /// Rows of transactions.
    Transactions,
    /// What is known of stores beside their rows.
    Stores,
    /// The tree of regions.
    Regions,
    /// Daily series beside the rows.
    Series,
    /// What is known of customers beside their rows.
    Customers,
    /// Rows of a packed dataset.
    Packed,
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// A file, by the BLAKE3 digest of its bytes.
    File {
        /// What it is read as.
        role: InputRole,
        /// The packed dataset that it is rows of, for that role.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dataset: Option<String>,
        /// BLAKE3 in hexadecimal.
        blake3: String,
        /// Length in bytes.
        size_bytes: u64,
    },
    /// The atoms that an earlier generation had told, where they are others than the rows alone would make.
    Atoms {
        /// BLAKE3 in hexadecimal, over a line for the digest of each of their blobs, ascending.
        blake3: String,
    },
}

/// One shard of a generation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// The dataset.
    pub dataset: String,
    /// `current` or a month.
    pub span: String,
    /// First partition.
    pub first_partition: u16,
    /// One past the last partition.
    pub end_partition: u16,
    /// BLAKE3 of the file, in hexadecimal: the name of its blob.
    pub blob: String,
    /// Length of the file.
    pub size_bytes: u64,
    /// Records in it.
    pub records: u64,
}

impl Manifest {
    /// Computes the id from everything else.
    ///
    /// # Shape
    /// The digest is BLAKE3 over compact JSON with sorted keys, without the member `id`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the manifest has no JSON form.
    pub fn compute_id(&self) -> Result<GenerationId> {
        let problem = |error: serde_json::Error| Error::invalid("manifest", error.to_string());
        let mut value = serde_json::to_value(self).map_err(problem)?;
        if let Some(members) = value.as_object_mut() {
            members.remove("id");
        }
        let digest = blake3::hash(&serde_json::to_vec(&value).map_err(problem)?).to_hex();
        format!("{}-{}", self.as_of, &digest[..12]).parse()
    }

    /// Returns the bytes of `manifest.json`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the manifest has no JSON form.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_value(self)
            .and_then(|value| serde_json::to_vec_pretty(&value))
            .map_err(|error| Error::invalid("manifest", error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a manifest and checks that it is whole and consistent.
    ///
    /// # Errors
    /// [`Error::UnknownVersion`] for that of a newer release, [`Error::Corrupt`] otherwise.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let problem = |error: serde_json::Error| Error::corrupt("manifest", error.to_string());
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(problem)?;
        match value
            .get("format_version")
            .and_then(serde_json::Value::as_u64)
        {
            None => return Err(Error::corrupt("manifest", "it has no format_version")),
            Some(found) if found != u64::from(MANIFEST_VERSION) => {
                let newest = MANIFEST_VERSION;
                return Err(Error::UnknownVersion { found, newest });
            }
            Some(_) => {}
        }
        let manifest: Self = serde_json::from_value(value).map_err(problem)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Returns whether it keeps atoms of an earlier generation that are others than its rows alone would make.
    #[must_use]
    pub fn keeps_atoms(&self) -> bool {
        self.inputs.iter().any(Input::is_atoms)
    }

    /// Returns the shards of one dataset, in order.
    pub fn shards_of<'a>(&'a self, dataset: &'a str) -> impl Iterator<Item = &'a ShardEntry> {
        let shards = self.shards.iter();
        shards.filter(move |entry| entry.dataset == dataset)
    }

    fn check(&self) -> Result<()> {
        let transactions = self.transactions.as_ref();
        let problem = if self.compute_id()? != self.id {
            "its id is not the digest of its content"
        } else if self.transactions.is_none() && self.packed.is_empty() {
            "it has neither transactions nor packed datasets"
        } else if !self.inputs.is_sorted() {
            "its inputs are out of order"
        } else if !self.inputs.iter().all(|input| input.is_plausible(self)) {
            "an input's digest is none, or it is of nothing that there is"
        } else if !self.shards.is_sorted() {
            "its shards are out of order"
        } else if self.shards.iter().any(|shard| !shard.is_plausible(self)) {
            "a shard's entry is out of bounds"
        } else if self.as_of.parse::<Day>().is_err() {
            "its last business day is none"
        } else if let Some(problem) = transactions.map_or(Ok(None), Transactions::problem)? {
            problem
        } else if let Some(problem) = packed::problem(self) {
            problem
        } else {
            return Ok(());
        };
        Err(Error::corrupt("manifest", problem))
    }
}

impl Input {
    fn is_plausible(&self, manifest: &Manifest) -> bool {
        let has_transactions = manifest.transactions.is_some();
        let (is_of_something, blake3) = match self {
            Self::File {
                role,
                dataset,
                blake3,
                ..
            } => match (role, dataset) {
                (InputRole::Packed, Some(it)) => (manifest.packed.contains_key(it), blake3),
                (InputRole::Packed, None) => (false, blake3),
                (_, dataset) => (has_transactions && dataset.is_none(), blake3),
            },
            Self::Atoms { blake3 } => (has_transactions, blake3),
        };
        is_of_something && is_hexadecimal(blake3, 64)
    }

    /// Returns what a file is read as.
    #[must_use]
    pub fn role(&self) -> Option<InputRole> {
        match self {
            Self::File { role, .. } => Some(*role),
            Self::Atoms { .. } => None,
        }
    }

    /// Returns the packed dataset that it is rows of.
    #[must_use]
    pub fn dataset(&self) -> Option<&str> {
        match self {
            Self::File { dataset, .. } => dataset.as_deref(),
            Self::Atoms { .. } => None,
        }
    }

    /// Returns whether it is the atoms that an earlier generation had told.
    #[must_use]
    pub fn is_atoms(&self) -> bool {
        matches!(self, Self::Atoms { .. })
    }
}

/// No shard has so many bytes or records, so that sums over a manifest's shards never overflow.
const SHARD_MAX: u64 = 1 << 40;

impl ShardEntry {
    fn is_plausible(&self, manifest: &Manifest) -> bool {
        let has_dataset =
            manifest.transactions.is_some() || manifest.packed.contains_key(&self.dataset);
        has_dataset
            && is_hexadecimal(&self.blob, 64)
            && self.first_partition < self.end_partition
            && self.end_partition <= PARTITIONS
            && self.size_bytes < SHARD_MAX
            && self.records < SHARD_MAX
    }
}

fn is_hexadecimal(text: &str, len: usize) -> bool {
    text.len() == len
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
