//! How much is enough to hide every card and every merchant.

use std::num::NonZeroU32;

use nightshard_format::privacy::OTHER_MERCHANTS_MIN;

/// One merchant's part of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// Cards that bought at the merchant; more than there are where only a limit is known.
    pub buyers: u64,
    /// Sum of sales, in minor units.
    pub sales: u128,
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

    /// Returns whether a cell is enough: whichever one merchant's part is taken out, `k` buyers and five
    /// merchants are left, none of which has more than half of the sales that are left.
    ///
    /// `buyers` are the cell's distinct buyers, or fewer where only a limit is known.
    pub fn is_enough(self, buyers: u64, parts: impl Iterator<Item = Part>) -> bool {
        let (mut merchants, mut sales, mut most_buyers) = (0_usize, 0_u128, 0);
        let [mut largest, mut second] = [0_u128; 2];
        for part in parts.filter(|part| part.sales > 0) {
            merchants += 1;
            sales = sales.saturating_add(part.sales);
            most_buyers = part.buyers.max(most_buyers);
            second = second.max(part.sales.min(largest));
            largest = largest.max(part.sales);
        }
        // Of all who could ask, the second largest leaves the largest the greatest share.
        merchants > OTHER_MERCHANTS_MIN.into()
            && buyers.saturating_sub(most_buyers) >= self.k
            && largest.saturating_mul(2) <= sales - second
    }

    /// Returns whether net sums of other merchants than the one who asks hide each other: there are `k` cards, five of
    /// the sums are above 0, and none is further from 0 than half of all together. So what was taken back at one
    /// does not make another one look small.
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
        let part = (0_u64..6, 0_u128..9).prop_map(|(buyers, sales)| Part { buyers, sales });
        prop::collection::vec(part, 0..12)
    }

    proptest! {
        #[test]
        fn a_cell_is_enough_if_what_is_left_without_any_merchant_is(
            parts in parts(), buyers in 0_u64..20, k in 1_u64..12,
        ) {
            let selling: Vec<Part> = parts.iter().copied().filter(|it| it.sales > 0).collect();
            let expected = !selling.is_empty() && (0..selling.len()).all(|asks| {
                let mut others = selling.clone();
                let own = others.remove(asks);
                let sales: u128 = others.iter().map(|it| it.sales).sum();
                others.len() >= OTHER_MERCHANTS_MIN.into()
                    && others.iter().all(|it| it.sales * 2 <= sales)
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
