//! Manifests made of another one's parts: whatever stays is named by its blobs, not rewritten.

use std::collections::{BTreeMap, BTreeSet};

use super::{Input, Manifest, Packed, ShardEntry, Transactions};
use crate::Result;

impl Manifest {
    /// Adds a packed dataset with its inputs and shards, or replaces the one of that name.
    ///
    /// # Shape
    /// Inputs and shards come in any order; the id is left to be computed.
    pub fn put_packed(
        &mut self,
        dataset: &str,
        packed: Packed,
        inputs: impl IntoIterator<Item = Input>,
        shards: impl IntoIterator<Item = ShardEntry>,
    ) {
        self.inputs.retain(|input| !is_of(input, dataset));
        self.shards.retain(|shard| shard.dataset != dataset);
        self.packed.insert(dataset.to_owned(), packed);
        self.inputs.extend(inputs);
        self.shards.extend(shards);
        self.inputs.sort();
        self.shards.sort();
    }

    /// Takes over the packed datasets of another manifest that this one has not.
    pub fn carry_packed(&mut self, from: &Self) {
        for (dataset, packed) in &from.packed {
            if !self.packed.contains_key(dataset) {
                let inputs = from.inputs.iter().filter(|input| is_of(input, dataset));
                let shards = from.shards_of(dataset);
                self.put_packed(dataset, packed.clone(), inputs.cloned(), shards.cloned());
            }
        }
    }

    /// Declares the kept atoms that `base` declares, if what is said of transactions differs in nothing else: a
    /// build that is repeated over what it had made keeps the atoms of that, and they are the same.
    ///
    /// # Errors
    /// As [`Manifest::compute_id`].
    pub fn repeat(&mut self, base: &Self) -> Result<()> {
        let [own, of_base] = [&*self, base].map(|manifest| {
            let mut bare = Bare::of(manifest);
            bare.inputs.retain(|input| !input.is_atoms());
            bare
        });
        if own == of_base {
            self.inputs.retain(|input| !input.is_atoms());
            let kept = base.inputs.iter().filter(|input| input.is_atoms());
            self.inputs.extend(kept.cloned());
            self.id = self.compute_id()?;
        }
        Ok(())
    }

    /// Returns what this manifest, made from `base`, would be had it been made from `current`: each
    /// packed dataset, and the transactions together, as whoever changed them has them.
    ///
    /// # Shape
    /// `None` if both changed the same in different ways. Without `base` this was made from nothing.
    ///
    /// # Errors
    /// As [`Manifest::compute_id`].
    pub fn rebased(&self, base: Option<&Self>, current: &Self) -> Result<Option<Self>> {
        let Some(bare) = Bare::changed(self, base, current) else {
            return Ok(None);
        };
        let mut rebased = Self {
            format_version: self.format_version,
            id: self.id.clone(),
            as_of: bare.as_of,
            transactions: bare.transactions,
            packed: BTreeMap::new(),
            inputs: bare.inputs,
            configuration: bare.configuration,
            shards: bare.shards,
        };
        let names: BTreeSet<&String> = self.packed.keys().chain(current.packed.keys()).collect();
        for name in names {
            let of_base = base.and_then(|base| base.part(name));
            let Some(part) = changed(self.part(name), of_base, current.part(name)) else {
                return Ok(None);
            };
            if let Some(Part {
                packed,
                inputs,
                shards,
            }) = part
            {
                rebased.put_packed(name, packed, inputs, shards);
            }
        }
        rebased.id = rebased.compute_id()?;
        Ok(Some(rebased))
    }

    /// Returns all that is said of a packed dataset.
    fn part(&self, dataset: &str) -> Option<Part> {
        let inputs = self.inputs.iter().filter(|input| is_of(input, dataset));
        Some(Part {
            packed: self.packed.get(dataset)?.clone(),
            inputs: inputs.cloned().collect(),
            shards: self.shards_of(dataset).cloned().collect(),
        })
    }
}

/// All that a manifest says of one packed dataset.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    packed: Packed,
    inputs: Vec<Input>,
    shards: Vec<ShardEntry>,
}

/// All that a manifest says besides of packed datasets.
#[derive(Debug, PartialEq, Eq)]
struct Bare {
    as_of: String,
    transactions: Option<Transactions>,
    inputs: Vec<Input>,
    configuration: BTreeMap<String, serde_json::Value>,
    shards: Vec<ShardEntry>,
}

impl Bare {
    fn of(manifest: &Manifest) -> Self {
        let Manifest { inputs, shards, .. } = manifest;
        let is_bare = |input: &&Input| input.dataset().is_none();
        let shards = shards.iter();
        let shards = shards.filter(|shard| !manifest.packed.contains_key(&shard.dataset));
        Self {
            as_of: manifest.as_of.clone(),
            transactions: manifest.transactions.clone(),
            inputs: inputs.iter().filter(is_bare).cloned().collect(),
            configuration: manifest.configuration.clone(),
            shards: shards.cloned().collect(),
        }
    }

    /// Returns that of `own` or `current` which differs from that of `base`.
    fn changed(own: &Manifest, base: Option<&Manifest>, current: &Manifest) -> Option<Self> {
        let [own, current] = [own, current].map(Self::of);
        if let Some(base) = base.filter(|base| base.transactions.is_some()) {
            return changed(own, Self::of(base), current);
        }
        // Where there were none, the last business day is that of the transactions.
        match (&own.transactions, &current.transactions) {
            (None, Some(_)) => Some(current),
            (Some(_), None) => Some(own),
            (Some(_), Some(_)) => (own == current).then_some(own),
            (None, None) => Some(Self {
                as_of: own.as_of.max(current.as_of),
                ..current
            }),
        }
    }
}

/// Returns that of two which differs from `base`; `None` if both do, from each other, too.
fn changed<T: PartialEq>(own: T, base: T, current: T) -> Option<T> {
    if own == base {
        Some(current)
    } else {
        (current == base || current == own).then_some(own)
    }
}

/// Returns whether an input is rows of a packed dataset.
fn is_of(input: &Input, packed: &str) -> bool {
    input.dataset() == Some(packed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::{InputRole, MANIFEST_VERSION, OnDuplicate, Rows};

    /// Which version of each of three packed datasets, and of the transactions, there is; 0: none.
    type Versions = [u8; 4];

    fn entry(dataset: &str, version: u8) -> ShardEntry {
        ShardEntry {
            dataset: dataset.into(),
            span: "current".into(),
            first_partition: 0,
            end_partition: 1_024,
            blob: format!("{version:064}"),
            size_bytes: 100,
            records: version.into(),
        }
    }

    /// The file that a version of a dataset, or of the transactions, was read from.
    fn input(dataset: Option<&str>, version: u8) -> Input {
        let role = match dataset {
            Some(_) => InputRole::Packed,
            None => InputRole::Transactions,
        };
        Input::File {
            role,
            dataset: dataset.map(str::to_owned),
            blake3: format!("{version:064}"),
            size_bytes: version.into(),
        }
    }

    fn rows(used: u8) -> Rows {
        Rows {
            read: used.into(),
            used: used.into(),
            ..Rows::default()
        }
    }

    fn manifest(versions: Versions) -> Manifest {
        let [packed @ .., transactions] = versions;
        let mut manifest = Manifest {
            format_version: MANIFEST_VERSION,
            id: "2018-12-31-000000000000".parse().unwrap(),
            as_of: format!("2018-12-{:02}", 10 + transactions),
            transactions: (transactions > 0).then(|| Transactions {
                days: ["2018-01-01".into(), "2018-12-01".into()],
                currency: "EUR".into(),
                currency_exponent: 2,
                rows: rows(transactions),
                stores: 1,
                card_key: "00".into(),
            }),
            packed: BTreeMap::new(),
            inputs: Vec::new(),
            configuration: BTreeMap::new(),
            shards: Vec::new(),
        };
        if transactions > 0 {
            manifest.inputs.push(input(None, transactions));
            manifest.shards.push(entry("stores", transactions));
        }
        for (dataset, version) in ["a", "b", "z"].into_iter().zip(packed) {
            if version > 0 {
                let packed = Packed {
                    media_type: "text/plain".into(),
                    key: "key".into(),
                    values: Vec::new(),
                    on_duplicate: OnDuplicate::Error,
                    rows: rows(version),
                };
                let input = input(Some(dataset), version);
                manifest.put_packed(dataset, packed, [input], [entry(dataset, version)]);
            }
        }
        manifest.id = manifest.compute_id().unwrap();
        manifest
    }

    /// What two writers leave of one part.
    fn expected(own: u8, base: u8, current: u8) -> Option<u8> {
        match (own != base, current != base) {
            (true, true) if own != current => None,
            (true, _) => Some(own),
            (false, _) => Some(current),
        }
    }

    proptest! {
        #[test]
        fn each_part_is_that_of_whoever_changed_it(
            base: Option<[u8; 4]>, own: [u8; 4], current: [u8; 4],
        ) {
            // Few versions, so that many are equal.
            let few = |versions: [u8; 4]| versions.map(|version| version % 3);
            let (base, own, current) = (base.map(few), few(own), few(current));
            let of_base = base.map(manifest);
            let found = manifest(own).rebased(of_base.as_ref(), &manifest(current)).unwrap();
            let base = base.unwrap_or_default();
            let mut merged = Some([0; 4]);
            for part in 0..4 {
                let version = expected(own[part], base[part], current[part]);
                merged = merged.zip(version).map(|(mut merged, version)| {
                    merged[part] = version;
                    merged
                });
            }
            prop_assert_eq!(found, merged.map(manifest));
        }
    }

    #[test]
    fn packed_datasets_alone_are_of_the_latest_day_that_one_was_packed_on() {
        let of_day = |parts, day: &str| Manifest {
            as_of: day.into(),
            ..manifest(parts)
        };
        let days = ["2018-12-10", "2018-12-12", "2018-12-11"];
        let base = of_day([0, 0, 0, 0], days[0]);
        for (own, current) in [(days[1], days[2]), (days[2], days[1])] {
            let (own, current) = (of_day([1, 0, 0, 0], own), of_day([0, 1, 0, 0], current));
            for base in [None, Some(&base)] {
                let rebased = own.rebased(base, &current).unwrap().unwrap();
                assert_eq!(rebased.as_of, days[1]);
                assert_eq!(rebased.packed.len(), 2);
            }
        }
    }
}
