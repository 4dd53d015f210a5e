//! Who may run the night: a lease in object storage, which needs nothing but create-if-absent.

use jiff::{SignedDuration, Timestamp};
use nightshard_storage::ObjectName;
use serde::{Deserialize, Serialize};

use crate::{Error, Repository, Result};

/// So many epochs before the highest are kept, for people.
const KEPT: u64 = 8;

/// So often giving a lease up is tried: one renewal can be under way when its holder is stopped.
const RELEASES_MAX: u32 = 3;

/// How long a lease holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// From taking or renewing it until it expires.
    pub duration: SignedDuration,
    /// How far the clocks of two contenders may differ.
    pub clock_error: SignedDuration,
}

impl Default for LeaseTerms {
    fn default() -> Self {
        Self {
            duration: SignedDuration::from_secs(60),
            clock_error: SignedDuration::from_secs(15),
        }
    }
}

/// One epoch of the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Its number, which is in its name, too: the highest counts.
    pub epoch: u64,
    /// Who holds it, for people.
    pub holder: String,
    /// What tells one holder's epochs from others'.
    pub nonce: String,
    /// When it was taken or renewed, by the holder's clock.
    pub at: Timestamp,
    /// Until when it holds, by the holder's clock.
    pub expires_at: Timestamp,
}

/// The lease, while it is held.
///
/// Taking and renewing it create the next epoch, which one contender alone can do. Whoever holds it
/// asks [`Lease::check`] before each step that changes something: one who slept past the lease's
/// end finds it expired, or a higher epoch, and stops.
#[derive(Debug)]
pub struct Lease {
    repository: Repository,
    terms: LeaseTerms,
    record: LeaseRecord,
}

impl Lease {
    /// Takes the lease of a repository's nights, if nobody holds it.
    ///
    /// # Errors
    /// [`Error::LeaseHeld`] if somebody does, [`Error::LeaseLost`] if somebody was faster,
    /// [`Error::Storage`] if storage does not answer.
    pub async fn take(repository: &Repository, terms: LeaseTerms) -> Result<Self> {
        let highest = repository.highest_lease(terms).await?;
        let now = repository.timestamp();
        if let Some(found) = &highest {
            let free_at = found
                .expires_at
                .saturating_add(terms.clock_error)
                .unwrap_or(now);
            if now <= free_at {
                return Err(Error::LeaseHeld {
                    holder: found.holder.clone(),
                    epoch: found.epoch,
                    free_at,
                    location: repository.location().to_owned(),
                });
            }
        }
        let record = LeaseRecord {
            epoch: highest.map_or(0, |found| found.epoch).saturating_add(1),
            holder: repository.environment.writer(),
            nonce: repository.environment.nonce(),
            at: now,
            expires_at: now.saturating_add(terms.duration).unwrap_or(now),
        };
        let name = name_of(record.epoch)?;
        let lease = Self {
            repository: repository.clone(),
            terms,
            record,
        };
        if !repository.create_record(&name, &lease.record).await? {
            return Err(lease.lost());
        }
        // Whoever slept since it looked may have created an epoch that others left behind, or one
        // that is over.
        lease.check().await?;
        Ok(lease)
    }

    /// Returns the epoch that is held, which records of runs name.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.record.epoch
    }

    /// Returns when it expires unless it is renewed before, by the holder's clock.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.record.expires_at
    }

    /// Returns how long it holds each time.
    #[must_use]
    pub fn terms(&self) -> LeaseTerms {
        self.terms
    }

    /// Returns whether it holds still, as far as is known without asking.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.repository.timestamp() < self.record.expires_at
    }

    /// Returns the repository of which it is.
    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Holds the lease for longer, and deletes epochs that nobody needs any more.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if it has expired or somebody else has taken it: it could only be taken
    /// anew.
    pub async fn renew(&mut self) -> Result<()> {
        let now = self.repository.timestamp();
        let expires_at = now.saturating_add(self.terms.duration).unwrap_or(now);
        self.write_next(now, expires_at).await?;
        // What cannot be deleted now can be later.
        let _litter = self.delete_old().await;
        Ok(())
    }

    /// Gives the lease up, so that the next one need not wait until it expires.
    ///
    /// Also what was renewed without its holder's knowing, who was stopped in the middle of it.
    ///
    /// # Errors
    /// As [`Lease::renew`].
    pub async fn release(mut self) -> Result<()> {
        for _attempt in 0..RELEASES_MAX {
            let highest = self.repository.highest_lease(self.terms).await?;
            match highest.filter(|highest| highest.nonce == self.record.nonce) {
                Some(own) => self.record = own,
                None => return Err(self.lost()),
            }
            let now = self.repository.timestamp();
            // Expired for every clock that is not further off than allowed.
            let past = now.saturating_sub(self.terms.clock_error).unwrap_or(now);
            let past = past.saturating_sub(SignedDuration::from_secs(1));
            match self.write_next(now, past.unwrap_or(now)).await {
                // The renewal has arrived only now.
                Err(Error::LeaseLost { .. }) => {}
                written => return written,
            }
        }
        Err(self.lost())
    }

    /// Checks that the lease is still held.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if it has expired or somebody else has taken it.
    pub async fn check(&self) -> Result<()> {
        let is_highest = self.is_highest().await?;
        // By the time at which it is known: the look may have taken long.
        match is_highest && self.repository.timestamp() < self.record.expires_at {
            true => Ok(()),
            false => Err(self.lost()),
        }
    }

    async fn write_next(&mut self, at: Timestamp, expires_at: Timestamp) -> Result<()> {
        self.check().await?;
        let next = LeaseRecord {
            epoch: self.record.epoch.saturating_add(1),
            at,
            expires_at,
            ..self.record.clone()
        };
        let name = name_of(next.epoch)?;
        if !self.repository.create_record(&name, &next).await? {
            return Err(self.lost());
        }
        self.record = next;
        // As in taking it: what was deleted meanwhile could be created again.
        self.is_highest()
            .await?
            .then_some(())
            .ok_or_else(|| self.lost())
    }

    async fn is_highest(&self) -> Result<bool> {
        let epochs = self.repository.lease_epochs().await?;
        Ok(epochs.last() == Some(&self.record.epoch))
    }

    async fn delete_old(&self) -> Result<()> {
        let first_kept = self.record.epoch.saturating_sub(KEPT);
        for epoch in self.repository.lease_epochs().await? {
            if epoch < first_kept {
                self.repository.storage.delete(&name_of(epoch)?).await?;
            }
        }
        Ok(())
    }

    fn lost(&self) -> Error {
        Error::LeaseLost {
            epoch: self.record.epoch,
            location: self.repository.location().to_owned(),
        }
    }
}

impl Repository {
    /// Returns who held the lease last.
    async fn highest_lease(&self, terms: LeaseTerms) -> Result<Option<LeaseRecord>> {
        let listed = self.storage.list(&folder()?).await?;
        let epochs = listed
            .iter()
            .filter_map(|it| Some((epoch_of(&it.name)?, it.modified)));
        let Some((epoch, modified)) = epochs.max() else {
            return Ok(None);
        };
        match self.read_record::<LeaseRecord>(&name_of(epoch)?).await {
            Ok(Some(record)) => Ok(Some(LeaseRecord { epoch, ..record })),
            // Damaged, or deleted since: it holds for as long as it could have.
            Ok(None) | Err(Error::Unusable { .. }) => {
                let at = Timestamp::try_from(modified).unwrap_or_default();
                Ok(Some(LeaseRecord {
                    epoch,
                    holder: "unknown".to_owned(),
                    nonce: String::new(),
                    at,
                    expires_at: at.saturating_add(terms.duration).unwrap_or(at),
                }))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the epochs that there are, ascending.
    async fn lease_epochs(&self) -> Result<Vec<u64>> {
        let listed = self.storage.list(&folder()?).await?;
        let mut epochs: Vec<u64> = listed.iter().filter_map(|it| epoch_of(&it.name)).collect();
        epochs.sort_unstable();
        Ok(epochs)
    }
}

fn folder() -> Result<ObjectName> {
    Ok("leases".parse()?)
}

fn name_of(epoch: u64) -> Result<ObjectName> {
    Ok(format!("leases/{epoch:020}.json").parse()?)
}

fn epoch_of(name: &ObjectName) -> Option<u64> {
    let epoch = name.as_str().strip_prefix("leases/")?;
    let epoch = epoch.strip_suffix(".json")?;
    let is_number = epoch.len() == 20 && epoch.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| epoch.parse().ok()).flatten()
}
