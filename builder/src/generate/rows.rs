//! Every row of a plan, as a pure function of its number.

use super::{
    OutputLayout, Plan,
    calendar::{Calendar, Moment},
    cards::{Card, Cards},
    categories::CATEGORIES,
    error::Result,
    planted::{Planted, is_open_at},
    random::{Rng, Stream},
    refunds::Refunds,
    stores::Stores,
};

/// How many rows in a thousand look whether they continue an affinity.
const FOLLOW_UPS_PERMILLE: u32 = 250;

/// What a card pays in a store.
#[derive(Clone, Copy)]
pub(super) struct Payment {
    pub(super) moment: Moment,
    /// Rank of the store.
    pub(super) store: u32,
    pub(super) card: Card,
    /// What the ticket is drawn from.
    pub(super) ticket: u64,
}

/// One row of the output.
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) payment: Payment,
    /// The row that this one refunds.
    pub(super) refund_of: Option<u64>,
}

/// Everything that the rows of a plan are drawn from. Its size depends on the numbers of stores
/// and days only.
pub(super) struct World {
    seed: u64,
    pub(super) calendar: Calendar,
    pub(super) stores: Stores,
    cards: Cards,
    pub(super) planted: Planted,
    /// None in a layout without refunds.
    refunds: Option<Refunds>,
}

impl World {
    pub(super) fn new(plan: &Plan) -> Result<Self> {
        plan.check()?;
        let Plan {
            from,
            to,
            transactions,
            seed,
            ..
        } = *plan;
        let categories = CATEGORIES.len().min(plan.stores as usize);
        let calendar = Calendar::new(from, to, transactions, categories, seed)?;
        let days = calendar.days().len();
        let mut stores = Stores::new(plan.stores, days, seed);
        let cards = Cards::new(plan.cards, seed);
        let planted = Planted::new(&mut stores, &calendar, &cards, plan.cards, seed);
        let refunds =
            (plan.layout != OutputLayout::Payments).then(|| Refunds::new(transactions, days, seed));
        Ok(Self {
            seed,
            calendar,
            stores,
            cards,
            planted,
            refunds,
        })
    }

    /// Row `number`, which falls on `day`.
    pub(super) fn row(&self, number: u64, day: usize) -> Row {
        if let Some(payment) = self.planted(number, day) {
            return Row {
                number,
                payment,
                refund_of: None,
            };
        }
        let original = self
            .refunds
            .as_ref()
            .and_then(|refunds| refunds.original_of(number));
        if let Some(original) = original
            && let Some(payment) = self.refund(number, day, original)
        {
            return Row {
                number,
                payment,
                refund_of: Some(original),
            };
        }
        let payment = self
            .follow_up(number, day)
            .unwrap_or_else(|| self.spontaneous(number, day));
        Row {
            number,
            payment,
            refund_of: None,
        }
    }

    fn moment(&self, number: u64, day: usize) -> Moment {
        let bits = Rng::new(self.seed, Stream::Row, number).bits();
        self.calendar.moment(number, day, bits)
    }

    /// A payment for no reason but the hour, the card and the store.
    fn spontaneous(&self, number: u64, day: usize) -> Payment {
        let mut rng = Rng::new(self.seed, Stream::Row, number);
        let moment = self.calendar.moment(number, day, rng.bits());
        let category = self.calendar.category(moment, rng.bits());
        let card = self.cards.pick(&CATEGORIES[category], &mut rng);
        let weekday = self.calendar.days()[day].weekday;
        let store = self.stores.pick(category, &card, (day, weekday), &mut rng);
        Payment {
            moment,
            store,
            card,
            ticket: rng.bits(),
        }
    }

    fn planted(&self, number: u64, day: usize) -> Option<Payment> {
        let plantings = self.planted.on(day);
        if plantings.is_empty() {
            return None;
        }
        let position = number - self.calendar.days()[day].first_row;
        let planting = plantings
            .iter()
            .find(|planting| planting.covers(position))?;
        let payment = self.spontaneous(number, day);
        match planting.payment {
            Some((card, ticket)) => {
                let card = self.cards.card(card);
                Some(Payment {
                    store: planting.store,
                    card,
                    ticket,
                    ..payment
                })
            }
            None => is_open_at(&self.stores, planting.store, payment.moment).then_some(Payment {
                store: planting.store,
                ..payment
            }),
        }
    }

    /// The same card's next payment after an earlier one in a store that another one follows.
    fn follow_up(&self, number: u64, day: usize) -> Option<Payment> {
        let mut rng = Rng::new(self.seed, Stream::FollowUp, number);
        if !rng.permille(FOLLOW_UPS_PERMILLE) {
            return None;
        }
        let today = &self.calendar.days()[day];
        let rows = u32::try_from(today.rows).unwrap_or(u32::MAX);
        let lag = u64::from(rows / 24 + rng.below(rows / 8));
        let earlier = number.checked_sub(lag.max(1))?;
        if earlier < today.first_row {
            return None;
        }
        let first = self.spontaneous(earlier, day);
        let store = self.stores.get(first.store).followed_by?;
        let moment = self.moment(number, day);
        is_open_at(&self.stores, store, moment).then(|| Payment {
            moment,
            store,
            card: first.card,
            ticket: rng.bits(),
        })
    }

    /// The payment `original`, taken back now; none while the store is closed.
    fn refund(&self, number: u64, day: usize, original: u64) -> Option<Payment> {
        let day_then = self.calendar.day_of(original, day);
        let then = self
            .planted(original, day_then)
            .or_else(|| self.follow_up(original, day_then))
            .unwrap_or_else(|| self.spontaneous(original, day_then));
        let moment = self.moment(number, day);
        let mut rng = Rng::from_bits(then.ticket);
        let weekday = self.calendar.days()[day].weekday;
        let is_possible = is_open_at(&self.stores, then.store, moment)
            && self.stores.get(then.store).takes(day, weekday, &mut rng);
        is_possible.then_some(Payment { moment, ..then })
    }
}
