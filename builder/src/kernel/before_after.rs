//! Where the cards of stores buy before and after (docs/definitions.md, "Before and after").

use std::{cmp::Reverse, ops::Range};

use bytemuck::{Pod, Zeroable};
use nightshard_format::{
    calendar::{Day, Month},
    record::BESIDE_LISTS,
};

use super::{
    row::{CardVisit, StoreOrdinal},
    store_labels::{LabelNumber, OfLabel, StoreLabels, UNKNOWN, most_elsewhere, most_visited},
};
use crate::{Result, exchange::Outbox};

/// Most days between a visit and what is before or after it.
const DAYS_MAX: i32 = 7;

/// Lists of a direction: regions and categories.
const KINDS: usize = 2;
const _: () = assert!(BESIDE_LISTS == 2 * KINDS);

/// A card of a store's month, by what it does before or after.
///
/// # Shape
/// Ordered by store, month, list, label and merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub struct BesideRow {
    pub(super) store: u32,
    pub(super) month: u32,
    /// Which list of a record it is of.
    pub(super) list: u32,
    /// Of a region or a category.
    pub(super) label: LabelNumber,
    /// Where one of the visits with this label was.
    pub(super) merchant: u32,
}

/// A day with a sale.
#[derive(Debug)]
struct DayVisits {
    day: i32,
    month: Month,
    /// Which visits of the card.
    visits: Range<usize>,
    /// Of regions and of categories, those most visited.
    most: [[OfLabel; 2]; KINDS],
}

/// What a card does before or after one visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    store: StoreOrdinal,
    month: Month,
    list: usize,
    label: LabelNumber,
    day: i32,
    elsewhere: StoreOrdinal,
}

/// Finds out what cards do before and after, and sends it to the partitions of stores.
pub struct CardBeside<'a, M> {
    labels: [&'a StoreLabels<'a>; KINDS],
    merchant_of: M,
    last: Month,
    days: Vec<DayVisits>,
    /// The visits of all days with the label of their stores, by day, then label.
    labelled: [Vec<(LabelNumber, StoreOrdinal)>; KINDS],
    pairs: Vec<Pair>,
    outbox: Outbox<BesideRow>,
}

impl<'a, M: Fn(StoreOrdinal) -> u32> CardBeside<'a, M> {
    /// Sends to `outbox` what there is of months up to `last`; `merchant_of` names whose a store is.
    #[must_use]
    pub fn new(
        [regions, categories]: [&'a StoreLabels<'a>; KINDS],
        merchant_of: M,
        last: Month,
        outbox: Outbox<BesideRow>,
    ) -> Self {
        Self {
            labels: [regions, categories],
            merchant_of,
            last,
            days: Vec::new(),
            labelled: Default::default(),
            pairs: Vec::new(),
            outbox,
        }
    }

    /// Takes all visits of a card, by day, each once for a store.
    ///
    /// # Errors
    /// As [`Outbox::push`].
    ///
    /// # Complexity
    /// That of sorting them: a day is summed up once for all stores that it is before or after.
    pub fn card(&mut self, visits: &[CardVisit]) -> Result<()> {
        self.arrange(visits);
        self.pair();
        self.send()?;
        self.outbox.spill_if_full()?;
        Ok(())
    }

    /// Puts the sales in the order of days and labels.
    fn arrange(&mut self, visits: &[CardVisit]) {
        self.days.clear();
        self.labelled.iter_mut().for_each(Vec::clear);
        for of_day in visits.chunk_by(|a, b| a.day() == b.day()) {
            let sales = of_day.iter().filter(|visit| visit.is_sale());
            let start = self.labelled[0].len();
            for visit in sales {
                let store = visit.store();
                for (labels, labelled) in self.labels.iter().zip(&mut self.labelled) {
                    labelled.push((labels.of_store(store), store));
                }
            }
            let range = start..self.labelled[0].len();
            let day = of_day[0].day();
            if range.is_empty() {
                continue;
            }
            let month = Day(day).month();
            if month > self.last {
                break;
            }
            let most = self.labelled.each_mut().map(|labelled| {
                let of_day = &mut labelled[range.clone()];
                of_day.sort_unstable();
                most_visited(of_day)
            });
            self.days.push(DayVisits {
                day,
                month,
                visits: range,
                most,
            });
        }
    }

    /// Finds what is before and after each visit.
    fn pair(&mut self) {
        self.pairs.clear();
        for at in 0..self.days.len() {
            let DayVisits { day, month, .. } = self.days[at];
            for visit in self.days[at].visits.clone() {
                let (_, own) = self.labelled[0][visit];
                for (direction, found) in self.neighbours(at, own).into_iter().enumerate() {
                    let Some(neighbour) = found else {
                        continue;
                    };
                    for kind in 0..KINDS {
                        let (label, elsewhere) = self.elsewhere(neighbour, kind, own);
                        self.pairs.push(Pair {
                            store: own,
                            month,
                            list: direction * KINDS + kind,
                            label,
                            day,
                            elsewhere,
                        });
                    }
                }
            }
        }
    }

    /// Returns the days with visits elsewhere before and after a visit on a day, in the same month.
    fn neighbours(&self, at: usize, own: StoreOrdinal) -> [Option<usize>; 2] {
        let here = &self.days[at];
        let is_near = |it: &usize| {
            let there = &self.days[*it];
            there.month == here.month && (there.day - here.day).abs() <= DAYS_MAX
        };
        let is_elsewhere = |it: &usize| {
            let visits = &self.days[*it].visits;
            visits.len() > 1 || self.labelled[0][visits.start].1 != own
        };
        let before = (0..at).rev().take_while(is_near).find(is_elsewhere);
        let mut after = (at + 1..self.days.len()).take_while(is_near);
        [before, after.find(is_elsewhere)]
    }

    /// Returns the label of most visits of a day elsewhere, of which there are, and one store of them.
    fn elsewhere(&self, day: usize, kind: usize, own: StoreOrdinal) -> (LabelNumber, StoreOrdinal) {
        let day = &self.days[day];
        let visits = &self.labelled[kind][day.visits.clone()];
        let own_label = self.labels[kind].of_store(own);
        let of_own = OfLabel {
            label: own_label,
            visits: usize::from(visits.binary_search(&(own_label, own)).is_ok()),
        };
        let label = most_elsewhere(of_own, day.most[kind]);
        let start = visits.partition_point(|(it, _)| *it < label);
        let others = visits[start..].iter().find(|(_, store)| *store != own);
        (label, others.map_or(own, |(_, store)| *store))
    }

    /// Sends what the card does most, of each store, month and list.
    fn send(&mut self) -> Result<()> {
        self.pairs.sort_unstable();
        let key = |pair: &Pair| (pair.store, pair.month, pair.list);
        for of_list in self.pairs.chunk_by(|a, b| key(a) == key(b)) {
            let by_label = of_list.chunk_by(|a, b| a.label == b.label);
            let most = by_label.max_by_key(|of_label| {
                let label = of_label[0].label;
                (label != UNKNOWN, of_label.len(), Reverse(label))
            });
            let Some([first, ..]) = most else {
                continue;
            };
            let row = BesideRow {
                store: first.store.bits(),
                month: first.month.0.unsigned_abs(),
                list: u32::try_from(first.list).unwrap_or(0),
                label: first.label,
                merchant: (self.merchant_of)(first.elsewhere),
            };
            let (partition, _) = first.store.parts();
            self.outbox
                .push(u16::try_from(partition).unwrap_or(u16::MAX), row)?;
        }
        Ok(())
    }

    /// Ends, and returns what was sent.
    #[must_use]
    pub fn finish(self) -> Outbox<BesideRow> {
        self.outbox
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::{Exchanged, Scratch},
        kernel::{
            places::Places,
            row::{CardDay, CardRow},
        },
    };

    fn store(number: usize) -> StoreOrdinal {
        StoreOrdinal::new(0, number).unwrap()
    }

    /// Regions and categories of stores.
    const STORES: [[Option<&str>; KINDS]; 5] = [
        [Some("b"), Some("food")],
        [None, Some("books")],
        [Some("a"), None],
        [Some("b"), Some("books")],
        [Some("a"), Some("food")],
    ];

    /// Returns the number of what comes most often, of as many the first; of what is known if anything is.
    fn most(found: impl Iterator<Item = u32>) -> u32 {
        let mut counts = BTreeMap::<u32, usize>::new();
        found
            .filter(|label| *label != UNKNOWN)
            .for_each(|label| *counts.entry(label).or_default() += 1);
        let most = counts
            .iter()
            .max_by_key(|(label, count)| (**count, Reverse(**label)));
        most.map_or(UNKNOWN, |(label, _)| *label)
    }

    fn label_of(at: usize, kind: usize) -> u32 {
        let ids = [["a", "b"], ["books", "food"]][kind];
        let place = STORES[at][kind].and_then(|id| ids.iter().position(|it| *it == id));
        place.map_or(UNKNOWN, |place| u32::try_from(place).unwrap() + 1)
    }

    /// By store, month and list: the label.
    type Expected = BTreeMap<(u32, u32, u32), u32>;

    /// Looks through all visits (day, store) for each visit.
    fn expected(visits: &BTreeSet<(i32, usize)>, last: Month) -> Expected {
        let mut found = BTreeMap::<(u32, u32, u32), Vec<u32>>::new();
        for (day, own) in visits {
            let month = Day(*day).month();
            if month > last {
                continue;
            }
            let elsewhere = visits
                .iter()
                .filter(|(_, at)| at != own)
                .map(|(day, _)| *day);
            let elsewhere = elsewhere.filter(|it| Day(*it).month() == month);
            let before = elsewhere
                .clone()
                .filter(|it| (1..=7).contains(&(day - it)))
                .max();
            let after = elsewhere.filter(|it| (1..=7).contains(&(it - day))).min();
            for (direction, neighbour) in (0_u32..).zip([before, after]) {
                let Some(neighbour) = neighbour else {
                    continue;
                };
                for kind in 0..KINDS {
                    let of_day = visits
                        .iter()
                        .filter(|(it, at)| *it == neighbour && at != own);
                    let label = most(of_day.map(|(_, at)| label_of(*at, kind)));
                    let list = direction * 2 + u32::try_from(kind).unwrap();
                    let key = (store(*own).bits(), month.0.unsigned_abs(), list);
                    found.entry(key).or_default().push(label);
                }
            }
        }
        let found = found.into_iter();
        found
            .map(|(key, labels)| (key, most(labels.into_iter())))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_before_and_after_is_that_of_the_nearest_days_elsewhere(
            visits in prop::collection::btree_map((0_i32..75, 0_usize..5), any::<bool>(), 0..50),
        ) {
            let stores = (0..).zip(STORES);
            let stores = stores.map(|(number, [region, category])| (store(number), region, category));
            let places = Places::of(stores, None).unwrap();
            let labels = [StoreLabels::regions(&places), StoreLabels::categories(&places, &BTreeSet::new())];
            let outbox = Outbox::new(1, 1 << 20, &Scratch::new(&std::env::temp_dir()));
            let february = Day(40).month();
            let merchant_of = |store: StoreOrdinal| store.bits();
            let [regions, categories] = &labels;
            let mut beside = CardBeside::new([regions, categories], merchant_of, february, outbox);
            let rows = visits.iter().map(|((day, at), is_sale)| {
                let card_day = CardDay::new(1 << 100, *day, *is_sale);
                CardVisit::at_store(CardRow::new(card_day, store(*at)))
            });
            let mut rows: Vec<CardVisit> = rows.collect();
            rows.sort_unstable();
            beside.card(&rows).unwrap();
            let sent = Exchanged::new(vec![beside.finish()]).unwrap().take_rows(0).unwrap();
            for row in &sent {
                // A merchant is one of those with the label, and never the store itself.
                let at = usize::try_from(row.merchant).unwrap();
                prop_assert_eq!(label_of(at, (row.list % 2) as usize), row.label);
                prop_assert_ne!(row.merchant, row.store);
            }
            let found: Expected = sent
                .iter()
                .map(|row| ((row.store, row.month, row.list), row.label))
                .collect();
            prop_assert_eq!(found.len(), sent.len());
            let sales = visits.iter().filter(|(_, is_sale)| **is_sale).map(|(visit, _)| *visit);
            prop_assert_eq!(found, expected(&sales.collect(), february));
        }
    }
}
