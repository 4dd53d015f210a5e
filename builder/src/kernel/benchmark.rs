//! Stores of one region and category beside each other (docs/definitions.md, "Benchmark").

use std::num::NonZeroU32;

use nightshard_format::record::{Benchmark, Standing};

/// Other merchants that have to be there for figures to be told.
const MERCHANTS_MIN: usize = 5;

/// From so many others on, percentiles have the finer of two steps.
const MANY_OTHERS: usize = 20;

/// The finest index up to which each whole percent is told; above, steps grow with it.
const INDEX_EXACT_MAX: i128 = 200;

/// What a store sold in a period in which it has a sale.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Whose it is: numbers from 0; a store that names no merchant has a number of its own.
    pub merchant: usize,
    /// Net sum of all rows, in minor units.
    pub net_sales: i128,
    /// Number of sales, at least 1.
    pub sales_count: u64,
    /// Their sum, in minor units.
    pub sales_sum: u128,
    /// Distinct cards with a row.
    pub cards: u64,
}

/// Compares each of the stores of a region and category with the others; `cards` are distinct over all of
/// them. Where too little may be told of the others, there is nothing.
#[must_use]
pub fn compare(peers: &[Peer], cards: u64, k: NonZeroU32) -> Vec<Option<Benchmark>> {
    let merchants = Merchants::of(peers);
    let net_sales = Column::of(peers.iter().map(|peer| peer.net_sales));
    let sales_count = Column::of(peers.iter().map(|peer| peer.sales_count.into()));
    let tickets = Column::of(peers.iter().map(ticket));
    let of_peer = |peer: &Peer| {
        let is_told = match k.get() {
            1 => peers.len() > 1,
            k => merchants.hide_each_other(peer) && cards.saturating_sub(peer.cards) >= k.into(),
        };
        is_told.then(|| Benchmark {
            others: peers.len() as u64 - 1,
            net_sales: net_sales.standing(peer.net_sales),
            sales_count: sales_count.standing(peer.sales_count.into()),
            ticket: tickets.standing(ticket(peer)),
        })
    };
    peers.iter().map(of_peer).collect()
}

/// Returns the mean of a sale, in thousandths of a minor unit, halves up.
fn ticket(peer: &Peer) -> i128 {
    let sum = i128::try_from(peer.sales_sum).unwrap_or(i128::MAX);
    rounded(sum.saturating_mul(1_000), peer.sales_count.into())
}

/// Returns a quotient rounded to the nearest integer, halves up.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    let twice = dividend.saturating_mul(2).saturating_add(divisor);
    twice.div_euclid(divisor.saturating_mul(2))
}

/// The merchants of the stores, by what they sold.
struct Merchants {
    /// 0 of those without a sale.
    sold: Vec<u128>,
    /// How many have sales.
    len: usize,
    all: u128,
    /// The two that sold most.
    largest: [Option<usize>; 2],
}

impl Merchants {
    fn of(peers: &[Peer]) -> Self {
        let len = peers.iter().map(|peer| peer.merchant + 1).max();
        let mut sold = vec![0_u128; len.unwrap_or(0)];
        for peer in peers {
            sold[peer.merchant] = sold[peer.merchant].saturating_add(peer.sales_sum);
        }
        let mut largest = [None, None];
        for (merchant, sum) in sold.iter().enumerate() {
            let beats = |other: Option<usize>| other.is_none_or(|other| *sum > sold[other]);
            if beats(largest[0]) {
                largest = [Some(merchant), largest[0]];
            } else if beats(largest[1]) {
                largest[1] = Some(merchant);
            }
        }
        Self {
            all: sold.iter().fold(0, |all, sum| all.saturating_add(*sum)),
            len: sold.iter().filter(|sum| **sum > 0).count(),
            sold,
            largest,
        }
    }

    /// Returns whether there are enough merchants besides that of a store, none of them with more than half
    /// of what they sold together.
    fn hide_each_other(&self, peer: &Peer) -> bool {
        let others = self.len.saturating_sub(1);
        let sold = self.all - self.sold[peer.merchant];
        let mut largest = self.largest.into_iter().flatten();
        let largest = largest.find(|merchant| *merchant != peer.merchant);
        let most = largest.map_or(0, |merchant| self.sold[merchant]);
        others >= MERCHANTS_MIN && most <= sold / 2
    }
}

/// A figure of all stores, ascending.
struct Column(Vec<i128>);

impl Column {
    fn of(values: impl Iterator<Item = i128>) -> Self {
        let mut values: Vec<i128> = values.collect();
        values.sort_unstable();
        Self(values)
    }

    /// Returns where the store that has one of the values stands among at least one other.
    fn standing(&self, own: i128) -> Standing {
        let Self(values) = self;
        let others = values.len() - 1;
        let below = values.partition_point(|value| *value < own);
        let equal = values.partition_point(|value| *value <= own) - below - 1;
        // The first of equals is the store itself.
        let other = |at: usize| values[if at < below { at } else { at + 1 }];
        let twice_median = other((others - 1) / 2).saturating_add(other(others / 2));
        Standing {
            index: (twice_median > 0).then(|| index(own, twice_median)),
            percentile: percentile(2 * below + equal, others),
        }
    }
}

/// Returns 100 x own / median in steps of 1 up to 200, of 10 up to 2,000, and so on.
///
/// A finer index would tell the median, which may be the figure of one store, as exactly as the store that asks
/// is large.
fn index(own: i128, twice_median: i128) -> i128 {
    let percents = own.saturating_mul(200);
    let mut step = 1;
    loop {
        let index = rounded(percents, twice_median.saturating_mul(step)).saturating_mul(step);
        if index.saturating_abs() <= INDEX_EXACT_MAX.saturating_mul(step) {
            return index;
        }
        step *= 10;
    }
}

/// Returns which share of the others is below, halves counting `twice_below` / 2, in percent: in steps of 25,
/// of 10 among many others. So a step is more than one of them.
fn percentile(twice_below: usize, others: usize) -> u8 {
    let step = if others < MANY_OTHERS { 25 } else { 10 };
    let steps = rounded(100 * twice_below as i128, 2 * others as i128 * step);
    u8::try_from(steps * step).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn k(k: u32) -> NonZeroU32 {
        NonZeroU32::new(k).unwrap()
    }

    fn peer(merchant: usize, sold: u128) -> Peer {
        Peer {
            merchant,
            net_sales: sold.cast_signed(),
            sales_count: 1,
            sales_sum: sold,
            cards: 1,
        }
    }

    #[test]
    fn an_index_is_told_in_steps_that_grow_with_it() {
        for (own, median, expected) in [
            (1, 1, 100),
            (1, 3, 33),
            (2, 3, 67),
            (2_004, 1_000, 200),
            (2_005, 1_000, 200),
            (2_050, 1_000, 210),
            (20_040, 1_000, 2_000),
            (20_500, 1_000, 2_100),
            (-1_005, 1_000, -100),
            (0, 7, 0),
        ] {
            assert_eq!(index(own, 2 * median), expected, "{own} {median}");
        }
        assert!(index(i128::MAX, 1) > 0);
    }

    #[test]
    fn percentiles_are_told_in_steps_of_more_than_one_store() {
        for (twice_below, others, expected) in [
            (0, 5, 0),
            (2, 5, 25),
            (5, 5, 50),
            (10, 5, 100),
            (1, 1, 50),
            (0, 40, 0),
            (3, 40, 0),
            (4, 40, 10),
            (80, 40, 100),
        ] {
            assert_eq!(
                percentile(twice_below, others),
                expected,
                "{twice_below} {others}"
            );
        }
    }

    #[test]
    fn figures_are_hidden_unless_the_others_hide_each_other() {
        let told = |peers: &[Peer], cards: u64, least: u32| -> Vec<bool> {
            let compared = compare(peers, cards, k(least));
            compared.iter().map(Option::is_some).collect()
        };
        let mut peers: Vec<Peer> = (0..6).map(|merchant| peer(merchant, 100)).collect();
        assert_eq!(told(&peers, 11, 10), [true; 6]);
        // Nine cards besides one's own.
        assert_eq!(told(&peers, 10, 10), [false; 6]);
        assert_eq!(told(&peers[..5], 99, 10), [false; 5]);
        // A second store of a merchant is no further one, for nobody.
        peers[5].merchant = 4;
        assert_eq!(told(&peers, 99, 10), [false; 6]);
        peers[5].merchant = 5;
        // 400 beside four of 100 is half of them together, 401 is more; its owner sees the small ones.
        peers[0].sales_sum = 400;
        assert_eq!(told(&peers, 99, 10), [true; 6]);
        peers[0].sales_sum = 401;
        assert_eq!(
            told(&peers, 99, 10),
            [true, false, false, false, false, false]
        );
        // Hiding is off: one other is enough.
        assert_eq!(told(&peers[..2], 0, 1), [true; 2]);
        assert_eq!(told(&peers[..1], 0, 1), [false]);
    }

    /// By the definition, over the others alone.
    fn naive(own: i128, others: &mut [i128]) -> (Option<f64>, f64) {
        others.sort_unstable();
        let len = others.len();
        let median = (others[(len - 1) / 2] + others[len / 2]) as f64 / 2.0;
        let rank: f64 = others
            .iter()
            .map(|other| match other.cmp(&own) {
                std::cmp::Ordering::Less => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 0.0,
            })
            .sum();
        let index = (median > 0.0).then(|| 100.0 * own as f64 / median);
        (index, 100.0 * rank / len as f64)
    }

    proptest! {
        #[test]
        fn each_store_is_compared_with_the_others(
            sold in prop::collection::vec((-20_i128..200, 1_u64..9, 1_u128..900), 2..45),
        ) {
            let peers: Vec<Peer> = sold
                .iter()
                .enumerate()
                .map(|(merchant, (net_sales, sales_count, sales_sum))| Peer {
                    merchant,
                    net_sales: *net_sales,
                    sales_count: *sales_count,
                    sales_sum: *sales_sum,
                    cards: 0,
                })
                .collect();
            let compared = compare(&peers, 0, k(1));
            let columns: [fn(&Peer) -> i128; 3] =
                [|it| it.net_sales, |it| it.sales_count.into(), ticket];
            for (at, benchmark) in compared.iter().enumerate() {
                let benchmark = benchmark.unwrap();
                prop_assert_eq!(benchmark.others, peers.len() as u64 - 1);
                for ((_, standing), column) in benchmark.standings().into_iter().zip(columns) {
                    let mut others: Vec<i128> = peers.iter().map(column).collect();
                    let own = others.remove(at);
                    let (index, percentile) = naive(own, &mut others);
                    prop_assert_eq!(standing.index.is_some(), index.is_some());
                    if let (Some(told), Some(exact)) = (standing.index, index) {
                        let off = (told as f64 - exact).abs();
                        prop_assert!(off <= 0.5 + 1e-9 || off <= 0.026 * exact.abs(), "{told} {exact}");
                    }
                    let step = if others.len() < 20 { 12.5 } else { 5.0 };
                    let off = (f64::from(standing.percentile) - percentile).abs();
                    prop_assert!(off <= step + 1e-9, "{standing:?} {percentile}");
                }
            }
        }
    }
}
