//! The manifest: what binds shards into one generation (docs/format.md, "Manifest").

mod flat;
mod merge;
mod packed;

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    calendar::{Day, DayRange},
    key::PARTITIONS,
};

pub use packed::{OnDuplicate, Packed, check_dataset_name, check_media_type};

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
    /// What was read, by role, dataset and digest, ascending.
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
        let Self::File {
            role,
            dataset,
            blake3,
            ..
        } = self;
        let is_of_something = match (role, dataset) {
            (InputRole::Packed, Some(dataset)) => manifest.packed.contains_key(dataset),
            (InputRole::Packed, None) => false,
            (_, dataset) => manifest.transactions.is_some() && dataset.is_none(),
        };
        is_of_something && is_hexadecimal(blake3, 64)
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
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let mut manifest = Manifest {
            format_version: 1,
            id: "2018-12-31-000000000000".parse().unwrap(),
            as_of: "2018-12-31".into(),
            transactions: Some(Transactions {
                days: ["2018-01-01".into(), "2018-12-31".into()],
                currency: "GBP".into(),
                currency_exponent: 2,
                rows: Rows {
                    read: 3,
                    used: 1,
                    rejected: [("bad_date".into(), 1)].into(),
                    excluded: [("duplicate".into(), 1)].into(),
                },
                stores: 1,
                card_key: "00".into(),
            }),
            packed: BTreeMap::new(),
            inputs: vec![],
            configuration: BTreeMap::new(),
            shards: vec![],
        };
        manifest.id = manifest.compute_id().unwrap();
        manifest
    }

    /// A manifest of the packed dataset `prices` alone, with one shard of two records.
    fn packed() -> Manifest {
        let mut manifest = Manifest {
            transactions: None,
            packed: [(
                "prices".into(),
                Packed {
                    media_type: "text/plain".into(),
                    key: "sku".into(),
                    values: vec!["price".into()],
                    on_duplicate: OnDuplicate::Last,
                    rows: Rows {
                        read: 3,
                        used: 2,
                        excluded: [("duplicate".into(), 1)].into(),
                        ..Rows::default()
                    },
                },
            )]
            .into(),
            inputs: vec![Input::File {
                role: InputRole::Packed,
                dataset: Some("prices".into()),
                blake3: "a".repeat(64),
                size_bytes: 1,
            }],
            shards: vec![shard("prices", 2)],
            ..manifest()
        };
        manifest.id = manifest.compute_id().unwrap();
        manifest
    }

    fn shard(dataset: &str, records: u64) -> ShardEntry {
        ShardEntry {
            dataset: dataset.into(),
            span: "current".into(),
            first_partition: 0,
            end_partition: 1,
            blob: "0".repeat(64),
            size_bytes: 1,
            records,
        }
    }

    fn read(mut manifest: Manifest) -> Result<Manifest> {
        manifest.id = manifest.compute_id()?;
        Manifest::from_json(&manifest.to_json()?)
    }

    #[test]
    fn transactions_packed_datasets_or_both_make_a_generation() {
        let mut both = packed();
        both.transactions = manifest().transactions;
        both.shards.push(shard("stores", 1));
        both.inputs.insert(
            0,
            Input::File {
                role: InputRole::Stores,
                dataset: None,
                blake3: "b".repeat(64),
                size_bytes: 1,
            },
        );
        for right in [manifest(), packed(), both] {
            let read = read(right.clone()).unwrap();
            assert_eq!(read.transactions, right.transactions);
            assert_eq!(read.packed, right.packed);
        }
        let neither = Manifest {
            transactions: None,
            ..manifest()
        };
        assert!(matches!(read(neither), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn a_packed_dataset_replaces_its_namesake_and_nothing_else() {
        let mut merged = manifest();
        merged.shards.push(shard("stores", 1));
        let alone = merged.clone();
        merged.carry_packed(&packed());
        let carried = read(merged.clone()).unwrap();
        assert_eq!(carried.packed, packed().packed);
        assert_eq!(carried.transactions, alone.transactions);
        assert_eq!(carried.shards, [shard("prices", 2), shard("stores", 1)]);
        assert_eq!(carried.inputs, packed().inputs);

        let mut prices = packed().packed["prices"].clone();
        prices.rows.read = 1;
        prices.rows.used = 1;
        prices.rows.excluded.clear();
        merged.put_packed("prices", prices.clone(), [], [shard("prices", 1)]);
        merged.carry_packed(&packed());
        let replaced = read(merged).unwrap();
        assert_eq!(replaced.packed["prices"], prices);
        assert_eq!(replaced.shards, [shard("prices", 1), shard("stores", 1)]);
        assert!(replaced.inputs.is_empty());
    }

    #[test]
    fn members_of_transactions_stand_all_or_none() {
        let json: serde_json::Value = serde_json::to_value(manifest()).unwrap();
        let members = [
            "days",
            "currency",
            "currency_exponent",
            "rows",
            "stores",
            "card_key",
        ];
        for member in members {
            for change in [None, Some(serde_json::Value::Null)] {
                let mut json = json.clone();
                let members = json.as_object_mut().unwrap();
                members.remove(member);
                change.map(|change| members.insert(member.into(), change));
                let read = Manifest::from_json(&serde_json::to_vec(&json).unwrap());
                let error = read.unwrap_err().to_string();
                assert!(error.contains(member), "{error}");
            }
        }
    }

    #[test]
    fn packed_datasets_that_do_not_fit_their_shards_are_refused() {
        let change = |change: &dyn Fn(&mut Manifest)| {
            let mut manifest = packed();
            change(&mut manifest);
            let read = read(manifest);
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
        };
        change(&|manifest| manifest.shards[0].records = 1);
        change(&|manifest| manifest.shards[0].span = "2018-01".into());
        change(&|manifest| manifest.shards[0].dataset = "others".into());
        change(&|manifest| {
            let prices = manifest.packed.get_mut("prices").unwrap();
            prices.rows.read = 4;
        });
        change(&|manifest| {
            let prices = manifest.packed.get_mut("prices").unwrap();
            prices.media_type = "text/plain\n".into();
        });
        for name in ["stores", "", "Prices", "a/b", &"x".repeat(33)] {
            change(&|manifest| {
                let prices = manifest.packed.remove("prices").unwrap();
                manifest.packed.insert(name.into(), prices);
                manifest.shards[0].dataset = name.into();
                manifest.inputs.clear();
            });
        }
        change(&|manifest| {
            let Input::File { dataset, .. } = &mut manifest.inputs[0];
            *dataset = Some("others".into());
        });
        change(&|manifest| {
            let Input::File { dataset, .. } = &mut manifest.inputs[0];
            *dataset = None;
        });
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
        wrong.transactions.as_mut().unwrap().rows.used = 2;
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
            dataset: None,
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
        let counts = &mut rows.transactions.as_mut().unwrap().rows;
        counts.read = 1;
        counts.rejected.insert("many".into(), u64::MAX);
        refused(rows);
        let mut sizes = manifest();
        sizes.shards.push(ShardEntry {
            size_bytes: u64::MAX,
            ..shard("stores", 1)
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
