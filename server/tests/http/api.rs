//! Every resource and every error, against figures worked out by hand.

mod batch;
pub(crate) mod before_after;
pub(crate) mod benchmark;
mod best_time;
mod catalog;
mod comparison;
mod consumption_pattern;
mod cors;
pub(crate) mod demographics;
mod envelope;
mod histogram;
mod loyalty;
mod openapi;
pub(crate) mod origins;
mod payment_mix;
mod quality;
mod readiness;
mod requests;
mod sales_by_day;
pub(crate) mod settlements;
mod statistics;
mod told;
mod unit_price;

use std::sync::Arc;

use nightshard_format::{calendar::Day, manifest::GenerationId};
use nightshard_server::Config;

use crate::{
    fixture::{Fixture, Payment, Shop},
    harness::Harness,
};

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn payment(store: usize, date: &str, card: u32, amount: i64) -> Payment {
    Payment {
        store,
        day: day(date),
        card,
        amount,
        half_hour: None,
        paid: None,
    }
}

fn shops() -> Vec<Shop> {
    vec![
        Shop::new("a", "Marks & Spencer", "leeds", "food"),
        Shop::new("b/1 é", "Café Noir", "leeds", "fuel"),
        Shop::new("c", "", "york", "food"),
    ]
}

fn payments() -> Vec<Payment> {
    vec![
        payment(0, "2018-01-29", 1, 1_000),
        payment(0, "2018-01-30", 1, 2_000),
        payment(0, "2018-02-03", 2, -500),
        payment(0, "2018-02-03", 1, 300),
        payment(0, "2018-03-05", 3, 700),
        payment(1, "2018-01-31", 1, 5_000),
        payment(2, "2018-03-01", 9, 100),
        payment(2, "2018-03-02", 9, 200),
    ]
}

/// A server of the payments above, under selection 1.
fn server(config: Config) -> (Harness, GenerationId) {
    let fixture = Arc::new(Fixture::new());
    let id = fixture.write(&shops(), &payments());
    fixture.select(1, &id);
    (Harness::ready(config, fixture, 1), id)
}
