//! Selections: the numbered records of which the highest names the current generation.

use std::{
    fmt,
    sync::atomic::Ordering,
    time::{SystemTime, UNIX_EPOCH},
};

use nightshard_format::{
    calendar::Day,
    manifest::{GenerationId, Manifest},
};
use nightshard_storage::{Error as StorageError, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::{
    BlobRef, Error, Repository, Result, bounded, names,
    repository::{BlobState, Check},
};

/// No selection is longer.
const SELECTION_LEN_MAX: u64 = 64 << 10;

/// Numbers have no gaps: one that skips so many is no selection, but somebody's mistake, and
/// following it would leave no number for the next.
const LOST_MAX: u64 = 1_000;

/// How often a selection is tried when storage does not say what became of it.
const ATTEMPTS_MAX: u32 = 3;

/// The number of a selection: 1 is the first, and there are no gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SelectionNumber(pub u64);

impl fmt::Display for SelectionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The record that made a generation current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Its number, which is in its name, too.
    pub number: SelectionNumber,
    /// The generation that became current.
    pub generation: GenerationId,
    /// What tells the writer's own record from others'.
    pub nonce: String,
    /// When it was written, by the writer's clock, in UTC as of RFC 3339.
    pub at: String,
    /// Who wrote it.
    pub by: String,
}

/// What selecting did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// The selection that names the generation.
    pub selection: Selection,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl Repository {
    /// Returns the selection of the highest number, or `None` before the first.
    ///
    /// # Errors
    /// [`Error::Unusable`] if it is damaged: whoever serves keeps what it serves.
    pub async fn current(&self) -> Result<Option<Selection>> {
        match self.last_number().await? {
            Some(number) => self.selection(number).await,
            None => Ok(None),
        }
    }

    /// Returns the current generation.
    ///
    /// # Errors
    /// [`Error::NothingSelected`] if there is none, else as [`Repository::current`].
    pub async fn current_generation(&self) -> Result<GenerationId> {
        let selection = self.current().await?;
        let selection = selection.ok_or_else(|| Error::NothingSelected {
            location: self.location().to_owned(),
        })?;
        Ok(selection.generation)
    }

    /// Makes a generation the current one, once its manifest is there and all its blobs were read
    /// and are right: a server would refuse any other.
    ///
    /// Selecting the current generation again writes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownGeneration`], [`Error::Unusable`], [`Error::MissingBlob`] or
    /// [`Error::BadBlob`] if it could not be served; [`Error::Conflict`] if another writer
    /// selected another generation at the same time.
    pub async fn select(&self, id: &GenerationId) -> Result<Selected> {
        let manifest = self.manifest(id).await?;
        self.check_blobs(&manifest, Check::Bytes).await?;
        let last = self.last_number().await?.unwrap_or_default();
        // A damaged selection is overruled by the next one.
        if let Ok(Some(selection)) = self.selection(last).await
            && selection.generation == *id
        {
            return Ok(Selected {
                selection,
                is_new: false,
            });
        }
        self.write_next(last, id).await
    }

    /// Writes the selection of the number after `last`.
    pub(crate) async fn write_next(
        &self,
        last: SelectionNumber,
        id: &GenerationId,
    ) -> Result<Selected> {
        let selection = Selection {
            number: SelectionNumber(last.0.saturating_add(1)),
            generation: id.clone(),
            nonce: self.environment.nonce(),
            at: rfc3339(self.environment.now()),
            by: self.environment.writer(),
        };
        self.write_selection(selection).await
    }

    async fn write_selection(&self, selection: Selection) -> Result<Selected> {
        let name = names::selection(selection.number)?;
        let mut json = serde_json::to_vec_pretty(&selection)
            .map_err(|error| self.unusable(name.clone(), error))?;
        json.push(b'\n');
        let mut attempts = 1..=ATTEMPTS_MAX;
        loop {
            attempts.next();
            match self.storage.create(&name, json.clone().into()).await {
                Ok(()) => {
                    return Ok(Selected {
                        selection,
                        is_new: true,
                    });
                }
                Err(StorageError::Exists { .. }) => return self.judge(selection).await,
                // The answer may be lost rather than the record: the next attempt tells.
                Err(error) if error.kind() == ErrorKind::Unavailable && !attempts.is_empty() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Tells whether the selection that stands where `own` was to be written is as good.
    async fn judge(&self, own: Selection) -> Result<Selected> {
        let found = self.selection(own.number).await?;
        match found {
            Some(found) if found.generation == own.generation => Ok(Selected {
                is_new: found.nonce == own.nonce,
                selection: found,
            }),
            Some(found) => Err(Error::Conflict {
                number: found.number,
                generation: found.generation,
                by: found.by,
            }),
            None => {
                let name = names::selection(own.number)?;
                Err(self.unusable(name, "it was there and is gone"))
            }
        }
    }

    pub(crate) async fn check_blobs(&self, manifest: &Manifest, check: Check) -> Result<()> {
        bounded::run(&manifest.shards, |entry| {
            let (repository, entry) = (self.clone(), entry.clone());
            async move {
                match repository.blob_state(&entry, check).await? {
                    BlobState::Right => Ok(()),
                    BlobState::Damaged(source) => Err(repository.bad_blob(&entry, source)),
                    BlobState::Absent => Err(Error::MissingBlob {
                        blob: Box::new(BlobRef(entry)),
                        location: repository.location().to_owned(),
                    }),
                }
            }
        })
        .await
        .map(drop)
    }

    /// Returns the highest number, from the highest known on: there are no gaps.
    ///
    /// Whoever follows a repository asks every second, and selections are never removed.
    pub(crate) async fn last_number(&self) -> Result<Option<SelectionNumber>> {
        let mut last = SelectionNumber(self.last_seen.load(Ordering::Relaxed));
        if last.0 == 0 || !self.has_selection(last).await? {
            match self.numbers().await?.last() {
                Some(listed) => last = *listed,
                None => return Ok(None),
            }
        } else {
            while let next = SelectionNumber(last.0.saturating_add(1))
                && self.has_selection(next).await?
            {
                last = next;
            }
        }
        self.last_seen.store(last.0, Ordering::Relaxed);
        Ok(Some(last))
    }

    async fn has_selection(&self, number: SelectionNumber) -> Result<bool> {
        let size = self.storage.size(&names::selection(number)?).await?;
        Ok(size.is_some())
    }

    /// Returns the numbers of all selections, ascending.
    async fn numbers(&self) -> Result<Vec<SelectionNumber>> {
        let listed = self.storage.list(&names::selections()?).await?;
        let numbers = listed.iter().map(|object| &object.name);
        let numbers = numbers.filter_map(names::number_of_selection);
        let end = numbers.clone().count() as u64 + LOST_MAX;
        let numbers = numbers.filter(|number| number.0 < end);
        let mut numbers: Vec<SelectionNumber> = numbers.collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Returns every selection by its number, ascending; `None` for one that cannot be used.
    pub(crate) async fn selections(&self) -> Result<Vec<(SelectionNumber, Option<GenerationId>)>> {
        bounded::run(self.numbers().await?, |number| {
            let repository = self.clone();
            async move {
                match repository.selection(number).await {
                    Err(Error::Storage(error)) => Err(error.into()),
                    selection => {
                        let selection = selection.ok().flatten();
                        Ok((number, selection.map(|selection| selection.generation)))
                    }
                }
            }
        })
        .await
    }

    pub(crate) async fn selection(&self, number: SelectionNumber) -> Result<Option<Selection>> {
        let name = names::selection(number)?;
        let Some(bytes) = self.storage.get(&name, SELECTION_LEN_MAX).await? else {
            return Ok(None);
        };
        match serde_json::from_slice::<Selection>(&bytes) {
            Ok(selection) if selection.number == number => Ok(Some(selection)),
            Ok(selection) => Err(self.unusable(
                name,
                format!("it says to be selection {}", selection.number),
            )),
            Err(error) => Err(self.unusable(name, error)),
        }
    }
}

/// Returns a time to the second, in UTC as of RFC 3339.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let day = Day(i32::try_from(days).unwrap_or_default());
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{day}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        // From the examples of RFC 3339 and POSIX.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (482_196_050, "1985-04-12T23:20:50Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
