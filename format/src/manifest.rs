//! The manifest: what binds shards into one generation (docs/format.md, "Manifest").

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    calendar::{Day, DayRange},
    key::PARTITIONS,
};

/// The newest version of the manifest, which this release writes.
///
/// It is not that of shards: a new member here rewrites no shard of a closed month.
pub const MANIFEST_VERSION: u32 = 1;

/// The length of `YYYY-MM-DD`.
const DATE_LEN: usize = 10;

/// The id of a generation: `<as_of>-<12 hexadecimal digits>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GenerationId(String);

impl GenerationId {
    /// Returns the id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the last business day, as in the id.
    #[must_use]
    pub fn as_of(&self) -> &str {
        &self.0[..DATE_LEN]
    }
}

impl FromStr for GenerationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let valid = text
            .split_at_checked(DATE_LEN)
            .is_some_and(|(as_of, digest)| {
                as_of.parse::<Day>().is_ok()
                    && is_hexadecimal(digest.trim_start_matches('-'), 12)
                    && digest.len() == 13
            });
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::Label {
                value: text.to_owned(),
                expected: "a generation id (YYYY-MM-DD- and 12 hexadecimal digits)",
            })
        }
    }
}

impl TryFrom<String> for GenerationId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<GenerationId> for String {
    fn from(id: GenerationId) -> Self {
        id.0
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A generation's list of shards, and where they came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the manifest; shards have their own.
    pub format_version: u32,
    /// The id, a digest over everything else here.
    pub id: GenerationId,
    /// Last business day.
    pub as_of: String,
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
    /// What was read, by role and digest, ascending.
    pub inputs: Vec<Input>,
    /// The configuration that affects data, by dotted name.
    pub configuration: BTreeMap<String, serde_json::Value>,
    /// Fingerprint of the card key.
    pub card_key: String,
    /// The shards, by dataset, span and partition.
    pub shards: Vec<ShardEntry>,
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
}

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// A file, by the BLAKE3 digest of its bytes.
    File {
        /// What it is read as.
        role: InputRole,
        /// BLAKE3 in hexadecimal.
        blake3: String,
        /// Length in bytes.
        size_bytes: u64,
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

    fn check(&self) -> Result<()> {
        let problem = if self.compute_id()? != self.id {
            "its id is not the digest of its content"
        } else if !self.rows.add_up() {
            "its rows do not add up"
        } else if !self.inputs.is_sorted() {
            "its inputs are out of order"
        } else if !self.inputs.iter().all(Input::is_plausible) {
            "an input's digest is none"
        } else if !self.shards.is_sorted() {
            "its shards are out of order"
        } else if self.shards.iter().any(|shard| !shard.is_plausible()) {
            "a shard's entry is out of bounds"
        } else if self.day_range()?.is_empty() || self.as_of.parse::<Day>().is_err() {
            "its days are no range"
        } else {
            return Ok(());
        };
        Err(Error::corrupt("manifest", problem))
    }
}

impl Input {
    fn is_plausible(&self) -> bool {
        let Self::File { blake3, .. } = self;
        is_hexadecimal(blake3, 64)
    }
}

/// No shard has so many bytes or records, so that sums over a manifest's shards never overflow.
const SHARD_MAX: u64 = 1 << 40;

impl ShardEntry {
    fn is_plausible(&self) -> bool {
        is_hexadecimal(&self.blob, 64)
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
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let mut manifest = Manifest {
            format_version: 1,
            id: "2018-12-31-000000000000".parse().unwrap(),
            as_of: "2018-12-31".into(),
            days: ["2018-01-01".into(), "2018-12-31".into()],
            currency: "GBP".into(),
            currency_exponent: 2,
            rows: Rows {
                read: 3,
                used: 1,
                ..Rows::default()
            },
            stores: 1,
            inputs: vec![],
            configuration: BTreeMap::new(),
            card_key: "00".into(),
            shards: vec![],
        };
        manifest.rows.rejected.insert("bad_date".into(), 1);
        manifest.rows.excluded.insert("duplicate".into(), 1);
        manifest.id = manifest.compute_id().unwrap();
        manifest
    }

    #[test]
    fn json_round_trips_and_any_change_is_noticed() {
        let manifest = manifest();
        let json = manifest.to_json().unwrap();
        assert_eq!(Manifest::from_json(&json).unwrap(), manifest);
        for at in 0..json.len() {
            let mut damaged = json.clone();
            damaged[at] ^= 0x01;
            if let Ok(read) = Manifest::from_json(&damaged) {
                // White space may become other white space.
                assert_eq!(read, manifest, "byte {at}");
            }
            assert!(at == json.len() - 1 || Manifest::from_json(&json[..at]).is_err());
        }
    }

    #[test]
    fn rows_that_do_not_add_up_and_newer_versions_are_refused() {
        let mut wrong = manifest();
        wrong.rows.used = 2;
        wrong.id = wrong.compute_id().unwrap();
        assert!(matches!(
            Manifest::from_json(&wrong.to_json().unwrap()),
            Err(Error::Corrupt { .. })
        ));
        let mut newer = manifest();
        newer.format_version = 2;
        assert!(matches!(
            Manifest::from_json(&newer.to_json().unwrap()),
            Err(Error::UnknownVersion { found: 2, .. })
        ));
    }

    #[test]
    fn inputs_out_of_order_or_without_a_digest_are_refused() {
        let file = |role, digit: &str| Input::File {
            role,
            blake3: digit.repeat(64),
            size_bytes: 1,
        };
        let (transactions, stores) = (InputRole::Transactions, InputRole::Stores);
        for (inputs, is_right) in [
            (vec![file(transactions, "b"), file(stores, "a")], true),
            (vec![file(transactions, "a"), file(transactions, "a")], true),
            (vec![file(stores, "a"), file(transactions, "b")], false),
            (
                vec![file(transactions, "b"), file(transactions, "a")],
                false,
            ),
            (vec![file(transactions, "x")], false),
        ] {
            let mut manifest = manifest();
            manifest.inputs = inputs;
            manifest.id = manifest.compute_id().unwrap();
            let read = Manifest::from_json(&manifest.to_json().unwrap());
            assert_eq!(read.is_ok(), is_right, "{read:?}");
        }
    }

    #[test]
    fn sums_that_overflow_are_refused_like_wrong_ones() {
        let refused = |mut wrong: Manifest| {
            wrong.id = wrong.compute_id().unwrap();
            let read = Manifest::from_json(&wrong.to_json().unwrap());
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
        };
        let mut rows = manifest();
        rows.rows.read = 1;
        rows.rows.rejected.insert("many".into(), u64::MAX);
        refused(rows);
        let mut sizes = manifest();
        sizes.shards.push(ShardEntry {
            dataset: "stores".into(),
            span: "current".into(),
            first_partition: 0,
            end_partition: 1,
            blob: "0".repeat(64),
            size_bytes: u64::MAX,
            records: 1,
        });
        refused(sizes);
    }

    #[test]
    fn ids_that_could_be_paths_are_refused() {
        for text in [
            "../../../etc/passwd",
            "2018-12-31-00000000000/",
            "2018-12-31",
            "",
            "2018-12-31-00000000000G",
            "2018-12-31--00000000000",
            "2018-12-31-0000000000000",
        ] {
            assert!(text.parse::<GenerationId>().is_err(), "{text}");
        }
    }
}
