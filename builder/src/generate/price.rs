//! What a payment amounts to, how it is paid back, and with which points.

use super::{
    categories::{CATEGORIES, Price},
    random::Rng,
    stores::Store,
};

/// From this amount on, some payments are made in installments.
const INSTALLMENTS_FROM: u32 = 5000;
const MONTHS: [u32; 8] = [2, 3, 3, 3, 5, 6, 10, 12];

/// Amount and manner of one payment.
pub(super) struct Ticket {
    /// In hundredths of a euro, or tens of won.
    pub(super) amount: u32,
    /// Months; 0 or 1 is a lump sum.
    pub(super) installments: u32,
    /// The part paid with points, in the amount's unit.
    pub(super) points: u32,
    /// Bits for what else is said of the payment.
    pub(super) bits: u64,
}

impl Ticket {
    /// The ticket that `bits` draw at `store`; the same bits draw the same ticket.
    pub(super) fn new(store: &Store, bits: u64) -> Self {
        let mut rng = Rng::from_bits(bits);
        let amount = amount(store, &mut rng);
        let lump_sum = u32::from(rng.permille(80));
        let installments = if amount >= INSTALLMENTS_FROM && rng.permille(180) {
            MONTHS[rng.below(8) as usize]
        } else {
            lump_sum
        };
        let uses_points = rng.permille(15);
        let points = if uses_points {
            amount.min(100 + 100 * rng.below(20))
        } else {
            0
        };
        Self {
            amount,
            installments,
            points,
            bits: rng.bits(),
        }
    }
}

fn amount(store: &Store, rng: &mut Rng) -> u32 {
    let prices = CATEGORIES[store.category].prices;
    let price = component(prices, rng);
    let mut depth = rng.bits() >> 32;
    for _ in 1..price.power {
        depth = (depth * (rng.bits() >> 32)) >> 32;
    }
    let above_low = (depth * u64::from(price.high - price.low)) >> 32;
    let listed = u64::from(price.low) + above_low;
    let charged = listed * u64::from(store.price_percent) / 100;
    let steps = (charged / u64::from(price.step)).max(1);
    let rounded = steps * u64::from(price.step) - u64::from(price.below);
    u32::try_from(rounded.max(1)).unwrap_or(u32::MAX)
}

fn component<'p>(prices: &'p [Price], rng: &mut Rng) -> &'p Price {
    let total: u32 = prices.iter().map(|price| price.weight).sum();
    let mut left = rng.below(total);
    for price in prices {
        if left < price.weight {
            return price;
        }
        left -= price.weight;
    }
    &prices[0]
}
