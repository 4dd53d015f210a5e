//! Marks: what is known of a generation beside its content, the last one counting.

use std::collections::BTreeMap;

use nightshard_format::manifest::GenerationId;
use serde::{Deserialize, Serialize};

use crate::{Error, Repository, Result, bounded, names, record::Written};

/// So many others may mark one generation while one does.
const ATTEMPTS_MAX: u64 = 16;

/// What a mark says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verdict {
    /// It was served and proved right: one may go back to it.
    Good,
    /// It is never chosen unless somebody names it.
    Bad,
    /// It was reclaimed, or is about to be.
    Retired,
    /// What a later release says: neither good nor bad here.
    #[serde(other)]
    Unknown,
}

/// A record that says something of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The generation.
    pub generation: GenerationId,
    /// Its number, which is in its name, too: of those of a generation the highest counts.
    pub number: u64,
    /// What it says.
    pub mark: Verdict,
    /// Why, for people.
    pub why: String,
    /// What tells the writer's own record from others'.
    pub nonce: String,
    /// When it was written, by the writer's clock, in UTC as of RFC 3339.
    pub at: String,
    /// Who wrote it.
    pub by: String,
}

impl Mark {
    pub(crate) fn is_bad(&self) -> bool {
        self.mark == Verdict::Bad
    }
}

impl Repository {
    /// Marks a generation.
    ///
    /// # Errors
    /// [`Error::UnknownGeneration`] if there is none; [`Error::Storage`] if storage fails.
    pub async fn mark(&self, id: &GenerationId, mark: Verdict, why: &str) -> Result<Mark> {
        if !self.has_manifest(id).await? {
            return Err(Error::UnknownGeneration {
                id: id.clone(),
                location: self.location().to_owned(),
            });
        }
        self.append_mark(id, mark, why).await
    }

    /// Marks a generation as good, unless it is marked as bad: what somebody says of it while this looks
    /// counts.
    ///
    /// # Errors
    /// [`Error::Unusable`] if it is marked as bad, or marked by somebody else meanwhile, otherwise as
    /// [`Repository::mark`].
    #[cfg(feature = "controller")]
    pub(crate) async fn mark_unless_bad(&self, id: &GenerationId, why: &str) -> Result<Mark> {
        let marks = self.marks().await?;
        let last = marks.get(id);
        if let Some(bad) = last.filter(|mark| mark.is_bad()) {
            let name = names::mark(id, bad.number)?;
            return Err(self.unusable(name, format!("it is marked as bad: {}", bad.why)));
        }
        let mark = self.new_mark(id, Verdict::Good, why);
        let number = last.map_or(1, |mark| mark.number.saturating_add(1));
        let marked = self.write_mark(&mark, number).await?;
        let taken = || names::mark(id, number).map(|name| self.unusable(name, "somebody else's"));
        marked.map_or_else(|| Err(taken()?), Ok)
    }

    /// Marks a generation, whether it is there or not.
    pub(crate) async fn append_mark(
        &self,
        id: &GenerationId,
        mark: Verdict,
        why: &str,
    ) -> Result<Mark> {
        let listed = self.storage.list(&names::marks_of(id)?).await?;
        let numbers = listed.iter().filter_map(|it| names::of_mark(&it.name));
        let last = numbers.map(|(_, number)| number).max().unwrap_or_default();
        let mark = self.new_mark(id, mark, why);
        for attempt in 1..=ATTEMPTS_MAX {
            // A stray mark may have the largest number that there is.
            let number = last.saturating_add(attempt);
            if let Some(mark) = self.write_mark(&mark, number).await? {
                return Ok(mark);
            }
        }
        let name = names::mark(id, last)?;
        Err(self.unusable(name, "others mark this generation all the time"))
    }

    fn new_mark(&self, id: &GenerationId, mark: Verdict, why: &str) -> Mark {
        Mark {
            generation: id.clone(),
            number: 0,
            mark,
            why: why.to_owned(),
            nonce: self.environment.nonce(),
            at: self.now_text(),
            by: self.environment.writer(),
        }
    }

    /// Writes a mark under a number, unless that is somebody else's.
    async fn write_mark(&self, mark: &Mark, number: u64) -> Result<Option<Mark>> {
        let mark = Mark {
            number,
            ..mark.clone()
        };
        let name = names::mark(&mark.generation, number)?;
        let is_mine = match self.write_record(&name, &mark).await? {
            Written::New => true,
            Written::Found => match self.read_record::<Mark>(&name).await {
                Err(Error::Storage(error)) => return Err(error.into()),
                found => {
                    found.is_ok_and(|found| found.is_some_and(|found| found.nonce == mark.nonce))
                }
            },
        };
        Ok(is_mine.then_some(mark))
    }

    /// Returns the mark that counts of each generation that has any.
    ///
    /// One that cannot be read counts as [`Verdict::Unknown`].
    ///
    /// # Errors
    /// [`Error::Storage`] if storage cannot be read.
    pub async fn marks(&self) -> Result<BTreeMap<GenerationId, Mark>> {
        let mut last = BTreeMap::<GenerationId, u64>::new();
        for object in self.storage.list(&names::marks()?).await? {
            if let Some((id, number)) = names::of_mark(&object.name) {
                let highest = last.entry(id).or_default();
                *highest = number.max(*highest);
            }
        }
        let read = bounded::run(last, |(id, number)| {
            let repository = self.clone();
            async move {
                let name = names::mark(&id, number)?;
                match repository.read_record::<Mark>(&name).await {
                    Err(Error::Storage(error)) => Err(error.into()),
                    Ok(None) => Ok(None),
                    Ok(Some(mark)) if mark.generation == id && mark.number == number => {
                        Ok(Some((id, mark)))
                    }
                    Ok(Some(_)) | Err(_) => Ok(Some((id.clone(), unreadable(id, number)))),
                }
            }
        });
        Ok(read.await?.into_iter().flatten().collect())
    }
}

/// Stands for a mark that cannot be read.
fn unreadable(generation: GenerationId, number: u64) -> Mark {
    Mark {
        generation,
        number,
        mark: Verdict::Unknown,
        why: "the mark cannot be read".into(),
        nonce: String::new(),
        at: String::new(),
        by: String::new(),
    }
}
