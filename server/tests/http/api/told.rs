//! What generations tell of the cards of stores, by month.

use std::sync::Arc;

use nightshard_format::{record::encode_month_stores, shard::Span};

use super::{payment, shops};
use crate::{
    fixture::{Fixture, ToldRecords},
    harness::{Harness, config},
};

/// What a generation tells in a dataset: keys, spans and values.
pub(crate) type Told = Vec<(&'static [u8], Span, Vec<u8>)>;

/// Says how many records a month has.
pub(super) fn put_count(records: &mut Told, month: &'static str, count: u64) {
    let mut value = Vec::new();
    encode_month_stores(count, &mut value);
    records.push((month.as_bytes(), Span::Current, value));
}

/// Returns the records of the store `a` in some months, and of how many stores have one.
pub(super) fn of_one_store<const N: usize>(months: [(&'static str, Vec<u8>); N]) -> Told {
    let mut records = Vec::new();
    for (month, value) in months {
        let span = Span::Month(month.parse().unwrap());
        records.push((&b"a"[..], span, value));
        put_count(&mut records, month, 1);
    }
    records
}

/// Payments of three months, beside which these datasets tell something of the first two.
pub(super) fn three_months(told: &[ToldRecords<'_>]) -> Harness {
    let fixture = Arc::new(Fixture::new());
    let payments = [
        payment(0, "2018-01-05", 1, 700),
        payment(0, "2018-02-12", 1, -200),
        payment(0, "2018-03-31", 2, 1_100),
    ];
    let id = fixture.write_all_told(&shops()[..1], &payments, told);
    fixture.select(1, &id);
    Harness::ready(config(), fixture, 1)
}
