//! The days of a month of stores of the same region and category, and the atoms they make.

use std::collections::BTreeMap;

use nightshard_format::{
    calendar::{Day, DayRange},
    record::Change,
};

use super::hiding::{Hiding, Part};

/// What is added up of an atom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub count: u64,
    /// Net sum, in minor units.
    pub sum: i128,
}

impl Totals {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum += other.sum;
    }
}

/// What a store did on a day.
#[derive(Debug, Clone, Default)]
pub struct StoreDay {
    /// Of its rows.
    pub totals: Totals,
    /// Its buyers, by how long ago they had bought there.
    pub buyers: Vec<Change>,
}

/// The stores of a leaf on a day.
#[derive(Debug, Clone, Default)]
struct LeafDay {
    /// The stores and their merchants.
    stores: Vec<(Store, StoreDay)>,
    /// Cards by how long ago they had a row of any store of the leaf.
    cards: Vec<Change>,
    /// How buyers differ from them.
    buyers: Vec<Change>,
}

/// A store, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Store {
    /// The merchant: the same for all stores of one.
    pub merchant: u32,
    /// The store among all.
    pub ordinal: u32,
}

/// A month of a leaf.
#[derive(Debug, Clone, Default)]
pub struct LeafMonth(BTreeMap<Day, LeafDay>);

/// Days that are told together, and what they add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Atom {
    /// The days.
    pub days: DayRange,
    /// Of all rows of these days.
    pub totals: Totals,
    /// Its distinct cards, where they are known.
    pub cards: Option<u64>,
}

/// How far a month is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// It has ended: all of it is told of.
    Ended,
    /// It has not: days to come may add to its last atom, which is held back.
    GoesOn,
    /// It has not, and on a later day more was told of it than is asked for now: nothing is added to that.
    Foretold,
}

/// What is left of a month that no atom of its leaf has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The days from the first that is in no atom on, to the month's end.
    pub days: DayRange,
    /// Of all rows of these days.
    pub totals: Totals,
    /// Distinct buyers.
    pub buyers: u64,
    /// The merchants' parts.
    pub parts: BTreeMap<u32, Part>,
}

impl LeafMonth {
    /// Adds what a store did on a day.
    pub fn add_store(&mut self, day: Day, store: Store, of_store: StoreDay) {
        self.0
            .entry(day)
            .or_default()
            .stores
            .push((store, of_store));
    }

    /// Adds cards of a day, by how long ago they had a row in the leaf, and how buyers differ from them.
    pub fn add_cards(&mut self, day: Day, cards: &[Change], buyers: &[Change]) {
        let of_day = self.0.entry(day).or_default();
        of_day.cards.extend_from_slice(cards);
        of_day.buyers.extend_from_slice(buyers);
    }

    /// Returns the days that have rows, in order.
    pub fn days(&self) -> impl Iterator<Item = Day> {
        self.0.keys().copied()
    }

    /// Returns the atoms of a month, of which those that were `told` before stay as they are, and what is left
    /// for others to take in.
    ///
    /// Rows on the days of told atoms count in these, as they were then, or not at all: of what came late nobody
    /// knows how many cards it has. Nor is what is left at the month's end added to a told atom.
    #[must_use]
    pub fn atoms_beside(
        &self,
        told: &[Atom],
        month: DayRange,
        telling: Telling,
        hiding: Hiding,
    ) -> (Vec<Atom>, Option<Rest>) {
        let first = told.last().map_or(month.first, |it| after(it.days.last));
        let days = DayRange { first, ..month };
        let (new, rest) = match telling {
            Telling::Ended => self.atoms(days, hiding),
            Telling::GoesOn => (self.settled_atoms(days, hiding), None),
            Telling::Foretold => (Vec::new(), None),
        };
        (told.iter().copied().chain(new).collect(), rest)
    }

    /// Returns the atoms of a month that has ended, or of its days from one on, and what is left for others to
    /// take in.
    fn atoms(&self, month: DayRange, hiding: Hiding) -> (Vec<Atom>, Option<Rest>) {
        let mut atoms = self.full(month, hiding);
        let next = atoms
            .last()
            .map_or(month.first, |atom| after(atom.days.last));
        let left = self.grown(next, month.last);
        if left.totals.count == 0 {
            if let Some(last) = atoms.last_mut() {
                last.days.last = month.last;
            }
            return (atoms, None);
        }
        if let Some(last) = atoms.last_mut() {
            let longer = self.grown(last.days.first, month.last);
            if longer.is_enough(hiding) {
                *last = longer.atom(month.last);
                return (atoms, None);
            }
        }
        (atoms, Some(left.rest(month.last)))
    }

    /// Returns the atoms that no day to come will change, of a month that has not ended.
    fn settled_atoms(&self, month: DayRange, hiding: Hiding) -> Vec<Atom> {
        let mut atoms = self.full(month, hiding);
        atoms.pop();
        atoms
    }

    /// Returns the shortest runs of days that are enough, one after the other.
    fn full(&self, month: DayRange, hiding: Hiding) -> Vec<Atom> {
        let mut atoms = Vec::new();
        let mut cell = Growing::from(month.first);
        if month.is_empty() {
            return atoms;
        }
        for (day, of_day) in self.0.range(month.first..=month.last) {
            cell.add(*day, of_day);
            if cell.is_enough(hiding) {
                atoms.push(cell.atom(*day));
                cell = Growing::from(after(*day));
            }
        }
        atoms
    }

    fn grown(&self, first: Day, last: Day) -> Growing {
        let mut cell = Growing::from(first);
        if first <= last {
            let days = self.0.range(first..=last);
            days.for_each(|(day, of_day)| cell.add(*day, of_day));
        }
        cell
    }
}

fn after(day: Day) -> Day {
    Day(day.0 + 1)
}

/// Days from a first one on.
struct Growing {
    first: Day,
    totals: Totals,
    cards: i64,
    /// How many more are buyers.
    buyers: i64,
    parts: BTreeMap<u32, GrowingPart>,
}

#[derive(Default)]
struct GrowingPart {
    buyers: i64,
    totals: Totals,
}

impl GrowingPart {
    fn part(&self) -> Part {
        Part {
            buyers: self.buyers.try_into().unwrap_or(0),
            rows: self.totals.count,
            net: self.totals.sum,
        }
    }
}

impl Growing {
    fn from(first: Day) -> Self {
        Self {
            first,
            totals: Totals::default(),
            cards: 0,
            buyers: 0,
            parts: BTreeMap::new(),
        }
    }

    fn add(&mut self, day: Day, of_day: &LeafDay) {
        self.cards += self.not_seen(day, &of_day.cards);
        self.buyers += self.not_seen(day, &of_day.buyers);
        for (store, of_store) in &of_day.stores {
            let new = self.not_seen(day, &of_store.buyers);
            self.totals.add(of_store.totals);
            let part = self.parts.entry(store.merchant).or_default();
            // A card that bought at two stores of a merchant is counted twice: that hides more.
            part.buyers += new;
            part.totals.add(of_store.totals);
        }
    }

    /// Counts the buyers of a day who had not bought since the first day.
    fn not_seen(&self, day: Day, buyers: &[Change]) -> i64 {
        let days = day.0.abs_diff(self.first.0);
        let new = buyers
            .iter()
            .filter(|it| it.distance == 0 || it.distance > days);
        new.map(|it| it.cards).sum()
    }

    fn buyers(&self) -> u64 {
        (self.cards + self.buyers).try_into().unwrap_or(0)
    }

    fn is_enough(&self, hiding: Hiding) -> bool {
        hiding.is_enough(self.buyers(), self.parts.values().map(GrowingPart::part))
    }

    fn atom(&self, last: Day) -> Atom {
        Atom {
            days: DayRange {
                first: self.first,
                last,
            },
            totals: self.totals,
            cards: u64::try_from(self.cards).ok(),
        }
    }

    fn rest(self, last: Day) -> Rest {
        Rest {
            days: DayRange {
                first: self.first,
                last,
            },
            totals: self.totals,
            buyers: self.buyers(),
            parts: self
                .parts
                .iter()
                .map(|(merchant, part)| (*merchant, part.part()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// A row: day of the month from 0 on, card, store, amount.
    type Row = (i32, u8, u32, i64);

    const MONTH: DayRange = DayRange {
        first: Day(100),
        last: Day(129),
    };

    fn at(day: i32) -> Day {
        Day(MONTH.first.0 + day)
    }

    fn merchant_of(store: u32) -> u32 {
        store / 2
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let row = (0..30_i32, 0..24_u8, 0..18_u32, -20..80_i64);
        prop::collection::vec(row, 0..200).prop_map(|mut rows| {
            rows.sort_unstable();
            rows
        })
    }

    fn is_sale(row: &Row) -> bool {
        row.3 > 0
    }

    /// Returns how long ago each card of some rows had been there, by day and key.
    fn seen<K: Ord + Copy>(
        rows: &[Row],
        key: impl Fn(&Row) -> K,
        counts: impl Fn(&Row) -> bool,
    ) -> BTreeMap<(i32, K), Vec<Change>> {
        let mut before = BTreeMap::new();
        let mut changes = BTreeMap::<_, Vec<_>>::new();
        for row in rows.iter().filter(|row| counts(row)) {
            let (day, key) = (row.0, key(row));
            let last = before.insert((row.1, key), day);
            if last == Some(day) {
                continue;
            }
            let distance = last.map_or(0, |last| day.abs_diff(last));
            changes
                .entry((day, key))
                .or_default()
                .push(Change { distance, cards: 1 });
        }
        changes
    }

    fn month(rows: &[Row]) -> LeafMonth {
        let mut month = LeafMonth::default();
        let mut stores = BTreeMap::<(i32, u32), StoreDay>::new();
        for (day, _, store, amount) in rows {
            let of_store = stores.entry((*day, *store)).or_default();
            of_store.totals.add(Totals {
                count: 1,
                sum: (*amount).into(),
            });
        }
        let mut of_stores = seen(rows, |row| row.2, is_sale);
        for ((day, ordinal), mut of_store) in stores {
            of_store.buyers = of_stores.remove(&(day, ordinal)).unwrap_or_default();
            let store = Store {
                merchant: merchant_of(ordinal),
                ordinal,
            };
            month.add_store(at(day), store, of_store);
        }
        let removed = |change: &Change| Change {
            cards: -1,
            ..*change
        };
        for ((day, ()), cards) in seen(rows, |_row| (), |_row| true) {
            let changes: Vec<Change> = cards.iter().map(removed).collect();
            month.add_cards(at(day), &cards, &changes);
        }
        for ((day, ()), buyers) in seen(rows, |_row| (), is_sale) {
            month.add_cards(at(day), &[], &buyers);
        }
        month
    }

    fn within(rows: &[Row], days: DayRange) -> Vec<Row> {
        let is_within = |row: &&Row| days.contains(at(row.0));
        rows.iter().filter(is_within).copied().collect()
    }

    fn totals(rows: &[Row]) -> Totals {
        Totals {
            count: rows.len() as u64,
            sum: rows.iter().map(|row| i128::from(row.3)).sum(),
        }
    }

    /// Whether any merchant who takes its own rows out is left with enough.
    fn hides(rows: &[Row], k: u64) -> bool {
        let merchants: BTreeSet<u32> = rows.iter().map(|row| merchant_of(row.2)).collect();
        !merchants.is_empty()
            && merchants.iter().all(|asks| {
                let others = || rows.iter().filter(|row| merchant_of(row.2) != *asks);
                let buyers = others().filter(|row| is_sale(row));
                let cards: BTreeSet<u8> = buyers.map(|row| row.1).collect();
                let mut by_merchant = BTreeMap::<u32, (usize, i64)>::new();
                for row in others() {
                    let (count, net) = by_merchant.entry(merchant_of(row.2)).or_default();
                    *count += 1;
                    *net += row.3;
                }
                let all: i64 = by_merchant.values().map(|(_, net)| net).sum();
                cards.len() as u64 >= k
                    && by_merchant.values().filter(|(_, net)| *net > 0).count() >= 5
                    && by_merchant
                        .values()
                        .all(|(count, net)| count * 2 <= others().count() && net.abs() * 2 <= all)
            })
    }

    proptest! {
        #[test]
        fn atoms_hide_and_have_every_row_once_beside_the_rest(rows in rows(), k in 1_u64..12) {
            let (atoms, rest) = month(&rows).atoms(MONTH, Hiding { k });
            let mut next = MONTH.first;
            for atom in &atoms {
                prop_assert_eq!(atom.days.first, next);
                let of_atom = within(&rows, atom.days);
                prop_assert!(hides(&of_atom, k));
                prop_assert_eq!(atom.totals, totals(&of_atom));
                let cards: BTreeSet<u8> = of_atom.iter().map(|row| row.1).collect();
                prop_assert_eq!(atom.cards, Some(cards.len() as u64));
                next = after(atom.days.last);
            }
            match rest {
                None if atoms.is_empty() => prop_assert!(rows.is_empty()),
                None => prop_assert_eq!(next, after(MONTH.last)),
                Some(rest) => {
                    prop_assert_eq!(rest.days, DayRange { first: next, last: MONTH.last });
                    let left = within(&rows, rest.days);
                    prop_assert_eq!(rest.totals, totals(&left));
                    let cards: BTreeSet<u8> =
                        left.iter().filter(|row| row.3 > 0).map(|row| row.1).collect();
                    prop_assert_eq!(rest.buyers, cards.len() as u64);
                }
            }
        }

        #[test]
        fn settled_atoms_stay_as_days_are_added(rows in rows(), k in 1_u64..12, until in 0..30_i32) {
            let hiding = Hiding { k };
            let (whole, _) = month(&rows).atoms(MONTH, hiding);
            let known: Vec<Row> = rows.iter().copied().filter(|row| row.0 <= until).collect();
            let settled = month(&known).settled_atoms(MONTH, hiding);
            prop_assert!(settled.len() <= whole.len());
            prop_assert_eq!(&settled[..], &whole[..settled.len()]);
        }

        #[test]
        fn told_atoms_stay_and_days_are_told_once_whatever_rows_say_now(
            before in rows(), now in rows(), k in 1_u64..12, until in 0..30_i32,
        ) {
            let hiding = Hiding { k };
            let known: Vec<Row> = before.iter().copied().filter(|row| row.0 <= until).collect();
            let told = month(&known).settled_atoms(MONTH, hiding);
            for telling in [Telling::Ended, Telling::GoesOn, Telling::Foretold] {
                let (atoms, rest) = month(&now).atoms_beside(&told, MONTH, telling, hiding);
                prop_assert_eq!(&told[..], &atoms[..told.len()]);
                let mut next = MONTH.first;
                for (number, atom) in atoms.iter().enumerate() {
                    prop_assert_eq!(atom.days.first, next);
                    next = after(atom.days.last);
                    let of_atom = within(&now, atom.days);
                    if number >= told.len() {
                        prop_assert_eq!(atom.totals, totals(&of_atom));
                        prop_assert!(hides(&of_atom, k));
                    }
                }
                let left = DayRange { first: next, last: MONTH.last };
                match rest {
                    Some(rest) => {
                        prop_assert_eq!(telling, Telling::Ended);
                        prop_assert_eq!(rest.days, left);
                        prop_assert_eq!(rest.totals, totals(&within(&now, left)));
                    }
                    None if telling == Telling::Ended => prop_assert!(within(&now, left).is_empty()),
                    None => {}
                }
                if telling == Telling::Foretold {
                    prop_assert_eq!(atoms.len(), told.len());
                }
            }
        }

        #[test]
        fn rows_that_stay_make_the_atoms_that_they_make_alone(
            rows in rows(), k in 1_u64..12, until in 0..30_i32,
        ) {
            let hiding = Hiding { k };
            let known: Vec<Row> = rows.iter().copied().filter(|row| row.0 <= until).collect();
            let told = month(&known).settled_atoms(MONTH, hiding);
            for telling in [Telling::Ended, Telling::GoesOn] {
                let of = |told: &[Atom]| month(&rows).atoms_beside(told, MONTH, telling, hiding);
                prop_assert_eq!(of(&told), of(&[]));
            }
        }
    }
}
