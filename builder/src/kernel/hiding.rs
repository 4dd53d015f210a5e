//! How much is enough to hide every card and every merchant.

use std::num::NonZeroU32;

use nightshard_format::privacy::OTHER_MERCHANTS_MIN;

/// One merchant's part of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// Cards that bought at the merchant; more than there are where only a limit is known.
    pub buyers: u64,
    /// Rows.
    pub rows: u64,
    /// Net sum, in minor units.
    pub net: i128,
}

/// What merchants have of something, as far as it shows whether they hide each other.
#[derive(Debug, Default)]
struct Spread {
    all: i128,
    /// The two parts that are furthest from 0, without their sign, each with the number of its merchant; 0 is nobody's.
    furthest: [(usize, i128); 2],
    /// The two that are largest, and above 0.
    largest: [(usize, i128); 2],
}

impl Spread {
    fn add(&mut self, merchant: usize, part: i128) {
        self.all = self.all.saturating_add(part);
        note(&mut self.furthest, (merchant, part.saturating_abs()));
        note(&mut self.largest, (merchant, part));
    }

    /// Returns whether, whichever one merchant's part is taken out, no other one is further from 0 than half of what is
    /// left. Of all who could ask, one of the two largest leaves the least.
    fn is_shared(&self) -> bool {
        let asking = |far| self.largest.iter().map(move |own| (far, own));
        let pairs = self.furthest.iter().flat_map(asking);
        pairs
            .filter(|(far, own)| far.0 != own.0)
            .all(|(far, own)| far.1.saturating_mul(2).saturating_add(own.1) <= self.all)
    }
}

/// Keeps the two largest, the larger one first.
fn note(two: &mut [(usize, i128); 2], other: (usize, i128)) {
    if other.1 > two[0].1 {
        *two = [other, two[0]];
    } else if other.1 > two[1].1 {
        two[1] = other;
    }
}

/// What a cell must have so that it may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hiding {
    /// Cards, whichever one merchant's are taken out.
    pub k: u64,
}

impl Hiding {
    /// Returns what hides `k` cards; nothing needs hiding where that is 1.
    #[must_use]
    pub fn of(k: NonZeroU32) -> Option<Self> {
        let k = u64::from(k.get());
        (k > 1).then_some(Self { k })
    }

    /// Returns whether a cell is enough: whichever one merchant's part is taken out, `k` buyers are left, and five
    /// merchants with a net sum above 0, none with more than half of the rows that are left, or with a net sum further
    /// from 0 than half of that of all who are left. So what was taken back at one does not make another look small.
    ///
    /// `buyers` are the cell's distinct buyers, or fewer where only a limit is known.
    pub fn is_enough(self, buyers: u64, parts: impl Iterator<Item = Part>) -> bool {
        let (mut merchants, mut most_buyers) = (0_usize, 0);
        let (mut rows, mut net) = (Spread::default(), Spread::default());
        for (number, part) in (1..).zip(parts) {
            merchants += usize::from(part.net > 0);
            most_buyers = part.buyers.max(most_buyers);
            rows.add(number, part.rows.into());
            net.add(number, part.net);
        }
        merchants > OTHER_MERCHANTS_MIN.into()
            && buyers.saturating_sub(most_buyers) >= self.k
            && rows.is_shared()
            && net.is_shared()
    }

    /// Returns whether net sums of other merchants than the one who asks hide each other: there are `k` cards, five of
    /// the sums are above 0, and none is further from 0 than half of all together.
    pub fn hides_sums(self, cards: u64, sums: impl Iterator<Item = i128>) -> bool {
        let (mut merchants, mut all, mut largest) = (0_usize, 0_i128, 0_u128);
        for sum in sums {
            merchants += usize::from(sum > 0);
            all = all.saturating_add(sum);
            largest = largest.max(sum.unsigned_abs());
        }
        let half = u128::try_from(all).unwrap_or(0) / 2;
        cards >= self.k && merchants >= OTHER_MERCHANTS_MIN.into() && largest <= half
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts() -> impl Strategy<Value = Vec<Part>> {
        let part = (0_u64..6, 0_u64..9, -4_i128..20);
        let part = part.prop_map(|(buyers, rows, net)| Part { buyers, rows, net });
        prop::collection::vec(part, 0..12)
    }

    proptest! {
        #[test]
        fn a_cell_is_enough_if_what_is_left_without_any_merchant_is(
            parts in parts(), buyers in 0_u64..20, k in 1_u64..12,
        ) {
            let expected = !parts.is_empty() && (0..parts.len()).all(|asks| {
                let mut others = parts.clone();
                let own = others.remove(asks);
                let rows: u64 = others.iter().map(|it| it.rows).sum();
                let net: i128 = others.iter().map(|it| it.net).sum();
                others.iter().filter(|it| it.net > 0).count() >= OTHER_MERCHANTS_MIN.into()
                    && others.iter().all(|it| it.rows * 2 <= rows && it.net.abs() * 2 <= net)
                    && buyers >= own.buyers + k
            });
            prop_assert_eq!(Hiding { k }.is_enough(buyers, parts.into_iter()), expected);
        }
    }

    #[test]
    fn net_sums_hide_each_other_whatever_was_taken_back() {
        let hiding = Hiding { k: 10 };
        for (cards, sums, expected) in [
            (10, &[20, 20, 20, 20, 20][..], true),
            (9, &[20, 20, 20, 20, 20], false),
            (10, &[20, 20, 20, 20], false),
            // Nobody hides behind who sold nothing, or took back more.
            (10, &[20, 20, 20, 20, 0], false),
            (10, &[20, 20, 20, 20, -1], false),
            (10, &[20, 20, 20, 20, 20, -1], true),
            (10, &[40, 10, 10, 10, 10], true),
            (10, &[41, 10, 10, 10, 10], false),
            // Of what they have without a sign, 1,000 is less than half.
            (10, &[1_000, -990, 10, 10, 10, 10, 10], false),
            (10, &[-100, 20, 20, 20, 20, 20], false),
            (10, &[-30, 20, 20, 20, 20, 20], true),
            (10, &[], false),
        ] {
            let found = hiding.hides_sums(cards, sums.iter().copied());
            assert_eq!(found, expected, "{cards} {sums:?}");
        }
    }
}
