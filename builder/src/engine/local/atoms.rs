//! What may be told of places and the market: atoms, and the cards in them.

use std::collections::{BTreeMap, HashMap, HashSet};

use nightshard_format::{
    calendar::Month,
    record::{PlacePattern, STORES},
};

use super::{
    Engine,
    place_mixes::WholeLeaves,
    told::{Stores, Told, merchants},
};
use crate::{
    Result,
    build::Stage,
    emit::{CellCards, LeafAtoms, LeafMonths, LeafStore, OpenMonth, Stay, ToTell, Written},
    exchange::Exchanged,
    kernel::{
        atom_cards::{self, AtomCardsSink, PlaceAtomCards},
        cells::Reach,
        even_partitions::EvenPartitions,
        frozen::Frozen,
        hiding::Hiding,
        leaf_cards::{self, LeafCards},
        leaf_month::Store,
        leaf_pattern::LeafPattern,
        period_cards::PeriodCards,
        place_atoms::{LeafRest, PlaceAtoms},
        place_row::PlaceRow,
        places::{Leaf, PlaceKind, Places},
        row::CardRow,
        sold_to_cards::SentByCard,
        told_by_place::ToldByPlace,
    },
};

impl Engine<'_> {
    /// Writes the atoms of places and the market.
    pub(super) fn write_atoms(
        &self,
        card_days: &Exchanged<CardRow>,
        stores: &Stores<'_>,
        hiding: Hiding,
        frozen: Option<&Frozen<'_>>,
    ) -> Result<Told> {
        let sent = SentByCard {
            days: card_days,
            sold: None,
        };
        let places = stores.places;
        let leaves = EvenPartitions::new(places.leaves());
        let sinks = self.each_card(sent, places, false, || {
            LeafCards::new(places, self.place_outbox(leaves.count()))
        })?;
        let of_leaves = Exchanged::new(sinks.into_iter().map(LeafCards::finish).collect())?;
        let months = LeafMonths {
            of_stores: Written::open(stores.staged, STORES)?,
            hiding,
            as_of: stores.as_of,
            frozen,
        };
        let of_stores = stores_of_leaves(stores, frozen);
        let (made, counted) = self.make_atoms((&of_leaves, leaves), &of_stores, &months)?;
        drop(of_leaves);
        let open_month = (stores.as_of.month().days().last > stores.as_of).then(|| {
            let month = stores.as_of.month();
            OpenMonth::of(month, &made, (places, stores.facts), frozen)
        });
        let of_leaves_differ = made.iter().flatten().any(|it| it.differs);
        let AddedUp {
            atoms,
            patterns,
            whole,
        } = add_up(places, made, &months, &of_stores)?;
        let mixes = self.add_up_mixes(places, &whole, &months, &of_stores)?;
        let of_places = atom_cards::partitions(places);
        let sinks = self.each_card(sent, places, true, || {
            AtomCardsSink::new(
                places,
                &atoms.cells,
                frozen,
                self.place_outbox(of_places.count()),
            )
        })?;
        let of_atoms = sinks.into_iter().map(AtomCardsSink::finish).collect();
        let cards = self.cards_of_atoms(&Exchanged::new(of_atoms)?, of_places)?;
        let to_tell = ToTell {
            places,
            atoms: &atoms,
            cards: &cards,
            patterns: &patterns,
            mixes: &mixes,
            frozen,
        };
        let mut told = to_tell.write(&self.staging)?;
        let mut differs = told.differs || of_leaves_differ;
        if let Some(open_month) = open_month {
            differs |= open_month.differs;
            told.staged.extend(open_month.write(&self.staging)?);
        }
        Ok(Told {
            cards: CellCards::Counted(cards_of_cells(stores, counted, frozen)),
            totals: Some(told.totals),
            staged: told.staged,
            differs,
        })
    }

    /// Makes the atoms of every leaf, by month, and counts its cards.
    fn make_atoms(
        &self,
        (cards, partitions): (&Exchanged<PlaceRow>, EvenPartitions),
        of_leaves: &[Vec<LeafStore<'_>>],
        months: &LeafMonths<'_>,
    ) -> Result<(Vec<Vec<LeafAtoms>>, Vec<PeriodCards>)> {
        self.progress
            .begin(Stage::Places, partitions.count().into());
        let mut made = Vec::new();
        let make = |partition: u16| {
            let counts = leaf_cards::take(cards, partition, partitions, self.shares.partition)?;
            let leaves = counts.leaves.clone().zip(&counts.counts);
            let made = leaves.map(|(leaf, counts)| {
                let number = Leaf::try_from(leaf).unwrap_or(Leaf::MAX);
                let atoms = months.atoms(number, &of_leaves[leaf], counts)?;
                Ok((atoms, counts.distances.period_cards()))
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

    /// Returns the cards of every place and the market.
    fn cards_of_atoms(
        &self,
        cards: &Exchanged<PlaceRow>,
        partitions: EvenPartitions,
    ) -> Result<Vec<PlaceAtomCards>> {
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
fn stores_of_leaves<'a>(
    stores: &Stores<'a>,
    frozen: Option<&Frozen<'_>>,
) -> Vec<Vec<LeafStore<'a>>> {
    let merchants = merchants(stores.facts);
    let mut of_leaves = vec![Vec::new(); stores.places.leaves()];
    for ((ordinal, store), merchant) in (0_u32..).zip(stores.facts).zip(merchants) {
        let mut add = |leaf: Leaf, stay| {
            of_leaves[leaf as usize].push(LeafStore {
                id: &store.id,
                store: Store { merchant, ordinal },
                stay,
            });
        };
        let leaf = stores.places.leaf_of(store.ordinal);
        let held = stores.places.held_in(store.ordinal);
        match held.zip(frozen.and_then(Frozen::month)) {
            Some((held, month)) => {
                add(held, Stay::In(month));
                add(leaf, Stay::NotIn(month));
            }
            None => add(leaf, Stay::Always),
        }
    }
    of_leaves
}

/// Returns the cards of the leaves that are categories of regions, by key.
///
/// Where stores are held that are elsewhere now, those of the month are not known of the ones that are there.
fn cards_of_cells(
    stores: &Stores<'_>,
    counted: Vec<PeriodCards>,
    frozen: Option<&Frozen<'_>>,
) -> HashMap<Vec<u8>, PeriodCards> {
    let places = stores.places;
    let facts = stores.facts.iter();
    let with_others: HashSet<Leaf> = facts.filter_map(|it| places.held_in(it.ordinal)).collect();
    let mut cells = HashMap::new();
    for (leaf, mut cards) in (0..).zip(counted) {
        let month = frozen.and_then(Frozen::month);
        if let Some(month) = month.filter(|_| with_others.contains(&leaf)) {
            cards.forget(month);
        }
        // A category of a region comes first of the places of its leaf.
        let first = places.of_leaf(leaf).first();
        let place = first.map(|place| &places.list()[*place as usize]);
        if let Some(place) = place.filter(|place| place.kind == PlaceKind::RegionCategory) {
            cells.insert(place.key.clone(), cards);
        }
    }
    cells
}

/// An atom of what is left of several leaves in a month: how far it reaches, and of which region it is.
type FoldedIn = (Reach, Option<u32>);

/// The atoms of places, and what else is told of their rows.
struct AddedUp {
    atoms: PlaceAtoms,
    patterns: ToldByPlace<PlacePattern>,
    whole: WholeLeaves,
}

/// Adds up the atoms of leaves that have ended, month by month, and puts together what is in none; and when the rows
/// of these atoms were.
fn add_up(
    places: &Places,
    made: Vec<Vec<LeafAtoms>>,
    months: &LeafMonths<'_>,
    of_stores: &[Vec<LeafStore<'_>>],
) -> Result<AddedUp> {
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
    let mut patterns = ToldByPlace::new(places);
    let mut whole = WholeLeaves::new();
    for (month, of_leaves) in by_month {
        let mut rests = Vec::new();
        for (leaf, of_leaf) in of_leaves {
            let ended = of_leaf.atoms.into_iter();
            for atom in ended.filter(|it| it.days.last <= months.as_of) {
                atoms.add(places, leaf, atom);
            }
            if !of_leaf.pattern.is_empty() {
                let pattern = PlacePattern::parse(&of_leaf.pattern)?;
                patterns.add(places, (leaf, Reach::Leaf), &pattern);
            }
            match of_leaf.rest {
                Some((rest, alone)) => rests.push(LeafRest { leaf, rest, alone }),
                None if month.days().last <= months.as_of => {
                    whole.insert((month, Reach::Leaf, leaf), vec![leaf]);
                }
                None => (),
            }
        }
        atoms.fold(places, &rests, month, months.hiding);
        let folded = folded_rows(places, &atoms, &rests, |rest, rows| {
            let stores = &of_stores[rest.leaf as usize];
            months.add_rows(month, rest.rest.days, stores, rows)
        })?;
        for (leaf, reach, rows) in folded {
            patterns.add(places, (leaf, reach), &rows.finish());
        }
        whole.extend(
            folded_leaves(places, &atoms, &rests)
                .into_iter()
                .map(|((reach, _), leaves)| ((month, reach, leaves[0]), leaves)),
        );
        patterns.end_month(month)?;
    }
    Ok(AddedUp {
        atoms,
        patterns,
        whole,
    })
}

/// Adds up by `add` when the rows of what is left of leaves were, for each atom that is made of such: returns one of
/// its leaves, its reach and its rows.
fn folded_rows(
    places: &Places,
    atoms: &PlaceAtoms,
    rests: &[LeafRest],
    mut add: impl FnMut(&LeafRest, &mut LeafPattern) -> Result<()>,
) -> Result<Vec<(Leaf, Reach, LeafPattern)>> {
    let mut folded = BTreeMap::<FoldedIn, (Leaf, LeafPattern)>::new();
    for rest in rests {
        let Some(atom) = folded_in(places, atoms, rest) else {
            continue;
        };
        let (_, rows) = folded
            .entry(atom)
            .or_insert_with(|| (rest.leaf, LeafPattern::default()));
        add(rest, rows)?;
    }
    let folded = folded.into_iter();
    Ok(folded
        .map(|((reach, _), (leaf, rows))| (leaf, reach, rows))
        .collect())
}

/// Returns which atom has what is left of a leaf; what was not enough even for one of the market is in none, and so in no
/// pattern and no mix, either.
fn folded_in(places: &Places, atoms: &PlaceAtoms, rest: &LeafRest) -> Option<FoldedIn> {
    let cell = atoms.cells.find(rest.leaf, rest.rest.days.last)?;
    let region = match cell.reach {
        Reach::Market => None,
        _ => places.region_of(rest.leaf),
    };
    Some((cell.reach, region))
}

/// Returns the leaves whose rests are in each atom of several.
fn folded_leaves(
    places: &Places,
    atoms: &PlaceAtoms,
    rests: &[LeafRest],
) -> BTreeMap<FoldedIn, Vec<Leaf>> {
    let mut leaves = BTreeMap::<FoldedIn, Vec<Leaf>>::new();
    for rest in rests {
        if let Some(atom) = folded_in(places, atoms, rest) {
            leaves.entry(atom).or_default().push(rest.leaf);
        }
    }
    leaves
}
