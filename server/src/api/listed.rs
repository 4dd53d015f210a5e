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

/// A store of a ranking: its place there, and its id.
type Ranked<'g> = (usize, &'g [u8]);

/// The stores of a list, in its order.
#[derive(Debug)]
pub(super) enum Listed<'g> {
    /// All of a ranking.
    Whole(Ranking<'g>),
    /// These.
    These(Vec<Ranked<'g>>),
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
            let mut stores: Vec<Ranked<'_>> = stores(ranking).collect();
            stores.sort_unstable_by_key(|(_, id)| *id);
            return Ok(Self::These(stores));
        }
        if lookup.caller.stores().is_none() {
            return Ok(Self::Whole(ranking));
        }
        let mut covered = Vec::new();
        for (position, id) in stores(ranking) {
            if lookup.covers(id)? {
                covered.push((position, id));
            }
        }
        Ok(Self::These(covered))
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Whole(ranking) => ranking.len(),
            Self::These(stores) => stores.len(),
        }
    }

    /// Returns the store at a position.
    pub(super) fn get(&self, position: usize) -> Option<Ranked<'g>> {
        match self {
            Self::Whole(ranking) => ranking.get(position).map(|id| (position, id)),
            Self::These(stores) => stores.get(position).copied(),
        }
    }
}

fn stores(ranking: Ranking<'_>) -> impl Iterator<Item = Ranked<'_>> {
    (0..ranking.len()).filter_map(move |position| Some((position, ranking.get(position)?)))
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
