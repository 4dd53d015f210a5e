//! Marks: what is known of a generation beside its content, the last one counting.

use std::collections::BTreeMap;

use nightshard_format::manifest::GenerationId;
use serde::{Deserialize, Serialize};

use crate::{Error, Repository, Result, bounded, names, record::Written};

/// So many others may mark one generation while one does.
const ATTEMPTS_MAX: u32 = 16;

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
        let mut mark = Mark {
            generation: id.clone(),
            number: last,
            mark,
            why: why.to_owned(),
            nonce: self.environment.nonce(),
            at: self.now_text(),
            by: self.environment.writer(),
        };
        for _attempt in 0..ATTEMPTS_MAX {
            mark.number = mark.number.saturating_add(1);
            let name = names::mark(id, mark.number)?;
            let is_mine = match self.write_record(&name, &mark).await? {
                Written::New => true,
                Written::Found => match self.read_record::<Mark>(&name).await {
                    Err(Error::Storage(error)) => return Err(error.into()),
                    found => found
                        .is_ok_and(|found| found.is_some_and(|found| found.nonce == mark.nonce)),
                },
            };
            if is_mine {
                return Ok(mark);
            }
        }
        let name = names::mark(id, mark.number)?;
        Err(self.unusable(name, "others mark this generation all the time"))
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
