//! Generations made from the current one, and selected only over what they were made from.

use std::collections::BTreeSet;

use nightshard_format::manifest::{GenerationId, Manifest};

use crate::{
    Error, Published, Repository, Result, Selected, SelectionNumber, Staged, names, present::Check,
};

/// How often another writer may come first before one gives up.
const ATTEMPTS_MAX: u32 = 8;

/// No report is longer.
const REPORT_LEN_MAX: u64 = 1 << 30;

/// What is current while a new generation is made.
#[derive(Debug)]
pub struct Base {
    /// The highest selection, 0 before the first.
    pub number: SelectionNumber,
    /// The manifest that it names, `None` before the first, or why there is none to use.
    pub manifest: Result<Option<Manifest>>,
}

impl Base {
    /// Returns the manifest, if there is one to use.
    #[must_use]
    pub fn usable(&self) -> Option<&Manifest> {
        self.manifest.as_ref().ok()?.as_ref()
    }
}

impl Repository {
    /// Returns what is current, as the base of a new generation.
    ///
    /// # Errors
    /// [`Error::Storage`] if storage cannot be read; a selection or manifest that cannot be used
    /// is no error here, since a new generation may overrule it.
    pub async fn base(&self) -> Result<Base> {
        let number = self.last_number().await?.unwrap_or_default();
        match self.manifest_of(number).await {
            // What cannot be read now may be right: whoever overruled it would take it away.
            Err(Error::Storage(error)) => Err(error.into()),
            manifest => Ok(Base { number, manifest }),
        }
    }

    async fn manifest_of(&self, number: SelectionNumber) -> Result<Option<Manifest>> {
        match self.selection(number).await? {
            Some(selection) => self.manifest(&selection.generation).await.map(Some),
            None => Ok(None),
        }
    }

    /// Publishes a generation that was made from `base` and makes it the current one.
    ///
    /// What another writer selected meanwhile is not taken away: where that changed other datasets
    /// than this, a generation of both is published and selected, and `staged` has its manifest.
    ///
    /// # Errors
    /// As [`Repository::publish`] and [`Repository::select`]; [`Error::Conflict`] if another writer
    /// changed the same.
    pub async fn publish_from(
        &self,
        base: Base,
        staged: &mut Staged,
    ) -> Result<(Published, Selected)> {
        let published = self.publish(staged).await?;
        self.select_from(base, staged, published).await
    }

    /// Makes a generation that was made from `base`, and just published, the current one, as
    /// [`Repository::publish_from`] does.
    ///
    /// # Errors
    /// As there.
    pub async fn select_from(
        &self,
        mut base: Base,
        staged: &mut Staged,
        mut published: Published,
    ) -> Result<(Published, Selected)> {
        let mut attempts = 1..ATTEMPTS_MAX;
        loop {
            let conflict = match self.select_after(&published, &base).await {
                Err(conflict @ Error::Conflict { .. }) => conflict,
                selected => return Ok((published, selected?)),
            };
            let next = self.base().await?;
            let rebased = match (attempts.next(), next.usable()) {
                (Some(_), Some(current)) => staged
                    .manifest
                    .rebased(base.usable(), current)
                    .map_err(|error| Error::Staged {
                        id: staged.manifest.id.clone(),
                        problem: error.to_string(),
                    })?,
                _ => None,
            };
            let Some(rebased) = rebased else {
                return Err(conflict);
            };
            self.repeat_reports(staged, &rebased.id).await?;
            // What was current already gives way to what another writer made of it.
            let blobs: BTreeSet<&str> = rebased.shards.iter().map(|it| it.blob.as_str()).collect();
            let is_wanted = |(_, blob): &(_, String)| blobs.contains(blob.as_str());
            staged.shards.retain(is_wanted);
            staged.manifest = rebased;
            let again = self.publish(staged).await?;
            published.generation = again.generation;
            published.is_new = again.is_new;
            published.blobs_new += again.blobs_new;
            published.bytes_new += again.bytes_new;
            published.mended.extend(again.mended);
            base = next;
        }
    }

    /// Makes a generation that was just published the current one, as [`Repository::select`] does,
    /// if the selection of `base`, which it was made from, is still the highest.
    ///
    /// # Errors
    /// As [`Repository::select`]; [`Error::Conflict`] if another one was selected meanwhile, of
    /// which this generation knows nothing; [`Error::MarkedBad`] if somebody found it bad before: the same
    /// input makes the same generation again.
    pub async fn select_after(&self, published: &Published, base: &Base) -> Result<Selected> {
        let id = &published.generation;
        if base.usable().is_some_and(|current| current.id == *id)
            && self.last_number().await? == Some(base.number)
            && let Some(selection) = self.selection(base.number).await?
        {
            let manifest = self.manifest(id).await?;
            self.check_blobs(&manifest, Check::Length).await?;
            return Ok(Selected {
                selection,
                is_new: false,
            });
        }
        if let Some(bad) = self.marks().await?.remove(id).filter(|mark| mark.is_bad()) {
            return Err(Error::MarkedBad {
                id: id.clone(),
                why: bad.why,
                location: self.location().to_owned(),
            });
        }
        self.select_over(base.number, id).await
    }

    /// Puts the reports of a published generation beside another one of the same build: publishing
    /// moved their files.
    async fn repeat_reports(&self, staged: &Staged, id: &GenerationId) -> Result<()> {
        for (report, _) in &staged.reports {
            let from = names::report(&staged.manifest.id, report)?;
            if let Some(bytes) = self.storage.get(&from, REPORT_LEN_MAX).await? {
                let to = names::report(id, report)?;
                match self.storage.create(&to, bytes).await {
                    Err(nightshard_storage::Error::Exists { .. }) => {}
                    created => created?,
                }
            }
        }
        Ok(())
    }
}
