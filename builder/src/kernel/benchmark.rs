//! Stores of one region and category beside each other (docs/definitions.md, "Benchmark").

use std::num::NonZeroU32;

use nightshard_format::{
    privacy::OTHER_MERCHANTS_MIN,
    record::{Benchmark, Standing},
};

/// From so many others on, percentiles have all steps of 25.
const SOME_OTHERS: usize = 10;

/// From so many others on, percentiles have the finer of two steps.
const MANY_OTHERS: usize = 20;

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

/// Compares each of the stores of a region and category with those of other merchants; `cards` are distinct over
/// all of them, or fewer. Where too little may be told of the others, there is nothing.
#[must_use]
pub fn compare(peers: &[Peer], cards: u64, k: NonZeroU32) -> Vec<Option<Benchmark>> {
    let k = u64::from(k.get());
    let merchants = Merchants::of(peers);
    let net_sales = Column::of(peers, |peer| peer.net_sales);
    let sales_count = Column::of(peers, |peer| peer.sales_count.into());
    let tickets = Column::of(peers, ticket);
    let of_peer = |peer: &Peer| {
        let others = net_sales.others(peer.merchant);
        let is_told = others > 0 && (k == 1 || merchants.hide_each_other(peer, cards, k));
        is_told.then(|| Benchmark {
            others: others as u64,
            net_sales: net_sales.standing(peer.net_sales, peer.merchant, k),
            sales_count: sales_count.standing(peer.sales_count.into(), peer.merchant, k),
            ticket: tickets.standing(ticket(peer), peer.merchant, k),
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
    /// Cards of their stores; one that was at two of them counts twice.
    cards: Vec<u64>,
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
        let mut cards = vec![0_u64; sold.len()];
        for peer in peers {
            sold[peer.merchant] = sold[peer.merchant].saturating_add(peer.sales_sum);
            cards[peer.merchant] = cards[peer.merchant].saturating_add(peer.cards);
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
            cards,
            largest,
        }
    }

    /// Returns whether there are enough merchants and cards besides those of a store's merchant, none of
    /// the merchants with more than half of what they sold together.
    fn hide_each_other(&self, peer: &Peer, cards: u64, k: u64) -> bool {
        let cards = cards.saturating_sub(self.cards[peer.merchant]);
        let others = self.len.saturating_sub(1);
        let sold = self.all - self.sold[peer.merchant];
        let mut largest = self.largest.into_iter().flatten();
        let largest = largest.find(|merchant| *merchant != peer.merchant);
        let most = largest.map_or(0, |merchant| self.sold[merchant]);
        cards >= k && others >= OTHER_MERCHANTS_MIN.into() && most <= sold / 2
    }
}

/// A figure of all stores.
struct Column {
    /// Ascending, each with the cards of its store.
    values: Vec<(i128, u64)>,
    /// By merchant, where its stores are in `values`, ascending.
    of_merchant: Vec<Vec<usize>>,
}

impl Column {
    fn of(peers: &[Peer], figure: impl Fn(&Peer) -> i128) -> Self {
        let mut stores: Vec<(i128, &Peer)> = peers.iter().map(|it| (figure(it), it)).collect();
        stores.sort_unstable_by_key(|(value, peer)| (*value, peer.cards));
        let merchants = peers.iter().map(|peer| peer.merchant + 1).max();
        let mut of_merchant = vec![Vec::new(); merchants.unwrap_or(0)];
        for (at, (_, peer)) in stores.iter().enumerate() {
            of_merchant[peer.merchant].push(at);
        }
        Self {
            values: stores
                .iter()
                .map(|(value, peer)| (*value, peer.cards))
                .collect(),
            of_merchant,
        }
    }

    /// Returns how many stores other merchants have.
    fn others(&self, merchant: usize) -> usize {
        self.values.len() - self.of_merchant[merchant].len()
    }

    /// Returns where a store that has one of the values stands among those of other merchants, of which there
    /// is at least one; rounded, unless `k` is 1 and so nothing is hidden.
    fn standing(&self, own: i128, merchant: usize, k: u64) -> Standing {
        let mine = &self.of_merchant[merchant];
        let others = self.others(merchant);
        // The others before a place in the order of all.
        let before = |end: usize| end - mine.partition_point(|at| *at < end);
        let below = before(self.values.partition_point(|(value, _)| *value < own));
        let equal = before(self.values.partition_point(|(value, _)| *value <= own)) - below;
        let middle = [(others - 1) / 2, others / 2].map(|rank| self.other(rank, mine));
        let twice_median = middle[0].0.saturating_add(middle[1].0);
        if k == 1 {
            return Standing::Exact {
                own,
                twice_median,
                twice_below: (2 * below + equal) as u64,
            };
        }
        let median = two_digits(twice_median);
        // Of few cards, the figure of a store in the middle is theirs.
        let is_told = middle.iter().all(|(_, cards)| *cards >= k);
        Standing::Rounded {
            index: (is_told && median > 0).then(|| rounded(own.saturating_mul(100), median)),
            percentile: percentile(2 * below + equal, others),
        }
    }

    /// Returns the other of a rank, without those at `mine`.
    fn other(&self, rank: usize, mine: &[usize]) -> (i128, u64) {
        let skip = |at: usize, own: &usize| at + usize::from(*own <= at);
        self.values[mine.iter().fold(rank, skip)]
    }
}

/// Returns half of a number as a whole one, with its first two digits and zeros: it may be one store's figure.
fn two_digits(twice: i128) -> i128 {
    let mut step = 1;
    while twice.unsigned_abs() / 2 / step >= 100 {
        step *= 10;
    }
    let step = i128::try_from(step).unwrap_or(i128::MAX);
    rounded(twice, step.saturating_mul(2)).saturating_mul(step)
}

/// Returns which share of the others is below, halves counting `twice_below` / 2, in percent: in steps of 25,
/// of 10 among many others. Among few, the ends would tell that all or none of them are.
fn percentile(twice_below: usize, others: usize) -> u8 {
    let step = if others < MANY_OTHERS { 25 } else { 10 };
    let steps = rounded(100 * twice_below as i128, 2 * others as i128 * step);
    let percentile = u8::try_from(steps * step).unwrap_or(100);
    if others < SOME_OTHERS {
        percentile.clamp(25, 75)
    } else {
        percentile
    }
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
    fn a_median_is_told_by_two_digits() {
        for (twice, expected) in [
            (0, 0),
            (1, 1),
            (3, 2),
            (199, 100),
            (2 * 104, 100),
            (2 * 105, 110),
            (2 * 995, 1_000),
            (2 * 123_456, 120_000),
            (-2 * 123_456, -120_000),
        ] {
            assert_eq!(two_digits(twice), expected, "{twice}");
        }
        assert!(two_digits(i128::MAX) > 0);
    }

    #[test]
    fn percentiles_are_told_in_steps_of_more_than_one_store() {
        for (twice_below, others, expected) in [
            (0, 5, 25),
            (2, 5, 25),
            (5, 5, 50),
            (10, 5, 75),
            (1, 1, 50),
            (0, 10, 0),
            (20, 10, 100),
            (0, 40, 0),
            (3, 40, 0),
            (4, 40, 10),
            (80, 40, 100),
        ] {
            let told = percentile(twice_below, others);
            assert_eq!(told, expected, "{twice_below} {others}");
        }
    }

    #[test]
    fn a_median_of_few_cards_is_not_told() {
        let mut peers: Vec<Peer> = (0..7).map(|merchant| peer(merchant, 100)).collect();
        peers.iter_mut().for_each(|peer| peer.cards = 10);
        let told = |peers: &[Peer]| compare(peers, 99, k(10))[0].unwrap().net_sales.index();
        assert_eq!(told(&peers), Some(100.0));
        peers.iter_mut().skip(1).for_each(|peer| peer.cards = 9);
        assert_eq!(told(&peers), None);
    }

    #[test]
    fn stores_of_ones_own_are_no_others() {
        let mut peers: Vec<Peer> = (0..7).map(|merchant| peer(merchant, 100)).collect();
        peers.iter_mut().for_each(|peer| peer.cards = 10);
        peers.extend([peer(0, 900), peer(0, 1)]);
        let compared = compare(&peers, 99, k(10));
        let [first, branch] = [compared[0].unwrap(), compared[7].unwrap()];
        assert_eq!((first.others, branch.others), (6, 6));
        assert_eq!(
            first.net_sales,
            Standing::Rounded {
                index: Some(100),
                percentile: 50
            }
        );
        assert_eq!(
            branch.net_sales,
            Standing::Rounded {
                index: Some(900),
                percentile: 75
            }
        );
        // A card of each branch: they hide nobody.
        assert_eq!(compare(&peers, 21, k(10))[0], None);
        assert!(compare(&peers, 22, k(10))[0].is_some());
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

    #[test]
    fn nothing_is_rounded_where_nothing_is_hidden() {
        // 123 beside 7, 123, 1,001 and 1,004: the median is 562, one and a half of four have less.
        let sold = [123, 7, 123, 1_001, 1_004];
        let peers: Vec<Peer> = (0..5).map(|it| peer(it, sold[it])).collect();
        let benchmark = compare(&peers, 0, k(1))[0].unwrap();
        assert_eq!(
            benchmark.net_sales,
            Standing::Exact {
                own: 123,
                twice_median: 1_124,
                twice_below: 3
            }
        );
        assert_eq!(benchmark.net_sales.index(), Some(24_600.0 / 1_124.0));
        assert_eq!(benchmark.net_sales.percentile(4), Some(37.5));
    }

    /// By the definition, over the others alone, whose median is `rounded` from twice it.
    fn naive(own: i128, others: &mut [i128], rounded: impl Fn(i128) -> f64) -> (Option<f64>, f64) {
        others.sort_unstable();
        let len = others.len();
        let median = rounded(others[(len - 1) / 2] + others[len / 2]);
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
                    cards: 2,
                })
                .collect();
            let compared = compare(&peers, 0, k(1));
            let columns: [fn(&Peer) -> i128; 3] =
                [|it| it.net_sales, |it| it.sales_count.into(), ticket];
            for (at, benchmark) in compared.iter().enumerate() {
                let benchmark = benchmark.unwrap();
                prop_assert_eq!(benchmark.others, peers.len() as u64 - 1);
                for ((_, exact), column) in benchmark.standings().into_iter().zip(columns) {
                    let mut others: Vec<i128> = peers.iter().map(column).collect();
                    let own = others.remove(at);
                    let (index, percentile) = naive(own, &mut others, |twice| twice as f64 / 2.0);
                    let is_near = |told: f64, wanted: f64| (told - wanted).abs() <= 1e-9 * wanted.abs();
                    prop_assert_eq!(exact.index().is_some(), index.is_some());
                    if let (Some(told), Some(wanted)) = (exact.index(), index) {
                        prop_assert!(is_near(told, wanted), "{told} {wanted}");
                    }
                    let told = exact.percentile(benchmark.others).unwrap();
                    prop_assert!(is_near(told, percentile), "{told} {percentile}");

                    let rounded = Column::of(&peers, column).standing(own, at, 2);
                    let (index, percentile) = naive(own, &mut others, |twice| two_digits(twice) as f64);
                    prop_assert_eq!(rounded.index().is_some(), index.is_some());
                    if let (Some(told), Some(wanted)) = (rounded.index(), index) {
                        let off = (told - wanted).abs();
                        prop_assert!(off <= 0.5 + 1e-9, "{told} {wanted}");
                    }
                    let step = if others.len() < 20 { 12.5 } else { 5.0 };
                    let ends = if others.len() < 10 { [25.0, 75.0] } else { [0.0, 100.0] };
                    let percentile = percentile.clamp(ends[0], ends[1]);
                    let off = (rounded.percentile(benchmark.others).unwrap() - percentile).abs();
                    prop_assert!(off <= step + 1e-9, "{rounded:?} {percentile}");
                }
            }
        }
    }
}
