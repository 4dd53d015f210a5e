//! What no atom of a leaf has in a month, put together for a region, and for the market.

use std::collections::BTreeMap;

use nightshard_format::calendar::DayRange;

use super::{
    hiding::{Hiding, Part},
    leaf_month::{Atom, Rest, Totals},
};

/// Buyers of a leaf in a month who bought nowhere else, in two senses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Alone {
    /// In no other leaf of the region.
    pub in_region: u64,
    /// In no other leaf at all.
    pub in_market: u64,
}

/// Rests of leaves, of one month.
#[derive(Debug, Clone, Default)]
pub struct Folded {
    days: Option<DayRange>,
    totals: Totals,
    /// The most distinct buyers that one of them has.
    most_buyers: u64,
    alone: Alone,
    parts: BTreeMap<u32, Part>,
}

impl Folded {
    /// Adds a leaf's rest of `month`, and who bought nowhere else in that month.
    pub fn add(&mut self, rest: &Rest, month: DayRange, alone: Alone) {
        // Of a part of the month nobody knows who of them bought in that part.
        let is_whole = rest.days == month;
        self.merge(&Self {
            days: Some(rest.days),
            totals: rest.totals,
            most_buyers: rest.buyers,
            alone: if is_whole { alone } else { Alone::default() },
            parts: rest.parts.clone(),
        });
    }

    /// Adds others of the same month.
    pub fn merge(&mut self, other: &Self) {
        self.days = match (self.days, other.days) {
            (Some(own), Some(other)) => Some(DayRange {
                first: own.first.min(other.first),
                last: own.last.max(other.last),
            }),
            (own, other) => own.or(other),
        };
        self.totals.add(other.totals);
        self.most_buyers = self.most_buyers.max(other.most_buyers);
        self.alone.in_region += other.alone.in_region;
        self.alone.in_market += other.alone.in_market;
        for (merchant, part) in &other.parts {
            let own = self.parts.entry(*merchant).or_default();
            own.buyers += part.buyers;
            own.rows += part.rows;
            own.net += part.net;
        }
    }

    /// Returns the atom that leaves of one region make, if they are enough.
    #[must_use]
    pub fn in_region(&self, hiding: Hiding) -> Option<Atom> {
        self.atom(self.alone.in_region, hiding)
    }

    /// Returns the atom that leaves of any region make, if they are enough.
    #[must_use]
    pub fn in_market(&self, hiding: Hiding) -> Option<Atom> {
        self.atom(self.alone.in_market, hiding)
    }

    /// Cards may have bought in several of them, so their buyers are not the sum: they are at least those
    /// of the largest, and at least those who bought in one of them alone.
    fn atom(&self, alone: u64, hiding: Hiding) -> Option<Atom> {
        let buyers = self.most_buyers.max(alone);
        let is_enough = hiding.is_enough(buyers, self.parts.values().copied());
        let days = self.days.filter(|_| is_enough);
        days.map(|days| Atom {
            days,
            totals: self.totals,
            cards: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use nightshard_format::calendar::Day;

    use super::*;

    const MONTH: DayRange = DayRange {
        first: Day(0),
        last: Day(29),
    };

    fn rest(first: i32, buyers: u64, merchant: u32) -> Rest {
        let part = Part {
            buyers: 1,
            rows: 1,
            net: 10,
        };
        Rest {
            days: DayRange {
                first: Day(first),
                last: Day(29),
            },
            totals: Totals {
                count: buyers,
                sum: 5,
            },
            buyers,
            parts: (merchant..merchant + 2)
                .map(|merchant| (merchant, part))
                .collect(),
        }
    }

    fn folded(rests: &[(Rest, Alone)]) -> Folded {
        let mut folded = Folded::default();
        rests
            .iter()
            .for_each(|(rest, alone)| folded.add(rest, MONTH, *alone));
        folded
    }

    #[test]
    fn those_who_bought_in_one_leaf_alone_add_up_and_others_do_not() {
        let alone = Alone {
            in_region: 4,
            in_market: 3,
        };
        let rests = [0, 2, 4].map(|merchant| (rest(0, 5, merchant), alone));
        let folded = folded(&rests);
        let atom = Atom {
            days: MONTH,
            totals: Totals { count: 15, sum: 15 },
            cards: None,
        };
        assert_eq!(folded.in_region(Hiding { k: 11 }), Some(atom));
        assert_eq!(folded.in_region(Hiding { k: 12 }), None);
        assert_eq!(folded.in_market(Hiding { k: 8 }), Some(atom));
        assert_eq!(folded.in_market(Hiding { k: 9 }), None);
    }

    #[test]
    fn of_a_part_of_a_month_nobody_is_known_to_have_bought_there_alone() {
        let alone = Alone {
            in_region: 50,
            in_market: 50,
        };
        let rests = [0, 2, 4].map(|merchant| (rest(20, 5, merchant), alone));
        let folded = folded(&rests);
        assert_eq!(folded.in_region(Hiding { k: 5 }), None);
        assert!(folded.in_region(Hiding { k: 4 }).is_some());
    }

    #[test]
    fn merchants_of_several_leaves_are_one() {
        let alone = Alone {
            in_region: 50,
            in_market: 50,
        };
        let rests = [0, 2, 2].map(|merchant| (rest(0, 50, merchant), alone));
        assert_eq!(folded(&rests).in_region(Hiding { k: 1 }), None);
        assert_eq!(Folded::default().in_market(Hiding { k: 1 }), None);
    }
}
