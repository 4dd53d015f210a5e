//! Intents and condemnations: what a publisher is about to rely on, and what is about to be deleted.
//!
//! A publisher writes what it intends to reference, then looks for condemnations. Whoever reclaims
//! writes what it condemns, then looks for intents. Each writes before it looks, so of any two at
//! least one sees the other: a publisher waits for the condemnation of what it needs to end, and
//! whoever reclaims spares what somebody intends. Neither needs a lock.

use std::{collections::BTreeSet, time::Duration};

use nightshard_format::manifest::{GenerationId, Manifest};
use nightshard_storage::ObjectName;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Error, Repository, Result, names, record::Written};

/// How long whoever reclaims may take from its condemnation to its last deletion; what is left by then
/// is condemned anew.
pub(crate) const RECLAIM_MAX: Duration = Duration::from_secs(60);

/// An older condemnation is void: its process is no more, even where its last deletion took its time to
/// arrive.
pub(crate) const CONDEMNED_AGE_MAX: Duration = Duration::from_secs(5 * 60);

/// An older intent is void, and litter: no publisher takes so long.
pub(crate) const INTENT_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a publisher waits for a condemnation of what it needs to end: longer than one holds whose
/// process was killed.
const PATIENCE: Duration = Duration::from_secs(7 * 60);
/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);
/// How often it writes its intent anew meanwhile: by the time of that it knows how old a condemnation is.
const RENEW: Duration = Duration::from_secs(20);

/// What a publisher is about to reference, or whoever reclaims to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// What tells the writer's own record from others'; its name, too.
    pub(crate) nonce: String,
    /// Generations.
    pub(crate) generations: BTreeSet<GenerationId>,
    /// Digests of blobs.
    pub(crate) blobs: BTreeSet<String>,
    /// When it was written, by the writer's clock, in UTC as of RFC 3339.
    pub(crate) at: String,
    /// Who wrote it.
    pub(crate) by: String,
}

impl Claim {
    fn meets(&self, other: &Self) -> bool {
        !self.generations.is_disjoint(&other.generations) || !self.blobs.is_disjoint(&other.blobs)
    }
}

/// A record that stands as long as its writer needs it.
#[derive(Debug)]
#[must_use = "it stands until it is withdrawn"]
pub(crate) struct Standing {
    pub(crate) name: ObjectName,
    pub(crate) claim: Claim,
}

impl Repository {
    /// Declares that a generation and its blobs are about to be referenced.
    ///
    /// # Errors
    /// [`Error::Condemned`] if something of it is being reclaimed, and goes on being so.
    pub(crate) async fn declare(&self, manifest: &Manifest) -> Result<Standing> {
        let mut standing = self.intend(manifest).await?;
        let (begun, mut written) = (Instant::now(), Instant::now());
        loop {
            let error = match self.condemnation_of(&standing).await {
                Ok(None) => return Ok(standing),
                Ok(Some((name, by))) => Error::Condemned {
                    id: manifest.id.clone(),
                    name,
                    by,
                    location: self.location().to_owned(),
                },
                Err(error) => error,
            };
            let is_condemned = matches!(error, Error::Condemned { .. });
            if !is_condemned || begun.elapsed() >= PATIENCE {
                self.withdraw(standing).await;
                return Err(error);
            }
            tokio::time::sleep(LOOK).await;
            if written.elapsed() >= RENEW {
                let renewed = self.intend(manifest).await;
                // The new one stands before the old one goes.
                self.withdraw(standing).await;
                (standing, written) = (renewed?, Instant::now());
            }
        }
    }

    /// Declares that a generation that is there is about to be referenced.
    ///
    /// # Errors
    /// As [`Repository::declare`]; [`Error::UnknownGeneration`] if it is not there any more: it may have
    /// been reclaimed since its manifest was read, or that may be from a cache.
    pub(crate) async fn declare_present(&self, manifest: &Manifest) -> Result<Standing> {
        let standing = self.declare(manifest).await?;
        let error = match self.has_manifest(&manifest.id).await {
            Ok(true) => return Ok(standing),
            Ok(false) => Error::UnknownGeneration {
                id: manifest.id.clone(),
                location: self.location().to_owned(),
            },
            Err(error) => error,
        };
        self.withdraw(standing).await;
        Err(error)
    }

    /// Writes that a generation and its blobs are about to be referenced.
    async fn intend(&self, manifest: &Manifest) -> Result<Standing> {
        let entries = manifest.shards.iter();
        let blobs = entries.map(|entry| entry.blob.clone()).collect();
        let claim = self.claim([manifest.id.clone()].into(), blobs);
        self.stand(names::intent(&claim.nonce)?, claim).await
    }

    /// Condemns generations and blobs.
    pub(crate) async fn condemn(
        &self,
        generations: BTreeSet<GenerationId>,
        blobs: BTreeSet<String>,
    ) -> Result<Standing> {
        let claim = self.claim(generations, blobs);
        let name = names::condemnation(&claim.nonce)?;
        self.stand(name, claim).await
    }

    /// Takes a record away again; one that cannot be is litter, which is reclaimed.
    pub(crate) async fn withdraw(&self, standing: Standing) {
        let _litter = self.storage.delete(&standing.name).await;
    }

    fn claim(&self, generations: BTreeSet<GenerationId>, blobs: BTreeSet<String>) -> Claim {
        Claim {
            nonce: self.environment.nonce(),
            generations,
            blobs,
            at: self.now_text(),
            by: self.environment.writer(),
        }
    }

    async fn stand(&self, name: ObjectName, claim: Claim) -> Result<Standing> {
        match self.write_record(&name, &claim).await? {
            // Nobody else has this nonce: it is the record whose answer was lost.
            Written::New | Written::Found => Ok(Standing { name, claim }),
        }
    }

    /// Returns a condemnation of what was declared, and who wrote it.
    async fn condemnation_of(&self, standing: &Standing) -> Result<Option<(ObjectName, String)>> {
        let condemnations = self.storage.list(&names::condemnations()?).await?;
        if condemnations.is_empty() {
            return Ok(None);
        }
        let intents = self.storage.list(&names::intents()?).await?;
        // Both times are the storage's own: clocks of machines may differ by anything.
        let own = intents.iter().find(|object| object.name == standing.name);
        for condemned in condemnations {
            let age = own.and_then(|own| own.modified.duration_since(condemned.modified).ok());
            if age.is_some_and(|age| age > CONDEMNED_AGE_MAX) {
                continue;
            }
            match self.read_record::<Claim>(&condemned.name).await {
                Ok(Some(claim)) if claim.meets(&standing.claim) => {
                    return Ok(Some((condemned.name, claim.by)));
                }
                Ok(_) => {}
                // What it is about is not known: it may be anything, until it is void.
                Err(Error::Unusable { .. }) => {
                    return Ok(Some((condemned.name, "somebody unknown".to_owned())));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
