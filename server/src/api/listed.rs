//! Which stores of a list its caller sees.

use nightshard_format::record::{Ranking, STORES};

use super::Lookup;
use crate::problem::Result;

/// The time to compare a store's id, in nanoseconds.
const ID_NS: u64 = 20;
/// The time to read whose a store is, in nanoseconds.
const SUMMARY_NS: u64 = 1_500;
/// The time to put a store in the order of ids, in nanoseconds.
const SORT_NS: u64 = 300;

/// The stores of a list, in its order.
#[derive(Debug)]
pub(super) enum Listed<'g> {
    /// All of a ranking.
    Whole(Ranking<'g>),
    /// These.
    These(Vec<&'g [u8]>),
}

impl<'g> Listed<'g> {
    /// Returns what the caller sees of a ranking. For who sees names only, the order of sizes would
    /// be a figure: it is that of ids.
    ///
    /// # Complexity
    /// Reads every store of the ranking where a token covers a merchant's.
    pub(super) fn of(ranking: Option<Ranking<'g>>, lookup: &mut Lookup<'_>) -> Result<Self> {
        let Some(ranking) = ranking else {
            return Ok(Self::These(Vec::new()));
        };
        if lookup.caller.sees_names_only() {
            lookup.work.spend(ranking.len() as u64 * SORT_NS)?;
            let mut ids: Vec<&[u8]> = ids(ranking).collect();
            ids.sort_unstable();
            return Ok(Self::These(ids));
        }
        if lookup.caller.stores().is_none() {
            return Ok(Self::Whole(ranking));
        }
        let mut covered = Vec::new();
        for id in ids(ranking) {
            if lookup.covers(id)? {
                covered.push(id);
            }
        }
        Ok(Self::These(covered))
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Whole(ranking) => ranking.len(),
            Self::These(ids) => ids.len(),
        }
    }

    /// Returns the id at a position.
    pub(super) fn get(&self, position: usize) -> Option<&'g [u8]> {
        match self {
            Self::Whole(ranking) => ranking.get(position),
            Self::These(ids) => ids.get(position).copied(),
        }
    }
}

fn ids(ranking: Ranking<'_>) -> impl Iterator<Item = &[u8]> {
    (0..ranking.len()).filter_map(move |position| ranking.get(position))
}

impl Lookup<'_> {
    /// Returns whether the caller sees a store that there is.
    pub(super) fn covers(&mut self, id: &[u8]) -> Result<bool> {
        let Some(covered) = self.caller.stores() else {
            return Ok(true);
        };
        if let Some(is_covered) = covered.has_id(id) {
            self.work.spend(ID_NS)?;
            return Ok(is_covered);
        }
        self.work.spend(SUMMARY_NS)?;
        let summary = self.served.generation().summary(STORES, id)?;
        Ok(summary.is_some_and(|summary| covered.has(id, &summary.profile)))
    }
}
