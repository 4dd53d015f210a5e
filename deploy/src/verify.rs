//! The full walk of a generation: every byte of every blob, every record by its type.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use nightshard_format::{
    Result as FormatResult,
    generation::Generation,
    manifest::{GenerationId, Manifest, ShardEntry},
    region_tree::RegionTree,
    shard::{Mapped, Shard},
};
use rayon::prelude::*;
use serde::Serialize;

use crate::{
    Error, ErrorKind, Repository, Result, bounded, error::one_line, verify_atoms::check_atoms,
    verify_demographics::check_demographics, verify_elsewhere::check_elsewhere,
    verify_loyalty::check_loyalty, verify_record::check_record,
    verify_settlements::check_settlements, verify_spend::check_spend_shares,
    verify_summaries::check_summaries,
};

/// What a full walk found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The generation.
    pub generation: GenerationId,
    /// Shards that the manifest names.
    pub shards: u64,
    /// Records in the shards that are right.
    pub records: u64,
    /// Bytes of the shards that are right.
    pub bytes: u64,
    /// What is wrong, in the manifest's order; empty when every byte is right.
    pub damage: Vec<Damage>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The shard at fault, or none for the manifest as a whole.
    pub shard: Option<ShardEntry>,
    /// What is wrong, in one line that names it.
    pub problem: String,
}

/// How far a walk has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Shards walked.
    pub shards_done: u64,
    /// Shards in all.
    pub shards: u64,
    /// Bytes walked, of whole shards.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes: u64,
}

impl Repository {
    /// Walks a generation and returns all damage found in its shards.
    ///
    /// `progress` is called after each shard, by several threads.
    ///
    /// # Errors
    /// [`Error::UnknownGeneration`] and [`Error::Unusable`] if there is no manifest to go by.
    pub async fn verify(
        &self,
        id: &GenerationId,
        progress: impl Fn(VerifyProgress) + Send + Sync + 'static,
    ) -> Result<Verification> {
        let manifest = self.manifest(id).await?;
        let unfetched = self.fetch_each(&manifest).await?;
        let repository = self.clone();
        bounded::blocking(move || repository.walk(manifest, unfetched, &progress)).await
    }

    /// Fetches the blobs that are no local files, one by one, and returns what is wrong with those
    /// that storage has not or has wrong, by digest.
    async fn fetch_each(&self, manifest: &Manifest) -> Result<BTreeMap<String, Error>> {
        let fetched = bounded::run(&manifest.shards, |entry| {
            let (repository, entry) = (self.clone(), entry.clone());
            async move {
                match repository.fetch(std::slice::from_ref(&entry)).await {
                    Err(error) if error.kind() == ErrorKind::Data => Ok(Some((entry.blob, error))),
                    fetched => fetched.map(|_fetched| None),
                }
            }
        });
        Ok(fetched.await?.into_iter().flatten().collect())
    }

    fn walk(
        &self,
        manifest: Manifest,
        mut unfetched: BTreeMap<String, Error>,
        progress: &(dyn Fn(VerifyProgress) + Send + Sync),
    ) -> Verification {
        let counter = Counter::new(&manifest);
        let walked: Vec<Result<Mapped>> = manifest
            .shards
            .par_iter()
            .map(|entry| {
                let walked = self.walk_shard(entry, manifest.packed.contains_key(&entry.dataset));
                progress(counter.add(entry));
                walked
            })
            .collect();
        let mut verification = Verification {
            generation: manifest.id.clone(),
            shards: manifest.shards.len() as u64,
            records: 0,
            bytes: 0,
            damage: Vec::new(),
        };
        let mut maps = Vec::with_capacity(walked.len());
        for (entry, walked) in manifest.shards.iter().zip(walked) {
            let walked = match unfetched.remove(&entry.blob) {
                Some(error) => Err(error),
                None => walked,
            };
            match walked {
                Ok(map) => {
                    verification.records += entry.records;
                    verification.bytes += entry.size_bytes;
                    maps.push(map);
                }
                Err(error) => verification.damage.push(Damage {
                    shard: Some(entry.clone()),
                    problem: one_line(&error),
                }),
            }
        }
        if verification.damage.is_empty()
            && let Err(error) = fit_together(manifest, maps)
        {
            verification.damage.push(Damage {
                shard: None,
                problem: one_line(&error),
            });
        }
        verification
    }

    fn walk_shard(&self, entry: &ShardEntry, is_packed: bool) -> Result<Mapped> {
        let shard = self.map_verified(entry)?;
        let checked = match is_packed {
            true => shard.verify_terms_are_keys(),
            false => check_records(&shard),
        };
        checked.map_err(|source| self.bad_blob(entry, source))?;
        Ok(shard.bytes().clone())
    }
}

/// Walks one shard by itself: every byte, and every record by its type.
///
/// # Errors
/// Whatever is wrong first.
pub fn verify_shard<B: AsRef<[u8]>>(shard: &Shard<B>) -> FormatResult<()> {
    shard.verify()?;
    check_records(shard)
}

fn check_records<B: AsRef<[u8]>>(shard: &Shard<B>) -> FormatResult<()> {
    for record in shard.iter() {
        check_record(shard.identity(), record?)?;
    }
    Ok(())
}

/// Checks that verified shards, in the manifest's order, are those that it says they are, and that
/// their summaries sum up their months and have the loyalty and the attributes of the same cards, and so for atoms; and
/// that regions are a tree.
fn fit_together(manifest: Manifest, maps: Vec<Mapped>) -> Result<()> {
    let id = manifest.id.clone();
    let mut maps = maps.into_iter();
    Generation::open(manifest, |_entry| {
        let map = maps.next();
        map.ok_or(nightshard_format::Error::NotAShard("it is not mapped"))
    })
    .and_then(|generation| {
        check_summaries(&generation)?;
        check_atoms(&generation)?;
        check_demographics(&generation)?;
        check_elsewhere(&generation)?;
        check_spend_shares(&generation)?;
        check_settlements(&generation)?;
        check_loyalty(&generation)?;
        RegionTree::read(&generation).map(drop)
    })
    .map_err(|source| Error::Inconsistent { id, source })
}

/// Counts walked shards, whichever thread walks them.
struct Counter {
    total: VerifyProgress,
    shards_done: AtomicU64,
    bytes_done: AtomicU64,
}

impl Counter {
    fn new(manifest: &Manifest) -> Self {
        let bytes = manifest.shards.iter().map(|entry| entry.size_bytes);
        Self {
            total: VerifyProgress {
                shards_done: 0,
                shards: manifest.shards.len() as u64,
                bytes_done: 0,
                bytes: bytes.sum(),
            },
            shards_done: AtomicU64::new(0),
            bytes_done: AtomicU64::new(0),
        }
    }

    fn add(&self, entry: &ShardEntry) -> VerifyProgress {
        let size_bytes = entry.size_bytes;
        VerifyProgress {
            shards_done: self.shards_done.fetch_add(1, Ordering::Relaxed) + 1,
            bytes_done: self.bytes_done.fetch_add(size_bytes, Ordering::Relaxed) + size_bytes,
            ..self.total
        }
    }
}
