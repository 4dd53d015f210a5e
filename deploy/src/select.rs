//! Selections: the numbered records of which the highest names the current generation.

use std::{fmt, sync::atomic::Ordering};

use nightshard_format::manifest::{GenerationId, Manifest};
use serde::{Deserialize, Serialize};

use crate::{Error, Repository, Result, bounded, names, present::Check, record::Written};

/// Numbers have no gaps: one that skips so many is no selection, but somebody's mistake, and
/// following it would leave no number for the next.
const LOST_MAX: u64 = 1_000;

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
    /// selected another generation at the same time, [`Error::Condemned`] if this one is being
    /// reclaimed.
    pub async fn select(&self, id: &GenerationId) -> Result<Selected> {
        let manifest = self.manifest(id).await?;
        let intent = self.declare_present(&manifest).await?;
        let selected = self.select_declared(&manifest).await;
        self.withdraw(intent).await;
        selected
    }

    async fn select_declared(&self, manifest: &Manifest) -> Result<Selected> {
        let id = &manifest.id;
        self.check_blobs(manifest, Check::Bytes).await?;
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

    /// Makes a generation the current one, in the place of what is current under `number`.
    ///
    /// # Errors
    /// As [`Repository::select`]; [`Error::Conflict`] if another one was selected since `number`.
    pub(crate) async fn select_over(
        &self,
        number: SelectionNumber,
        id: &GenerationId,
    ) -> Result<Selected> {
        let manifest = self.manifest(id).await?;
        let intent = self.declare_present(&manifest).await?;
        let checked = self.check_blobs(&manifest, Check::Length).await;
        let selected = match checked {
            Ok(()) => self.write_next(number, id).await,
            Err(error) => Err(error),
        };
        self.withdraw(intent).await;
        selected
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
            at: self.now_text(),
            by: self.environment.writer(),
        };
        self.write_selection(selection).await
    }

    /// Writes a selection, or tells whether the one that stands in its place is as good.
    async fn write_selection(&self, own: Selection) -> Result<Selected> {
        let name = names::selection(own.number)?;
        if let Written::New = self.write_record(&name, &own).await? {
            return Ok(Selected {
                selection: own,
                is_new: true,
            });
        }
        match self.selection(own.number).await? {
            Some(found) if found.generation == own.generation => Ok(Selected {
                is_new: found.nonce == own.nonce,
                selection: found,
            }),
            Some(found) => Err(Error::Conflict {
                number: found.number,
                generation: found.generation,
                by: found.by,
            }),
            None => Err(self.unusable(name, "it was there and is gone")),
        }
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
        match self.read_record::<Selection>(&name).await? {
            Some(selection) if selection.number != number => {
                let problem = format!("it says to be selection {}", selection.number);
                Err(self.unusable(name, problem))
            }
            found => Ok(found),
        }
    }
}
