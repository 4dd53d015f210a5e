//! Rows as lines of text, in each layout.

use super::{
    OutputLayout, Plan,
    cards::{AGE_BANDS, COMPANIES, GENDERS, SEGMENTS},
    categories::CATEGORIES,
    places::PLACES,
    price::Ticket,
    random::{Rng, mix},
    rows::{Row, World},
    settlements::{self, SettlementOf},
    stores::Store,
};
use crate::currency;

const CANONICAL: &str = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,lat,lon,\
    installments,card_company,channel,age_band,gender,segment,points_used,original_tx_id\n";
const CANONICAL_SETTLED: &str = "tx_id,store_id,card_id,ts,amount_minor,currency,category,region,lat,lon,\
    installments,card_company,channel,age_band,gender,segment,points_used,original_tx_id,\
    fee_minor,deposit_minor,settles_on\n";
const FUNDA: &str = "store_id,card_id,card_company,transacted_date,transacted_time,\
    installment_term,region,type_of_business,amount\n";
const PAYMENTS: &str = "transaction_id,transaction_ts,customer_id,merchant_id,amount,currency,\
    latitude,longitude,device_id,payment_method,is_foreign\n";
const METHODS: [&str; 4] = [
    "credit_card",
    "debit_card",
    "mobile_wallet",
    "bank_transfer",
];
/// What is added to the months of a `funda` payment with points.
const FUNDA_POINTS: u32 = 60;

/// Writes the rows of one plan.
pub(super) struct Encoder<'w> {
    world: &'w World,
    ids: Ids,
    layout: OutputLayout,
    currency: &'w str,
    /// Minor units in a tens of won or hundredth of a euro.
    minor_units: u32,
    settlements: bool,
}

/// How ids are spelled: a letter and a number of fixed width.
#[derive(Clone, Copy)]
pub(super) struct Ids {
    store_width: usize,
    card_width: usize,
}

impl Ids {
    pub(super) fn new(plan: &Plan) -> Self {
        let digits =
            |count: u32| count.saturating_sub(1).checked_ilog10().unwrap_or(0) as usize + 1;
        Self {
            store_width: digits(plan.stores).max(6),
            card_width: digits(plan.cards).max(7),
        }
    }

    pub(super) fn store(self, id: u32) -> String {
        format!("s{id:0width$}", width = self.store_width)
    }

    pub(super) fn card(self, id: u32) -> String {
        format!("c{id:0width$}", width = self.card_width)
    }
}

impl<'w> Encoder<'w> {
    pub(super) fn new(world: &'w World, plan: &'w Plan) -> Self {
        let minor_units = if plan.currency == "KRW" { 10 } else { 1 };
        let Plan {
            layout,
            ref currency,
            settlements,
            ..
        } = *plan;
        Self {
            world,
            ids: Ids::new(plan),
            layout,
            currency,
            minor_units,
            settlements,
        }
    }

    pub(super) fn header(&self) -> &'static str {
        match self.layout {
            OutputLayout::Canonical if self.settlements => CANONICAL_SETTLED,
            OutputLayout::Canonical => CANONICAL,
            OutputLayout::Funda => FUNDA,
            OutputLayout::Payments => PAYMENTS,
        }
    }

    /// Appends `row` to `out` as a line.
    pub(super) fn push(&self, row: &Row, out: &mut Vec<u8>) {
        let store = self.world.stores.get(row.payment.store);
        let ticket = Ticket::new(store, row.payment.ticket);
        match self.layout {
            OutputLayout::Canonical => self.canonical(row, store, &ticket, out),
            OutputLayout::Funda => self.funda(row, store, &ticket, out),
            OutputLayout::Payments => self.payments(row, store, &ticket, out),
        }
        out.push(b'\n');
    }

    fn canonical(&self, row: &Row, store: &Store, ticket: &Ticket, out: &mut Vec<u8>) {
        let (category, card) = (&CATEGORIES[store.category], &row.payment.card);
        let is_refund = row.refund_of.is_some();
        id(b't', row.number, 12, out);
        out.push(b',');
        id(b's', u64::from(store.id), self.ids.store_width, out);
        out.push(b',');
        id(b'c', u64::from(card.id), self.ids.card_width, out);
        out.push(b',');
        self.timestamp(row, out);
        out.extend_from_slice(if is_refund { b",-" } else { b"," });
        number(u64::from(ticket.amount * self.minor_units), 1, out);
        field(self.currency, out);
        field(category.name, out);
        out.push(b',');
        region(store, out);
        point(store, out);
        out.push(b',');
        number(
            u64::from(if is_refund { 0 } else { ticket.installments }),
            1,
            out,
        );
        field(COMPANIES[card.company], out);
        field(channel(category.online, ticket), out);
        field(AGE_BANDS[card.age], out);
        field(GENDERS[card.gender], out);
        field(SEGMENTS[card.segment], out);
        out.push(b',');
        if ticket.points > 0 && !is_refund {
            number(u64::from(ticket.points * self.minor_units), 1, out);
        }
        out.push(b',');
        if let Some(original) = row.refund_of {
            id(b't', original, 12, out);
        }
        if self.settlements {
            self.settlement(row, ticket, out);
        }
    }

    /// Appends fee, deposit and day of settlement, those that the row says.
    fn settlement(&self, row: &Row, ticket: &Ticket, out: &mut Vec<u8>) {
        let amount = i64::from(ticket.amount * self.minor_units);
        let day = self.world.calendar.days()[row.payment.moment.day].date;
        let said = SettlementOf {
            number: row.number,
            company: row.payment.card.company,
            amount: if row.refund_of.is_some() {
                -amount
            } else {
                amount
            },
            day,
        };
        settlements::push(&said, out);
    }

    fn funda(&self, row: &Row, store: &Store, ticket: &Ticket, out: &mut Vec<u8>) {
        let card = &row.payment.card;
        let is_refund = row.refund_of.is_some();
        id(b's', u64::from(store.id), self.ids.store_width, out);
        out.push(b',');
        id(b'c', u64::from(card.id), self.ids.card_width, out);
        field(COMPANIES[card.company], out);
        out.push(b',');
        out.extend_from_slice(&self.world.calendar.days()[row.payment.moment.day].text);
        out.push(b',');
        clock(row.payment.moment.second, false, out);
        out.push(b',');
        let points = if ticket.points > 0 { FUNDA_POINTS } else { 0 };
        number(
            u64::from(if is_refund {
                0
            } else {
                points + ticket.installments
            }),
            1,
            out,
        );
        out.push(b',');
        // What a store never told stays blank in all its rows.
        let told = mix(u64::from(store.id));
        if told % 100 >= 35 {
            region(store, out);
        }
        let category = CATEGORIES[store.category].name;
        field(
            if (told >> 32) % 100 >= 60 {
                category
            } else {
                ""
            },
            out,
        );
        out.extend_from_slice(if is_refund { b",-" } else { b"," });
        number(u64::from(ticket.amount), 1, out);
    }

    fn payments(&self, row: &Row, store: &Store, ticket: &Ticket, out: &mut Vec<u8>) {
        let card = &row.payment.card;
        let mut rng = Rng::from_bits(ticket.bits);
        id(b't', row.number, 12, out);
        out.push(b',');
        self.timestamp(row, out);
        out.push(b',');
        id(b'c', u64::from(card.id), self.ids.card_width, out);
        out.push(b',');
        id(b's', u64::from(store.id), self.ids.store_width, out);
        out.push(b',');
        // Uniform from 10.00 to 5,000.00, half of them foreign: 0.5 + 0.5 * 2,000 / 4,990 of the
        // rows are above 3,000 or foreign. Some currencies have no hundredths.
        let cents = 1000 + rng.below(499_001);
        number(u64::from(cents / 100), 1, out);
        if currency::exponent(self.currency) > 0 {
            out.push(b'.');
            number(u64::from(cents % 100), 2, out);
        }
        field(self.currency, out);
        point(store, out);
        out.push(b',');
        let device = u64::from(rng.permille(100));
        id(b'd', mix(card.bits ^ device) % 1_000_000_000_000, 12, out);
        field(METHODS[rng.below(4) as usize], out);
        field(if rng.permille(500) { "true" } else { "false" }, out);
    }

    fn timestamp(&self, row: &Row, out: &mut Vec<u8>) {
        let moment = row.payment.moment;
        out.extend_from_slice(&self.world.calendar.days()[moment.day].text);
        out.push(b'T');
        clock(moment.second, true, out);
    }
}

fn channel(online_permille: u32, ticket: &Ticket) -> &'static str {
    let draw = (ticket.bits % 1000) as u32;
    if draw < online_permille {
        "online"
    } else if (ticket.bits >> 32) % 100 < 45 {
        "contactless"
    } else {
        "terminal"
    }
}

fn field(text: &str, out: &mut Vec<u8>) {
    out.push(b',');
    out.extend_from_slice(text.as_bytes());
}

/// `Province/District`.
pub(super) fn region(store: &Store, out: &mut Vec<u8>) {
    let place = &PLACES[store.place];
    out.extend_from_slice(place.province.as_bytes());
    out.push(b'/');
    out.extend_from_slice(place.district.as_bytes());
}

/// `,latitude,longitude` in degrees.
pub(super) fn point(store: &Store, out: &mut Vec<u8>) {
    for degrees_e5 in [store.latitude_e5, store.longitude_e5] {
        out.push(b',');
        number(u64::from(degrees_e5 / 100_000), 1, out);
        out.push(b'.');
        number(u64::from(degrees_e5 % 100_000), 5, out);
    }
}

/// A letter and a number of at least `width` digits.
pub(super) fn id(letter: u8, value: u64, width: usize, out: &mut Vec<u8>) {
    out.push(letter);
    number(value, width, out);
}

/// HH:MM, or HH:MM:SS.
fn clock(second: u32, with_seconds: bool, out: &mut Vec<u8>) {
    number(u64::from(second / 3600), 2, out);
    out.push(b':');
    number(u64::from(second / 60 % 60), 2, out);
    if with_seconds {
        out.push(b':');
        number(u64::from(second % 60), 2, out);
    }
}

/// Decimal digits, with zeros in front up to `width` (at most 20).
fn number(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value > 0 {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_format_writes_them() {
        for (value, width) in [(0, 1), (7, 2), (1234, 2), (5, 12), (u64::MAX, 20)] {
            let mut out = Vec::new();
            number(value, width, &mut out);
            assert_eq!(out, format!("{value:0width$}").into_bytes());
        }
    }
}
