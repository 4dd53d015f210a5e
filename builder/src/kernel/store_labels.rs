//! The regions and the categories of stores by number, and of which of them a card has most visits.

use std::{cmp::Ordering, collections::BTreeSet};

use nightshard_format::record::{Label, split_leaf_key};

use super::{places::Places, row::StoreOrdinal};

/// The number of a region or a category, in the order of ids.
pub(super) type LabelNumber = u32;

/// What is not known.
pub(super) const UNKNOWN: LabelNumber = 0;

/// The regions, or the categories, of all stores.
#[derive(Debug)]
pub struct StoreLabels<'a> {
    places: &'a Places,
    /// Of the labels from 1 on.
    ids: Vec<&'a str>,
    /// By leaf.
    of_leaves: Vec<LabelNumber>,
}

impl<'a> StoreLabels<'a> {
    /// Numbers the regions of places.
    #[must_use]
    pub fn regions(places: &'a Places) -> Self {
        Self::new(places, |(region, _)| region)
    }

    /// Numbers the categories of places; sensitive ones are as those that are not known.
    #[must_use]
    pub fn categories(places: &'a Places, sensitive: &BTreeSet<String>) -> Self {
        Self::new(places, |(_, category)| {
            category.filter(|it| !sensitive.contains(*it))
        })
    }

    fn new(
        places: &'a Places,
        part: impl Fn((Option<&'a str>, Option<&'a str>)) -> Option<&'a str>,
    ) -> Self {
        let id_of = |key: &'a [u8]| split_leaf_key(key).and_then(&part);
        let ids = places.leaf_keys().filter_map(|(key, _)| id_of(key));
        let ids: Vec<&str> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        let number_of = |id: &str| {
            let before = ids.partition_point(|it| *it < id);
            LabelNumber::try_from(before + 1).expect("there are fewer labels than places")
        };
        let mut of_leaves = vec![UNKNOWN; places.leaves()];
        for (key, leaf) in places.leaf_keys() {
            of_leaves[leaf as usize] = id_of(key).map_or(UNKNOWN, number_of);
        }
        Self {
            places,
            ids,
            of_leaves,
        }
    }

    /// Returns whether none is known of any store.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub(super) fn of_store(&self, store: StoreOrdinal) -> LabelNumber {
        self.of_leaves[self.places.leaf_of(store) as usize]
    }

    /// Returns what a number stands for.
    pub(super) fn label(&self, number: LabelNumber) -> Label<&[u8]> {
        match (number as usize).checked_sub(1) {
            None => Label::Unknown,
            Some(at) => Label::Text(self.ids[at].as_bytes()),
        }
    }
}

/// How many visits are of a label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OfLabel {
    pub(super) label: LabelNumber,
    pub(super) visits: usize,
}

/// Returns the two known labels of most visits, which are in the order of labels; of as many, the first.
pub(super) fn most_visited(visits: &[(LabelNumber, StoreOrdinal)]) -> [OfLabel; 2] {
    let [mut first, mut second] = [OfLabel::default(); 2];
    let known = &visits[visits.partition_point(|(label, _)| *label == UNKNOWN)..];
    for of_label in known.chunk_by(|a, b| a.0 == b.0) {
        let found = OfLabel {
            label: of_label[0].0,
            visits: of_label.len(),
        };
        if found.visits > first.visits {
            (first, second) = (found, first);
        } else if found.visits > second.visits {
            second = found;
        }
    }
    [first, second]
}

/// Returns the label of most visits without those of `own`, which are among them: the first of as many, unknown if
/// there are no others of a known label.
pub(super) fn most_elsewhere(own: OfLabel, [first, second]: [OfLabel; 2]) -> LabelNumber {
    if own.label == UNKNOWN || first.label != own.label {
        return first.label;
    }
    match (first.visits - own.visits).cmp(&second.visits) {
        Ordering::Greater => first.label,
        Ordering::Equal => first.label.min(second.label),
        Ordering::Less => second.label,
    }
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BTreeMap};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn two_labels_say_which_is_most_visited_without_any_store(
            visits in prop::collection::vec((0_usize..7, 0_u32..4), 1..30),
        ) {
            // The label of a store is that of its first visit.
            let mut labels = BTreeMap::new();
            let visits: Vec<(LabelNumber, StoreOrdinal)> = visits
                .into_iter()
                .map(|(store, label)| {
                    let label = *labels.entry(store).or_insert(label);
                    (label, StoreOrdinal::new(0, store).unwrap())
                })
                .collect();
            let mut sorted = visits.clone();
            sorted.sort_unstable();
            for (label, own) in &visits {
                let mut counts = BTreeMap::<LabelNumber, usize>::new();
                let others = visits.iter().filter(|(label, it)| it != own && *label != UNKNOWN);
                others.for_each(|(label, _)| *counts.entry(*label).or_default() += 1);
                let expected = counts.iter().max_by_key(|(label, count)| (**count, Reverse(**label)));
                let own = OfLabel {
                    label: *label,
                    visits: visits.iter().filter(|(_, it)| it == own).count(),
                };
                let found = most_elsewhere(own, most_visited(&sorted));
                prop_assert_eq!(found, expected.map_or(UNKNOWN, |(label, _)| *label));
            }
        }
    }

    #[test]
    fn labels_are_numbered_in_the_order_of_their_ids() {
        let store = |number| StoreOrdinal::new(0, number).unwrap();
        let places = Places::of(
            [
                (store(0), Some("b"), Some("food")),
                (store(1), None, Some("books")),
                (store(2), Some("a"), Some("food")),
            ],
            None,
        );
        let places = places.unwrap();
        let text = |id: &'static str| Label::Text(id.as_bytes());
        let regions = StoreLabels::regions(&places);
        assert!(!regions.is_empty());
        let labels = [0, 1, 2].map(|number| regions.label(number));
        assert_eq!(labels, [Label::Unknown, text("a"), text("b")]);
        assert_eq!([0, 1, 2].map(|it| regions.of_store(store(it))), [2, 0, 1]);
        let categories = StoreLabels::categories(&places, &BTreeSet::new());
        assert_eq!(
            [0, 1, 2].map(|it| categories.of_store(store(it))),
            [2, 1, 2]
        );
        assert_eq!(categories.label(1), text("books"));
        let categories = StoreLabels::categories(&places, &["books".to_owned()].into());
        assert_eq!(
            [0, 1, 2].map(|it| categories.of_store(store(it))),
            [1, UNKNOWN, 1]
        );
        let nowhere = Places::of([(store(0), None, Some("food"))], None).unwrap();
        assert!(StoreLabels::regions(&nowhere).is_empty());
    }
}
