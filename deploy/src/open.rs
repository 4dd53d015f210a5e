//! Opening a generation in place, with every byte verified once.

use std::collections::BTreeMap;

use nightshard_format::{
    generation::{Generation, check_identity},
    manifest::{GenerationId, Manifest, ShardEntry},
    shard::{Mapped, Shard},
};
use rayon::prelude::*;

use crate::{
    Error, Repository, Result,
    blob::{map_checked, map_verified},
    bounded,
};

/// The blobs that are mapped and verified, by digest.
///
/// A blob that two generations share is read once: bytes that were right when they were mapped
/// stay so, since a published blob is never written again.
#[derive(Debug, Clone, Default)]
pub struct VerifiedBlobs {
    maps: BTreeMap<String, Mapped>,
}

impl VerifiedBlobs {
    /// Makes an empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many blobs are mapped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.maps.len()
    }

    /// Returns whether no blob is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }

    /// Forgets a blob, by its digest: it was found damaged, and is to be read again.
    pub fn forget(&mut self, blob: &str) {
        self.maps.remove(blob);
    }

    /// Forgets the blobs that none of the generations still served has.
    pub fn retain<'a>(&mut self, live: impl IntoIterator<Item = &'a Manifest>) {
        let shards = live.into_iter().flat_map(|manifest| &manifest.shards);
        let mut kept = BTreeMap::new();
        for entry in shards {
            if let Some((digest, map)) = self.maps.remove_entry(&entry.blob) {
                kept.insert(digest, map);
            }
        }
        self.maps = kept;
    }
}

impl Repository {
    /// Opens a generation, mapping each of its blobs and verifying those that are not in `verified`
    /// yet, on all processors. Those that are no local files are fetched first; one that was fetched
    /// and has lost bytes since is fetched again.
    ///
    /// # Errors
    /// [`Error::MissingBlob`] and [`Error::BadBlob`] name the first blob at fault, in the
    /// manifest's order; otherwise as [`Repository::manifest`] and [`Repository::fetch`].
    pub async fn open_generation(
        &self,
        id: &GenerationId,
        verified: &mut VerifiedBlobs,
    ) -> Result<Generation<Mapped>> {
        self.open_generation_without(id, &[], verified).await
    }

    /// Opens a generation as [`Repository::open_generation`] does, but for some datasets, whose blobs are not
    /// even fetched: the generation is as if they had no shards.
    ///
    /// # Errors
    /// As [`Repository::open_generation`].
    pub async fn open_generation_without(
        &self,
        id: &GenerationId,
        datasets: &[&str],
        verified: &mut VerifiedBlobs,
    ) -> Result<Generation<Mapped>> {
        let mut manifest = self.manifest(id).await?;
        let is_wanted = |entry: &ShardEntry| !datasets.contains(&entry.dataset.as_str());
        manifest.shards.retain(is_wanted);
        self.open_manifest(manifest, verified).await
    }

    /// Opens some datasets of a generation, whose blobs alone are fetched, mapped and verified; of
    /// the others the generation is as if they had no shards.
    ///
    /// # Errors
    /// As [`Repository::open_generation`].
    pub async fn open_datasets(
        &self,
        mut manifest: Manifest,
        datasets: &[&str],
    ) -> Result<Generation<Mapped>> {
        let is_asked = |entry: &ShardEntry| datasets.contains(&entry.dataset.as_str());
        manifest.shards.retain(is_asked);
        let mut verified = VerifiedBlobs::new();
        self.open_manifest(manifest, &mut verified).await
    }

    /// Opens the shards that a manifest names.
    async fn open_manifest(
        &self,
        manifest: Manifest,
        verified: &mut VerifiedBlobs,
    ) -> Result<Generation<Mapped>> {
        let unknown: Vec<ShardEntry> = manifest
            .shards
            .iter()
            .filter(|entry| !verified.maps.contains_key(&entry.blob))
            .cloned()
            .collect();
        self.fetch(&unknown).await?;
        let mapped = match self.map_all(unknown.clone()).await {
            Err(error) if self.forget_fetched(&error)? => {
                self.fetch(&unknown).await?;
                self.map_all(unknown).await
            }
            mapped => mapped,
        };
        verified.maps.extend(mapped?);
        Self::bind(manifest, &verified.maps)
    }

    /// Maps and verifies blobs, on all processors.
    async fn map_all(&self, entries: Vec<ShardEntry>) -> Result<Vec<(String, Mapped)>> {
        let repository = self.clone();
        bounded::blocking(move || {
            let shards: Vec<_> = entries
                .into_par_iter()
                .map(|entry| {
                    let shard = repository.map_verified(&entry)?;
                    Ok((entry.blob, shard.bytes().clone()))
                })
                .collect();
            // Collected first: which error rayon would stop at depends on the threads.
            shards.into_iter().collect()
        })
        .await?
    }

    /// Forgets the blob that is damaged if it was fetched and has lost bytes since: then there is a
    /// right one to be fetched again. Returns whether that is so.
    fn forget_fetched(&self, error: &Error) -> Result<bool> {
        let (Error::BadBlob { blob, .. } | Error::MissingBlob { blob, .. }) = error else {
            return Ok(false);
        };
        if self.is_local()? {
            return Ok(false);
        }
        self.cache()?.forget(&blob.0.blob)?;
        Ok(true)
    }

    /// Opens and verifies one shard of a generation, whose blob is fetched first where it is no
    /// local file.
    ///
    /// # Errors
    /// [`Error::MissingBlob`] or [`Error::BadBlob`], otherwise as [`Repository::fetch`].
    pub async fn open_shard(&self, entry: &ShardEntry) -> Result<Shard<Mapped>> {
        self.fetch(std::slice::from_ref(entry)).await?;
        let (repository, entry) = (self.clone(), entry.clone());
        bounded::blocking(move || repository.map_entry(&entry)).await?
    }

    /// Maps and verifies a blob, which must be of what the entry says.
    pub(crate) fn map_entry(&self, entry: &ShardEntry) -> Result<Shard<Mapped>> {
        let shard = self.map_verified(entry)?;
        check_identity(entry, &shard).map_err(|source| self.bad_blob(entry, source))?;
        Ok(shard)
    }

    /// Opens a generation without reading its blobs: only their structure is checked, in a time that
    /// does not depend on how long they are, once those that are no local files were fetched.
    ///
    /// Lookups in bytes that were not verified find damage or give wrong values, but never those
    /// of another key.
    ///
    /// # Errors
    /// As [`Repository::open_generation`], for what can be seen.
    pub async fn open_generation_unverified(
        &self,
        id: &GenerationId,
    ) -> Result<Generation<Mapped>> {
        let manifest = self.manifest(id).await?;
        self.fetch(&manifest.shards).await?;
        let repository = self.clone();
        bounded::blocking(move || {
            let mut maps = BTreeMap::new();
            for entry in &manifest.shards {
                let map = repository.map_unverified(entry)?;
                maps.insert(entry.blob.clone(), map);
            }
            Self::bind(manifest, &maps)
        })
        .await?
    }

    /// Makes a generation of its mapped blobs, by digest.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] if they are not those that the manifest names.
    pub fn bind(manifest: Manifest, maps: &BTreeMap<String, Mapped>) -> Result<Generation<Mapped>> {
        let id = manifest.id.clone();
        Generation::open(manifest, |entry| {
            let map = maps.get(&entry.blob).cloned();
            map.ok_or(nightshard_format::Error::NotAShard("it is not mapped"))
        })
        .map_err(|source| Error::Inconsistent { id, source })
    }

    fn map_unverified(&self, entry: &ShardEntry) -> Result<Mapped> {
        let path = self.blob_path(entry)?;
        map_checked(&path, entry, self.memory).map_err(|source| self.bad_blob(entry, source))
    }

    pub(crate) fn map_verified(&self, entry: &ShardEntry) -> Result<Shard<Mapped>> {
        let path = self.blob_path(entry)?;
        map_verified(&path, entry, self.memory).map_err(|source| self.bad_blob(entry, source))
    }
}
