//! How the payments of protected places divide: those of the leaves whose months are in their atoms as a whole.

use std::collections::BTreeMap;

use nightshard_format::{calendar::Month, record::PlaceMixes};
use rayon::prelude::*;

use super::Engine;
use crate::{
    Result,
    emit::{LeafMonths, LeafStore},
    kernel::{
        cells::Reach,
        leaf_mixes::LeafMixes,
        places::{Leaf, Places},
        told_by_place::ToldByPlace,
    },
};

/// Months that have ended and of which all rows of a leaf are in atoms, with how far the last of these reaches; and the
/// leaves that are in that one, of which it is the first.
pub(super) type WholeLeaves = BTreeMap<(Month, Reach, Leaf), Vec<Leaf>>;

impl Engine<'_> {
    /// Adds up how the leaves were paid by place. Stores say it of their months as a whole, so a leaf of which a part
    /// of a month is in no atom of a place does not count there.
    pub(super) fn add_up_mixes(
        &self,
        places: &Places,
        whole: &WholeLeaves,
        months: &LeafMonths<'_>,
        of_stores: &[Vec<LeafStore<'_>>],
    ) -> Result<ToldByPlace<PlaceMixes>> {
        let mut told = ToldByPlace::new(places);
        let groups: Vec<_> = whole.iter().collect();
        for of_month in groups.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
            let mixes = self.pool.install(|| {
                let of_group = |((month, ..), leaves): &(&(Month, Reach, Leaf), &Vec<Leaf>)| {
                    let mut mixes = LeafMixes::default();
                    for leaf in *leaves {
                        months.add_mixes(*month, &of_stores[*leaf as usize], &mut mixes)?;
                    }
                    Ok(mixes.finish())
                };
                let made: Result<Vec<PlaceMixes>> = of_month.par_iter().map(of_group).collect();
                made
            })?;
            for (((_, reach, leaf), _), mixes) in of_month.iter().zip(&mixes) {
                told.add(places, (*leaf, *reach), mixes);
            }
            if let Some(((month, ..), _)) = of_month.first() {
                told.end_month(*month)?;
            }
        }
        Ok(told)
    }
}
