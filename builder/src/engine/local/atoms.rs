//! What may be told of places and the market: atoms, and the cards in them.

use std::collections::{BTreeMap, HashMap};

use nightshard_format::{
    calendar::Month,
    record::{AtomCards, STORES},
};

use super::{
    Engine,
    told::{Stores, Told, merchants},
};
use crate::{
    Result,
    build::Stage,
    emit::{self, CellCards, LeafAtoms, LeafStore, Written},
    exchange::Exchanged,
    kernel::{
        atom_cards::{self, AtomCardsSink},
        even_partitions::EvenPartitions,
        hiding::Hiding,
        leaf_cards::{self, LeafCards},
        leaf_month::Store,
        period_cards::PeriodCards,
        place_atoms::{LeafRest, PlaceAtoms},
        place_row::PlaceRow,
        places::{Leaf, PlaceKind, Places},
        row::CardRow,
    },
};

impl Engine<'_> {
    /// Writes the atoms of places and the market.
    pub(super) fn write_atoms(
        &self,
        card_days: &Exchanged<CardRow>,
        stores: &Stores<'_>,
        hiding: Hiding,
    ) -> Result<Told> {
        let places = stores.places;
        let leaves = EvenPartitions::new(places.leaves());
        let sinks = self.each_card(card_days, places, false, || {
            LeafCards::new(places, self.place_outbox(leaves.count()))
        })?;
        let of_leaves = Exchanged::new(sinks.into_iter().map(LeafCards::finish).collect())?;
        let (made, counted) = self.make_atoms(&of_leaves, leaves, stores, hiding)?;
        drop(of_leaves);
        let atoms = add_up(places, made, hiding);
        let of_places = atom_cards::partitions(places);
        let sinks = self.each_card(card_days, places, true, || {
            AtomCardsSink::new(places, &atoms.cells, self.place_outbox(of_places.count()))
        })?;
        let of_atoms = sinks.into_iter().map(AtomCardsSink::finish).collect();
        let cards = self.cards_of_atoms(&Exchanged::new(of_atoms)?, of_places)?;
        let totals = (0..places.list().len()).map(|place| atoms.totals(place));
        Ok(Told {
            cards: CellCards::Counted(cards_of_cells(places, counted)),
            totals: Some(totals.collect()),
            staged: emit::write_atoms(&self.staging, places, &atoms, &cards)?,
        })
    }

    /// Makes the atoms of every leaf, by month, and counts its cards.
    fn make_atoms(
        &self,
        cards: &Exchanged<PlaceRow>,
        partitions: EvenPartitions,
        stores: &Stores<'_>,
        hiding: Hiding,
    ) -> Result<(Vec<Vec<LeafAtoms>>, Vec<PeriodCards>)> {
        self.progress
            .begin(Stage::Places, partitions.count().into());
        let months = Written::open(stores.staged, STORES)?;
        let of_leaves = stores_of_leaves(stores);
        let mut made = Vec::new();
        let make = |partition: u16| {
            let counts = leaf_cards::take(cards, partition, partitions, self.shares.partition)?;
            let leaves = counts.leaves.clone().zip(&counts.counts);
            let made = leaves.map(|(leaf, counts)| {
                let stores_of_leaf = &of_leaves[leaf];
                let atoms = emit::leaf_atoms(stores_of_leaf, &months, counts, hiding, stores.as_of);
                Ok((atoms?, counts.distances.period_cards()))
            });
            made.collect::<Result<Vec<_>>>()
        };
        let mut counted = Vec::new();
        self.in_order(0..partitions.count(), make, |leaves| {
            self.progress.advance(1);
            for (atoms, cards) in leaves {
                made.push(atoms);
                counted.push(cards);
            }
            Ok(())
        })?;
        Ok((made, counted))
    }

    /// Returns the cards of every place and the market, by day.
    fn cards_of_atoms(
        &self,
        cards: &Exchanged<PlaceRow>,
        partitions: EvenPartitions,
    ) -> Result<Vec<Vec<AtomCards>>> {
        let mut of_places = Vec::new();
        let take =
            |partition: u16| atom_cards::take(cards, partition, partitions, self.shares.partition);
        self.in_order(0..partitions.count(), take, |counts| {
            of_places.extend(counts.places.clone().map(|place| counts.of(place)));
            Ok(())
        })?;
        Ok(of_places)
    }
}

/// Lists the stores of each leaf, and whose they are.
fn stores_of_leaves<'a>(stores: &Stores<'a>) -> Vec<Vec<LeafStore<'a>>> {
    let merchants = merchants(stores.facts);
    let mut of_leaves = vec![Vec::new(); stores.places.leaves()];
    for ((ordinal, store), merchant) in (0_u32..).zip(stores.facts).zip(merchants) {
        let leaf = stores.places.leaf_of(store.ordinal);
        of_leaves[leaf as usize].push(LeafStore {
            id: &store.id,
            store: Store { merchant, ordinal },
        });
    }
    of_leaves
}

/// Returns the cards of the leaves that are categories of regions, by key.
fn cards_of_cells(places: &Places, counted: Vec<PeriodCards>) -> HashMap<Vec<u8>, PeriodCards> {
    let mut cells = HashMap::new();
    for (leaf, cards) in (0..).zip(counted) {
        // A category of a region comes first of the places of its leaf.
        let first = places.of_leaf(leaf).first();
        let place = first.map(|place| &places.list()[*place as usize]);
        if let Some(place) = place.filter(|place| place.kind == PlaceKind::RegionCategory) {
            cells.insert(place.key.clone(), cards);
        }
    }
    cells
}

/// Adds up the atoms of leaves, month by month, and puts together what is in none.
fn add_up(places: &Places, made: Vec<Vec<LeafAtoms>>, hiding: Hiding) -> PlaceAtoms {
    let mut by_month = BTreeMap::<Month, Vec<(Leaf, LeafAtoms)>>::new();
    for (leaf, of_leaf) in (0..).zip(made) {
        for of_month in of_leaf {
            by_month
                .entry(of_month.month)
                .or_default()
                .push((leaf, of_month));
        }
    }
    let mut atoms = PlaceAtoms::new(places);
    for (month, of_leaves) in by_month {
        let mut rests = Vec::new();
        for (leaf, of_leaf) in of_leaves {
            for atom in of_leaf.atoms {
                atoms.add(places, leaf, atom);
            }
            if let Some((rest, alone)) = of_leaf.rest {
                rests.push(LeafRest { leaf, rest, alone });
            }
        }
        atoms.fold(places, &rests, month, hiding);
    }
    atoms
}
