//! The atoms of a generation, for the next one to keep.

use nightshard_format::{manifest::Manifest, told_atoms::ToldAtoms};

use crate::{Error, Repository, Result};

impl Repository {
    /// Reads all atoms that a generation tells, or nothing where it protects nothing.
    ///
    /// # Errors
    /// [`Error::MissingBlob`], [`Error::BadBlob`] or [`Error::Storage`] if a shard cannot be read,
    /// [`Error::Inconsistent`] if one lacks what another one or the manifest says.
    pub async fn told_atoms(&self, manifest: &Manifest) -> Result<Option<ToldAtoms>> {
        let inconsistent = |source| Error::Inconsistent {
            id: manifest.id.clone(),
            source,
        };
        let Some(mut told) = ToldAtoms::of(manifest).map_err(inconsistent)? else {
            return Ok(None);
        };
        for entry in ToldAtoms::shards(manifest) {
            let shard = self.read_shard(entry).await?;
            let added = told.add(&shard);
            added.map_err(|source| self.bad_blob(entry, source))?;
        }
        told.check().map_err(inconsistent)?;
        Ok(Some(told))
    }
}
