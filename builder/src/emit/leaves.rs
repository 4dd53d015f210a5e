//! The shard of what the next generation keeps of the month that has not ended.

use std::collections::BTreeSet;

use nightshard_format::{
    calendar::Month,
    key::{self, PartitionRun},
    record::{LEAVES, LeafAtom, LeafRecord},
    shard::Span,
};

use super::{
    LeafAtoms, StoreFacts,
    shard_set::{ShardSet, Staged, Staging},
};
use crate::{
    Result,
    kernel::{
        frozen::Frozen,
        leaf_month::Atom,
        places::{Leaf, Places},
    },
};

/// What was told of leaves in the month that has not ended.
#[derive(Debug)]
pub struct OpenMonth {
    /// Which month.
    pub month: Month,
    leaves: Vec<(Vec<u8>, LeafRecord)>,
    /// Whether it has stores that the rows alone would not say are in it.
    pub differs: bool,
}

impl OpenMonth {
    /// Takes it out of the atoms `made` of all leaves.
    #[must_use]
    pub fn of(
        month: Month,
        made: &[Vec<LeafAtoms>],
        (places, stores): (&Places, &[StoreFacts]),
        frozen: Option<&Frozen<'_>>,
    ) -> Self {
        let mut open = Self {
            month,
            leaves: Vec::new(),
            differs: false,
        };
        for (key, leaf) in places.leaf_keys() {
            let mut of_leaf = made[leaf as usize].iter();
            let of_month = of_leaf.find(|it| it.month == month && !it.atoms.is_empty());
            if let Some(of_month) = of_month {
                let record = open.record(leaf, of_month, stores, frozen);
                open.leaves.push((key.to_owned(), record));
            }
        }
        open
    }

    fn record(
        &mut self,
        leaf: Leaf,
        made: &LeafAtoms,
        stores: &[StoreFacts],
        frozen: Option<&Frozen<'_>>,
    ) -> LeafRecord {
        let numbers = made.stores.iter();
        let ids = numbers.map(|number| stores[*number as usize].id.clone());
        let mut ids: BTreeSet<Vec<u8>> = ids.collect();
        // Those that have no rows any more may have some again, and elsewhere.
        let told = frozen.map_or(&[][..], |frozen| frozen.stores_of(leaf, self.month));
        for store in told {
            self.differs |= ids.insert(store.clone());
        }
        LeafRecord {
            stores: ids.into_iter().collect(),
            atoms: made.atoms.iter().map(told_atom).collect(),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`crate::Error::File`] if the staging folder takes no more.
    pub fn write(mut self, staging: &Staging) -> Result<Vec<Staged>> {
        let leaves = &mut self.leaves;
        leaves.sort_unstable_by(|(a, _), (b, _)| key::order(a).cmp(&key::order(b)));
        let mut set = ShardSet::new(staging, LEAVES, PartitionRun::ALL);
        let mut value = Vec::new();
        for (key, record) in leaves {
            value.clear();
            record.encode(self.month, &mut value)?;
            set.append(Span::Month(self.month), key, &value)?;
        }
        set.finish()
    }
}

fn told_atom(atom: &Atom) -> LeafAtom {
    LeafAtom {
        days: atom.days,
        // Those of a leaf's atoms are known.
        cards: atom.cards.unwrap_or(0),
        count: atom.totals.count,
        sum: atom.totals.sum,
    }
}
