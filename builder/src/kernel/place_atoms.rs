//! The atoms of leaves, added up by place and market.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, Month},
    record::AtomGroup,
};

use super::{
    cells::{Cell, Cells, Reach},
    folded::{Alone, Folded},
    hiding::Hiding,
    leaf_month::{Atom, Rest},
    places::{Leaf, Places},
};

/// Groups of atoms by their last and first day.
type Groups = BTreeMap<(Day, Day), AtomGroup>;

/// The atoms of all places and of the market, which is the place after all others.
#[derive(Debug)]
pub struct PlaceAtoms {
    /// Which atom rows are in.
    pub cells: Cells,
    months: Vec<BTreeMap<Month, Groups>>,
}

/// What no atom of a leaf has in a month.
#[derive(Debug)]
pub struct LeafRest {
    /// Of which leaf.
    pub leaf: Leaf,
    /// What it is.
    pub rest: Rest,
    /// Who bought nowhere else in the month.
    pub alone: Alone,
}

impl PlaceAtoms {
    /// Makes room for all places.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            cells: Cells::new(places.leaves()),
            months: vec![BTreeMap::new(); places.list().len() + 1],
        }
    }

    /// Adds an atom of a leaf, later than those before.
    pub fn add(&mut self, places: &Places, leaf: Leaf, atom: Atom) {
        let cell = Cell {
            days: atom.days,
            reach: Reach::Leaf,
        };
        self.cells.push(leaf, cell);
        for place in places.of_leaf(leaf) {
            self.count(*place as usize, atom);
        }
        self.count_in_market(atom);
    }

    /// Adds what no atom of the leaves has in a month, as far as it makes atoms together.
    pub fn fold(&mut self, places: &Places, rests: &[LeafRest], month: Month, hiding: Hiding) {
        let mut regions = BTreeMap::<Option<u32>, Vec<&LeafRest>>::new();
        for rest in rests {
            let region = places.region_of(rest.leaf);
            regions.entry(region).or_default().push(rest);
        }
        let mut others = Folded::default();
        let mut of_others = Vec::new();
        for (region, rests) in regions {
            let mut folded = Folded::default();
            for rest in &rests {
                folded.add(&rest.rest, month.days(), rest.alone);
            }
            match folded.in_region(hiding) {
                Some(atom) => {
                    if let Some(region) = region {
                        self.count(region as usize, atom);
                    }
                    self.count_in_market(atom);
                    self.push_cells(&rests, Reach::Region);
                }
                None => {
                    others.merge(&folded);
                    of_others.extend(rests);
                }
            }
        }
        if let Some(atom) = others.in_market(hiding) {
            self.count_in_market(atom);
            self.push_cells(&of_others, Reach::Market);
        }
    }

    fn push_cells(&mut self, rests: &[&LeafRest], reach: Reach) {
        for rest in rests {
            let days = rest.rest.days;
            self.cells.push(rest.leaf, Cell { days, reach });
        }
    }

    fn count_in_market(&mut self, atom: Atom) {
        self.count(self.months.len() - 1, atom);
    }

    fn count(&mut self, place: usize, atom: Atom) {
        let Atom {
            days,
            totals,
            cards,
        } = atom;
        let months = self.months[place].entry(days.first.month()).or_default();
        let group = months.entry((days.last, days.first)).or_insert(AtomGroup {
            days,
            atoms: 0,
            cards,
            count: 0,
            sum: 0,
        });
        group.atoms += 1;
        if group.atoms > 1 {
            group.cards = None;
        }
        group.count += totals.count;
        group.sum += totals.sum;
    }

    /// Returns the groups of a place by month, each in order.
    pub fn months(&self, place: usize) -> impl Iterator<Item = (Month, Vec<AtomGroup>)> {
        let months = self.months[place].iter();
        months.map(|(month, groups)| (*month, groups.values().copied().collect()))
    }
}
