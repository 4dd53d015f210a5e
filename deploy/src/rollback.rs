//! Going back to a generation that proved right.

use nightshard_format::manifest::{GenerationId, Manifest};

use crate::{Error, Repository, Result, Selected, SelectionNumber, Verdict, present::Check};

/// What going back did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// What was current before.
    pub from: GenerationId,
    /// The selection of what was gone back to.
    pub selected: Selected,
}

impl Repository {
    /// Goes back to the newest generation before the current one that is marked good and whose
    /// blobs are all right, and marks what it leaves as bad.
    ///
    /// What is current because of an earlier rollback counts as of the time at which it was first
    /// current: going back twice goes back further, never forward.
    ///
    /// # Errors
    /// [`Error::NothingGood`] if there is none, [`Error::NothingSelected`] before the first
    /// selection, otherwise as [`Repository::select`].
    pub async fn rollback(&self, why: &str) -> Result<RolledBack> {
        let (number, from) = self.current_numbered().await?;
        let target = self.rollback_target().await?;
        self.leave(number, from, &target, why).await
    }

    /// Goes back, or forward, to a generation that is named, and marks what it leaves as bad.
    ///
    /// # Errors
    /// As [`Repository::select`].
    pub async fn rollback_to(&self, target: &GenerationId, why: &str) -> Result<RolledBack> {
        let (number, from) = self.current_numbered().await?;
        self.leave(number, from, target, why).await
    }

    /// Goes from one generation to another one that is named, as [`Repository::rollback_to`] does,
    /// if that one is current.
    ///
    /// # Errors
    /// As there; [`Error::Conflict`] if another one is current.
    pub async fn rollback_from(
        &self,
        from: &GenerationId,
        target: &GenerationId,
        why: &str,
    ) -> Result<RolledBack> {
        let current = self.current().await?;
        let current = current.ok_or_else(|| Error::NothingSelected {
            location: self.location().to_owned(),
        })?;
        if current.generation != *from {
            return Err(Error::Conflict {
                number: current.number,
                generation: current.generation,
                by: current.by,
            });
        }
        self.leave(current.number, current.generation, target, why)
            .await
    }

    /// Returns the generation that a rollback would go back to.
    ///
    /// # Errors
    /// As [`Repository::rollback`].
    pub async fn rollback_target(&self) -> Result<GenerationId> {
        let (_, current) = self.current_numbered().await?;
        let marks = self.marks().await?;
        let history = self.selections().await?;
        let history: Vec<&GenerationId> = history.iter().filter_map(|it| it.1.as_ref()).collect();
        let is_good = |id: &GenerationId| {
            let mark = marks.get(id);
            mark.is_some_and(|mark| mark.mark == Verdict::Good)
        };
        for id in candidates(&history, &current) {
            if is_good(id) && self.is_servable(id).await? {
                return Ok(id.clone());
            }
        }
        Err(Error::NothingGood {
            current,
            location: self.location().to_owned(),
        })
    }

    async fn current_numbered(&self) -> Result<(SelectionNumber, GenerationId)> {
        let current = self.current().await?;
        let current = current.ok_or_else(|| Error::NothingSelected {
            location: self.location().to_owned(),
        })?;
        Ok((current.number, current.generation))
    }

    /// Selects `target` in the place of what was current under `number`, and marks that as bad.
    async fn leave(
        &self,
        number: SelectionNumber,
        from: GenerationId,
        target: &GenerationId,
        why: &str,
    ) -> Result<RolledBack> {
        let manifest = self.manifest(target).await?;
        let intent = self.declare_present(&manifest).await?;
        let selected = self.leave_declared(number, &from, &manifest, why).await;
        self.withdraw(intent).await;
        selected.map(|selected| RolledBack { from, selected })
    }

    /// Marks what is left before it selects: who is cut short between the two and goes back again
    /// goes to the same generation, not past it.
    async fn leave_declared(
        &self,
        number: SelectionNumber,
        from: &GenerationId,
        target: &Manifest,
        why: &str,
    ) -> Result<Selected> {
        self.check_blobs(target, Check::Length).await?;
        if *from != target.id {
            self.append_mark(from, Verdict::Bad, why).await?;
        }
        self.write_next(number, &target.id).await
    }

    /// Returns whether a generation has a manifest and all its blobs, as far as their lengths say.
    async fn is_servable(&self, id: &GenerationId) -> Result<bool> {
        let checked = match self.manifest(id).await {
            Ok(manifest) => self.check_blobs(&manifest, Check::Length).await,
            Err(error) => Err(error),
        };
        match checked {
            Ok(()) => Ok(true),
            Err(Error::Storage(error)) => Err(error.into()),
            Err(_unusable) => Ok(false),
        }
    }
}

/// Returns the generations that were current before `current` first was, the newest first, each
/// once.
fn candidates<'a>(history: &[&'a GenerationId], current: &GenerationId) -> Vec<&'a GenerationId> {
    let first = history.iter().position(|id| *id == current);
    let before = &history[..first.unwrap_or(history.len())];
    let mut candidates: Vec<&GenerationId> = Vec::new();
    for id in before.iter().rev() {
        if !candidates.contains(id) {
            candidates.push(id);
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_current_before_is_gone_back_to_newest_first() {
        let [a, b, c]: [GenerationId; 3] = ["a", "b", "c"]
            .map(|digit| format!("2018-12-31-{}", digit.repeat(12)).parse().unwrap());
        for (history, current, expected) in [
            (vec![&a, &b, &c], &c, vec![&b, &a]),
            (vec![&a, &b, &a, &c], &c, vec![&a, &b]),
            // From c back to b: then back to a, not to b or c.
            (vec![&a, &b, &c, &b], &b, vec![&a]),
            (vec![&a], &a, vec![]),
        ] {
            assert_eq!(candidates(&history, current), expected);
        }
    }
}
